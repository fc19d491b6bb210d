"""A dispatcher writes down orders: one by form and by a click on the map, many by a file."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.conftest import jump

# Left of the form, which covers the rest of a small map.
PLACE_OF_MAP = "([lat, lon]) => { const {x, y} = window.__map.project([lon, lat]); return [x, y] }"


def begin(page: Page) -> None:
    page.get_by_role("tab", name=re.compile("Orders")).click()
    page.get_by_role("button", name="New order").click()


@pytest.mark.with_map
def test_order_is_written_down_with_a_place_from_the_map(page, world):
    reference = f"form-{uuid4().hex[:6]}"
    begin(page)
    place = page.get_by_role("button", name="Place the order")
    expect(place).to_be_disabled()
    page.get_by_label("Collect: address").fill("41.16, -8.62")
    page.wait_for_function("() => window.__map && window.__map.getLayer('couriers')")
    jump(page, 41.15, -8.584, 12)
    page.get_by_role("group", name="Deliver").get_by_role("button", name="On the map").click()
    expect(page.get_by_text("Click where to deliver")).to_be_visible()
    box = page.locator(".map").bounding_box()
    assert box is not None
    x, y = page.evaluate(PLACE_OF_MAP, [41.15, -8.62])
    page.mouse.click(box["x"] + x, box["y"] + y)
    expect(page.get_by_text("Click where to deliver")).to_have_count(0)
    page.get_by_label("Deliver: phone").fill("+351 22 000")
    page.get_by_role("button", name="Within an hour").click()
    page.get_by_label("Reference").fill(reference)
    page.get_by_label("Pieces").fill("2")
    place.click()
    expect(page.get_by_role("heading", name=f"Order {reference[:8]}")).to_be_visible()
    order = world.client.get("/v1/orders", params={"q": reference}).json()["items"][0]
    assert abs(order["dropoff"]["lat"] - 41.15) < 0.001
    assert abs(order["dropoff"]["lon"] + 8.62) < 0.001
    assert (order["size"], order["dropoff"]["contact"]) == ({"units": 2}, {"phone": "+351 22 000"})
    assert "to" in order["dropoff"]["window"]


def test_what_the_server_refuses_says_where(page):
    begin(page)
    page.get_by_label("Collect: address").fill("41.16, -8.62")
    page.get_by_label("Deliver: address").fill("41.15, -8.62")
    page.get_by_label("From").fill("2036-05-04T13:00")
    page.get_by_label("To", exact=True).fill("2036-05-04T12:00")
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator("form [role=alert]")).to_contain_text("/dropoff/window")


def test_file_is_looked_at_before_its_orders_are_placed(page, world):
    reference = f"file-{uuid4().hex[:6]}"
    begin(page)
    page.get_by_role("button", name="From a file").click()
    header = "external_id,pickup_lat,pickup_lon,dropoff_lat,dropoff_lon"
    rows = [f"{reference},41.16,-8.62,41.15,-8.62", f"{reference}-b,41.16,-8.62,91,-8.62"]
    page.get_by_label("or its text").fill("\n".join([header, *rows]))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("1 new, 0 there already, 1 cannot be used.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="dropoff_lat")).to_contain_text("3")
    assert world.client.get("/v1/orders", params={"q": reference}).json()["items"] == []
    page.get_by_role("button", name="Place 1 order").click()
    expect(page.locator(".import").get_by_role("status")).to_contain_text("1 new")
    page.wait_for_function("() => !document.querySelector('.import .primary').disabled")
    assert [one["external_id"] for one in world.client.get("/v1/orders", params={"q": reference}).json()["items"]] == [
        reference
    ]
