"""
Where the dispatcher's turns of a large region spend their time: `python -m benchmarks.region_turns --json`.

The region of `benchmarks.region`, on servers of its own, and one process that plans it turn after turn. Between two
turns every courier moves a little, what was offered is accepted, and a few orders are placed. Told are, by turn, the
seconds that passed and those of processor that the process, its planners and its Redis had: these say more on a busy
machine.
"""

import asyncio
import os
import random
import resource
import statistics
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import asyncpg
import numpy as np
from prometheus_client import REGISTRY

from app.settings import Settings
from app.wiring.dispatching import planners
from app.wiring.params import cycle_of
from app.wiring.resources import Resources, resources
from benchmarks.capacity_costs import family_s
from benchmarks.region import Fleet, add_orders, add_region, engine, somewhere
from benchmarks.world import parser, report, world
from dispatch.errors import DispatchError
from dispatch.orders import handover
from dispatch.orders.desk import at_desk
from dispatch.orders.offer import Offer
from dispatch.orders.order import Actor
from dispatch.region.cycle import Planning
from dispatch.region.whereabouts import Locator
from dispatch.travel.corrected import Corrected
from tracking import lease
from tracking.batch import MODES, UNKNOWN, UNKNOWN_ALTITUDE, PositionColumns
from tracking.live import LivePositions
from tracking.position import Mode, Region

REGION: Final = Region("large")
STEPS: Final = ("read", "travel", "propose", "commit")


async def report_positions(live: LivePositions, fleet: Fleet, dice: random.Random) -> None:
    """A fix of every courier, some metres from the last."""
    ids, n = tuple(fleet.places), len(fleet.places)
    now_us = int(time.time() * 1e6)
    at = [(lat + dice.gauss(0, 2e-4), lon + dice.gauss(0, 2e-4)) for lat, lon in fleet.places.values()]
    columns = PositionColumns(
        courier_ids=ids,
        courier=np.arange(n, dtype="<i4"),
        fixed_us=np.full(n, now_us, dtype="<i8"),
        received_us=np.full(n, now_us, dtype="<i8"),
        lat_e7=np.array([lat * 1e7 for lat, _ in at], dtype="<i4"),
        lon_e7=np.array([lon * 1e7 for _, lon in at], dtype="<i4"),
        speed_cmps=np.full(n, 400, dtype="<i2"),
        course_ddeg=np.full(n, UNKNOWN, dtype="<i2"),
        accuracy_dm=np.full(n, 50, dtype="<i2"),
        altitude_m=np.full(n, UNKNOWN_ALTITUDE, dtype="<i2"),
        battery_pct=np.full(n, UNKNOWN, dtype="<i2"),
        mode=np.full(n, MODES.index(Mode.BICYCLE), dtype="<i1"),
        marks=np.zeros(n, dtype="<i1"),
    )
    await live.refill(REGION, columns)


async def accept(opened: Resources, offers: Collection[Offer]) -> None:
    """Couriers take what they are offered; what cannot be taken any more is left."""
    for offer in offers:
        try:
            async with at_desk(opened.pool, opened.redis, Actor(id=str(offer.courier_id), role="courier")) as desk:
                await handover.accept(desk, offer.id, offer.courier_id)
        except DispatchError:
            continue


async def place(pool: asyncpg.Pool, n: int, dice: random.Random) -> None:
    """Orders for now."""
    now = datetime.now(UTC)
    rows = [(uuid4(), REGION, *somewhere(REGION, dice), 120, *somewhere(REGION, dice), 120, now) for _ in range(n)]
    columns = ["id", "region", "pickup_lat", "pickup_lon", "pickup_service_s"]
    columns += ["dropoff_lat", "dropoff_lon", "dropoff_service_s", "placed_at"]
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("orders", columns=columns, records=rows)


def steps_s() -> dict[str, float]:
    """Seconds that the steps of quick cycles have taken so far."""
    name = "postrider_dispatch_step_seconds_sum"
    return {step: REGISTRY.get_sample_value(name, {"region": REGION, "step": step}) or 0.0 for step in STEPS}


def requests() -> float:
    """So many requests have gone to maps APIs."""
    samples = [one for metric in REGISTRY.collect() for one in metric.samples]
    return sum(one.value for one in samples if one.name == "postrider_travel_requests_total")


def figures(values: Sequence[float]) -> dict[str, float]:
    """Median, and the quantile that one in twenty is above."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 3),
        "max": round(ordered[-1], 3),
    }


async def measure(settings: Settings, options: Any) -> dict[str, Any]:
    """The figures of the turns after the first ones, in which everything is new."""
    dice = random.Random(options.seed)
    rows: list[dict[str, float]] = []
    async with resources(settings) as opened:
        async with opened.pool.acquire() as connection:
            fleet = await add_region(connection, REGION, n_couriers=options.couriers, dice=dice)
            await add_orders(connection, REGION, n_open=options.orders, n_later=options.later, dice=dice)
        live = LivePositions(opened.redis)
        planning = Planning(
            pool=opened.pool,
            redis=opened.redis,
            travel=Corrected(opened.travel, opened.knowledge),
            stays=opened.knowledge,
            locator=Locator(live),
            params=cycle_of(settings),
            planners=planners(settings),
        )
        held = await lease.take(opened.pool, "dispatch", REGION, "bench", ttl_s=3600)
        assert held is not None
        try:
            for turn in range(options.settle + options.turns):
                await report_positions(live, fleet, dice)
                await place(opened.pool, options.placed, dice)
                before, used_s, asked = steps_s(), family_s(os.getpid()), requests()
                began = time.monotonic()
                cycle = await planning.at_once(held)
                row = {"seconds": time.monotonic() - began, "processor_s": family_s(os.getpid()) - used_s}
                row |= {step: seconds - before[step] for step, seconds in steps_s().items()}
                row["rest"] = row["seconds"] - sum(row[step] for step in STEPS)
                row["questions"] = requests() - asked
                row |= {"cut_short": float(cycle.is_cut_short), "offers": float(len(cycle.committed.offers))}
                if options.verbose:
                    print(turn, {name: round(value, 3) for name, value in row.items()}, flush=True)
                if turn >= options.settle:
                    rows.append(row)
                await accept(opened, cycle.committed.offers)
        finally:
            planning.close()
    result: dict[str, Any] = {name: figures([row[name] for row in rows]) for name in rows[0]}
    result["memory"] = {"mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}
    return result


def main() -> None:
    """Command line."""
    options = parser("region_turns", __doc__)
    options.add_argument("--couriers", type=int, default=2000)
    options.add_argument("--orders", type=int, default=3000, help="open ones")
    options.add_argument("--later", type=int, default=20_000, help="orders for the days to come")
    options.add_argument("--placed", type=int, default=1, help="new orders before each turn")
    options.add_argument("--settle", type=int, default=40, help="turns before those that are measured")
    options.add_argument("--turns", type=int, default=30)
    options.add_argument("--planners", type=int, default=4, help="processes that plan, at most one a core")
    options.add_argument("--osrm", action="store_true", help="travel times from a real OSRM")
    options.add_argument("--verbose", action="store_true", help="each turn, when it is over")
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    with world() as servers, engine(arguments) as environ:
        settings = Settings(
            database_url=servers.database_url,
            redis_url=servers.redis_url,
            osrm_url=environ.get("POSTRIDER_OSRM_URL", ""),
            dispatch_planners=arguments.planners,
        )
        report("region_turns", arguments, {}, asyncio.run(measure(settings, arguments)))


if __name__ == "__main__":
    main()
