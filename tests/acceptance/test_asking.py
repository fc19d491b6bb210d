"""How a region asks its couriers, and whether what they accepted may go to another."""

import pytest_asyncio

from app.web.auth import Role
from tests.acceptance.test_orders import RESTAURANT, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]

FAR = {"lat": 41.19, "lon": -8.66}
"""6 km from the restaurant: twenty minutes and more by bicycle."""


@pytest_asyncio.fixture
async def set_region(client_of):
    admin = await client_of(Role.ADMIN)

    async def put(**settings):
        before = (await admin.get("/v1/regions/default")).json()
        answer = await admin.patch("/v1/regions/default", json={"version": before["version"], "settings": settings})
        assert answer.status_code == 200, answer.text

    return put


async def state_of(town, order_id):
    order = await town.order(order_id)
    return order["state"], order.get("courier_id")


async def reaches(town, order_id, state, courier_id):
    async def look():
        return await state_of(town, order_id) == (state, courier_id)

    await until(look)


async def test_region_that_asks_nobody_gives_orders_at_once(town, dispatcher, set_region):
    await set_region(offers={"mode": "assign"})
    ana, phone = await town.hire("Ana")
    order = await town.place()
    await reaches(town, order["id"], "accepted", ana)
    assert (await phone.get("/v1/offers")).json()["items"] == []
    assert await town.actions(order["id"]) == ["place", "assign"]
    assert (await town.order(order["id"]))["accepted_at"]
    stops = (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"]
    assert [stop["kind"] for stop in stops] == ["pickup", "dropoff"]
    rui, _ = await town.hire("Rui")
    moved = await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": rui})
    assert (moved.json()["state"], moved.json()["courier_id"]) == ("accepted", rui)
    await set_region(offers={"mode": None})
    second = await town.place()

    async def asked():
        return (await state_of(town, second["id"]))[0] == "assigned"

    await until(asked)


async def slow_one(town):
    """Ana has accepted an order whose pickup is far away."""
    ana, phone = await town.hire("Ana", FAR)
    return ana, phone, await town.accepted(phone)


async def test_accepted_order_goes_to_a_courier_at_the_pickup_when_the_region_lets_it(town, dispatcher, set_region):
    await set_region(dispatch={"move_accepted": True})
    ana, phone, order = await slow_one(town)
    rui, other = await town.hire("Rui")
    offer_id = await town.offered(other, order["id"])
    assert (await phone.get(f"/v1/couriers/{ana}/route")).json()["stops"] == []
    assert await town.actions(order["id"]) == ["place", "assign", "accept", "release", "assign"]
    assert (await other.post(f"/v1/offers/{offer_id}/accept")).status_code == 200
    # Nobody is asked twice: Ana comes nearer, and it stays with Rui, who goes away.
    await town.stand(ana, RESTAURANT)
    await town.stand(rui, FAR)
    second = await town.place()
    await town.offered(phone, second["id"])  # the dispatcher has seen where both are
    assert await state_of(town, order["id"]) == ("accepted", rui)


async def test_accepted_order_stays_where_the_region_does_not_say_otherwise(town, dispatcher):
    ana, _, order = await slow_one(town)
    _, other = await town.hire("Rui")
    second = await town.place()
    await town.offered(other, second["id"])
    assert await state_of(town, order["id"]) == ("accepted", ana)


async def test_pinned_order_stays(town, dispatcher, set_region):
    await set_region(dispatch={"move_accepted": True})
    ana, _, order = await slow_one(town)
    await town.staff.post(f"/v1/orders/{order['id']}/pin")
    _, other = await town.hire("Rui")
    second = await town.place()
    await town.offered(other, second["id"])
    assert await state_of(town, order["id"]) == ("accepted", ana)
