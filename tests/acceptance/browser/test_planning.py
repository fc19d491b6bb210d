"""A dispatcher looks at what would happen before it does, in a real Chromium."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import FEATURES, unhurried

PLACE = {"lat": 41.162, "lon": -8.62, "address": "Kitchen 3"}
DOOR = {"lat": 41.165, "lon": -8.625, "address": "Door 4"}


@pytest.fixture
def gil(world):
    """A courier on the map."""
    if "Gil" not in world.ids:
        world.courier("Gil")
    world.fix("Gil", 41.163, -8.621)
    return world.ids["Gil"]


@pytest.mark.with_map
def test_routes_and_orders_are_on_the_map_and_a_plan_is_seen_before_and_after_and_applied(page, world, gil):
    reference = f"p{uuid4().hex[:6]}"
    # The dispatcher's own planner leaves it alone, for nobody has the skill.
    order = {"pickup": PLACE, "dropoff": DOOR, "external_id": reference, "skills": ["nobody has it"]}
    made = world.client.post("/v1/orders", json=order).raise_for_status().json()
    given = {"courier_id": gil, "force": True, "reason": "test"}
    world.client.post(f"/v1/orders/{made['id']}/reassign", json=given).raise_for_status()

    page.get_by_role("button", name="Routes").click()
    page.wait_for_function(f"id => ({FEATURES})('routes').some(f => f.properties.id === id)", arg=gil)
    page.locator(".tools").get_by_role("button", name="Orders").click()
    page.wait_for_function(
        f"id => ({FEATURES})('orders').filter(f => f.properties.order_id === id).length === 2", arg=made["id"]
    )

    unhurried(page)
    page.get_by_role("tab", name=re.compile("Orders")).click()
    page.get_by_role("searchbox").fill(reference)
    page.get_by_role("checkbox", name=f"Tick {reference}").check()
    page.locator(".tools").get_by_role("button", name="Plan").click()
    panel = page.get_by_role("region", name="Plan")
    look = panel.get_by_role("button", name="Look at it")
    expect(look).to_be_disabled()
    panel.get_by_label("1 ticked order").select_option("cancel")
    look.click()
    expect(panel.get_by_role("row", name=re.compile("^Orders"))).to_contain_text("−1")
    panel.get_by_role("button", name="Before").click()
    page.wait_for_function(f"() => ({FEATURES})('plan').some(f => !f.properties.after)")
    assert world.client.get(f"/v1/orders/{made['id']}").json()["state"] == "assigned"

    # Somebody changes something meanwhile: the plan is another.
    world.client.post("/v1/orders", json=order | {"external_id": f"{reference}-b"}).raise_for_status()
    panel.get_by_role("button", name="Do it").click()
    expect(panel.get_by_role("alert")).to_contain_text("look again")
    look.click()
    panel.get_by_role("button", name="Do it").click()
    bar = page.get_by_role("status").filter(has_text="The plan is carried out: 1 order")
    bar.get_by_role("button", name="Undo").click()
    assert world.client.get(f"/v1/orders/{made['id']}").json()["state"] == "assigned"
    page.get_by_role("checkbox", name=f"Tick {reference}", exact=True).check()
    panel.get_by_label("1 ticked order").select_option("cancel")
    look.click()
    panel.get_by_role("button", name="Do it").click()
    bar.get_by_role("button", name="Keep it so").click()
    expect(page.locator(f"tr[data-order='{made['id']}']")).to_have_count(0)
    assert world.client.get(f"/v1/orders/{made['id']}").json()["state"] == "cancelled"


def test_day_is_planned_ahead_with_its_progress_in_sight_and_applied(page, world, gil):
    day = (datetime.now(UTC) + timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [(day + timedelta(hours=hour)).isoformat() for hour in (8, 9, 10, 12)]
    shift = {"starts_at": hours[0], "ends_at": hours[3]}
    world.client.post(f"/v1/couriers/{gil}/shifts", json=shift).raise_for_status()
    reference = f"t{uuid4().hex[:6]}"
    window = {"from": hours[1], "to": hours[2]}
    ids = [
        world.client.post("/v1/orders", json=body | {"pickup": PLACE | {"window": {"from": hours[1]}}})
        .raise_for_status()
        .json()["id"]
        for body in (
            {"dropoff": DOOR | {"window": window}, "external_id": reference},
            {"dropoff": DOOR | {"window": window}, "external_id": f"{reference}-b", "skills": ["ice"]},
        )
    ]
    page.locator(".tools").get_by_role("button", name="Plan").click()
    panel = page.get_by_role("region", name="Plan")
    panel.get_by_role("button", name="A day ahead").click()
    panel.get_by_label("Day", exact=True).fill(day.date().isoformat())
    panel.get_by_label("Think for").select_option("5")
    panel.get_by_role("button", name="Plan the day").click()
    expect(panel.get_by_role("progressbar")).to_be_visible()
    expect(panel.get_by_role("heading", name="1 route")).to_be_visible()
    panel.get_by_text("Gil").click()
    expect(panel.get_by_role("listitem").filter(has_text="Deliver")).to_contain_text(reference)
    expect(panel.get_by_role("listitem").filter(has_text=f"{reference}-b")).to_contain_text("skill")
    panel.get_by_role("button", name="Make it the routes").click()
    expect(panel.get_by_role("status")).to_contain_text("1 order is in the routes of 1 courier.")
    route = world.client.get(f"/v1/couriers/{gil}/route", params={"planned": True}).json()
    assert [stop["kind"] for stop in route["stops"] if stop["order_id"] == ids[0]] == ["pickup", "dropoff"]


@pytest.fixture
def with_waves(world):
    """The region has a depot that vans leave every hour, until the test is over."""

    def set_depots(places):
        region = world.client.get("/v1/regions/default").raise_for_status().json()
        change = {"settings": {"depots": {"places": places}}, "version": region["version"]}
        world.client.patch("/v1/regions/default", json=change).raise_for_status()

    set_depots([{"name": "North", "wave_every_s": 3600, **PLACE}, {"name": "South", **DOOR}])
    yield
    set_depots([])


def test_next_wave_of_a_depot_is_planned_where_the_region_has_one(page, world, gil, with_waves):
    day = (datetime.now(UTC) + timedelta(days=5)).replace(hour=0, minute=0, second=0, microsecond=0)
    shift = {"starts_at": day.isoformat(), "ends_at": (day + timedelta(hours=12)).isoformat()}
    world.client.post(f"/v1/couriers/{gil}/shifts", json=shift).raise_for_status()
    reference = f"w{uuid4().hex[:6]}"
    body = {
        "kind": "dropoff",
        "depot": "North",
        "external_id": reference,
        "ready_at": day.isoformat(),
        "dropoff": DOOR | {"window": {"from": day.isoformat(), "to": (day + timedelta(hours=1)).isoformat()}},
    }
    world.client.post("/v1/orders", json=body).raise_for_status()
    page.locator(".tools").get_by_role("button", name="Plan").click()
    panel = page.get_by_role("region", name="Plan")
    panel.get_by_role("button", name="A day ahead").click()
    panel.get_by_label("Day", exact=True).fill(day.date().isoformat())
    panel.get_by_label("Think for").select_option("5")
    what = panel.get_by_label("What", exact=True)
    expect(what.get_by_role("option")).to_have_text(["All of the day", "Next wave of North"])
    what.select_option("North")
    with page.expect_request(lambda asked: asked.method == "POST" and asked.url.endswith("/v1/plans/day")) as asked:
        panel.get_by_role("button", name="Plan the day").click()
    assert asked.value.post_data_json["wave"] == {"depot": "North"}
    expect(panel.get_by_text(re.compile("^Leaves at .*00:00, then at 01:00"))).to_be_visible()
    expect(panel.get_by_role("heading", name="1 route")).to_be_visible()
    panel.get_by_text("Gil").click()
    expect(panel.get_by_role("listitem").filter(has_text="Deliver")).to_contain_text(reference)
