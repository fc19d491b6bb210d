"""A courier who lets offers run out is paused: shown, told, ended by time, by going on duty, and by support."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest_asyncio

from app.web.auth import Role
from tests.acceptance.test_asking import set_region
from tests.acceptance.test_orders import dispatcher, town
from tests.waiting import until
from tracking import events

__all__ = ["dispatcher", "set_region", "town"]


@pytest_asyncio.fixture
async def rows(database_url):
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def paused_until(town, courier_id):
    return (await town.staff.get(f"/v1/couriers/{courier_id}")).json()["paused_until"]


async def lapse(town, phone, rows):
    """The courier lets an offer run out; the order is gone then."""
    order = await town.place()
    offer_id = await town.offered(phone, order["id"])
    await rows.execute("UPDATE offers SET expires_at = now() WHERE id = $1", offer_id)

    async def ended():
        return (await phone.get(f"/v1/offers/{offer_id}")).json()["state"] == "expired"

    await until(ended)
    await town.staff.post(f"/v1/orders/{order['id']}/cancel")


async def told(town, kind):
    found = await events.read(town.redis, "default", after=events.START)
    return [event.facts for event in found if event.type == f"courier.{kind}"]


async def test_pause_is_shown_and_told_and_ended_by_support_and_by_going_on_duty(
    town, dispatcher, set_region, rows, client_of
):
    await set_region(offers={"pause_after_expired": 1, "pause_s": 3600})
    ana, phone = await town.hire("Ana")
    assert await paused_until(town, ana) is None
    before = datetime.now(UTC)
    await lapse(town, phone, rows)
    ends_at = datetime.fromisoformat(await paused_until(town, ana))
    assert before < ends_at - timedelta(hours=1) < datetime.now(UTC)
    listed = (await town.staff.get("/v1/couriers")).json()["items"]
    assert [(one["id"], one["paused_until"] is not None) for one in listed] == [(ana, True)]
    [event] = await told(town, "paused")
    assert (event["courier_id"], datetime.fromisoformat(event["until"])) == (ana, ends_at)
    order = await town.place()

    async def explained():
        reasons = (await town.order(order["id"])).get("decision", {}).get("reasons")
        return reasons and [reason["code"] for reason in reasons] == ["paused"]

    await until(explained)
    # By support, not by the courier; and it is in the audit log.
    assert (await phone.post(f"/v1/couriers/{ana}/pause/end")).status_code == 403
    support = await client_of(Role.SUPPORT)
    assert (await support.post(f"/v1/couriers/{ana}/pause/end")).status_code == 204
    assert await paused_until(town, ana) is None
    assert len(await told(town, "pause_ended")) == 1
    admin = await client_of(Role.ADMIN)
    audited = (await admin.get("/v1/audit", params={"subject": f"courier:{ana}"})).json()["items"]
    assert [entry["action"] for entry in audited][:1] == ["courier.pause_end"]
    offer_id = await town.offered(phone, order["id"])
    # By going on duty again.
    await rows.execute("UPDATE offers SET expires_at = now() WHERE id = $1", offer_id)

    async def is_paused():
        return await paused_until(town, ana) is not None

    await until(is_paused)
    assert (await phone.post(f"/v1/couriers/{ana}/off-duty")).status_code == 200
    assert (await phone.post(f"/v1/couriers/{ana}/on-duty")).status_code == 200
    assert await paused_until(town, ana) is None
    await town.offered(phone, order["id"])


async def test_pause_ends_by_itself(town, dispatcher, set_region, rows):
    await set_region(offers={"pause_after_expired": 1, "pause_s": 3600})
    ana, phone = await town.hire("Ana")
    await lapse(town, phone, rows)
    order = await town.place()
    assert await paused_until(town, ana) is not None
    await rows.execute("UPDATE offers SET answered_at = answered_at - interval '1 h' WHERE state = 'expired'")
    assert await paused_until(town, ana) is None
    await town.offered(phone, order["id"])


async def test_pause_of_somebody_unknown_is_not_ended(town):
    answer = await town.staff.post("/v1/couriers/00000000-0000-0000-0000-000000000001/pause/end")
    assert answer.status_code == 404
