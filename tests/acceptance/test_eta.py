"""When an order arrives, over HTTP: before anybody carries it, on the way, and after."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.web.auth import Role
from dispatch.orders.rows import to_json
from tracking.batch import PositionColumns
from tracking.live import LivePositions
from tracking.position import Fix, LatLon, Position

FIELDS = {"p50", "p90", "computed_at", "source", "confidence", "warnings", "pickup"}
MINIMAL = {"pickup": {"lat": 41.1496, "lon": -8.6109}, "dropoff": {"lat": 41.1579, "lon": -8.6291}}


@pytest.fixture
async def database(settings):
    connection = await asyncpg.connect(settings.database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def order_id(admin):
    return (await admin.post("/v1/orders", json=MINIMAL)).json()["id"]


@pytest.fixture
async def carried(admin, api, database, order_id):
    """The order is on the route of a courier seen a moment ago; the courier's id."""
    courier_id = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"})).json()["id"]
    await database.execute(
        "UPDATE orders SET courier_id = $2, state = 'accepted', assigned_at = now(), accepted_at = now() WHERE id = $1",
        UUID(order_id),
        UUID(courier_id),
    )
    stops = [{"order_id": order_id, "kind": kind} for kind in ("pickup", "dropoff")]
    await database.execute(
        "INSERT INTO routes (courier_id, region, stops) VALUES ($1, 'default', $2::jsonb)",
        UUID(courier_id),
        to_json(stops),
    )
    now = datetime.now(UTC)
    fix = Fix(at=LatLon(41.14, -8.60), fixed_at=now)
    columns = PositionColumns.from_positions([Position(courier_id=UUID(courier_id), fix=fix, received_at=now)])
    await LivePositions(api.state.redis).refill("default", columns)
    return courier_id


async def test_an_order_nobody_carries_has_no_arrival_and_says_so(admin, order_id):
    answer = await admin.get(f"/v1/orders/{order_id}/eta")
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == FIELDS
    assert (body["p50"], body["p90"], body["warnings"]) == (None, None, ["not_assigned"])


async def test_what_was_told_of_an_arrival_can_be_read_later(admin, database, order_id):
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    words = [(at, at + timedelta(minutes=20), at + timedelta(minutes=26), None)]
    words.append((at + timedelta(minutes=5), at + timedelta(minutes=29), at + timedelta(minutes=36), "on_break"))
    await database.executemany(
        "INSERT INTO told_arrivals (order_id, at, p50, p90, because) VALUES ($1, $2, $3, $4, $5)",
        [(UUID(order_id), *word) for word in words],
    )
    told = (await admin.get(f"/v1/orders/{order_id}/eta/history")).json()["items"]
    assert [
        (*(datetime.fromisoformat(one[name]) for name in ("at", "p50", "p90")), one["because"]) for one in told
    ] == words
    assert (await admin.get(f"/v1/orders/{uuid4()}/eta/history")).status_code == 404


async def test_an_order_on_the_way_has_an_arrival_with_its_spread(admin, carried, order_id):
    body = (await admin.get(f"/v1/orders/{order_id}/eta")).json()
    p50, p90, computed_at = (datetime.fromisoformat(body[name]) for name in ("p50", "p90", "computed_at"))
    assert computed_at < p50 < p90
    assert datetime.fromisoformat(body["pickup"]["p50"]) < p50
    assert body["source"] == "default"
    assert 0 < body["confidence"] <= 1
    assert body["warnings"] == ["not_followed"]  # nobody keeps arrivals here: it was made for the question


async def test_an_order_that_may_be_ready_sooner_or_later_arrives_less_surely(admin, carried, order_id):
    async def spread_s():
        body = (await admin.get(f"/v1/orders/{order_id}/eta")).json()
        p50, p90 = (datetime.fromisoformat(body[name]) for name in ("p50", "p90"))
        return (p90 - p50).total_seconds()

    url, in_an_hour = f"/v1/orders/{order_id}", (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert (await admin.patch(url, json={"ready_at": in_an_hour})).status_code == 200
    sure_s = await spread_s()
    assert (await admin.patch(url, json={"ready_is_estimate": True, "ready_error_s": 900})).status_code == 200
    assert await spread_s() > sure_s + 300


async def test_every_stop_of_the_route_has_the_same_arrival(admin, carried, order_id):
    eta = (await admin.get(f"/v1/orders/{order_id}/eta")).json()
    stops = (await admin.get(f"/v1/couriers/{carried}/route")).json()["stops"]
    assert [set(stop["eta"]) for stop in stops] == [FIELDS - {"pickup"}] * 2
    dropoff = datetime.fromisoformat(stops[1]["eta"]["p50"])
    assert abs(dropoff - datetime.fromisoformat(eta["p50"])) < timedelta(seconds=30)


async def test_a_delivered_order_says_when_it_was(admin, database, carried, order_id):
    await database.execute(
        "UPDATE orders SET state = 'delivered', picked_up_at = now(), delivered_at = now(), closed_at = now()"
        " WHERE id = $1",
        UUID(order_id),
    )
    body = (await admin.get(f"/v1/orders/{order_id}/eta")).json()
    assert (body["source"], body["confidence"], body["p50"]) == ("recorded", 1.0, body["p90"])


async def test_what_will_not_arrive_is_a_problem(admin, order_id):
    await admin.post(f"/v1/orders/{order_id}/cancel", json={"reason": "changed their mind"})
    answer = await admin.get(f"/v1/orders/{order_id}/eta")
    assert (answer.status_code, answer.json()["code"]) == (409, "order-not-open")
    assert (await admin.get(f"/v1/orders/{uuid4()}/eta")).status_code == 404


async def test_couriers_do_not_see_other_peoples_arrivals(client_of, carried, order_id):
    phone = await client_of(Role.COURIER, courier=carried)
    assert (await phone.get(f"/v1/orders/{order_id}/eta")).status_code == 403
