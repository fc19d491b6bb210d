"""A dispatcher at work on many orders and routes, in a real Chromium."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.conftest import patient, unhurried

KITCHEN = {"lat": -33.45, "lon": -70.66, "address": "Kitchen 1"}
DOOR = {"lat": -33.46, "lon": -70.66, "address": "Door 2"}
"""Far away from everybody: what nobody is given by the dispatcher's own planner stays where the test puts it."""


@pytest.fixture
def couriers(world):
    """Two couriers close together, on the map."""
    for name, lat in (("Eva", 41.16), ("Finn", 41.161)):
        if name not in world.ids:
            world.courier(name)
        world.fix(name, lat, -8.62)
    return world.ids


@pytest.fixture
def batch(world):
    """The name that three new orders share; the first is listed last."""
    name = f"batch-{uuid4().hex[:6]}"
    for n in range(3):
        order = {"pickup": KITCHEN, "dropoff": DOOR, "external_id": f"{name}-{n}"}
        world.client.post("/v1/orders", json=order).raise_for_status()
    return name


def found(world, name: str) -> dict[str, dict]:
    """Orders by the end of their reference."""
    listed = world.client.get("/v1/orders", params={"q": name}).json()["items"]
    return {order["external_id"].removeprefix(f"{name}-"): order for order in listed}


def told(page: Page, text: str) -> None:
    expect(page.get_by_role("status").filter(has_text=text)).to_be_visible()


def undo(page: Page) -> None:
    page.get_by_role("status").get_by_role("button", name="Undo").click()


def test_several_orders_are_ticked_reassigned_pinned_and_cancelled_and_each_says_what_became_of_it(
    page, world, couriers, batch
):
    unhurried(page)
    page.get_by_role("tab", name=re.compile("Orders")).click()
    page.get_by_role("searchbox").fill(batch)
    expect(page.locator("tr[data-order]")).to_have_count(3)
    bar = page.get_by_role("group", name="What to do with the ticked orders")
    outcome = page.get_by_role("region", name="What became of them")

    # A range by shift, then all of the list.
    page.get_by_role("checkbox", name=f"Tick {batch}-2").click()
    page.get_by_role("checkbox", name=f"Tick {batch}-1").click(modifiers=["Shift"])
    expect(bar).to_contain_text("2 orders ticked")
    every = page.get_by_role("checkbox", name="Tick all 3")
    every.check()
    expect(bar).to_contain_text("3 orders ticked")

    # So far away nobody should have them: each says so, and whoever has read that may go on.
    bar.get_by_role("button", name="Reassign").click()
    page.get_by_label("To", exact=True).select_option(couriers["Eva"])
    page.get_by_role("button", name="Nearer courier").click()
    page.get_by_role("button", name="Reassign 3 orders", exact=True).click()
    expect(outcome.get_by_role("listitem").filter(has_text="too far")).to_have_count(3)
    assert not any(order.get("courier_id") for order in found(world, batch).values())
    outcome.get_by_role("button", name="Reassign 3 orders anyway").click()
    expect(outcome).to_contain_text("3 done")
    assert {order["courier_id"] for order in found(world, batch).values()} == {couriers["Eva"]}

    every.check()
    bar.get_by_role("button", name="Unpin").click()
    page.get_by_label("Why?").fill("any will do")
    page.get_by_role("button", name="Unpin 3 orders").click()
    expect(outcome).to_contain_text("3 done")
    assert not any(order.get("pinned") for order in found(world, batch).values())
    undo(page)
    expect(outcome).to_have_count(0)
    assert all(order["pinned"] for order in found(world, batch).values())

    # Somebody else is faster with one of them.
    every.check()
    bar.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Ordered twice").click()
    first = found(world, batch)["0"]
    world.client.post(f"/v1/orders/{first['id']}/cancel", json={"reason": "was faster"}).raise_for_status()
    page.get_by_role("button", name="Cancel 3 orders").click()
    page.get_by_role("status").get_by_role("button", name="Keep it so").click()
    expect(outcome).to_contain_text("2 done, 1 not")
    expect(outcome.get_by_role("listitem").first).to_contain_text("An order that is cancelled")
    assert {order["reason"] for order in found(world, batch).values()} == {"Ordered twice", "was faster"}


def near(world, *, due_in: timedelta = timedelta(hours=1)) -> dict[str, Any]:
    """An order that couriers of the town could bring."""
    order = {
        "pickup": {"lat": 41.162, "lon": -8.62, "address": "Kitchen 3"},
        "dropoff": {
            "lat": 41.165,
            "lon": -8.625,
            "address": "Door 4",
            "window": {"to": (datetime.now(UTC) + due_in).isoformat()},
        },
        "external_id": f"b{uuid4().hex[:6]}",
        "skills": ["nobody has it"],  # so the dispatcher's own planner leaves it alone
    }
    made: dict[str, Any] = world.client.post("/v1/orders", json=order).raise_for_status().json()
    return made


def test_board_shows_who_does_what_when_while_it_changes_and_is_walked_by_keys(page, world, couriers):
    order = near(world, due_in=timedelta(seconds=1))
    reference = order["external_id"]
    page.get_by_role("button", name="Board").click()
    row = page.get_by_role("group", name=re.compile("^Eva,"))
    waiting = page.get_by_role("region", name="Unassigned").get_by_role("button", name=re.compile(reference))
    expect(waiting).to_be_visible()
    expect(row.get_by_role("button", name=re.compile(reference))).to_have_count(0)
    body = {"reason": "test", "version": order["version"], "courier_id": couriers["Eva"], "force": True}
    world.client.post(f"/v1/orders/{order['id']}/reassign", json=body).raise_for_status()
    expect(row.get_by_role("button", name=re.compile(f"Deliver {reference} at .*promised by .*late"))).to_be_visible()
    expect(waiting).to_have_count(0)

    row.get_by_role("button", name=re.compile("^Eva")).focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    row.get_by_role("button", name=re.compile("^Eva")).focus()
    for _ in range(row.locator("[data-stop]").count()):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^Order "))).to_be_focused()
    assert "view=board" in page.url
    page.get_by_role("button", name="Map").click()
    expect(page.get_by_role("heading", name="Board")).to_have_count(0)
    world.client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "test"}).raise_for_status()


def test_order_is_dragged_to_a_courier_with_its_price_in_sight_or_given_by_keys(page, world, couriers):
    unhurried(page)
    # Tomorrow's, which the dispatcher's own planner leaves alone, and one that nobody should have.
    later = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    place = {"lat": 41.162, "lon": -8.62}
    body = {"pickup": place, "dropoff": place, "ready_at": later, "external_id": f"d{uuid4().hex[:6]}"}
    order = world.client.post("/v1/orders", json=body).raise_for_status().json()
    odd = near(world)
    page.get_by_role("button", name="Board").click()
    waiting = page.get_by_role("region", name="Unassigned")
    card = waiting.get_by_role("button", name=re.compile(order["external_id"]))
    eva = page.get_by_role("group", name=re.compile("^Eva,"))

    def drag(name: str, price: re.Pattern[str]) -> None:
        waiting.get_by_role("button", name=re.compile(name)).hover()
        page.mouse.down()
        eva.hover()
        expect(page.get_by_role("status").filter(has_text=f"{name} → Eva")).to_contain_text(price)
        page.mouse.up()

    drag(order["external_id"], re.compile(r"cost \+\d+, there"))
    told(page, f"{order['external_id']} goes to Eva.")
    assert world.client.get(f"/v1/orders/{order['id']}").json()["courier_id"] == couriers["Eva"]
    undo(page)
    expect(card).to_be_visible()

    drag(odd["external_id"], re.compile("skill"))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("skill")
    dialog.get_by_role("button", name="Give anyway").click()
    told(page, f"{odd['external_id']} goes to Eva.")

    # By keys; and somebody else changes it while a courier is chosen.
    card.focus()
    page.keyboard.press("m")
    dialog.get_by_role("radio", name=re.compile("Finn.*cost")).check()
    world.client.patch(f"/v1/orders/{order['id']}", json={"priority": 3}).raise_for_status()
    dialog.get_by_role("button", name="Give").click()
    expect(dialog.get_by_role("alert")).to_contain_text(re.compile("meanwhile: Changed: priority by"))
    dialog.get_by_role("button", name="Give").click()
    told(page, f"{order['external_id']} goes to Finn.")
    assert world.client.get(f"/v1/orders/{order['id']}").json()["courier_id"] == couriers["Finn"]
    for one in (order, odd):
        world.client.post(f"/v1/orders/{one['id']}/cancel", json={"reason": "test"}).raise_for_status()


def test_dispatcher_on_a_phone_gives_what_nobody_has_to_a_candidate_and_cancels_it(browser, world, couriers):
    order = near(world)
    context = patient(browser, viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{world.url}/#token={world.token}")
    unhurried(page)
    page.get_by_role("tab", name=re.compile("Orders")).tap()
    page.get_by_role("button", name=re.compile("^Unassigned")).tap()
    page.get_by_role("searchbox").fill(order["external_id"])
    page.locator(f"tr[data-order='{order['id']}']").get_by_role("button").tap()
    page.get_by_role("button", name="Reassign").tap()
    page.get_by_role("radio", name=re.compile("Finn.*skill")).check()
    page.get_by_role("button", name="Nearer courier").tap()
    page.locator("form").get_by_role("button", name="Reassign").tap()
    page.locator("form").get_by_role("button", name="Reassign anyway").tap()
    expect(page.locator("#order-title + p")).to_contain_text("Finn")
    page.get_by_role("button", name="Cancel order").tap()
    page.get_by_role("button", name="Ordered twice").tap()
    page.get_by_role("button", name="Cancel the order").tap()
    page.get_by_role("status").get_by_role("button", name="Keep it so").tap()
    expect(page.locator("header .tag", has_text="Cancelled")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_stop_is_moved_along_its_route_with_its_price_told(page, world, couriers):
    unhurried(page)
    orders = [near(world), near(world)]
    for order in orders:
        given = {"reason": "test", "courier_id": couriers["Finn"], "force": True}
        world.client.post(f"/v1/orders/{order['id']}/reassign", json=given).raise_for_status()
    page.get_by_role("button", name="Board").click()
    finn = page.get_by_role("group", name=re.compile("^Finn,"))

    def pickups() -> list[str]:
        route = world.client.get(f"/v1/couriers/{couriers['Finn']}/route").json()
        return [stop["order_id"] for stop in route["stops"] if stop["kind"] == "pickup"]

    expect(finn.locator("[data-stop]")).to_have_count(4)
    first, *_, last = before = pickups()
    # Behind all others, where it would come after its own drop-off, it stays; before them it goes, with its price.
    stops = finn.locator("[data-stop]")
    finn.locator(f"[data-stop='{last}'][data-kind=pickup]").hover()
    page.mouse.down()
    box = stops.last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] + 5, box["y"] + 5)
    expect(page.get_by_role("status").filter(has_text="stays where it is")).to_be_visible()
    box = stops.first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 1, box["y"] + 5)
    expect(page.get_by_role("status").filter(has_text=re.compile(r"cost .\d+, there \d"))).to_be_visible()
    page.mouse.up()
    told(page, "The route of Finn is another: cost")
    assert pickups() == [last, first]
    undo(page)
    expect(finn.locator("[data-stop][data-kind=pickup]").first).to_have_attribute("data-stop", first)
    assert pickups() == before
    # The list says when each will be there, beside what was promised.
    page.get_by_role("tab", name=re.compile("Orders")).click()
    entry = page.locator(f"tr[data-order='{first}']")
    expect(entry).to_contain_text(re.compile(r"about \d\d:\d\d\s*by "))
    for order in orders:
        world.client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "test"}).raise_for_status()
