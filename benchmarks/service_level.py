"""
A report over a year: python -m benchmarks.service_level --orders 1000000 --json.

Orders spread over the year up to now, each with an offer; hours that are over are counted as a role does beside, then
the report that the API answers with is made by day, courier and place. Beside the time that passed stand the
processor's seconds of this process and of the database's (embedded only): they say what a quiet machine needs.
"""

import asyncio
import os
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.world import engine_of, parser, report, world
from dispatch.reports.courier_hours import CourierHours
from dispatch.reports.order_days import OrderDays
from dispatch.reports.order_hours import OrderHours
from dispatch.reports.service_level import By, service_level
from tracking.position import Region

YEAR = timedelta(days=365)
REGION = Region("default")
ADD_COURIERS = (
    "INSERT INTO couriers (id, name, mode, region) SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid,"
    " 'courier ' || i, 'bicycle', 'default' FROM generate_series(1, 200) AS i"
)
ADD_ORDERS = (
    "INSERT INTO orders (region, state, pickup_lat, pickup_lon, pickup_address, pickup_service_s, dropoff_lat,"
    " dropoff_lon, dropoff_service_s, placed_at, courier_id, accepted_at, picked_up_at, delivered_at, closed_at,"
    " dropoff_due_at)"
    " SELECT 'default', 'delivered', 41.15 + (i % 300) * 0.0003, -8.61, 'kitchen ' || (i % 300), 60, 41.16, -8.62, 60,"
    " at, ('00000000-0000-0000-0000-' || lpad((1 + i % 200)::text, 12, '0'))::uuid, at + took / 9, at + took / 2,"
    " at + took, at + took, at + INTERVAL '40 min'"
    " FROM ("
    " SELECT i, $1::timestamptz + i * (INTERVAL '364 days 22 hours' / $2::float8) AS at,"
    " (600 + random() * 3600) * INTERVAL '1 s' AS took FROM generate_series(0, $2::int - 1) AS i"
    ") AS made"
)
ADD_OFFERS = (
    "INSERT INTO offers (order_id, courier_id, region, state, offered_at, expires_at, answered_at)"
    " SELECT id, courier_id, 'default', 'accepted', placed_at, placed_at + INTERVAL '1 min', placed_at + INTERVAL '9 s'"
    " FROM orders"
)

COUNTED = {"order_hours": OrderHours, "order_days": OrderDays, "courier_hours": CourierHours}
"""What the role `housekeeping` counts beside."""


async def fill(pool: asyncpg.Pool, n_orders: int) -> None:
    """A year of orders, evenly spread; nobody is told of them, for an event of each offer would take far longer."""
    began_at = datetime.now(UTC) - YEAR
    await pool.execute(ADD_COURIERS)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE offers DISABLE TRIGGER USER")
        await connection.execute(ADD_ORDERS, began_at, n_orders)
        await connection.execute(ADD_OFFERS)
        await connection.execute("ALTER TABLE offers ENABLE TRIGGER USER")
    await pool.execute("VACUUM ANALYZE orders")
    await pool.execute("VACUUM ANALYZE offers")


def processor_s(pid: int) -> float:
    """What a process of this machine has used; 0 where it is on another."""
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return 0.0
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(pool: asyncpg.Pool, by: By, repeat: int) -> dict[str, Any]:
    """One report, some times."""
    rows: list[tuple[float, float, float]] = []
    found = None
    until = datetime.now(UTC)
    for _ in range(repeat):
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            pid = connection.get_server_pid()
            began, own, theirs = time.perf_counter(), time.process_time(), processor_s(pid)
            found = await service_level(connection, REGION, "Europe/Lisbon", until - YEAR, until, by)
            passed = time.perf_counter() - began
            rows.append((passed, time.process_time() - own, processor_s(pid) - theirs))
    assert found is not None
    passed_s, own_s, theirs_s = (round(statistics.median(column), 2) for column in zip(*rows, strict=True))
    return {
        "rows": len(found.lines),
        "delivered": found.total.delivered,
        "passed_s": passed_s,
        "own_processor_s": own_s,
        "database_processor_s": theirs_s,
        "load": round(os.getloadavg()[0], 1),
    }


async def measure(url: str, n_orders: int, repeat: int) -> dict[str, Any]:
    """All reports."""
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        await fill(pool, n_orders)
        found: dict[str, Any] = {}
        for table, counts in COUNTED.items():
            began = time.perf_counter()
            await counts(pool).once()
            counted_s = round(time.perf_counter() - began, 1)
            rows = await pool.fetchval(f"SELECT count(*) FROM {table}")
            found[f"a year in {table}"] = {"rows": rows, "passed_s": counted_s}
            await pool.execute(f"VACUUM ANALYZE {table}")
        for by in (By.DAY, By.COURIER, By.PLACE):
            found[f"by {by}"] = await ask(pool, by, repeat)
        return found


def main() -> None:
    """Fill, count, ask."""
    options = parser("service_level", __doc__)
    options.add_argument("--orders", type=int, default=1_000_000)
    options.add_argument("--repeat", type=int, default=3)
    arguments = options.parse_args()
    with world() as servers:
        results = asyncio.run(measure(servers.database_url, arguments.orders, arguments.repeat))
        report("service_level", arguments, engine_of(servers), results)


if __name__ == "__main__":
    main()
