"""What the recipient's link shows of the courier."""

import pytest

from app.routes.share import COARSE_M, coarse
from app.web.auth import Role
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town  # noqa: F401 - fixtures
from tracking.geo import distance_m
from tracking.position import LatLon

ELSEWHERE = {"lat": 41.1701, "lon": -8.6003}
THERE = {"lat": 41.15347, "lon": -8.61523}


async def test_recipient_sees_the_courier_exactly_only_while_the_order_is_next(town, client_of):  # noqa: F811
    courier_id, phone = await town.hire("Ana")
    recipient = await client_of(Role.VIEWER)
    orders = []
    for door in (HOME, ELSEWHERE):
        order = await town.place(dropoff=door)
        given = {"courier_id": courier_id, "reason": "test"}
        assert (await town.staff.post(f"/v1/orders/{order['id']}/reassign", json=given)).status_code == 200
        assert (await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")).status_code == 200
        orders.append(order["id"])
    for order_id in orders:
        assert (await phone.post(f"/v1/orders/{order_id}/picked-up")).status_code == 200
    await town.stand(courier_id, THERE)
    links = [(await town.staff.post(f"/v1/orders/{order_id}/share")).json()["url"] for order_id in orders]
    seen = [(await recipient.get(link)).json()["courier"] for link in links]
    by_next = {one.get("accuracy_m"): (one["lat"], one["lon"]) for one in seen}
    assert by_next[None] == pytest.approx((THERE["lat"], THERE["lon"]))
    assert 20 < distance_m(LatLon(*by_next[COARSE_M]), LatLon(THERE["lat"], THERE["lon"])) < COARSE_M


@pytest.mark.parametrize("lat", [-89.99, -33.9, 0.0, 41.15, 69.6, 90.0])
def test_a_coarse_place_is_near_and_says_no_more_than_its_corner(lat):
    at = [coarse(lat, 8.6 + i * 1e-5) for i in range(10)]
    assert len(set(at)) <= 2
    assert distance_m(LatLon(*at[0]), LatLon(lat, 8.6)) < COARSE_M
