"""Two partners at work in one region: each page shows and handles that partner's own, and nothing of the other's."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser.conftest import World, patient, show
from tests.waiting import wait_until

KITCHEN = {"lat": -33.45, "lon": -70.66, "address": "Kitchen 1"}
DOOR = {"lat": -33.46, "lon": -70.66, "address": "Door 2"}
"""Far away from everybody else of these tests."""


@pytest.fixture
def apart(world: World) -> Iterator[None]:
    """The region keeps partners apart."""
    for setting in ("apart", None):
        settings = {"dispatch": {"partners": setting}}
        world.client.patch("/v1/regions/default", json={"settings": settings}).raise_for_status()
        if setting:
            yield


def test_each_partners_people_meet_their_own_couriers_orders_and_figures(browser: Browser, world: World, apart):
    batch = uuid4().hex[:6]
    orders, couriers, tokens = {}, {}, {}
    for name in ("acme", "bolt"):
        bounds = {"partner": f"{name}-{batch}"}
        made = world.client.post("/v1/tokens", json={"role": "dispatcher", "name": f"{name} desk", **bounds})
        tokens[name] = made.raise_for_status().json()["token"]
        courier = {"name": f"{name} {batch}", "mode": "car", **bounds}
        couriers[name] = world.client.post("/v1/couriers", json=courier).raise_for_status().json()["id"]
        world.ids[f"{name} {batch}"] = couriers[name]
        world.fix(f"{name} {batch}", -33.451, -70.66)
        order = {"pickup": KITCHEN, "dropoff": DOOR, "external_id": f"{name}-{batch}", **bounds}
        orders[name] = world.client.post("/v1/orders", json=order).raise_for_status().json()["id"]
    for name, order in orders.items():
        wait_until(lambda: world.client.get(f"/v1/orders/{order}").json().get("courier_id") == couriers[name])  # noqa: B023
    for name, others in (("acme", "bolt"), ("bolt", "acme")):
        context = patient(browser, viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
        page = context.new_page()
        page.goto(f"{world.url}/#token={tokens[name]}")
        expect(page.locator("tr").filter(has_text=f"{name} {batch}")).to_be_visible()
        expect(page.get_by_role("tab", name=re.compile("Couriers"))).to_contain_text("1")
        page.get_by_role("tab", name=re.compile("Orders")).click()
        expect(page.locator("tr[data-order]")).to_have_count(1)
        page.locator(f"tr[data-order='{orders[name]}']").click()
        with page.expect_response(re.compile("/candidates")) as weighed:
            page.get_by_role("button", name="Reassign").click()
        told = weighed.value.json()
        assert {one["courier_id"] for one in told["candidates"] + told["excluded"]} == {couriers[name]}
        expect(page.get_by_text(f"{others} {batch}")).to_have_count(0)
        page.get_by_role("button", name="Service level").click()
        level = page.get_by_role("dialog", name=re.compile("Service level|How well"))
        expect(level.locator("tfoot td").first).to_have_text("1")  # of all orders of the region
        show(page, f"partner-{name}")
        page.goto(f"{world.url}/?order={orders[others]}")
        expect(page.get_by_role("tab", name=re.compile("Orders"))).to_contain_text("1")
        expect(page.get_by_text(f"{others}-{batch}")).to_have_count(0)
        context.close()
    for name, order in orders.items():
        world.client.post(f"/v1/orders/{order}/cancel", json={"reason": "done"}).raise_for_status()
        world.client.delete(f"/v1/couriers/{couriers[name]}").raise_for_status()
