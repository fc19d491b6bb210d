"""
How fast arrivals are answered and renewed: python -m benchmarks.eta_answers --json.

1,000 couriers on routes of four stops each send a fix every 5 s; meanwhile staff ask for the arrival of random orders.
Measured: the time to each answer; how long after a fix was sent the courier's arrivals are new; and the time to
accept a fix with and without the keeper at work; at the end, without fixes, the API's processor time for a question.
API, keeper, PostgreSQL, Redis and the client share the machine. What
was learned is as large as it gets: 3,000 rows.
"""

import asyncio
import itertools
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as aioredis

from app.machine.tokens import make_token
from app.settings import Settings
from app.web.auth import Role
from app.wiring.arriving import keep_arrivals, know
from app.wiring.resources import resources
from benchmarks.connection import Connection
from benchmarks.ingest import cpu_s, serving
from benchmarks.world import Phone, World, engine_of, hire, parser, report, world
from dispatch.arrivals.book import EtaBook
from dispatch.arrivals.following import Following
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.itinerary import Call, Itinerary
from dispatch.learning.factors import LearnedFactors
from dispatch.learning.model_bytes import model_to_bytes, subject_of
from dispatch.learning.service_times import ServiceTimes
from dispatch.learning.travel_model import GREAT_CIRCLE, TrackedLeg, TravelModel, default_s, learn
from dispatch.orders.rows import to_json
from dispatch.stop import OrderId, PlannedStop, StopKind
from sql import queries
from tracking.position import CourierId, LatLon, Mode, Region

REGION = Region("default")
EVERY_S = 5.0
"""A phone sends a fix so often."""
N_POSTING, N_ASKING = 32, 8
"""Connections of the phones and of staff."""


def somewhere(dice: random.Random) -> LatLon:
    return LatLon(41.15 + dice.uniform(-0.04, 0.04), -8.61 + dice.uniform(-0.05, 0.05))


async def furnish(world: World, phones: Sequence[Phone], dice: random.Random) -> list[UUID]:
    """Two accepted orders and a route for each courier, and a large model; ids of the orders."""
    connection = await asyncpg.connect(world.database_url)
    order_ids = []
    for phone in phones:
        stops = []
        for _ in range(2):
            pickup, dropoff = somewhere(dice), somewhere(dice)
            order_id = await connection.fetchval(
                "INSERT INTO orders (region, courier_id, state, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat,"
                " dropoff_lon, dropoff_service_s, assigned_at, accepted_at)"
                " VALUES ('default', $1, 'accepted', $2, $3, 120, $4, $5, 90, now(), now()) RETURNING id",
                phone.courier_id,
                *pickup.latlon,
                *dropoff.latlon,
            )
            order_ids.append(order_id)
            stops += [{"order_id": str(order_id), "kind": kind} for kind in ("pickup", "dropoff")]
        await connection.execute(
            "INSERT INTO routes (courier_id, region, stops) VALUES ($1, 'default', $2::jsonb)",
            phone.courier_id,
            to_json(stops),
        )
    now = datetime.now(UTC)
    model = learn(list(legs(dice, now)), region=REGION, mode=Mode.BICYCLE, base=GREAT_CIRCLE, now=now)
    assert model is not None
    body = model_to_bytes(model)
    await connection.execute(queries["learned_models.put"], REGION, subject_of(model), now, model.n_legs, body)
    await connection.close()
    return order_ids


def legs(dice: random.Random, now: datetime, n: int = 3_000) -> Iterator[TrackedLeg]:
    for _ in range(n):
        origin, destination = somewhere(dice), somewhere(dice)
        base_s = default_s(Mode.BICYCLE, origin, destination)
        yield TrackedLeg(
            courier_id=CourierId(UUID(int=1)),
            mode=Mode.BICYCLE,
            origin=origin,
            destination=destination,
            departed_at=now - timedelta(days=dice.uniform(0, 20)),
            duration_s=base_s * dice.lognormvariate(0.2, 0.3),
            base_s=base_s,
            error=dice.gauss(0, 0.3),
        )


def keep(settings: Settings) -> None:
    """The keeper's process, until it is terminated."""

    async def run() -> None:
        stop = asyncio.Event()
        async with resources(settings) as opened, asyncio.TaskGroup() as group:
            await opened.knowledge.refresh(opened.pool)
            group.create_task(know(opened, stop))
            group.create_task(keep_arrivals(settings, opened, None, stop))

    asyncio.run(run())


@contextmanager
def keeping(settings: Settings) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=keep, args=(settings,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


class Load:
    """The phones and the staff, paced; who is late goes on without making up for it."""

    def __init__(self, url: str, phones: Sequence[Phone], token: str, dice: random.Random) -> None:
        self.url, self.phones, self.token, self.dice = url, phones, token, dice
        self.places = {phone.courier_id: somewhere(dice) for phone in phones}
        self.sent_at: dict[UUID, float] = {}
        self.fix_s: list[float] = []
        self.answer_s: list[float] = []

    async def run(self, order_ids: Sequence[UUID], *, seconds: float, asks_per_s: float) -> None:
        """Fixes of all phones every EVERY_S, questions at a steady rate, for `seconds`."""
        over = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(N_POSTING):
                group.create_task(self._post(self.phones[number::N_POSTING], over))
            for _ in range(N_ASKING):
                group.create_task(self._ask(order_ids, N_ASKING / asks_per_s, over))

    async def _post(self, phones: Sequence[Phone], over: float) -> None:
        async with Connection(self.url) as connection:
            due = time.perf_counter() + self.dice.uniform(0, EVERY_S / len(phones))
            for phone in itertools.cycle(phones):
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                if time.perf_counter() > over:
                    return
                due = max(due + EVERY_S / len(phones), time.perf_counter())
                at = self.places[phone.courier_id]
                at = LatLon(at.lat + self.dice.gauss(0, 2e-4), at.lon + self.dice.gauss(0, 2e-4))
                self.places[phone.courier_id] = at
                fix = {"fixed_at": datetime.now(UTC), "lat": at.lat, "lon": at.lon, "accuracy_m": 5, "speed_mps": 4}
                body, sent_at = msgspec.json.encode(fix), time.time()
                took_s, _ = await connection.ask("POST", "/v1/positions", phone.token, body)
                self.fix_s.append(took_s)
                self.sent_at[phone.courier_id] = sent_at

    async def _ask(self, order_ids: Sequence[UUID], every_s: float, over: float) -> None:
        async with Connection(self.url) as connection:
            due = time.perf_counter() + self.dice.uniform(0, every_s)
            while due < over:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due = max(due + every_s, time.perf_counter())
                path = f"/v1/orders/{self.dice.choice(order_ids)}/eta"
                self.answer_s.append((await connection.ask("GET", path, self.token))[0])


async def alone(url: str, token: str, order_ids: Sequence[UUID], n: int = 1_000) -> dict[str, float]:
    """The API's processor time for a question, one after another."""
    async with Connection(url) as connection:
        used_s = cpu_s(url)
        waits_s = [(await connection.ask("GET", f"/v1/orders/{order_ids[i]}/eta", token))[0] for i in range(n)]
        return milliseconds(waits_s) | {"api_cpu_ms": round((cpu_s(url) - used_s) / n * 1000, 2)}


def milliseconds(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {
        "n": len(values),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p90_ms": round(cuts[89] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "max_ms": round(max(values) * 1000, 1),
    }


async def staleness(world: World, load: Load, seconds: float) -> list[float]:
    """Seconds from the moment a fix was sent until the courier's arrivals are newer, sampled."""
    found = []
    over = time.time() + seconds
    redis = aioredis.Redis.from_url(world.redis_url)
    book = EtaBook(redis)
    while time.time() < over:
        await asyncio.sleep(0.1)
        if not load.sent_at:
            continue
        courier_id = load.dice.choice(list(load.sent_at))
        at = load.sent_at[courier_id]
        while time.time() < over:
            told = await book.of_courier(REGION, courier_id)
            if told is not None and told.computed_at >= at:
                found.append(told.computed_at - at)
                break
            await asyncio.sleep(0.02)
    await redis.aclose()
    return found


async def complete(world: World, n: int) -> None:
    """Until the keeper has told the arrivals of everybody."""
    redis = aioredis.Redis.from_url(world.redis_url)
    async with asyncio.timeout(120):
        while len(await EtaBook(redis).of_region(REGION)) < n:  # noqa: ASYNC110 - another process tells them
            await asyncio.sleep(0.5)
    await redis.aclose()


async def measure(
    world: World, url: str, phones: Sequence[Phone], order_ids: Sequence[UUID], options: Any, *, kept: bool
) -> dict[str, Any]:
    token = await make_token(world.database_url, Role.VIEWER, "bench")
    load = Load(url, phones, token, random.Random(options.seed))
    if kept:
        await complete(world, len(phones))
    await load.run(order_ids, seconds=options.warm_up, asks_per_s=options.asks_per_s)
    load.fix_s.clear()
    load.answer_s.clear()
    lags: list[float] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(order_ids, seconds=options.seconds, asks_per_s=options.asks_per_s))
        watching = group.create_task(staleness(world, load, options.seconds)) if kept else None
    lags = watching.result() if watching is not None else []
    name = "kept" if kept else "computed on the spot"
    found = {f"answers, {name}": milliseconds(load.answer_s), f"fixes accepted, {name}": milliseconds(load.fix_s)}
    if lags:
        found["arrivals renewed after a fix"] = milliseconds(lags)
    if kept:
        found["answers, kept, one after another without fixes"] = await alone(url, token, order_ids)
    return found


class _Learned:
    """One large model, known from the beginning."""

    version = 1

    def __init__(self, model: TravelModel) -> None:
        self._factors = LearnedFactors([model])

    def model(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None:
        return self._factors.model(mode, base, at)

    def services(self, _: Region) -> ServiceTimes:
        return ServiceTimes()


def processor_time(seed: int, n: int = 200) -> dict[str, float]:
    """Processor time of a courier's new arrivals after a fix, without an engine: the dearest case."""
    dice, now = random.Random(seed), datetime.now(UTC)
    model = learn(list(legs(dice, now)), region=REGION, mode=Mode.BICYCLE, base=GREAT_CIRCLE, now=now)
    assert model is not None
    forecaster = Forecaster(_Learned(model))
    followings = []
    for number in range(n):
        calls = tuple(
            Call(stop=PlannedStop(OrderId(UUID(int=4 * number + k)), kind), at=somewhere(dice))
            for k, kind in enumerate((StopKind.PICKUP, StopKind.DROPOFF) * 2)
        )
        courier_id = CourierId(UUID(int=number + 1))
        route = Itinerary(courier_id=courier_id, region=REGION, mode=Mode.BICYCLE, version=1, calls=calls)
        followings.append(Following(route))
    spent = []
    for turn in range(5):
        at = now.timestamp() + EVERY_S * turn
        began = time.process_time()
        for following in followings:
            following.see(somewhere(dice), at)
            following.tell(forecaster, at)
        spent.append((time.process_time() - began) / n * 1000)
    return {"n_stops": 4, "n_rows_learned": 3000, "processor_ms": round(statistics.median(spent[1:]), 2)}


def main() -> None:
    options = parser("eta_answers", __doc__)
    options.add_argument("--couriers", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--warm-up", type=float, default=12)
    options.add_argument("--asks-per-s", type=float, default=40)
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    results: dict[str, Any] = {}
    with world() as servers:
        engines = engine_of(servers)
        phones = hire(servers, arguments.couriers)
        order_ids = asyncio.run(furnish(servers, phones, random.Random(arguments.seed)))
        settings = Settings(database_url=servers.database_url, redis_url=servers.redis_url)
        results["one courier told anew"] = processor_time(arguments.seed)
        with serving(servers, "app", "api") as url:
            results |= asyncio.run(measure(servers, url, phones, order_ids, arguments, kept=False))
            with keeping(settings):
                results |= asyncio.run(measure(servers, url, phones, order_ids, arguments, kept=True))
    report("eta_answers", arguments, engines, results)


if __name__ == "__main__":
    main()
