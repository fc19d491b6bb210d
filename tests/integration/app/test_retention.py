"""Every kind of row is kept so long as its setting says."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.commands.forgetting import Forgetting, Retention
from app.settings import Settings

OTHERWISE = {
    "regions": "places of work",
    "couriers": "until erased",
    "erased_couriers": "bare ids, so that a restored backup brings nobody back",
    "geofences": "places of the town; events refer to deleted ones",
    "places": "places of the town; orders refer to removed ones",
    "place_tasks": "with their order",
    "place_ahead": "two rows at most for what a place makes ahead",
    "stock_reservations": "with their order",
    "stock_outbox": "until it is read, a moment later",
    "stock_items": "goods; movements refer to removed ones",
    "positions": "housekeeping",
    "positions_1m_kept": "housekeeping",
    "positions_1h_kept": "housekeeping",
    "speeds_1h_kept": "housekeeping",
    "rollup_horizons": "a row a table",
    "position_turns": "a row a region",
    "quarantine": "housekeeping: a week",
    "idempotency_keys": "a day",
    "order_events": "with their order",
    "offers": "with their order",
    "decisions": "with their order",
    "order_ratings": "with their order",
    "told_arrivals": "with their order",
    "pictures_gone": "until their files are deleted",
    "user_identities": "with their user",
    "tracked_stops": "the learner: 90 days",
    "learned_models": "made again from tracked stops",
    "routes": "a row a courier: what is to be done now",
    "recounts": "until they are made",
    "courier_hours_due": "until they are made",
    "courier_hours_horizon": "a row",
    "order_hours_horizon": "a row",
    "order_days_horizon": "a row",
    "day_plans": "gone over whenever one is asked for",
    "pay_rules": "entries name their version",
    "pay_days": "a row a region: which day ends next",
    "outbox_queue": "with their event",
    "event_deliveries": "with their event",
    "channels": "until an administrator deletes them, or the token of a browser ends",
    "event_targets": "until an administrator deletes them",
    "leases": "seconds",
    "lease_holders": "seconds",
    "dispatch_leases": "seconds",
    "watch_leases": "seconds",
    "schema_migrations": "the ledger",
    "installation": "a row: which one this is",
}
PARTS = {"order_contacts", "order_days_addresses", "inbox_letters"}
"""Not all rows of a table, or only what is in them."""
NOW = datetime.now(UTC)
OLD, RECENT = NOW - timedelta(days=4000), NOW - timedelta(hours=1)


@pytest.fixture
async def pool(database_url):
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as made:
        yield made


async def test_every_table_has_a_retention_or_a_reason(pool):
    rows = await pool.fetch(
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND table_name NOT IN (SELECT inhrelid::regclass::text FROM pg_inherits)"  # a day of positions
    )
    kept = set(Retention.__slots__) - PARTS
    assert {row["name"] for row in rows} == kept | set(OTHERWISE)
    assert not kept & set(OTHERWISE)


async def fill(pool, at):
    """A row of every kind that is over since then."""
    name = at.isoformat()
    courier = await pool.fetchval(
        "INSERT INTO couriers (name, mode, region) VALUES ('a', 'car', 'default') RETURNING id"
    )
    fence = await pool.fetchval(
        "INSERT INTO geofences (region, name, geometry, radius_m) VALUES ('default', 'yard',"
        """ '{"type": "Point", "coordinates": [0, 0]}', 100) RETURNING id"""
    )
    order = await pool.fetchval(
        "INSERT INTO orders (region, state, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat, dropoff_lon,"
        " dropoff_service_s, placed_at, closed_at, dropoff_address)"
        " VALUES ('default', 'cancelled', 1, 1, 0, 1, 1, 0, $1, $1, 'street') RETURNING id",
        at,
    )
    await pool.execute("INSERT INTO stays VALUES ($1, $2, $2, 'default', 1, 1, 3)", courier, at)
    await pool.execute(
        "INSERT INTO fence_events VALUES ($1, $2, 'enter', $3, 'default', 1, 1, false, true)", courier, fence, at
    )
    await pool.execute("INSERT INTO stop_visits VALUES ($1, 'pickup', $2, 'default', $3, $3)", order, courier, at)
    await pool.execute(
        "INSERT INTO alerts (kind, region, courier_id, raised_at, resolved_at)"
        " VALUES ('silent', 'default', $1, $2, $2)",
        courier,
        at,
    )
    await pool.execute(
        "INSERT INTO order_pictures (id, order_id, kind, stored_at) VALUES (gen_random_uuid(), $1, 'photo', $2)",
        order,
        at,
    )
    await pool.execute("INSERT INTO order_codes (order_id, code) VALUES ($1, '1234')", order)
    channel = await pool.fetchval(
        "INSERT INTO channels (url, service, audience) VALUES ('json://a', 'JSON', 'staff') RETURNING id"
    )
    await pool.execute(
        "INSERT INTO messages (channel_id, key, kind, order_id, made_at, due_at)"
        " VALUES ($1, 'a', 'placed', $2, $3, $3)",
        channel,
        order,
        at,
    )
    await pool.execute("INSERT INTO courier_hours VALUES ($1, $2, 'default', 1, 1, 1)", courier, at)
    await pool.execute("INSERT INTO order_hours VALUES ('default', $1, 1, 1, 1, 0, 0, 1, 1, 1, '{6}', '{1}')", at)
    await pool.execute(
        "INSERT INTO order_days VALUES"
        " ('default', 'place', $1, NULL, 1, 1, 'street', 1, 1, 1, 0, 0, 1, 1, 1, '\\x0000000600000001')",
        at,
    )
    for hours in (0, 1):
        await pool.execute(
            "INSERT INTO shifts (courier_id, starts_at, ends_at) VALUES ($1, $2, $2::timestamptz + interval '1 min')",
            courier,
            at - timedelta(hours=hours),
        )
    await pool.execute(
        "INSERT INTO breaks (courier_id, duration_s, began_at, ended_at) VALUES ($1, 60, $2, $2)", courier, at
    )
    await pool.execute(
        "INSERT INTO audit_log (at, actor, role, action, subject) VALUES ($1, 'a', 'admin', 'b', 'c')", at
    )
    await pool.execute(
        "INSERT INTO order_comments (order_id, at, actor, role, body) VALUES ($1, $2, 'a', 'admin', 'b')", order, at
    )
    await pool.execute(
        "INSERT INTO courier_messages (courier_id, at, actor, role, body) VALUES ($1, $2, 'a', 'courier', 'b')",
        courier,
        at,
    )
    await pool.execute(
        "INSERT INTO share_links (hash, order_id, expires_at, created_by) VALUES ($1, $2, $3, 'a')",
        name.encode(),
        order,
        at,
    )
    await pool.execute(
        "INSERT INTO invitations (hash, courier_id, created_by, expires_at) VALUES (sha256($1), $2, 'a', $3)",
        name.encode(),
        courier,
        at,
    )
    await pool.execute(
        "INSERT INTO tokens (kind, role, name, prefix, hash, revoked_at)"
        " VALUES ('staff', 'viewer', 'a', 'p', sha256($1), $2)",
        name.encode(),
        at,
    )
    await pool.execute("INSERT INTO users (name, role, deleted_at) VALUES ($1, 'viewer', $2)", name, at)
    await pool.execute(
        "INSERT INTO pay_due (courier_id, about, region, event_id, made_at) VALUES ($1, 'order:1', 'default', 1, $2)",
        courier,
        at,
    )
    await pool.execute(
        "INSERT INTO pay_facts VALUES ($1, 'order:1', 'default', $2, $3, '2026-11-23', '{}')", courier, order, at
    )
    await pool.execute(
        "INSERT INTO pay_entries (courier_id, region, kind, about, rule, amount, currency, at, day, actor, role)"
        " VALUES ($1, 'default', 'accrual', 'order:1', 'base', 1, 'EUR', $2, '2026-11-23', 'pay', 'system')",
        courier,
        at,
    )
    place = await pool.fetchval(
        "INSERT INTO places (region, name, lat, lon) SELECT 'default', 'a', 1, 1"
        " WHERE NOT EXISTS (SELECT FROM places) RETURNING id"
    ) or await pool.fetchval("SELECT id FROM places")
    item = await pool.fetchval(
        "INSERT INTO stock_items (region, item) VALUES ('default', 'a') ON CONFLICT DO NOTHING RETURNING id"
    ) or await pool.fetchval("SELECT id FROM stock_items")
    await pool.execute(
        "WITH batch AS ("
        " INSERT INTO stock_batches (place_id, item_id, lot, moved_at) VALUES ($1, $2, $3, $4) RETURNING id)"
        " INSERT INTO stock_movements (id, batch_id, place_id, item_id, kind, quantity, at, actor, role)"
        " SELECT gen_random_uuid(), id, $1, $2, 'adjust', n, $4, 'a', 'admin'"
        " FROM batch, unnest('{1, -1}'::int[]) AS n",
        place,
        item,
        name[-20:],
        at,
    )
    await pool.execute(
        "INSERT INTO stock_counts (id, place_id, at, lines, actor, role)"
        " VALUES (gen_random_uuid(), $1, $2, '[]', 'a', 'b')",
        place,
        at,
    )
    await pool.execute("DELETE FROM outbox WHERE type <> 'kept'")  # what was told of all that
    await pool.execute(
        "INSERT INTO outbox (type, subject, sequence, region, at, written_at, data)"
        " VALUES ('kept', $1, 1, 'default', $2, $2, '{}')",
        order,
        at,
    )
    await pool.execute(
        "INSERT INTO inbox (way, source, event_id, type, subject, received_at, state, body)"
        " VALUES ('kafka', 'a', $1, 'a', 'b', $2, 'done', NULL), ('kafka', 'b', $1, 'a', 'b', $2, 'dead', '')",
        name,
        at,
    )
    await pool.execute("INSERT INTO inbox_heads (source, subject, sequence, at) VALUES ('shop', $1, 1, $2)", name, at)
    await pool.execute("DELETE FROM outbox_heads WHERE subject NOT IN (SELECT subject FROM outbox)")
    await pool.execute("INSERT INTO outbox_heads (subject, sequence, at) VALUES ($1, 1, $2)", order, at)


async def counts(pool):
    return {
        kind: await pool.fetchval(f"SELECT count(*) FROM {kind}") for kind in Retention.__slots__ if kind not in PARTS
    }


async def test_what_is_older_than_its_setting_goes_and_the_rest_stays(pool):
    await fill(pool, RECENT)
    recent = await counts(pool)
    assert set(recent.values()) <= {1, 2}
    await fill(pool, OLD)
    await Forgetting(pool, Retention.of(Settings()), now=lambda: NOW).once()
    after = await counts(pool)
    # Of shifts the last one of a courier stays.
    assert after == recent | {"shifts": recent["shifts"] + 1}


async def test_contacts_go_long_before_their_order(pool):
    await fill(pool, NOW - timedelta(days=100))
    await Forgetting(pool, Retention.of(Settings()), now=lambda: NOW).once()
    assert await pool.fetch("SELECT dropoff_address FROM orders") == [(None,)]
    assert await pool.fetch("SELECT address FROM order_days") == [(None,)]
