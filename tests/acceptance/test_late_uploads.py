"""What couriers do, told late by their phones; and orders they give back."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.test_orders import HOME, dispatcher, town

__all__ = ["dispatcher", "town"]


async def last_event(town, order_id):
    return (await town.staff.get(f"/v1/orders/{order_id}/events")).json()["items"][-1]


def instant(text):
    return datetime.fromisoformat(text)


async def test_steps_told_late_have_the_times_the_phone_says(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await town.place()
    offer_id = await town.offered(phone, order["id"])
    accepted_at = datetime.now(UTC)
    await asyncio.sleep(0.05)
    done_at = [datetime.now(UTC) for _ in range(2)]
    await asyncio.sleep(0.05)
    answer = await phone.post(f"/v1/offers/{offer_id}/accept", json={"at": accepted_at.isoformat()})
    assert instant(answer.json()["accepted_at"]) == accepted_at
    url = f"/v1/orders/{order['id']}"
    collected = await phone.post(f"{url}/picked-up", json={"at": done_at[0].isoformat(), "note": "two bags"})
    assert instant(collected.json()["picked_up_at"]) == done_at[0]
    facts = (await last_event(town, order["id"]))["facts"]
    assert (facts["note"], instant(facts["happened_at"])) == ("two bags", done_at[0])
    delivered = (await phone.post(f"{url}/delivered", json={"at": done_at[1].isoformat(), "code": "1"})).json()
    assert instant(delivered["delivered_at"]) == instant(delivered["closed_at"]) == done_at[1]
    assert delivered["proof"] == {"code": "1"}


async def test_time_that_cannot_be_is_moved_and_told(town, dispatcher):
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    url = f"/v1/orders/{order['id']}"
    ahead = datetime.now(UTC) + timedelta(hours=3)
    collected = (await phone.post(f"{url}/picked-up", json={"at": ahead.isoformat()})).json()
    assert instant(collected["picked_up_at"]) <= datetime.now(UTC) + timedelta(minutes=1)
    facts = (await last_event(town, order["id"]))["facts"]
    assert (instant(facts["said_at"]), facts["not_believed"]) == (ahead, "in the future")
    before = instant(order["placed_at"]) - timedelta(hours=1)
    failed = await phone.post(f"{url}/failed", json={"reason": "nobody there", "at": before.isoformat()})
    assert failed.status_code == 200
    facts = (await last_event(town, order["id"]))["facts"]
    assert facts["not_believed"] == "before the step before"
    assert instant(facts["happened_at"]) == instant(collected["picked_up_at"])
    back = await phone.post(f"{url}/returned", json={"at": datetime.now(UTC).isoformat()})
    assert back.json()["state"] == "returned"


@pytest.mark.parametrize("step", ["picked-up", "delivered", "failed", "returned", "give-back"])
async def test_time_that_nobody_can_mean_is_refused_with_its_pointer(town, dispatcher, step):
    _, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    body = {"reason": "x", "at": "0001-01-01T00:00:00Z"}
    answer = await phone.post(f"/v1/orders/{order['id']}/{step}", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/at")


async def test_order_given_back_goes_to_somebody_else(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    rui, other = await town.hire("Rui", HOME)
    url = f"/v1/orders/{order['id']}/give-back"
    assert (await other.post(url, json={"reason": "mine?"})).status_code == 403
    given = await phone.post(url, json={"reason": "flat tyre"})
    assert (given.status_code, given.json()["state"]) == (200, "placed")
    await town.offered(other, order["id"])
    assert (await town.order(order["id"]))["courier_id"] == rui
    events = (await town.staff.get(f"/v1/orders/{order['id']}/events")).json()["items"]
    [back] = [event for event in events if event["action"] == "release"]
    assert (back["role"], back["courier_id"], back["reason"]) == ("courier", ana, "flat tyre")
    assert (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"] == []


async def test_only_what_is_accepted_and_not_collected_is_given_back(town, dispatcher):
    ana, phone = await town.hire("Ana")
    order = await town.place()
    await town.offered(phone, order["id"])
    url = f"/v1/orders/{order['id']}/give-back"
    for step in ("give-back", "picked-up", "give-back"):
        answer = await phone.post(f"/v1/orders/{order['id']}/{step}", json={"reason": "x"})
        if step == "give-back":
            assert (answer.status_code, answer.json()["code"]) == (409, "order-not-open")
    assert (await town.staff.get(f"/v1/couriers/{ana}/route")).json()["stops"] != []
    assert (await phone.post(url, json={})).status_code == 400
