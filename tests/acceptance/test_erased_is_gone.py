"""
Erased is gone: one courier in every table and every key, erased with fixes on the way; nothing of the person is left.

The tables are those the schema has: a new one is filled here, or listed with the reason why it holds nobody.
"""

import asyncio
import base64
import hashlib
import json
import struct
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import redis.asyncio as aioredis

from app import roles
from app.commands.erasing import Erasing
from app.web.auth import Role
from dispatch.arrivals import book
from tests.waiting import until
from tracking.batch import PositionColumns
from tracking.dead_letters import DeadLetters, Letter
from tracking.log import HISTORY, RegionKeys
from tracking.position import CourierId, Fix, LatLon, Position, Region
from tracking.quarantine import Quarantined

REGION = Region("default")
HOME = {"lat": 41.2345678, "lon": -8.7654321}
SHOP = {"lat": 41.1496, "lon": -8.6109}
DOOR = {"lat": 41.1579, "lon": -8.6291}
NAME, FORMER_NAME, PHONE = "Zoraida Quandt", "Zoraida Ullrich", "Zoraidas Telefon"
EXTERNAL_ID, FORMER_ID = "payroll-77341", "agency-90218"

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)

HOLDS_NOBODY = {
    "regions": "places of work",
    "schema_migrations": "which files were applied",
    "installation": "which one this is",
    "pay_rules": "rules, written by staff",
    "pay_days": "a row a region",
    "position_turns": "a counter a region",
    "rollup_horizons": "how far rollups are kept",
    "courier_hours_horizon": "how far hours are summed",
    "order_hours": "counts of a region's orders, of everybody together",
    "order_hours_horizon": "how far hours are counted",
    "order_days_horizon": "how far days are counted",
    "speeds_1h_kept": "speeds by place, of everybody together",
    "geofences": "places, drawn by staff",
    "places": "where orders are prepared",
    "place_tasks": "what is made for an order",
    "place_ahead": "goods of places",
    "stock_items": "goods",
    "stock_reservations": "goods of orders",
    "stock_outbox": "places whose goods changed",
    "stock_counts": "goods of places, counted by staff and places",
    "stock_batches": "goods of places",
    "stock_movements": "goods of places, booked by staff and places",
    "leases": "processes",
    "lease_holders": "processes",
    "dispatch_leases": "processes",
    "watch_leases": "processes",
    "users": "staff",
    "user_identities": "staff",
    "event_targets": "systems",
    "share_links": "a recipient's link, made by staff",
    "messages": "ids of alerts and orders, and what became of telling of them",
    "order_codes": "what a recipient names at the door",
    "pictures_gone": "ids of files to be deleted",
    "order_ratings": "how a recipient found an order",
    "told_arrivals": "when an order was said to arrive",
}
KEEPS_THE_ID = {
    "couriers": "the row that is named `erased`: what refers to it keeps its meaning",
    "erased_couriers": "so that nothing brings the person back",
    "orders": "who carried it is part of the order's own record",
    "order_events": "the order's timeline",
    "offers": "the order's offers",
    "order_days": "how many orders and offers there were, without what they were",
    "pay_entries": "the ledger adds up for ever",
    "pay_facts": "what its entries were made of",
    "pay_due": "what is to be booked",
    "outbox": "events of the order",
    "outbox_heads": "a counter",
    "alerts": "that there was one, without what was seen",
    "audit_log": "that somebody looked or erased, without the facts",
}


NOT_HANDED_OUT = {
    "erased_couriers": "nobody is, yet",
    "recounts": "what is to be counted again",
    "courier_hours_due": "what is to be counted again",
    "learned_models": "of everybody together",
    "day_plans": "what may be driven another day, by everybody",
    "idempotency_keys": "answers that were given to the courier's own phones, and others'",
    "outbox": "what the rows that are handed out say",
    "outbox_queue": "the same",
    "outbox_heads": "a counter",
    "event_deliveries": "what other systems answered",
    "inbox_heads": "a counter",
}
"""Of what holds something of a courier; all else is in the export."""
KINDS_OF = {
    "couriers": "courier",
    "courier_hours": "hours",
    "order_days": "days",
    "pay_entries": "pay",
    "routes": "route",
    "stop_visits": "visits",
    "tracked_stops": "legs",
    "audit_log": "audit",
    "positions": "fix",
    "positions_1m_kept": "track_minute",
    "positions_1h_kept": "track_hour",
}
"""How the export calls the rows of a table, where it is not by the table's name."""


def marks_of(courier_id: UUID, tokens: list[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What tells of the person, and the bare id; as text or as bytes, by what it is."""
    person = {word: word.encode() for word in (NAME, FORMER_NAME, EXTERNAL_ID, FORMER_ID, PHONE, "Zoraida", *tokens)}
    for token in tokens:
        digest = hashlib.sha256(token.encode())
        person |= {"prefix": token[:10].encode(), "hash": digest.hexdigest().encode(), "digest": digest.digest()}
    for name, degrees in HOME.items():
        e7 = round(degrees * 1e7)
        person |= {name: f"{degrees:.4f}"[:-1].encode(), f"{name} e7": str(e7).encode()}
        person |= {f"{name} {order}": struct.pack(f"{order}i", e7) for order in "<>"}
    return person, {"id": str(courier_id).encode(), "bytes": courier_id.bytes}


def found(text: bytes, marks: dict[str, bytes]) -> set[str]:
    """Which of the marks are in it, also where bytes are written as hex."""
    return {name for name, mark in marks.items() if mark in text or mark.hex().encode() in text}


async def tables(pool: asyncpg.Pool) -> dict[str, bytes]:
    """Every table of the schema with all its rows as text."""
    names = await pool.fetch(
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND table_name NOT IN (SELECT inhrelid::regclass::text FROM pg_inherits)"  # a day of positions
    )
    found = {}
    for row in names:
        rows = await pool.fetch(f'SELECT t::text AS row FROM "{row["name"]}" AS t')
        found[row["name"]] = "\n".join(one["row"] for one in rows).encode()
    return found


async def keys(redis: aioredis.Redis) -> dict[str, bytes]:
    """Every key of Redis with all it holds."""
    held = {}
    async for key in redis.scan_iter():
        match await redis.type(key):
            case b"string":
                value = await redis.get(key)
            case b"hash":
                value = b"\n".join(part for pair in (await redis.hgetall(key)).items() for part in pair)
            case b"zset":
                value = b"\n".join(await redis.zrange(key, 0, -1))
            case b"stream":
                entries = await redis.xrange(key)
                value = b"\n".join(part for _, fields in entries for pair in fields.items() for part in pair)
            case other:
                raise AssertionError(f"nobody looks into a {other} yet: {key}")
        held[key.decode()] = key + b"\n" + value
    return held


@asynccontextmanager
async def playing(settings, *names):
    stop = asyncio.Event()
    tasks = [asyncio.create_task(roles.run(name, settings, stop)) for name in names]
    yield
    stop.set()
    await asyncio.gather(*tasks)


@pytest.fixture
def settings(settings):
    return replace(settings, log_keep_s=0.2)


@pytest.fixture
async def pool(settings):
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=3) as made:
        yield made


@pytest.fixture
async def redis(settings):
    async with aioredis.Redis.from_url(settings.redis_url) as client:
        yield client


def fixes(n: int, *, until: datetime) -> list[dict]:
    """At home, half a minute apart."""
    return [HOME | {"fixed_at": (until - timedelta(seconds=30 * i)).isoformat()} for i in reversed(range(n))]


async def ask(client, method, path, body=None, **more):
    answer = await client.request(method, path, json=body, **more)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


async def work(staff, phone, courier_id):
    """Three orders: one delivered, one turned down, one on the way."""

    async def offered():
        order = await ask(staff, "POST", "/v1/orders", {"pickup": SHOP, "dropoff": DOOR})
        await ask(staff, "POST", f"/v1/orders/{order['id']}/reassign", {"courier_id": courier_id, "reason": "test"})
        offers = (await ask(phone, "GET", "/v1/offers?state=open"))["items"]
        return order["id"], next(offer["id"] for offer in offers if offer["order_id"] == order["id"])

    delivered, offer = await offered()
    await ask(phone, "POST", f"/v1/offers/{offer}/accept")
    await ask(phone, "POST", f"/v1/orders/{delivered}/arrived")
    await ask(phone, "POST", f"/v1/orders/{delivered}/comments", {"text": f"{NAME} waits at the door"})
    await ask(phone, "POST", f"/v1/orders/{delivered}/picked-up", headers={"Idempotency-Key": "1"})
    await ask(phone, "PUT", f"/v1/orders/{delivered}/pictures/{uuid4()}", content=PICTURE)
    await ask(phone, "POST", f"/v1/orders/{delivered}/delivered", {"note": "at the door"})
    await ask(phone, "POST", f"/v1/couriers/{courier_id}/messages", {"text": f"{NAME} has a flat tyre"})
    _, offer = await offered()
    await ask(phone, "POST", f"/v1/offers/{offer}/reject", {"reason": f"{NAME} is at home"})
    under_way, offer = await offered()
    await ask(phone, "POST", f"/v1/offers/{offer}/accept")
    return UUID(delivered), UUID(under_way)


async def put_what_others_told(pool, subject):
    """Of a courier, by our id or by one of theirs; it was refused."""
    names = "way, source, event_id, type, subject, state"
    await pool.execute(f"INSERT INTO inbox ({names}) VALUES ('kafka', 'hr', $1, '', $1, 'done')", subject)
    facts = "jsonb_build_object('subject', $1::text)"
    await pool.execute(f"SELECT put_event('command.refused', gen_random_uuid(), '', now(), NULL, {facts})", subject)


async def put_what_roles_write(pool, redis, courier_id, order_id, open_order_id, tokens):
    """Rows and keys that come of hours of work."""
    lat, lon = HOME["lat"], HOME["lon"]
    fence = await pool.fetchval(
        "INSERT INTO geofences (region, name, geometry, radius_m)"
        " VALUES ('default', 'yard', $1::jsonb, 100) RETURNING id",
        '{"type": "Point", "coordinates": [-8.61, 41.15]}',
    )
    await pool.execute(
        "INSERT INTO fence_events (courier_id, fence_id, kind, at, region, lat, lon, passed, active)"
        " VALUES ($1, $2, 'enter', now(), 'default', $3, $4, false, true)",
        courier_id, fence, lat, lon,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO stop_visits (order_id, kind, courier_id, region, arrived_at)"
        " VALUES ($1, 'pickup', $2, 'default', now()) ON CONFLICT DO NOTHING",
        order_id, courier_id,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO channels (url, service, audience, courier_id, token_id, push)"
        " SELECT 'push:', 'Web Push', 'courier', $1, t.id, '{\"endpoint\": \"https://push.example/1\"}'"
        " FROM tokens AS t WHERE t.courier_id = $1 LIMIT 1",
        courier_id,
    )
    await pool.execute(
        "INSERT INTO pay_due (courier_id, about, region, event_id) VALUES ($1, 'order:1', 'default', 1)", courier_id
    )
    await pool.execute(
        "INSERT INTO pay_facts VALUES ($1, 'order:1', 'default', $2, now(), '2026-11-23', '{}')", courier_id, order_id
    )
    await pool.execute(
        "INSERT INTO pay_entries (courier_id, region, kind, about, rule, amount, currency, at, day, actor, role)"
        " VALUES ($1, 'default', 'accrual', 'order:1', 'base', 1, 'EUR', now(), '2026-11-23', 'pay', 'system')",
        courier_id,
    )
    await pool.execute("INSERT INTO courier_hours VALUES ($1, now(), 'default', 1, 1, 1)", courier_id)
    await pool.execute("INSERT INTO courier_hours_due VALUES ($1, now(), now())", courier_id)
    await pool.execute("INSERT INTO recounts VALUES ($1, 'default', now(), now()) ON CONFLICT DO NOTHING", courier_id)
    await pool.execute(
        "INSERT INTO alerts (kind, region, courier_id, raised_at, facts, expected)"
        """ VALUES ('silent', 'default', $1, now(), jsonb_build_object('at', $2::float), '{"x": 1}')""",
        courier_id, lat,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO tracked_stops (order_id, kind, courier_id, region, mode, destination_lat, destination_lon,"
        " origin_lat, origin_lon, departed_at, arrived_at, done_at)"
        " VALUES ($1, 'pickup', $2, 'default', 'bicycle', 41.1, -8.6, $3, $4, now() - interval '1 h', now(), now())",
        order_id, courier_id, lat, lon,
    )  # fmt: skip
    await pool.execute("INSERT INTO learned_models VALUES ('default', 'bicycle:osrm', now(), 1, $1)", courier_id.bytes)
    await pool.execute(
        "INSERT INTO decisions VALUES ($1, now(), $2, '{}', NULL) ON CONFLICT (order_id) DO UPDATE"
        " SET courier_id = excluded.courier_id, cost = excluded.cost, reasons = NULL",
        open_order_id, courier_id,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO day_plans (region, starts_at, ends_at, seconds, state, plan, asked_by)"
        " VALUES ('default', now(), now() + interval '1 h', 1, 'ready', jsonb_build_object('routes', $1::text), 'x')",
        str(courier_id),
    )
    await pool.execute(
        "INSERT INTO order_days VALUES ('default', 'courier', now(), $1, NULL, NULL, NULL, 1, 1, 0, 0, 0, 1, 1, 1, '')",
        courier_id,
    )
    for table in ("positions_1m_kept", "positions_1h_kept"):
        columns = await pool.fetch(
            "SELECT column_name AS name, data_type AS type FROM information_schema.columns"
            " WHERE table_name = $1 AND is_nullable = 'NO' ORDER BY 1",
            table,
        )
        given = {"courier_id": f"'{courier_id}'", "bucket": "now() - interval '40 days'"}
        names = ", ".join(row["name"] for row in columns)
        values = ", ".join(
            given.get(row["name"], "now()" if row["type"].startswith("timestamp") else str(round(lat * 1e7)))
            for row in columns
        )
        await pool.execute(f"INSERT INTO {table} ({names}) VALUES ({values})")
    for token in tokens:
        await redis.set(f"pr:token:{hashlib.sha256(token.encode()).hexdigest()}", f"{NAME} {courier_id}")
    await redis.hset(book.key(REGION), courier_id.bytes, book.pack(1, 0.0, ()))
    other = CourierId(uuid4())
    at = datetime.now(UTC)
    at_home = PositionColumns.from_positions(
        [
            Position(courier_id=who, fix=Fix(at=LatLon(*place.values()), fixed_at=at), received_at=at)
            for who, place in ((courier_id, HOME), (other, DOOR))
        ]
    )
    item = Quarantined(courier_id=courier_id, received_us=0, reason="future", source="api", payload=NAME.encode())
    broken = Letter(why="broken", n=0, fields={b"fixes": b"?" + courier_id.bytes})
    letters = [Letter.of(at_home, [item], f"refused {courier_id}"), broken]
    await DeadLetters(redis).put(HISTORY, REGION, "1-0", letters)
    return other


async def test_nothing_of_an_erased_courier_is_left_in_any_table_or_key(admin, client_of, settings, pool, redis):
    service = await client_of(Role.SERVICE)
    hired = await ask(
        admin,
        "POST",
        "/v1/couriers",
        {
            "name": FORMER_NAME,
            "mode": "bicycle",
            "external_id": FORMER_ID,
            "attributes": {"home": HOME},
            "home": HOME,
            "range_m": 50_000,
        },
        headers={"Idempotency-Key": "hire"},
    )
    courier_id = CourierId(UUID(hired["id"]))
    path = f"/v1/couriers/{courier_id}"
    await put_what_others_told(pool, FORMER_ID)
    await ask(admin, "PATCH", path, {"name": NAME, "external_id": EXTERNAL_ID})
    token = (await ask(admin, "POST", f"{path}/tokens", {"name": PHONE}))["token"]
    await ask(admin, "POST", f"{path}/invitations")
    phone = await client_of(Role.COURIER, courier=str(courier_id))
    phone.headers["Authorization"] = f"Bearer {token}"
    await pool.execute("INSERT INTO event_targets (url, secrets) VALUES ('https://example.com', '{whsec_}')")
    now = datetime.now(UTC)
    ends = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=8)).isoformat(), "end": HOME}
    await ask(admin, "POST", f"{path}/shifts", ends)
    order_id, open_order_id = await work(admin, phone, str(courier_id))
    await ask(phone, "POST", f"{path}/breaks/start")
    await ask(phone, "POST", f"{path}/breaks/end")
    person, bare = marks_of(courier_id, [token])

    async with playing(settings, "writer", "watch"):
        await ask(phone, "POST", "/v1/positions", fixes(40, until=now))
        await ask(phone, "POST", "/v1/positions", [HOME | {"fixed_at": "2100-01-01T00:00:00Z"}])
        await until(lambda: pool.fetchval("SELECT count(*) FROM stays"))
        await until(lambda: pool.fetchval("SELECT count(*) FROM quarantine"))
    await pool.execute("UPDATE audit_log SET actor = 'courier:' || $1 WHERE role = 'courier'", PHONE)
    await pool.execute("UPDATE order_events SET actor = 'courier:' || $1 WHERE role = 'courier'", PHONE)
    await pool.execute(
        "INSERT INTO event_deliveries (target_id, n, at, attempt, status, took_ms, answer)"
        " SELECT t.id, o.n, now(), 1, 200, 1, 'thanks for ' || $1 FROM event_targets AS t, outbox AS o"
        " WHERE o.courier_id IS NOT NULL",
        NAME,
    )
    await pool.execute(
        "INSERT INTO inbox_heads (source, subject, sequence, at) VALUES ('hr', $1, 1, now())", str(courier_id)
    )
    for subject in (EXTERNAL_ID, str(courier_id)):
        await put_what_others_told(pool, subject)
    other = await put_what_roles_write(pool, redis, courier_id, order_id, open_order_id, [token])
    filled = await tables(pool)
    exported = await admin.get(f"{path}/export")
    handed_out = [json.loads(line) for line in exported.text.splitlines()]
    kinds = {line["record"] for line in handed_out}
    for table, text in filled.items():
        if table not in HOLDS_NOBODY | {"erased_couriers": ""}:
            assert found(text, person | bare), f"{table}: fill it, or say why it holds nothing of a courier"
            is_handed_out = KINDS_OF.get(table, table) in kinds
            assert is_handed_out != (table in NOT_HANDED_OUT), f"{table}: is it handed out?"
    counts = {one["kind"]: one["n"] for one in (await ask(admin, "GET", f"{path}/held"))["items"]}
    assert {kind for kind, n in counts.items() if n} == {"fixes", *kinds} - {
        "export",
        "fix",
        "track_minute",
        "track_hour",
    }
    for kind, n in counts.items():
        assert n == sum(line["record"] == kind.replace("fixes", "fix") for line in handed_out), kind
    # On the way while it is erased: in the log, read by nobody yet; and more of it comes from who has not heard.
    await ask(phone, "POST", "/v1/positions", fixes(3, until=datetime.now(UTC)))
    await redis.hset(RegionKeys(REGION).suspects, courier_id.bytes, b"x")  # a good fix takes it away
    before = await keys(redis)
    names = RegionKeys(REGION)
    for key in (names.log, names.dead, names.live, names.suspects, names.contacts, names.geo[2], book.key(REGION)):
        assert found(before[key], person | bare), key

    await ask(admin, "DELETE", path, params={"erase": True})
    late = [fix | {"courier_id": str(courier_id)} for fix in fixes(3, until=datetime.now(UTC))]
    await ask(service, "POST", "/v1/positions", late)
    await ask(service, "POST", "/v1/positions", [late[0] | {"courier_id": str(courier_id), "lat": 0, "lon": 0}])
    erasing = Erasing(pool, redis, settle=timedelta(seconds=2))
    async with playing(settings, "writer", "watch"):

        async def finished():
            await erasing.once()
            return await pool.fetchval("SELECT finished_at FROM erased_couriers")

        await until(finished)

    for table, text in (await tables(pool)).items():
        assert not found(text, person), table
        assert table in KEEPS_THE_ID or not found(text, bare), table
    for key, text in (await keys(redis)).items():
        assert not found(text, person), key
        assert key == "pr:{default}:events" or not found(text, bare), key
    letters = [letter async for letter in DeadLetters(redis).all(REGION)]
    assert [(letter.n, letter.why) for letter in letters] == [(1, "refused erased")]
    assert other.bytes in (await keys(redis))[names.dead]


async def test_an_erasure_that_redis_missed_is_made_good(admin, pool, redis):
    courier_id = UUID((await ask(admin, "POST", "/v1/couriers", {"name": NAME, "mode": "car"}))["id"])
    await ask(admin, "DELETE", f"/v1/couriers/{courier_id}", params={"erase": True})
    await redis.hset(RegionKeys(REGION).live, courier_id.bytes, b"x" * 40)
    async with aioredis.Redis(port=1) as nobody:
        await Erasing(pool, nobody, settle=timedelta(0)).once()
    assert await pool.fetchval("SELECT finished_at FROM erased_couriers") is None

    async def finished():
        await Erasing(pool, redis, settle=timedelta(0)).once()
        return await pool.fetchval("SELECT finished_at FROM erased_couriers")

    await until(finished)
    assert await redis.hlen(RegionKeys(REGION).live) == 0


async def test_every_table_that_background_roles_fill_with_couriers_leaves_out_the_erased(pool):
    """By a trigger, which no writer can forget; or for the reason given here."""
    asks = {
        "positions": "the writer asks at its turn, which an erasure waits for",
        "positions_1m_kept": "made of positions",
        "positions_1h_kept": "made of positions",
        "courier_hours": "leaves them out when it is summed",
        "courier_hours_due": "noted by the writer at its turn",
        "erased_couriers": "the list itself",
        "tokens": "made for couriers of the fleet",
        "orders": "keeps the id",
        "order_events": "keeps the id",
        "offers": "made for couriers of the fleet",
        "order_days": "counted from orders and offers, which keep the id",
        "order_pictures": "sent by couriers of the fleet",
        "invitations": "made for couriers of the fleet",
        "channels": "asked for by phones of couriers of the fleet",
        "routes": "made for couriers of the fleet",
        "decisions": "made for couriers of the fleet",
        "shifts": "made for couriers of the fleet",
        "breaks": "made for couriers of the fleet",
        "courier_messages": "written by couriers of the fleet, and to them",
        "pay_due": "noted of order_events, which keep the id",
        "pay_facts": "keeps the id",
        "pay_entries": "keeps the id",
        "outbox": "told of rows that are guarded themselves",
    }
    rows = await pool.fetch(
        "SELECT table_name AS name FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name)"
        " WHERE table_schema = 'public' AND column_name = 'courier_id' AND table_type = 'BASE TABLE'"
        " AND table_name NOT IN (SELECT inhrelid::regclass::text FROM pg_inherits)"
    )
    guarded = await pool.fetch(
        "SELECT event_object_table AS name FROM information_schema.triggers WHERE trigger_name = 'erased_is_gone'"
    )
    assert {row["name"] for row in rows} - {row["name"] for row in guarded} == set(asks)
