"""
Milliseconds that "the 20 nearest of 50,000 fresh couriers" takes: python -m benchmarks.nearby --json.

Couriers stand in a city of 30 km, denser in its middle; asked about random places, 5 km around, one question after
another, through the library and through HTTP, where the API's processor time for a question is told too. Beside it,
the limit: one GEOSEARCH of Redis for the 20 nearest, without freshness, records or modes. Then the same beside 30,000
couriers who stopped an hour to a month ago.
"""

import asyncio
import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from redis.asyncio import Redis

from app.machine.tokens import make_token
from app.web.auth import Role
from benchmarks.connection import Connection
from benchmarks.ingest import cpu_s, serving
from benchmarks.world import engine_of, parser, report, world
from tracking.batch import PositionColumns
from tracking.live import LivePositions
from tracking.log import RegionKeys
from tracking.position import LatLon, Region

REGION = Region("default")
CENTRE = LatLon(41.15, -8.61)
RADIUS_M, LIMIT = 5000.0, 20


def fleet(
    n: int, rng: np.random.Generator, *, first: int = 1, oldest_s: float = 60, youngest_s: float = 0
) -> PositionColumns:
    """Couriers with numbers from `first`, and last fixes of those ages."""
    now_us = int(time.time() * 1e6)
    unknown = np.full(n, np.nan)
    return PositionColumns.from_floats(
        courier_ids=tuple(UUID(int=(i + first) << 64 | 1) for i in range(n)),
        courier=np.arange(n),
        fixed_us=now_us - rng.integers(int(youngest_s * 1e6), int(oldest_s * 1e6), n),
        received_us=np.full(n, now_us),
        lat=CENTRE.lat + rng.normal(0, 0.07, n),
        lon=CENTRE.lon + rng.normal(0, 0.09, n),
        speed_mps=rng.uniform(0, 14, n),
        course_deg=unknown,
        accuracy_m=unknown,
        altitude_m=unknown,
        battery_pct=unknown,
        mode=rng.integers(1, 5, n),
        marks=np.zeros(n, dtype="<i1"),
    )


def told(waits_s: list[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(waits_s, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 2), "p99_ms": round(cuts[98] * 1000, 2), "n": len(waits_s)}


async def ask(url: str, redis_url: str, token: str, questions: list[LatLon]) -> dict[str, Any]:
    redis = Redis.from_url(redis_url)
    live = LivePositions(redis)
    waits: dict[str, list[float]] = {"library": [], "http": [], "bare GEOSEARCH": []}
    used_s = 0.0
    async with Connection(url) as connection:
        for i, at in enumerate(questions):
            began = time.perf_counter()
            # Anew for each: what is asked about is soon older than what is indexed, and then everybody is walked over.
            fresh_since = datetime.now(UTC) - timedelta(minutes=10)
            found = await live.nearby(REGION, at, radius_m=RADIUS_M, limit=LIMIT, fresh_since=fresh_since)
            asked = time.perf_counter()
            path = f"/v1/couriers/nearby?lat={at.lat}&lon={at.lon}&radius_m={RADIUS_M}&limit={LIMIT}"
            _, answer = await connection.ask("GET", path, token)
            answered = time.perf_counter()
            await redis.geosearch(
                RegionKeys(REGION).geo[0],
                longitude=at.lon,
                latitude=at.lat,
                radius=RADIUS_M,
                unit="m",
                sort="ASC",
                count=LIMIT,
                withdist=True,
            )
            bare = time.perf_counter()
            # By distance: two couriers in one cell of Redis' index are equally far, and either may come first.
            assert np.allclose(
                [hit.distance_m for hit in found],
                [item["distance_m"] for item in json.loads(answer)["couriers"]],
                atol=0.1,
            )
            if i == len(questions) // 10:
                used_s = cpu_s(url)
            if i >= len(questions) // 10:  # the first ones warm up
                waits["library"].append(asked - began)
                waits["http"].append(answered - asked)
                waits["bare GEOSEARCH"].append(bare - answered)
    await redis.aclose()
    results = {name: told(found) for name, found in waits.items()}
    results["http"]["api_cpu_ms"] = round((cpu_s(url) - used_s) / len(waits["http"]) * 1000, 2)
    return results


async def put(redis_url: str, columns: PositionColumns) -> None:
    redis = Redis.from_url(redis_url)
    await LivePositions(redis).refill(REGION, columns)
    await redis.aclose()


def main() -> None:
    options = parser("nearby", __doc__)
    options.add_argument("--couriers", type=int, default=50_000)
    options.add_argument("--stale", type=int, default=30_000)
    options.add_argument("--questions", type=int, default=2000)
    arguments = options.parse_args()
    rng = np.random.default_rng(1)
    with world() as servers:
        engines = engine_of(servers)
        asyncio.run(put(servers.redis_url, fleet(arguments.couriers, rng)))
        token = asyncio.run(make_token(servers.database_url, Role.VIEWER, "bench"))
        places = zip(rng.normal(0, 0.07, arguments.questions), rng.normal(0, 0.09, arguments.questions), strict=True)
        questions = [LatLon(CENTRE.lat + float(north), CENTRE.lon + float(east)) for north, east in places]
        with serving(servers, "app", "api") as url:
            results = asyncio.run(ask(url, servers.redis_url, token, questions))
            stale = fleet(arguments.stale, rng, first=arguments.couriers + 1, youngest_s=3600, oldest_s=30 * 86_400)
            asyncio.run(put(servers.redis_url, stale))
            for name, found in asyncio.run(ask(url, servers.redis_url, token, questions)).items():
                results[f"{name}, {arguments.stale} stale beside"] = found
    report("nearby", arguments, engines, results)


if __name__ == "__main__":
    main()
