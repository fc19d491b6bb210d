"""Hot queries use their index when the tables hold a year of closed orders."""

import json

import pytest

from sql import queries

N_CLOSED, N_OPEN = 12_000, 50
COURIER = "00000000-0000-0000-0000-000000000007"


@pytest.fixture
async def full(city):
    """Many closed orders with their events and offers, a few open ones; analysed."""
    pool = city.pool
    await pool.execute(
        "INSERT INTO couriers (id, name, mode, region) VALUES ($1::text::uuid, 'Ana', 'car', 'default')", COURIER
    )
    await pool.execute(
        """
        INSERT INTO orders (
            region, state, version, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat, dropoff_lon,
            dropoff_service_s, placed_at, courier_id, picked_up_at, delivered_at, closed_at
        )
        SELECT
            'default', CASE WHEN i <= $2 THEN 'placed' ELSE 'delivered' END, 5, 41, -8, 60, 41, -8, 60,
            now() - i * interval '1 min', CASE WHEN i > $2 THEN $3::text::uuid END,
            CASE WHEN i > $2 THEN now() END, CASE WHEN i > $2 THEN now() END, CASE WHEN i > $2 THEN now() END
        FROM generate_series(1, $1::int) AS i
        """,
        N_CLOSED,
        N_OPEN,
        COURIER,
    )
    await pool.execute(
        "INSERT INTO order_events (order_id, version, action, to_state, actor, role)"
        " SELECT id, v, 'change', state, 'x', 'system' FROM orders, generate_series(1, 2) AS v"
    )
    await pool.execute(
        "INSERT INTO offers (order_id, courier_id, region, state, expires_at, answered_at)"
        " SELECT id, $1::text::uuid, region, 'rejected', now(), now() FROM orders",
        COURIER,
    )
    await pool.execute("ANALYZE orders; ANALYZE order_events; ANALYZE offers;")
    return pool


HOT = {
    "orders.open_in_region": ("'default'", "orders"),
    "orders.marks_open": ("'default'", "orders"),
    "orders.marks_within_horizon": ("'default', now(), 3600", "orders"),
    "decisions.put_not_yet": ("'default', now(), now(), 3600", "orders"),
    "orders.list": ("NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, 100, NULL", "orders"),
    "offers.refusals_in_region": ("'default'", "offers order_events"),
    "offers.open_of_courier": (f"'{COURIER}'", "offers"),
    "orders.lock_overdue": ("'default', now()", "offers"),
    "order_events.list": (f"'{COURIER}'", "order_events"),
}


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def test_hot_queries_read_no_closed_orders(full):
    scanned = {}
    async with full.acquire() as connection:
        for name, (values, tables) in HOT.items():
            await connection.execute(f"PREPARE hot AS {queries[name]}")
            explained = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE hot({values})")
            await connection.execute("DEALLOCATE hot")
            plan = json.loads(explained)[0]["Plan"]
            whole = {node.get("Relation Name") for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
            scanned[name] = whole & set(tables.split())
    assert not {name: whole for name, whole in scanned.items() if whole}
