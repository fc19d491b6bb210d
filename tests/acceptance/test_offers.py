"""Offers over HTTP: several orders as one, and several couriers asked at once."""

import asyncio
from collections import Counter

import asyncpg
import pytest_asyncio

from app.web.auth import Role
from tests.acceptance.test_asking import set_region, state_of
from tests.acceptance.test_orders import HOME, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "set_region", "town"]

NEAR = {"lat": 41.1506, "lon": -8.6119}
"""150 m from the restaurant."""


@pytest_asyncio.fixture
async def rows(database_url):
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def open_offers(phone):
    return (await phone.get("/v1/offers", params={"state": "open"})).json()["items"]


async def bundle(town, name="Ana"):
    """A courier who is offered two orders of one kitchen, which were there before."""
    orders = [await town.place(), await town.place()]
    courier_id, phone = await town.hire(name)

    async def look():
        return next((offer for offer in await open_offers(phone) if len(offer.get("orders", ())) == 2), None)

    return courier_id, phone, await until(look), [order["id"] for order in orders]


async def test_bundle_is_one_offer_that_is_accepted_as_a_whole(town, dispatcher):
    ana, phone, offer, ids = await bundle(town)
    assert {order["order_id"] for order in offer["orders"]} == set(ids)
    assert all(order["pickup"]["lat"] and order["dropoff_at"] for order in offer["orders"])
    for order_id in ids:  # found by each of its orders
        listed = (await town.staff.get("/v1/offers", params={"order_id": order_id})).json()["items"]
        assert [(one["id"], len(one["orders"])) for one in listed] == [(offer["id"], 2)]
    assert len((await phone.get(f"/v1/couriers/{ana}/route")).json()["offers"]) == 1
    taken = await phone.post(f"/v1/offers/{offer['id']}/accept")
    assert taken.status_code == 200, taken.text
    assert {order["id"] for order in taken.json()["orders"]} == set(ids)
    assert [await state_of(town, order_id) for order_id in ids] == [("accepted", ana)] * 2
    again = await phone.post(f"/v1/offers/{offer['id']}/accept")
    assert [order["version"] for order in again.json()["orders"]] == [o["version"] for o in taken.json()["orders"]]
    assert (await phone.get(f"/v1/offers/{offer['id']}")).json()["state"] == "accepted"


async def test_bundle_is_refused_as_a_whole_and_goes_to_another_courier(town, dispatcher):
    _, phone, offer, ids = await bundle(town)
    rui, other = await town.hire("Rui", HOME)
    answer = await phone.post(f"/v1/offers/{offer['id']}/reject", json={"reason": "too heavy"})
    assert (answer.json()["state"], len(answer.json()["orders"])) == ("rejected", 2)
    assert (await phone.post(f"/v1/offers/{offer['id']}/accept")).json()["code"] == "offer-not-open"

    async def asked():
        return [await state_of(town, order_id) for order_id in ids] == [("assigned", rui)] * 2

    await until(asked)
    found = await open_offers(other)
    assert {order["order_id"] for order in found[0]["orders"]} == set(ids)


async def test_order_of_a_bundle_that_is_cancelled_leaves_the_offer_and_the_rest_is_accepted(town, dispatcher):
    ana, phone, offer, (first, second) = await bundle(town)
    gone, left = (first, second) if offer["order_id"] == first else (second, first)
    assert (await town.staff.post(f"/v1/orders/{gone}/cancel", json={"reason": "customer"})).status_code == 200
    [now] = await open_offers(phone)
    assert (now["id"], now["order_id"], now.get("orders")) == (offer["id"], left, None)
    assert (await phone.post(f"/v1/offers/{offer['id']}/accept")).json()["id"] == left
    assert await state_of(town, left) == ("accepted", ana)
    assert (await town.order(gone))["state"] == "cancelled"
    stops = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
    assert {stop["order_id"] for stop in stops} == {left}


async def crowd(town, set_region, n=3, **offers):
    """Couriers near the kitchen who are all asked for one order: by id their phones, the order, and who has it yet."""
    await set_region(offers={"mode": "ask_several", "ask_at_once": n} | offers)
    phones = dict([await town.hire(f"Courier {i}", NEAR) for i in range(n)])
    order = await town.place()

    async def asked():
        listed = (await town.staff.get("/v1/offers", params={"order_id": order["id"], "state": "open"})).json()["items"]
        return {offer["courier_id"]: offer for offer in listed} if len(listed) == n else None

    offers_by = await until(asked)
    return phones, offers_by, order["id"], (await town.order(order["id"]))["courier_id"]


def accept(phones, offers, courier_id):
    return phones[courier_id].post(f"/v1/offers/{offers[courier_id]['id']}/accept")


async def states_of(town, order_id):
    listed = (await town.staff.get("/v1/offers", params={"order_id": order_id})).json()["items"]
    return {offer["courier_id"]: offer["state"] for offer in listed}


async def test_of_several_asked_the_first_who_accepts_has_it_and_the_others_are_not_blamed(
    town, dispatcher, set_region
):
    phones, offers, order_id, holder = await crowd(town, set_region, pause_after_expired=1)
    assert {offer["others_asked"] for offer in offers.values()} == {2}
    winner = next(courier_id for courier_id in phones if courier_id != holder)
    taken = await accept(phones, offers, winner)
    assert (taken.status_code, taken.json()["courier_id"]) == (200, winner), taken.text
    assert await states_of(town, order_id) == {one: "accepted" if one == winner else "withdrawn" for one in phones}
    for courier_id, phone in phones.items():
        stops = (await phone.get(f"/v1/couriers/{courier_id}/route")).json()["stops"]
        assert [stop["kind"] for stop in stops] == (["pickup", "dropoff"] if courier_id == winner else [])
    late = await accept(phones, offers, holder)
    assert (late.status_code, late.json()["code"], late.json()["state"]) == (409, "offer-not-open", "withdrawn")
    second = await town.place()  # who was not first is asked again at once

    async def asked():
        return set(phones) - {winner} <= set(await states_of(town, second["id"]))

    await until(asked)


async def test_of_acceptances_at_the_same_instant_one_wins(town, dispatcher, set_region):
    phones, offers, order_id, _ = await crowd(town, set_region, 4)
    answers = await asyncio.gather(*(accept(phones, offers, courier_id) for courier_id in [*phones, *phones]))
    assert Counter(answer.status_code for answer in answers) == {200: 2, 409: 6}  # the winner's phone said it twice
    winners = {answer.json()["courier_id"] for answer in answers if answer.status_code == 200}
    assert len(winners) == 1
    assert await state_of(town, order_id) == ("accepted", *winners)
    assert Counter((await states_of(town, order_id)).values()) == {"accepted": 1, "withdrawn": 3}
    assert (await town.actions(order_id)).count("accept") == 1


async def test_order_stays_with_those_still_asked_when_who_has_it_meanwhile_refuses(town, dispatcher, set_region):
    phones, offers, order_id, holder = await crowd(town, set_region)
    refused = await phones[holder].post(f"/v1/offers/{offers[holder]['id']}/reject")
    assert refused.status_code == 200
    state, then = await state_of(town, order_id)
    assert state == "assigned"
    assert then in set(phones) - {holder}
    assert Counter((await states_of(town, order_id)).values()) == {"rejected": 1, "open": 2}
    last = next(iter(set(phones) - {holder, then}))
    assert (await phones[last].post(f"/v1/offers/{offers[last]['id']}/reject")).status_code == 200
    assert await state_of(town, order_id) == ("assigned", then)
    assert (await accept(phones, offers, then)).status_code == 200


async def test_who_is_erased_or_goes_off_duty_is_not_asked_any_more_and_the_others_are(
    town, dispatcher, set_region, client_of
):
    phones, offers, order_id, holder = await crowd(town, set_region, 4)
    admin = await client_of(Role.ADMIN)
    erased = await admin.delete(f"/v1/couriers/{holder}", params={"erase": True})
    assert erased.status_code < 300, erased.text
    state, then = await state_of(town, order_id)
    assert (state, then in set(phones) - {holder}) == ("assigned", True)
    away, last = set(phones) - {holder, then}
    assert (await phones[away].post(f"/v1/couriers/{away}/off-duty")).status_code == 200
    assert (await accept(phones, offers, away)).json()["code"] == "offer-not-open"
    assert (await states_of(town, order_id))[away] == "withdrawn"
    assert (await accept(phones, offers, last)).status_code == 200
    assert await state_of(town, order_id) == ("accepted", last)


async def test_offer_to_several_that_ran_out_can_be_accepted_by_nobody(town, dispatcher, set_region, rows):
    phones, offers, order_id, holder = await crowd(town, set_region)
    await rows.execute(
        "UPDATE offers SET offered_at = now() - interval '1 h', expires_at = now() - interval '1 s'"
        " WHERE order_id = $1 AND state = 'open'",
        order_id,
    )
    answers = [await accept(phones, offers, courier_id) for courier_id in phones]
    assert {(answer.status_code, answer.json()["state"]) for answer in answers} == {(409, "expired")}

    async def ended():
        mine = (await town.staff.get(f"/v1/offers/{offers[holder]['id']}")).json()
        return mine["state"] == "expired"

    await until(ended)
