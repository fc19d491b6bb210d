"""Idle couriers are shown where orders are expected, where the region wants that: advice, never an order."""

from tests.acceptance.test_asking import FAR, set_region
from tests.acceptance.test_orders import RESTAURANT, dispatcher, town
from tests.acceptance.test_route_stream import listening
from tests.waiting import until

__all__ = ["dispatcher", "set_region", "town"]


async def test_idle_courier_is_shown_a_better_place_to_wait_and_is_not_sent_there(api, town, dispatcher, set_region):
    ana, phone = await town.hire("Ana", FAR)
    for _ in range(8):
        order = await town.place()
        await town.staff.post(f"/v1/orders/{order['id']}/cancel")

    async def suggestion():
        return (await phone.get(f"/v1/couriers/{ana}/route")).json().get("suggestion")

    async with listening(api, phone, ana) as stream:
        assert "suggestion" not in await stream.until("route")  # off by default
        await set_region(dispatch={"reposition_above_s": 1})
        told = await stream.until("suggestion")
        assert (told["lat"], told["lon"]) == (RESTAURANT["lat"], RESTAURANT["lon"])
        assert told["saves_s"] > 0
        assert await suggestion() == told
        route = (await phone.get(f"/v1/couriers/{ana}/route")).json()
        assert (route["stops"], route.get("offers", [])) == ([], [])
        # Whoever has something to do is not advised.
        order = await town.place()
        assert await stream.until("suggestion") == {}
        await town.offered(phone, order["id"])
        assert await suggestion() is None
        await town.staff.post(f"/v1/orders/{order['id']}/cancel")
        await until(suggestion)
        # Who is there already needs no advice.
        await town.stand(ana, RESTAURANT)

        async def gone():
            return await suggestion() is None

        await until(gone)
