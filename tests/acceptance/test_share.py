"""What the recipient's link shows of the courier."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.commands.sharing import hash_of
from app.routes.share import COARSE_M, coarse
from app.web.auth import Role
from app.web.rates import QUESTIONS_OF_LINK, Kind, Rates, limits_of
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town  # noqa: F401 - fixtures
from tests.waiting import until
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
    assert "<iframe" not in page.text
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


async def test_a_recipient_writes_to_the_courier_chooses_a_time_and_says_how_it_was(
    town,  # noqa: F811
    client_of,
    admin,
    api,
    settings,
):
    sender = {"sender": "Flor & Filhos", "colour": "#ffcc00", "may_choose_window": True}
    answer = await admin.patch("/v1/regions/default", json={"settings": {"recipient": sender}})
    assert answer.status_code == 200, answer.text
    bad = await admin.patch("/v1/regions/default", json={"settings": {"recipient": {"colour": "red;}"}}})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/settings/recipient/colour")
    recipient = await client_of(Role.VIEWER)
    recipient.headers.pop("Authorization")
    recipient.headers["Accept"] = PAGE["Accept"]
    order = await town.place(dropoff=HOME | {"instructions": "Gate 7", "contact": {"phone": "+351 912"}})
    path = f"/v1/orders/{order['id']}"
    link = (await town.staff.post(f"{path}/share")).json()["url"]
    page = (await recipient.get(link)).text
    assert ("Flor &amp; Filhos" in page, "#ffcc00" in page, "color: #000" in page) == (True, True, True)
    assert "Gate 7" not in page
    assert "912" not in page

    async def windows():
        """Once the planner answers: on a busy machine it may be too slow, and the page says to come again."""
        answer = await recipient.get(f"{link}/window")
        return answer.text if answer.status_code == 200 else None

    async def choose():
        answer = await recipient.post(f"{link}/window", data={"from": begins})
        return None if answer.headers["location"].endswith("said=busy") else answer

    # It is asked what it can keep: with nobody at work, nothing.
    page = await until(windows)
    assert ("No other time can be kept" in page, 'name="from"' in page) == (True, False)
    courier_id, phone = await town.hire("Ana")
    page = await until(windows)
    begins = page.partition('name="from" value="')[2].partition('"')[0]
    chosen = await until(choose)
    assert (chosen.status_code, chosen.headers["location"]) == (303, f"{link}?said=window")
    window = (await town.staff.get(path)).json()["dropoff"]["window"]
    assert datetime.fromisoformat(window["from"]) == datetime.fromisoformat(begins)
    # A link has only so many questions a minute; then it says so, and the rest of it goes on.
    api.state.rates = Rates(api.state.redis, limits_of(settings), clock=lambda: 0.0)
    for _ in range(QUESTIONS_OF_LINK):
        api.state.rates.admit(Kind.LINK, hash_of(link.removeprefix("/t/")).hex())
    asked = await recipient.get(f"{link}/window")
    assert (asked.status_code, asked.headers["location"]) == (303, f"{link}?said=busy")
    assert "Try again in a minute" in (await recipient.get(asked.headers["location"])).text
    api.state.rates = Rates(api.state.redis, limits_of(settings))
    other = await recipient.post(f"{link}/window", data={"from": "2020-01-01T00:00:00Z"})
    assert other.headers["location"].endswith("said=late")
    for text in ("<b>Ring</b>\x00", "Ring twice"):
        assert (await recipient.post(f"{link}/note", data={"text": text})).status_code == 303
    assert (await town.staff.get(path)).json()["dropoff"]["instructions"] == "Gate 7\n» Ring twice"
    assert "Ring twice" in (await recipient.get(link)).text

    given = {"courier_id": courier_id, "reason": "test", "force": True}
    assert (await town.staff.post(f"{path}/reassign", json=given)).status_code == 200
    assert (await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")).status_code == 200
    stops = (await phone.get(f"/v1/couriers/{courier_id}/route")).json()["stops"]
    assert stops[-1]["instructions"].endswith("» Ring twice")
    assert (await phone.post(f"{path}/picked-up")).status_code == 200
    await town.stand(courier_id, THERE)
    told = await recipient.get(link)
    assert "You are the next stop" in told.text
    assert f'<iframe src="{link}/map"' in told.text
    assert "frame-src 'self'" in told.headers["content-security-policy"]
    assert f"{link}/window" not in told.text
    assert (await recipient.get(f"{link}/window")).headers["location"] == link
    assert (await recipient.get(link, headers={"Accept-Language": "ru"})).text.count("Вы следующая остановка") == 1
    early = await recipient.post(f"{link}/rating", data={"stars": "5"})
    assert early.headers["location"].endswith("said=late")

    assert (await phone.post(f"{path}/delivered", json={"name": "Rita"})).status_code == 200
    page = (await recipient.get(link)).text
    assert ("Taken by Rita" in page, "How was it?" in page, "<iframe" in page) == (True, True, False)
    for stars in ("4", "1"):
        assert (await recipient.post(f"{link}/rating", data={"stars": stars})).status_code == 303
    assert "How was it?" not in (await recipient.get(link)).text
    comments = (await town.staff.get(f"{path}/comments")).json()["items"]
    assert [(one["role"], one["text"]) for one in comments] == [("recipient", "★★★★☆")]
    assert (await recipient.post(f"{link}/note", data={"text": "late"})).headers["location"].endswith("said=late")
    assert (await recipient.post(f"{link}/rating", data={"stars": "9"})).status_code == 400
    assert (await recipient.post("/t/nothing/note", data={"text": "x"})).headers["location"] == "/t/nothing?said=late"
