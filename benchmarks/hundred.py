"""
A hundred regions, each with a viewer of its live map: `python -m benchmarks.hundred --json`.

`postrider up` with embedded servers has a hundred small regions. Every phone posts a fix each five seconds, by its own
token; every region is followed by one viewer, who reads all that comes; orders are placed in the regions in
turn at a steady rate, and offers, read from the regions' events, accepted and delivered at once. Told are what uploads
were answered, how long they took, how long an order waited for its offer, and what the viewers saw of both.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from app.machine.running import connected
from app.settings import Settings
from app.wiring.redis_client import open_client
from benchmarks.connection import Connection
from benchmarks.region import Fleet, Seen, add_region, answer, figures, place, say
from benchmarks.soak import name_of, tree
from benchmarks.whole import Whole, postrider_up
from benchmarks.world import parser, report
from tracking import events
from tracking.streams import Tails

EVERY_S: Final = 5.0
"""A phone posts so often."""
PHONES_A_CONNECTION: Final = 20


@dataclass(slots=True)
class Uploads:
    """What was answered while it was counted."""

    is_counting: bool = False
    by_status: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Viewer:
    """Of one region's live map: what came, and when."""

    orders: dict[str, float] = field(default_factory=dict)
    """Moment in which an order was first heard of."""
    offers: dict[str, float] = field(default_factory=dict)
    ages_s: list[float] = field(default_factory=list)
    """Of positions, when they came."""
    resets: int = 0

    async def follow(self, client: httpx.AsyncClient, region: str, opened: asyncio.Semaphore) -> None:
        """Until cancelled; what ends the stream ends the benchmark."""
        async with client.stream("GET", "/v1/live", params={"region": region}, timeout=60) as stream:
            stream.raise_for_status()
            opened.release()
            event = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    self._hear(event, json.loads(line[6:]))
        raise RuntimeError(f"the stream of {region} ended")

    def _hear(self, event: str, data: dict[str, Any]) -> None:
        if event == "delta":
            now = datetime.now(UTC)
            self.ages_s += [
                (now - datetime.fromisoformat(one["fixed_at"])).total_seconds() for one in data["positions"]
            ]
        elif event == "order":
            self.orders.setdefault(data["order_id"], time.monotonic())
        elif event == "offer":
            self.offers.setdefault(data["order_id"], time.monotonic())
        elif event == "reset":
            self.resets += 1


async def post(url: str, phones: Sequence[tuple[str, tuple[float, float]]], uploads: Uploads, first_s: float) -> None:
    """These phones' fixes, one after the other over a kept connection, each every EVERY_S."""
    dice = random.Random(first_s)
    await asyncio.sleep(first_s)
    due = time.monotonic()
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(Connection(url))
        while True:
            for token, (lat, lon) in phones:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += EVERY_S / len(phones)
                body = {
                    "fixed_at": datetime.now(UTC).isoformat(),
                    "lat": lat + dice.gauss(0, 2e-4),
                    "lon": lon + dice.gauss(0, 2e-4),
                    "accuracy_m": 5,
                    "speed_mps": 4,
                }
                began = time.monotonic()
                try:
                    status, _ = await connection.answer("POST", "/v1/positions", token, json.dumps(body).encode())
                except (OSError, EOFError) as exc:
                    status, told = 0, type(exc).__name__
                    connection = await stack.enter_async_context(Connection(url))
                else:
                    told = str(status)
                if uploads.is_counting:
                    uploads.by_status[told] += 1
                    uploads.took_s.append(time.monotonic() - began)


def used_s(whole: Whole) -> dict[str, float]:
    """Seconds of processor by what a process does; its workers and a server's processes are counted to it."""
    found: defaultdict[str, float] = defaultdict(float)
    for pid in tree(whole.pid):
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name_of(pid).split()[0]] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def hear(seen: Seen, told: Sequence[events.Event]) -> None:
    """Note offers the moment they are told."""
    for event in told:
        if event.type == "offer.made":
            facts = event.facts
            seen.offered.setdefault(facts["order_id"], time.monotonic())
            seen.open_offers.put_nowait((facts["offer_id"], facts["order_id"], facts["courier_id"]))


async def measure(whole: Whole, options: Any) -> dict[str, Any]:
    """The figures."""
    dice, seen, uploads = random.Random(options.seed), Seen(), Uploads()
    settings = connected(Settings(data_dir=whole.folder))
    names = [f"city-{n}" for n in range(options.regions)]
    headers, limits = {"Authorization": f"Bearer {whole.token}"}, httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=whole.url, headers=headers, timeout=60, limits=limits) as client,
        open_client(settings.redis_url, size=2) as redis,
    ):
        connection = await asyncpg.connect(settings.database_url)
        fleets: list[Fleet] = [
            await add_region(connection, name, n_couriers=options.couriers, dice=dice) for name in names
        ]
        await connection.close()
        say("regions made")
        phones = [(fleet.tokens[id_], place) for fleet in fleets for id_, place in fleet.places.items()]
        parts = [phones[first : first + PHONES_A_CONNECTION] for first in range(0, len(phones), PHONES_A_CONNECTION)]
        tasks = [
            asyncio.create_task(post(whole.url, part, uploads, EVERY_S * n / len(parts)))
            for n, part in enumerate(parts)
        ]
        tails = Tails(redis)  # one connection for all regions: the client has its share of the processor, too
        tasks += [asyncio.create_task(events.follow(redis, tails, name, partial(hear, seen))) for name in names]
        tasks += [asyncio.create_task(answer(client, fleets, seen)) for _ in range(8)]
        opened, viewers = asyncio.Semaphore(0), {name: Viewer() for name in names}
        tasks += [asyncio.create_task(viewer.follow(client, name, opened)) for name, viewer in viewers.items()]
        for _ in names:
            await opened.acquire()
        say("viewers look on")
        await asyncio.sleep(options.settle)
        for viewer in viewers.values():
            viewer.ages_s.clear()
        say("measuring")
        uploads.is_counting = True
        before, began = used_s(whole), time.monotonic()
        await place(client, names, seen, options, dice)
        uploads.is_counting = False
        took_s, after = time.monotonic() - began, used_s(whole)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    cores = {name: round((after[name] - before.get(name, 0.0)) / took_s, 2) for name in sorted(after)}
    return told(seen, uploads, viewers) | {"cores": cores}


def told(seen: Seen, uploads: Uploads, viewers: dict[str, Viewer]) -> dict[str, Any]:
    """As rows."""
    n_uploads, n_taken = uploads.by_status.total(), uploads.by_status["202"]
    posted = [(name, order_id, at) for name, orders in seen.posted.items() for order_id, at in orders.items()]
    orders = [viewers[name].orders[id_] - at for name, id_, at in posted if id_ in viewers[name].orders]
    offered = [(name, id_, at) for name, id_, at in posted if id_ in seen.offered]
    offers = [viewers[name].offers[id_] - at for name, id_, at in offered if id_ in viewers[name].offers]
    ages = [age for viewer in viewers.values() for age in viewer.ages_s]
    return {
        "uploads": {
            "taken_share": round(n_taken / max(1, n_uploads), 5),
            **uploads.by_status,
            **figures(uploads.took_s, n_uploads),
        },
        "order to offer": figures([seen.offered[id_] - at for _, id_, at in offered], len(posted)),
        "order to the viewer of its region": figures(orders, len(posted)),
        "order to its offer at the viewer": figures(offers, len(offered)),
        "age of positions at the viewers": figures(ages, len(ages)),
        "viewers": {
            "n": len(viewers),
            "saw_positions": sum(bool(viewer.ages_s) for viewer in viewers.values()),
            "resets": sum(viewer.resets for viewer in viewers.values()),
        },
    }


def main() -> None:
    """Command line."""
    options = parser("hundred", __doc__)
    options.add_argument("--regions", type=int, default=100)
    options.add_argument("--couriers", type=int, default=10, help="in each region")
    options.add_argument("--seconds", type=float, default=60.0, help="of placing orders")
    options.add_argument("--orders-per-second", type=float, default=2.0, help="in all regions together")
    options.add_argument("--settle", type=float, default=60.0, help="a writer looks for new regions every 15 s")
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    arguments.per_second = arguments.orders_per_second / arguments.regions
    with postrider_up() as whole:
        report("hundred", arguments, {}, asyncio.run(measure(whole, arguments)))


if __name__ == "__main__":
    main()
