"""
Hosts, processes, links and servers are lost in mid-flow, one after another: `python -m tests.drill FOLDER`.

Couriers of five regions send their positions through nginx, the same batch again until it is answered 2xx, and take
what they are offered; a shop a region places orders. Told as JSON is how long each job of the dead had nobody, how long
uploads paused, and what of the laws was broken: nothing taken is lost or kept twice, no order is two couriers'.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from app.machine.tokens import make_token
from app.web.auth import Role
from tests.spread import APIS, JOBS, ROLES, WORKERS, Spread
from tests.waiting import until

REGIONS: Final = tuple(f"city-{n}" for n in range(5))
COURIERS: Final = 2
"""In each region."""
BATCH: Final = 5
PACE_S: Final = 0.5
ORDER_EVERY_S: Final = 2.0
PHONE_WAITS_S: Final = 15.0
"""Then a phone gives a request up, and sends it again."""
AGAIN_S: Final = 0.3
LOOK_EVERY_S: Final = 0.25
"""At the leases and the routes, and whether what is waited for is there: both processors are the drill's own."""
FEWEST: Final = 3
"""So many batches of each phone must be taken while something is lost."""
POSTGRES_AWAY_S: Final = 6
PLACE: Final = {"lat": 41.1496, "lon": -8.6109}
DOOR: Final = {"lat": 41.1520, "lon": -8.6150}

HELD = """
SELECT l.job, l.region, split_part(l.holder, ':', 2)::int FROM leases AS l WHERE l.expires_at > clock_timestamp()
"""
SINCE = "SELECT courier_id::text, fixed_at FROM positions WHERE fixed_at >= %s"
LIVING = "SELECT job, count(*) FROM lease_holders WHERE expires_at > clock_timestamp() GROUP BY job"
TWICE_ON_ROUTES = """
SELECT stop ->> 'order_id' FROM routes, jsonb_array_elements(stops) AS stop
GROUP BY 1 HAVING count(DISTINCT courier_id) > 1
"""
LEFT_LYING = """
SELECT count(*) FROM orders AS o WHERE o.placed_at < now() - make_interval(secs => %s)
AND NOT EXISTS (SELECT FROM offers WHERE order_id = o.id)
"""
TAKEN_TWICE = """
SELECT order_id FROM order_events WHERE action = 'accept' GROUP BY order_id HAVING count(*) > 1
"""


@dataclass
class Flow:
    """What goes on, and what was answered."""

    client: httpx.AsyncClient
    batches: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By courier, when batches were taken (monotonic)."""
    sent: dict[str, set[datetime]] = field(default_factory=lambda: defaultdict(set))
    taken: dict[str, set[datetime]] = field(default_factory=lambda: defaultdict(set))
    """By courier, the times of fixes that were sent, and of those that were answered 2xx."""
    orders: dict[str, str] = field(default_factory=dict)
    """Idempotency key → order answered 201."""
    accepted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By order, the couriers whose acceptance was answered 200."""
    delivered: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)
    """Answers that no fault explains."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Everybody brings to its end what was begun."""

    async def ask(self, method: str, path: str, whose: dict[str, str], **more: Any) -> httpx.Response:
        """As an app does: again until somebody answers who is not out of order."""
        while True:
            with suppress(httpx.HTTPError):
                answer = await self.client.request(method, path, headers=whose, **more)
                if answer.status_code < 500:
                    return answer
            await asyncio.sleep(AGAIN_S)

    async def phone(self, courier: str, whose: dict[str, str]) -> None:
        """Send positions; and, side by side, take what is offered."""
        self.batches[courier] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report(courier, whose))
            group.create_task(self._work(courier, whose))

    async def _report(self, courier: str, whose: dict[str, str]) -> None:
        while not self.over.is_set():
            now = datetime.now(UTC)
            at = [now - timedelta(milliseconds=n) for n in range(BATCH)]
            self.sent[courier] |= set(at)
            body = [{"fixed_at": one.isoformat(), **PLACE} for one in at]
            answer = await self.ask("POST", "/v1/positions", whose, json=body)
            if answer.status_code == 202 and answer.json()["accepted"] == BATCH:
                self.taken[courier] |= set(at)
                self.batches[courier].append(time.monotonic())
            else:
                self.odd.add(f"positions: {answer.status_code} {answer.text[:200]}")
            await asyncio.sleep(PACE_S)

    async def _work(self, courier: str, whose: dict[str, str]) -> None:
        while not self.over.is_set():
            offers = await self.ask("GET", "/v1/offers", whose, params={"state": "open"})
            for offer in offers.json()["items"]:
                answer = await self.ask("POST", f"/v1/offers/{offer['id']}/accept", whose)
                if answer.status_code != 200:
                    continue
                for order in {offer["order_id"], *(one["order_id"] for one in offer.get("orders", ()))}:
                    self.accepted[order].add(courier)
                    for step in ("picked-up", "delivered"):
                        done = await self.ask("POST", f"/v1/orders/{order}/{step}", whose)
                        if done.status_code != 200:
                            self.odd.add(f"{step}: {done.status_code} {done.text[:200]}")
                    self.delivered.add(order)
            await asyncio.sleep(2 * PACE_S)

    async def shop(self, region: str, whose: dict[str, str]) -> None:
        n = 0
        while not self.over.is_set():
            n += 1
            key = f"{region}-{n}"
            body = {"pickup": PLACE, "dropoff": DOOR, "region": region}
            answer = await self.ask("POST", "/v1/orders", whose | {"Idempotency-Key": key}, json=body)
            if answer.status_code == 201:
                self.orders[key] = answer.json()["id"]
            else:
                self.odd.add(f"orders: {answer.status_code} {answer.text[:200]}")
            await asyncio.sleep(ORDER_EVERY_S)

    async def more(self, since: float) -> None:
        """Until each phone has had some batches taken since."""
        await until(lambda: all(len(times) >= FEWEST and times[-FEWEST] > since for times in self.batches.values()))

    def pause_s(self, since: float) -> float:
        """The longest that a phone had nothing taken since then."""
        return max(
            b - a
            for times in self.batches.values()
            for a, b in pairwise([since, *(at for at in times if at > since), time.monotonic()])
        )


@asynccontextmanager
async def flowing(spread: Spread, url: str) -> AsyncIterator[Flow]:
    """Regions, couriers with phones, shops, at work for as long as the context lasts."""
    staff = {"Authorization": f"Bearer {await make_token(spread.postgres.url, Role.ADMIN, 'drill')}"}
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=url, verify=False, timeout=PHONE_WAITS_S, limits=limits) as client:
        flow = Flow(client)
        tasks: list[asyncio.Task[None]] = []
        for region in REGIONS:
            made = await flow.ask("POST", "/v1/regions", staff, json={"name": region})
            assert made.status_code in {201, 409}, made.text
            for n in range(COURIERS):
                body = {"name": f"{region} {n}", "mode": "bicycle", "region": region, "external_id": f"{region}-{n}"}
                hired = await flow.ask("POST", "/v1/couriers", staff, json=body)
                courier = hired.json()["id"]
                token = await make_token(spread.postgres.url, Role.COURIER, "phone", courier=courier)
                whose = {"Authorization": f"Bearer {token}"}
                tasks.append(asyncio.create_task(flow.phone(courier, whose)))
            tasks.append(asyncio.create_task(flow.shop(region, staff)))
        try:
            yield flow
            flow.over.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Drill:
    """The faults, and what each did."""

    def __init__(self, spread: Spread, flow: Flow) -> None:
        self.told: dict[str, dict[str, float]] = {}
        self.broken: dict[str, list[str]] = {"on two routes": []}
        self._spread = spread
        self._flow = flow
        self._dead: frozenset[int] = frozenset()
        self._held_at: dict[tuple[str, str], float] = {}
        """By job and region, when somebody who is not lost was seen to have it (monotonic)."""
        self._alone_s = dict.fromkeys(JOBS, 0.0)
        self._seen: set[tuple[str, datetime]] = set()
        """Fixes that have been found in history."""

    async def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """As the database says; nothing while it does not answer."""
        try:
            return await asyncio.to_thread(self._spread.rows, statement, *values)
        except psycopg.OperationalError:
            return []

    async def strike(
        self, name: str, act: Callable[[], object], heal: Callable[[], object] | None, *, dead: Collection[int] = ()
    ) -> None:
        """
        Do it, wait until nothing is without somebody and all goes on, then heal it.

        `heal`: None where it stays so; `dead`: process ids of those who are lost by it.
        """
        await self._owned()
        began = time.monotonic()
        self._dead, self._alone_s = frozenset(dead), dict.fromkeys(JOBS, 0.0)
        await asyncio.to_thread(act)
        storing = asyncio.create_task(self._stored(began))
        await self._owned()
        await self._flow.more(time.monotonic())
        stored_s = await storing
        healed = time.monotonic()
        if heal is not None:
            await asyncio.to_thread(heal)
            self._dead = frozenset()
            await until(self.is_whole)
            await self._owned()
            await self._flow.more(healed)
        self.told[name] = {
            **{f"{job} had nobody s": round(alone_s, 1) for job, alone_s in self._alone_s.items()},
            "a phone waited s": round(self._flow.pause_s(began), 1),
            "stored after s": round(stored_s, 1),
        }
        if heal is not None:
            self.told[name]["whole again after s"] = round(time.monotonic() - healed, 1)
        sys.stderr.write(f"{name}: {self.told[name]}\n")

    async def _owned(self) -> None:
        """Until each region has had somebody for each job just now."""
        now = time.monotonic()
        await until(lambda: len(self._held_at) == len(JOBS) * len(REGIONS) and min(self._held_at.values()) > now)

    async def watch(self) -> None:
        """All the while: who has nobody, how long, and what is on two couriers' routes at once."""
        while True:
            asked = time.monotonic()
            for job, region, pid in await self.rows(HELD):
                if job in JOBS and region in REGIONS and pid not in self._dead:
                    self._held_at[job, region] = asked
            for (job, _), at in self._held_at.items():
                self._alone_s[job] = max(self._alone_s[job], asked - at)
            self.broken["on two routes"] += [row[0] for row in await self.rows(TWICE_ON_ROUTES)]
            await asyncio.sleep(LOOK_EVERY_S)

    async def _stored(self, began: float) -> float:
        """Until what has been taken by now is in history."""
        missing = {(courier, at) for courier, times in self._flow.taken.items() for at in times} - self._seen

        async def all_there() -> bool:
            await asyncio.sleep(LOOK_EVERY_S)
            found = await self.rows(SINCE, min(at for _, at in missing)) if missing else []
            self._seen.update((courier, at) for courier, at in found)
            missing.difference_update(self._seen)
            return not missing

        await until(all_there)
        return time.monotonic() - began

    async def is_whole(self) -> bool:
        """Two of each role say that they live, each API answers."""
        await asyncio.sleep(LOOK_EVERY_S)
        living = dict(await self.rows(LIVING))
        if any(living.get(job) != len(WORKERS) for job in JOBS):
            return False
        await asyncio.to_thread(self._spread.wait_for_apis, *APIS)
        return True

    async def has_replicas(self) -> bool:
        """Redis has as many as it should, and may lose one."""
        await asyncio.sleep(LOOK_EVERY_S)
        return await asyncio.to_thread(self._spread.has_replicas)

    async def all_offered(self) -> bool:
        """Nothing that was ordered until a moment ago is left lying."""
        await asyncio.sleep(LOOK_EVERY_S)
        return await self.rows(LEFT_LYING, 4 * ORDER_EVERY_S) == [(0,)]

    async def judge(self) -> None:
        """After the flow has ended: what was taken against what is there."""
        await self._stored(time.monotonic())
        flow, history = self._flow, defaultdict(set)
        for courier, at in await self.rows(SINCE, datetime.min.replace(tzinfo=UTC)):
            history[courier].add(at)
        [[n_rows]] = await self.rows("SELECT count(*) FROM positions")
        orders = {row[0] for row in await self.rows("SELECT id::text FROM orders")}
        self.broken |= {
            "lost fixes": [str(at) for who, times in flow.taken.items() for at in times - history[who]],
            "fixes that nobody sent": [str(at) for who, times in history.items() for at in times - flow.sent[who]],
            "fixes kept twice": [] if n_rows == sum(map(len, history.values())) else [str(n_rows)],
            "lost orders": sorted(set(flow.orders.values()) - orders),
            "orders placed twice": sorted(key for key in orders - set(flow.orders.values())),
            "accepted by two": [order for order, who in flow.accepted.items() if len(who) > 1],
            "accepted twice": [str(row[0]) for row in await self.rows(TAKEN_TWICE)],
            "odd answers": sorted(flow.odd),
        }


async def drill(spread: Spread, url: str) -> dict[str, Any]:
    """Every fault once; what it did, and what was broken."""
    async with flowing(spread, url) as flow:
        made = Drill(spread, flow)
        watching = asyncio.create_task(made.watch())
        await until(made.is_whole)
        await until(lambda: flow.delivered)
        for strike in STRIKES:
            await strike(made, spread)
        await until(made.all_offered)
        watching.cancel()
    await made.judge()
    counts = {"fixes taken": sum(map(len, flow.taken.values())), "orders placed": len(flow.orders)}
    return {"faults": made.told, "broken": made.broken, "counts": counts}


def _pids(spread: Spread, host: str) -> set[int]:
    return {process.pid for process in spread.hosts[host].processes.values()}


async def processes(made: Drill, spread: Spread) -> None:
    """One of each role, and an API."""
    work, api = spread.hosts[WORKERS[0]], spread.hosts[APIS[0]]

    def kill() -> None:
        work.kill(*ROLES)
        api.kill("api")

    def start() -> None:
        spread.play(work.name, *ROLES)
        spread.play(api.name, "api")

    await made.strike("a process of each role killed", kill, start, dead=_pids(spread, work.name))


async def links(made: Drill, spread: Spread) -> None:
    """Of a host of all roles, and of an API's: they go on, and come back with what they believe."""
    lost = [spread.hosts[WORKERS[1]], spread.hosts[APIS[1]]]

    def unplug() -> None:
        for host in lost:
            host.unplug()

    def plug_in() -> None:
        for host in lost:
            host.plug_in()

    await made.strike("links of two hosts down", unplug, plug_in, dead=_pids(spread, WORKERS[1]))


async def machines(made: Drill, spread: Spread) -> None:
    """The same two hosts, for good."""
    lost = [spread.hosts[WORKERS[1]], spread.hosts[APIS[1]]]

    def lose() -> None:
        for host in lost:
            host.lose()

    await made.strike("two hosts gone", lose, None, dead=_pids(spread, WORKERS[1]))


async def redis_killed(made: Drill, spread: Spread) -> None:
    """A replica takes over; what was killed follows it then."""
    await until(made.has_replicas)
    primary = spread.hosts[spread.primary()]
    await made.strike("Redis primary killed", lambda: primary.kill("redis"), lambda: spread.restart_redis(primary.name))


async def redis_unplugged(made: Drill, spread: Spread) -> None:
    """It believes to be the primary until it is back."""
    await until(made.has_replicas)
    primary = spread.hosts[spread.primary()]
    await made.strike("link of the Redis primary down", primary.unplug, primary.plug_in)


async def postgres_killed(made: Drill, spread: Spread) -> None:
    """There is one: it is started again."""
    await made.strike("PostgreSQL killed", spread.restart_postgres, lambda: None)


async def postgres_unplugged(made: Drill, spread: Spread) -> None:
    """For some seconds."""
    db = spread.hosts["db"]

    def unplug() -> None:
        db.unplug()
        time.sleep(POSTGRES_AWAY_S)
        db.plug_in()

    await made.strike(f"link of PostgreSQL down for {POSTGRES_AWAY_S} s", unplug, lambda: None)


STRIKES: Final = (
    redis_killed,
    processes,
    links,
    redis_unplugged,
    postgres_killed,
    postgres_unplugged,
    machines,
)
"""In this order what is healed has time until it is struck again."""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    options.add_argument("folder", type=Path)
    arguments = options.parse_args()
    with ExitStack() as stack:
        spread = Spread(arguments.folder, stack)
        for name in APIS:
            spread.play(name, "api")
        for name in WORKERS:
            spread.play(name, *ROLES)
        spread.wait_for_apis(*APIS)
        url = stack.enter_context(spread.proxied(*APIS))
        sys.stdout.write(json.dumps(asyncio.run(drill(spread, url)), indent=2) + "\n")


if __name__ == "__main__":
    main()
