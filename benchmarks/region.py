"""
One region that is far larger than the others: `python -m benchmarks.region --json`.

`postrider up` with embedded servers plans two small regions for a while; then a large one is added, with its couriers
on duty, its open orders and a multitude of orders for later days, and the same is measured again. A third of the open
orders is wanted now and soon accepted; the rest is ready within the next two hours and stays open. Orders for now are
placed through the API at a steady rate, alternately in every region; offers are read from the regions' events, accepted
and delivered at once. An order that is to be collected after another one is planned at once and offered later. The
first cycles of the large region, when all of it is new, are told apart.

With `--osrm` travel times come from a real OSRM on the streets of `tests.engines`, and its requests are counted.
"""

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import redis.asyncio as aioredis

from app.machine.running import connected
from app.settings import Settings
from app.web.auth import Role
from app.web.tokens import add_token
from benchmarks.soak import measures, name_of, tree
from benchmarks.whole import Whole, postrider_up
from benchmarks.world import parser, report
from tracking import events
from tracking.pause import rest

CENTRE: Final = (41.155, -8.62)
SPREAD_DEG: Final = {"large": 0.03}
SMALL_SPREAD_DEG: Final = 0.015
"""Couriers and orders of other regions are about so many degrees around the centre: 1.5 km."""
SMALL: Final = ("north", "south")
FIX_EVERY_S: Final = 20.0
BATCH: Final = 200
OFFER_WITHIN_S: Final = 15.0
"""An order that nobody was offered for so long is counted as missed."""
PLANNED: Final = "SELECT order_id FROM decisions WHERE order_id = ANY($1::uuid[]) AND courier_id IS NOT NULL"
LOOK_EVERY_S: Final = 0.05


@dataclass(slots=True)
class Fleet:
    """A region's couriers: where they stand, and their phones' tokens."""

    region: str
    places: dict[UUID, tuple[float, float]]
    tokens: dict[UUID, str]


@dataclass(slots=True)
class Seen:
    """What was placed and offered, by region."""

    posted: dict[str, dict[str, float]] = field(default_factory=dict)
    offered: dict[str, float] = field(default_factory=dict)
    planned: dict[str, float] = field(default_factory=dict)
    """Given to a courier's route; those to be collected after others are offered when it is time to leave for them."""
    open_offers: asyncio.Queue[tuple[str, str, str]] = field(default_factory=asyncio.Queue)
    """Offer, order and courier."""

    def latencies(self, region: str, until: dict[str, float] | None = None) -> list[float]:
        """Seconds from POST to offer, or to what is given."""
        until = self.offered if until is None else until
        return sorted(until[order_id] - at for order_id, at in self.posted[region].items() if order_id in until)


def somewhere(region: str, dice: random.Random) -> tuple[float, float]:
    """A place in a region's city."""
    spread = SPREAD_DEG.get(region, SMALL_SPREAD_DEG)
    return CENTRE[0] + dice.uniform(-spread, spread), CENTRE[1] + dice.uniform(-spread, spread)


async def add_region(connection: Any, region: str, *, n_couriers: int, dice: random.Random) -> Fleet:
    """A region with its couriers on duty, each with a device's token."""
    await connection.execute("INSERT INTO regions (id, name) VALUES ($1, $1)", region)
    ids = [uuid4() for _ in range(n_couriers)]
    await connection.copy_records_to_table(
        "couriers",
        columns=["id", "name", "mode", "region"],
        records=[(id_, f"{region} {n}", dice.choice(("bicycle", "motorcycle")), region) for n, id_ in enumerate(ids)],
    )
    tokens = {id_: (await add_token(connection, Role.COURIER, "bench", courier_id=id_))[0] for id_ in ids}
    return Fleet(
        region=region,
        places={id_: somewhere(region, dice) for id_ in ids},
        tokens={id_: token.token for id_, token in tokens.items()},
    )


async def add_orders(connection: Any, region: str, *, n_open: int, n_later: int, dice: random.Random) -> None:
    """Open orders, a third of them for now, and those of the days to come."""
    now = datetime.now(UTC)
    ready = [now + timedelta(seconds=dice.uniform(-300, 300)) for _ in range(n_open // 3)]
    ready += [now + timedelta(seconds=dice.uniform(1800, 6600)) for _ in range(n_open - len(ready))]
    ready += [now + timedelta(days=1, seconds=dice.uniform(0, 5 * 86_400)) for _ in range(n_later)]
    doors = [somewhere(region, dice) for _ in range(max(1, n_open // 10))]
    rows = []
    for at in ready:
        pickup, dropoff = dice.choice(doors), somewhere(region, dice)
        rows.append((uuid4(), region, *pickup, 120, *dropoff, 120, now, at))
    columns = ["id", "region", "pickup_lat", "pickup_lon", "pickup_service_s"]
    columns += ["dropoff_lat", "dropoff_lon", "dropoff_service_s", "placed_at", "ready_at"]
    await connection.copy_records_to_table("orders", columns=columns, records=rows)
    await connection.execute("ANALYZE orders")


async def report_positions(client: httpx.AsyncClient, fleets: list[Fleet]) -> None:
    """Every courier's fix, again and again: they move a little."""
    dice = random.Random(7)
    while True:
        began = time.monotonic()
        rows = [(id_, place) for fleet in list(fleets) for id_, place in fleet.places.items()]
        for first in range(0, len(rows), BATCH):
            now = datetime.now(UTC).isoformat()
            fixes = [
                {
                    "courier_id": str(id_),
                    "fixed_at": now,
                    "lat": at[0] + dice.gauss(0, 2e-4),
                    "lon": at[1] + dice.gauss(0, 2e-4),
                    "accuracy_m": 5,
                    "speed_mps": 4,
                }
                for id_, at in rows[first : first + BATCH]
            ]
            with suppress(httpx.TransportError):
                await client.post("/v1/positions", json=fixes)
        await asyncio.sleep(max(0.2, FIX_EVERY_S - (time.monotonic() - began)))


async def listen(redis: aioredis.Redis, region: str, seen: Seen) -> None:
    """Note offers the moment they are told."""
    after = await events.last_id(redis, region)
    while True:
        for event in await events.read(redis, region, after=after, block_ms=1000):
            after = event.id
            if event.type == "offer.made":
                facts = event.facts
                seen.offered.setdefault(facts["order_id"], time.monotonic())
                seen.open_offers.put_nowait((facts["offer_id"], facts["order_id"], facts["courier_id"]))


async def look(connection: Any, seen: Seen) -> None:
    """Note which orders have a courier in the plan; it is told by no event of its own."""
    while True:
        asked = [id_ for posted in seen.posted.values() for id_ in posted if id_ not in seen.planned]
        for row in await connection.fetch(PLANNED, asked):
            seen.planned[str(row["order_id"])] = time.monotonic()
        await rest(LOOK_EVERY_S)  # heeds a cancellation that a driver lost


async def answer(client: httpx.AsyncClient, fleets: list[Fleet], seen: Seen) -> None:
    """Couriers accept at once; of the orders that are measured they are free again soon."""
    while True:
        offer_id, order_id, courier_id = await seen.open_offers.get()
        token = next(fleet.tokens[UUID(courier_id)] for fleet in fleets if UUID(courier_id) in fleet.tokens)
        headers = {"Authorization": f"Bearer {token}"}
        with suppress(httpx.TransportError):
            await client.post(f"/v1/offers/{offer_id}/accept", headers=headers)
            if any(order_id in posted for posted in seen.posted.values()):
                for step in ("picked-up", "delivered"):
                    await client.post(f"/v1/orders/{order_id}/{step}", headers=headers)


async def place(
    client: httpx.AsyncClient, regions: Sequence[str], seen: Seen, options: Any, dice: random.Random
) -> None:
    """Orders for now, alternately in every region, at the rate that was asked for."""
    ends_at = time.monotonic() + options.seconds
    for region in regions:
        seen.posted[region] = {}
    turn = 0
    while time.monotonic() < ends_at:
        region = regions[turn % len(regions)]
        pickup, dropoff = somewhere(region, dice), somewhere(region, dice)
        order = {
            "region": region,
            "pickup": {"lat": pickup[0], "lon": pickup[1]},
            "dropoff": {"lat": dropoff[0], "lon": dropoff[1]},
        }
        began = time.monotonic()
        placed = await client.post("/v1/orders", json=order)
        seen.posted[region][placed.json()["id"]] = began
        turn += 1
        await asyncio.sleep(dice.expovariate(options.per_second * len(regions)))
    await asyncio.sleep(OFFER_WITHIN_S)


def figures(seconds: Sequence[float], n_wanted: int) -> dict[str, Any]:
    """Median and quantiles in milliseconds."""
    if not seconds:
        return {"n": 0, "missed": n_wanted}
    ordered = sorted(seconds)
    return {
        "n": len(ordered),
        "missed": n_wanted - len(ordered),
        "p50_ms": round(1000 * statistics.median(ordered)),
        "p95_ms": round(1000 * ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]),
        "max_ms": round(1000 * ordered[-1]),
    }


def cycles(log: Path, since: str) -> dict[str, list[dict[str, Any]]]:
    """What the dispatcher logged of its cycles, by region."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in log.read_text(errors="replace").splitlines():
        if '"region_planned"' in line and (row := json.loads(line))["@timestamp"] >= since:
            ours = {key.removeprefix("postrider."): value for key, value in row.items()}
            found.setdefault(ours["region"], []).append(ours)
    return found


def memory_mb(whole: Whole) -> dict[str, float]:
    """Memory of the dispatcher and of what it started."""
    pids = [pid for pid in tree(whole.pid) if "dispatch" in _name(pid)]
    return {name: round(row["memory_mb"]) for name, row in measures(pids).items()}


def processor_s(whole: Whole) -> float:
    """Seconds of processor that the dispatcher and what it started have had; a clock says little on a busy machine."""
    used = 0.0
    for pid in tree(whole.pid):
        if "dispatch" in _name(pid):
            with suppress(OSError):
                parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                used += (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
    return used


def _name(pid: int) -> str:
    with suppress(OSError, ValueError, IndexError):
        return name_of(pid)
    return ""


async def requests_to_engine(client: httpx.AsyncClient) -> float:
    """So many requests have gone to maps APIs."""
    text = (await client.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("postrider_travel_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def say(what: str) -> None:
    """Where it stands: it takes minutes."""
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


async def measure(whole: Whole, log: Path, options: Any) -> dict[str, Any]:
    """The figures."""
    dice = random.Random(options.seed)
    settings = connected(Settings(data_dir=whole.folder))
    headers = {"Authorization": f"Bearer {whole.token}"}
    result: dict[str, Any] = {}
    fleets: list[Fleet] = []
    async with (
        httpx.AsyncClient(base_url=whole.url, headers=headers, timeout=60) as client,
        aioredis.from_url(settings.redis_url, socket_timeout=30) as redis,
    ):
        service = (await client.post("/v1/tokens", json={"role": "service", "name": "bench"})).json()["token"]
        phones = httpx.AsyncClient(base_url=whole.url, headers={"Authorization": f"Bearer {service}"}, timeout=60)
        connection = await asyncpg.connect(settings.database_url)
        for region in SMALL:
            fleets.append(await add_region(connection, region, n_couriers=options.small, dice=dice))
            await add_orders(connection, region, n_open=options.small, n_later=0, dice=dice)
        tasks = [asyncio.create_task(report_positions(phones, fleets))]
        seen = Seen()
        tasks += [asyncio.create_task(listen(redis, region, seen)) for region in (*SMALL, "large")]
        tasks += [asyncio.create_task(answer(client, fleets, seen)) for _ in range(4)]
        looking = await asyncpg.connect(settings.database_url)
        tasks.append(asyncio.create_task(look(looking, seen)))
        say("small regions made")
        await asyncio.sleep(options.settle_small)
        await place(client, SMALL, seen, options, dice)
        alone = {region: seen.latencies(region) for region in SMALL}
        result["small regions alone"] = figures([*chain(*alone.values())], sum(len(seen.posted[r]) for r in SMALL))

        say("small regions measured")
        since = datetime.now(UTC).isoformat()
        fleets.append(await add_region(connection, "large", n_couriers=options.couriers, dice=dice))
        await add_orders(connection, "large", n_open=options.orders, n_later=options.later, dice=dice)
        say("large region made")
        await asyncio.sleep(options.settle)
        say("large region settled")
        rows = cycles(log, since).get("large", [])
        result["the large region's first cycles"] = figures([row["duration_ms"] / 1000 for row in rows], len(rows))
        result["dispatcher, while settling"] = memory_mb(whole)
        used_s, began = processor_s(whole), time.monotonic()
        since, asked = datetime.now(UTC).isoformat(), await requests_to_engine(client)
        await place(client, ("large", *SMALL), seen, options, dice)
        beside = {region: seen.latencies(region) for region in SMALL}
        result["small regions beside it"] = figures([*chain(*beside.values())], sum(len(seen.posted[r]) for r in SMALL))
        result["large region, order to offer"] = figures(seen.latencies("large"), len(seen.posted["large"]))
        planned = seen.latencies("large", seen.planned)
        result["large region, order to plan"] = figures(planned, len(seen.posted["large"]))
        rows = cycles(log, since).get("large", [])
        for depth in ("at_once", "search"):
            some = [row["duration_ms"] / 1000 for row in rows if row["depth"] == depth]
            result[f"large region, cycles {depth}"] = figures(some, len(some))
        share = (processor_s(whole) - used_s) / (time.monotonic() - began)
        result["dispatcher"] = {**memory_mb(whole), "cores": round(share, 2)}
        result["engine"] = {
            "requests_per_cycle": round((await requests_to_engine(client) - asked) / max(1, len(rows)), 1)
        }
        result["ratio"] = {
            name: round(result["small regions beside it"][name] / result["small regions alone"][name], 2)
            for name in ("p50_ms", "p95_ms")
            if result["small regions beside it"].get(name) and result["small regions alone"].get(name)
        }
        result["open orders"] = {
            "large": await connection.fetchval(
                "SELECT count(*) FROM orders WHERE region = 'large' AND state IN ('placed', 'assigned', 'accepted')"
                " AND ready_at < now() + interval '2 hours'"
            )
        }
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await phones.aclose()
        looking.terminate()
        await connection.close()
    return result


@contextmanager
def engine(options: Any) -> Iterator[dict[str, str]]:
    """What the environment must say of travel times."""
    if not options.osrm:
        yield {}
        return
    from tests.engines import OsrmServer  # noqa: PLC0415 - only here; needs nothing without `--osrm`

    with tempfile.TemporaryDirectory() as folder:
        server = OsrmServer(Path(folder))
        try:
            yield {"POSTRIDER_OSRM_URL": server.url}
        finally:
            server.kill()


def main() -> None:
    """Command line."""
    options = parser("region", __doc__)
    options.add_argument("--couriers", type=int, default=2000)
    options.add_argument("--orders", type=int, default=3000, help="open ones of the large region")
    options.add_argument("--later", type=int, default=20_000, help="orders for the days to come")
    options.add_argument("--small", type=int, default=20, help="couriers and open orders of each small region")
    options.add_argument("--seconds", type=float, default=60.0, help="of placing, without and with the large region")
    options.add_argument("--per-second", type=float, default=0.4, help="orders placed in each region")
    options.add_argument("--settle", type=float, default=90.0, help="seconds before the large region is measured")
    options.add_argument("--settle-small", type=float, default=15.0)
    options.add_argument("--osrm", action="store_true", help="travel times from a real OSRM")
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        engine(arguments) as environ,
        postrider_up(environ | {"POSTRIDER_LOG_LEVEL": "INFO"}, log := Path(folder, "log")) as whole,
    ):
        report("region", arguments, {}, asyncio.run(measure(whole, log, arguments)))


if __name__ == "__main__":
    main()
