"""What the recipient's link shows of the courier."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.routes.share import COARSE_M, coarse
from app.web.auth import Role
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town  # noqa: F401 - fixtures
from tracking.geo import distance_m
from tracking.position import LatLon

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
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


async def test_recipient_sees_a_page_on_delivery_and_programs_that_it_is_over(town, dispatcher, client_of, settings):  # noqa: F811
    """Times are those of the clocks where the order goes."""
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("UPDATE regions SET timezone = 'Asia/Kathmandu'")
    await connection.close()
    recipient = await client_of(Role.VIEWER)
    courier_id, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).status_code == 200
    await town.stand(courier_id, THERE)
    link = (await town.staff.post(f"/v1/orders/{order['id']}/share")).json()
    on_its_way = await recipient.get(link["url"], headers=PAGE)
    assert "+0545" in on_its_way.text
    assert "UTC" not in on_its_way.text
    assert (await phone.post(f"/v1/orders/{order['id']}/delivered")).status_code == 200
    page = await recipient.get(link["url"], headers=PAGE)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert "has been delivered" in page.text
    assert "+0545" in page.text
    assert "refresh" not in page.text
    assert (await recipient.get(link["url"])).status_code == 404


async def test_recipient_of_a_cancelled_order_and_of_no_order_sees_a_page(town, client_of):  # noqa: F811
    recipient = await client_of(Role.VIEWER)
    order = await town.place()
    link = (await town.staff.post(f"/v1/orders/{order['id']}/share")).json()["url"]
    reason = {"reason": "test"}
    assert (await town.staff.post(f"/v1/orders/{order['id']}/cancel", json=reason)).status_code == 200
    page = await recipient.get(link, headers=PAGE)
    assert (page.status_code, "was cancelled" in page.text) == (200, True)
    unknown = await recipient.get("/t/nothing", headers=PAGE)
    assert (unknown.status_code, unknown.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert "not valid any more" in unknown.text


async def test_link_lasts_a_day_longer_than_the_promise(town):  # noqa: F811
    promised = datetime.now(UTC).replace(microsecond=0) + timedelta(days=6)
    order = await town.place(dropoff=HOME | {"window": {"to": promised.isoformat()}})
    link = (await town.staff.post(f"/v1/orders/{order['id']}/share")).json()
    assert datetime.fromisoformat(link["expires_at"]) >= promised + timedelta(days=1)
    soon = await town.place()
    link = (await town.staff.post(f"/v1/orders/{soon['id']}/share")).json()
    assert datetime.fromisoformat(link["expires_at"]) < datetime.now(UTC) + timedelta(days=3)
