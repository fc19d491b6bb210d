"""Orders and alerts as support staff work on them, in a real Chromium."""

import asyncio
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.sync_api import Page, expect
from redis.asyncio import Redis

from tests.acceptance.browser.conftest import FEATURES, ROOT, hurried, jump, patient, unhurried
from tests.waiting import wait_until
from tracking import events


@pytest.fixture
def order(world):
    """An order nobody can take, far away from everybody."""
    body = {
        "pickup": {"lat": -33.45, "lon": -70.66, "address": "Kitchen 1"},
        "dropoff": {"lat": -33.46, "lon": -70.66, "address": "Door 2"},
        "external_id": f"web-{uuid4().hex[:6]}",
    }
    made = world.client.post("/v1/orders", json=body)
    made.raise_for_status()
    return made.json()


def open_orders(page: Page) -> None:
    page.get_by_role("tab", name=re.compile("Orders")).click()


def test_new_order_appears_by_itself_and_can_be_commented_and_cancelled(page, world, order):
    open_orders(page)
    entry = page.locator(f"tr[data-order='{order['id']}']")
    expect(entry).to_be_visible()
    entry.get_by_role("button").click()
    expect(page.get_by_role("heading", name=order["external_id"])).to_be_visible()
    expect(page.get_by_role("main").get_by_text("Door 2")).to_be_visible()

    page.get_by_role("button", name="Comment").click()
    page.get_by_label("Comment").fill("customer called")
    page.get_by_role("button", name="Add comment").click()
    expect(page.get_by_role("listitem").filter(has_text="customer called")).to_be_visible()

    unhurried(page)
    page.get_by_role("button", name="Cancel order").click()
    page.get_by_label("Why is it cancelled?").fill("changed her mind")
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Cancel order").click()
    page.get_by_label("Why is it cancelled?").fill("changed her mind")
    assert world.client.get(f"/v1/orders/{order['id']}").json()["state"] == "placed"
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("status").get_by_role("button", name="Keep it so").click()
    expect(page.locator("header .tag", has_text="Cancelled")).to_be_visible()
    assert world.client.get(f"/v1/orders/{order['id']}").json()["reason"] == "changed her mind"
    expect(page.get_by_role("button", name="Cancel order")).to_have_count(0)


def test_change_of_an_order_that_somebody_else_changed_is_refused_with_their_change_shown(page, world, order):
    open_orders(page)
    page.locator(f"tr[data-order='{order['id']}']").get_by_role("button").click()
    unhurried(page)
    page.get_by_role("button", name="Cancel order").click()
    page.get_by_label("Why is it cancelled?").fill("no time")
    world.client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "was faster"}).raise_for_status()
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("status").get_by_role("button", name="Keep it so").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("was not cancelled: .* Cancelled .*was faster"))


def test_whoever_reads_what_others_changed_may_go_on(page, world, couriers, order):
    open_order(page, order)
    unhurried(page)
    page.get_by_role("button", name="Reassign").click()
    page.get_by_label("Why?").fill("nearer")
    page.get_by_role("radio", name=re.compile("Finn")).check()
    give(world, order, couriers["Eva"])
    page.locator("form").get_by_role("button", name="Reassign").click()
    expect(page.locator("form [role=alert]")).to_contain_text(
        re.compile("changed the order meanwhile: Offered to Eva .*test")
    )
    page.locator("form").get_by_role("button", name="Reassign anyway").click()
    expect(page.locator("form [role=alert]")).to_contain_text("too far")  # on another continent
    page.locator("form").get_by_role("button", name="Reassign anyway").click()
    expect(page.locator("#order-title + p")).to_contain_text("Finn")
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect(page.locator("#order-title + p")).to_contain_text("Eva")


def test_people_of_an_order_are_shown_its_link_is_copied_and_its_place_and_time_changed(page, world):
    body = {
        "pickup": {"lat": -33.45, "lon": -70.66, "address": "Kitchen 1"},
        "dropoff": {"lat": -33.46, "lon": -70.66, "contact": {"phone": "+56 2 555"}, "instructions": "ring twice"},
        "external_id": f"web-{uuid4().hex[:6]}",
        "size": {"units": 3},
    }
    order = world.client.post("/v1/orders", json=body).raise_for_status().json()
    open_order(page, order)
    expect(page.locator(".panel")).to_contain_text("3 units")
    expect(page.get_by_text("ring twice")).to_have_count(0)
    page.get_by_role("button", name="Show contacts and notes").click()
    expect(page.get_by_role("link", name="+56 2 555", exact=True)).to_have_attribute("href", "tel:+562555")
    expect(page.get_by_role("link", name="Message: +56 2 555")).to_have_attribute("href", "sms:+562555")
    expect(page.get_by_text("ring twice")).to_be_visible()
    page.get_by_role("button", name="Share link").click()
    link = page.get_by_label("The recipient's link").input_value()
    assert world.client.get(link).json()["state"] == "placed"

    # The caller wants it elsewhere, and later.
    unhurried(page)
    page.get_by_role("button", name="Change", exact=True).click()
    form = page.get_by_role("form", name="Change")
    save = form.get_by_role("button", name="Save the change")
    expect(save).to_be_disabled()
    form.get_by_label("Deliver: address").fill("-33.47, -70.65")
    form.get_by_role("button", name="In 1–2 h").click()
    save.click()
    expect(page.get_by_role("status").filter(has_text="is changed")).to_be_visible()
    changed = world.client.get(f"/v1/orders/{order['id']}").json()["dropoff"]
    assert (changed["lat"], changed["lon"], changed["instructions"]) == (-33.47, -70.65, "ring twice")
    assert set(changed["window"]) == {"from", "to"}
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    wait_until(lambda: world.client.get(f"/v1/orders/{order['id']}").json()["dropoff"] == order["dropoff"])

    # Half chosen it is kept, and whoever reads what others did meanwhile goes on.
    page.get_by_role("button", name="Change", exact=True).click()
    form.get_by_label("Deliver: address").fill("-33.48, -70.65")
    page.get_by_role("button", name="Close", exact=True).click()
    open_order(page, order)
    expect(form.get_by_label("Deliver: address")).to_have_value("-33.48, -70.65")
    world.client.patch(f"/v1/orders/{order['id']}", json={"priority": 3}).raise_for_status()
    save.click()
    expect(form.get_by_role("alert")).to_contain_text("changed the order meanwhile")
    save.click()
    expect(form).to_have_count(0)
    assert world.client.get(f"/v1/orders/{order['id']}").json()["dropoff"]["lat"] == -33.48


def test_one_search_finds_an_order_by_what_a_caller_says(page, world):
    contact = {"phone": f"+351 {uuid4().int % 10**9:09}"}
    body = {"pickup": {"lat": 41.16, "lon": -8.62}, "dropoff": {"lat": 41.15, "lon": -8.62, "contact": contact}}
    made = world.client.post("/v1/orders", json=body | {"external_id": f"web-{uuid4().hex[:6]}"}).raise_for_status()
    world.client.post(f"/v1/orders/{made.json()['id']}/cancel", json={"reason": "test"}).raise_for_status()
    page.get_by_label("Search couriers and orders").fill(contact["phone"][-6:])
    expect(page.get_by_role("tab", name=re.compile("Orders"))).to_contain_text("1")
    open_orders(page)
    page.get_by_role("button", name=re.compile("Closed")).click()
    expect(page.locator("tr[data-order]")).to_have_count(1)
    expect(page.locator(f"tr[data-order='{made.json()['id']}']")).to_be_visible()


def test_courier_is_put_off_and_on_duty_and_told_which_orders_suit(page, world, couriers):
    world.client.patch(f"/v1/couriers/{couriers['Eva']}", json={"attributes": {"phone": "+351 91"}}).raise_for_status()
    page.locator("tr[data-courier]", has_text="Eva").get_by_role("button").click()
    expect(page.get_by_role("link", name="Call")).to_have_attribute("href", "tel:+35191")
    page.get_by_role("button", name="Take off duty").click()
    expect(page.locator("#courier-title + p")).to_contain_text("off duty")
    assert world.client.get(f"/v1/couriers/{couriers['Eva']}").json()["on_duty"] is False
    page.get_by_role("button", name="Put on duty").click()
    expect(page.locator("#courier-title + p")).not_to_contain_text("off duty")
    page.get_by_role("button", name="Which orders suit").click()
    expect(page.get_by_role("list", name="Orders that suit")).to_be_visible()


def test_service_level_is_shown_by_hour_and_by_courier(page, world, couriers, order):
    give(world, order, couriers["Eva"])
    for step in ("picked-up", "delivered"):
        world.client.post(f"/v1/orders/{order['id']}/{step}", json={}).raise_for_status()
    page.get_by_role("button", name="Service level").click()
    dialog = page.get_by_role("dialog", name=re.compile("Service level"))
    expect(dialog.get_by_role("row", name=re.compile("Together"))).to_be_visible()
    dialog.get_by_label("A row for each").select_option("courier")
    expect(dialog.get_by_role("row", name=re.compile("Eva"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_failed_order_is_tried_again_on_the_page(page, world, couriers, order):
    give(world, order, couriers["Eva"])
    world.client.post(f"/v1/orders/{order['id']}/failed", json={"reason": "nobody there"}).raise_for_status()
    page.get_by_role("tab", name=re.compile("Orders")).click()
    page.get_by_role("button", name=re.compile("Closed")).click()
    page.locator(f"tr[data-order='{order['id']}']").get_by_role("button").click()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Recipient is at home now").click()
    page.locator("form").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("listitem").filter(has_text="Tried again")).to_contain_text("Recipient is at home now")
    assert world.client.get(f"/v1/orders/{order['id']}").json()["attempt"] == 2


def test_goods_on_board_are_pinned_and_handed_over_and_whoever_cancels_is_warned_of_them(page, world, couriers, order):
    # How many nobody has leads to which they are.
    page.get_by_role("button", name=re.compile("unassigned: list them")).click()
    expect(page.locator(f"tr[data-order='{order['id']}']")).to_contain_text("Door 2")
    page.get_by_role("button", name=re.compile("^Open [0-9]")).click()
    give(world, order, couriers["Eva"])
    world.client.post(f"/v1/orders/{order['id']}/picked-up", json={}).raise_for_status()
    open_order(page, order)

    pinned = page.locator("#order-title + p").get_by_text("Pinned", exact=True)
    expect(pinned).to_be_visible()  # by hand it was given to her
    page.get_by_role("button", name="Unpin", exact=True).click()
    expect(pinned).to_have_count(0)
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(pinned).to_be_visible()
    assert world.client.get(f"/v1/orders/{order['id']}").json()["pinned"] is True

    page.get_by_role("button", name="Hand over").click()
    form = page.locator("form").filter(has=page.get_by_role("radio"))
    form.get_by_role("radio", name=re.compile("Finn")).check()
    form.get_by_role("button", name="Hand over").click()
    expect(page.locator("#order-title + p")).to_contain_text("Finn")
    expect(page.get_by_role("listitem").filter(has_text=re.compile("Handed over to Finn"))).to_be_visible()
    handed = world.client.get(f"/v1/orders/{order['id']}").json()
    assert (handed["state"], handed["courier_id"]) == ("picked_up", couriers["Finn"])

    unhurried(page)
    page.get_by_role("button", name="Cancel order").click()
    expect(page.get_by_role("note")).to_contain_text("The goods are on board")
    page.get_by_label("Why is it cancelled?").fill("changed her mind")
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("status").get_by_role("button", name="Keep it so").click()
    expect(page.locator("header .tag", has_text="Returning")).to_be_visible()
    assert world.client.get(f"/v1/orders/{order['id']}").json()["state"] == "returning"


CHOSEN_ON_THE_MAP = f"""() => ({FEATURES})('couriers')
    .filter(feature => feature.properties.selected).map(feature => feature.properties.name)"""
STOPS_ON_THE_MAP = f"""() => ({FEATURES})('stops')
    .map(({{properties: {{number, kind, order_id: order}}}}) => [number, kind, order])"""


@pytest.fixture
def couriers(world):
    """Two couriers close together, on the map."""
    for name, lat in (("Eva", 41.16), ("Finn", 41.161)):
        if name not in world.ids:
            world.courier(name)
        world.fix(name, lat, -8.62)
    return world.ids


def give(world, order: dict[str, Any], courier_id: str) -> None:
    body = {"reason": "test", "version": order["version"], "courier_id": courier_id, "force": True}
    world.client.post(f"/v1/orders/{order['id']}/reassign", json=body).raise_for_status()


def open_order(page: Page, order: dict[str, Any]) -> None:
    open_orders(page)
    page.locator(f"tr[data-order='{order['id']}']").get_by_role("button").click()
    expect(page.get_by_role("heading", name=order["external_id"])).to_be_visible()


def expect_chosen(page: Page, names: list[str]) -> None:
    """In the list, and on the map."""
    page.wait_for_function(f"names => ({CHOSEN_ON_THE_MAP})().join() === names.join()", arg=names)
    page.get_by_role("tab", name=re.compile("Couriers")).click()
    expect(page.locator("tr.chosen")).to_have_text([re.compile(name) for name in names])


@pytest.mark.with_map
def test_map_and_list_go_with_the_order_to_whoever_has_it(page, world, couriers, order):
    give(world, order, couriers["Eva"])
    open_order(page, order)
    expect_chosen(page, ["Eva"])
    page.get_by_role("button", name="Reassign").click()
    page.get_by_role("radio", name=re.compile("Finn")).check()
    page.get_by_label("Why?").fill("nearer")
    page.locator("form").get_by_role("button", name="Reassign").click()
    expect(page.locator("form [role=alert]")).to_contain_text("too far")  # on another continent
    page.locator("form").get_by_role("button", name="Reassign anyway").click()
    expect(page.locator("#order-title + p")).to_contain_text("Finn")
    expect_chosen(page, ["Finn"])


@pytest.mark.with_map
def test_order_that_nobody_has_lets_go_of_the_courier_that_was_chosen(page, couriers, order):
    page.locator("tr[data-courier]", has_text="Eva").get_by_role("button").click()
    expect_chosen(page, ["Eva"])
    open_order(page, order)
    expect_chosen(page, [])
    page.wait_for_function(f"id => ({STOPS_ON_THE_MAP})().map(s => s[2]).join() === [id, id].join()", arg=order["id"])
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_have_count(0)


@pytest.mark.with_map
def test_courier_with_an_order_on_board_has_the_same_stops_in_the_panel_as_on_the_map(page, world, couriers, order):
    give(world, order, couriers["Finn"])
    world.client.post(f"/v1/orders/{order['id']}/picked-up", json={}).raise_for_status()
    page.locator("tr[data-courier]", has_text="Finn").get_by_role("button").click()
    panel = page.locator(".panel li", has_text=order["external_id"][:8])
    expect(panel.filter(has_text="Deliver")).to_contain_text("Door 2")
    page.wait_for_function(f"id => ({STOPS_ON_THE_MAP})().some(stop => stop[2] === id)", arg=order["id"])
    drawn = [(number, kind) for number, kind, _ in page.evaluate(STOPS_ON_THE_MAP)]
    shown = page.locator(".stops .number")
    numbers = shown.all_inner_texts()
    kinds = shown.evaluate_all("found => found.map(e => e.classList.contains('pickup') ? 'pickup' : 'dropoff')")
    assert list(zip(numbers, kinds, strict=True)) == drawn


@pytest.mark.parametrize("leave", ["escape", pytest.param("map", marks=pytest.mark.with_map), "other form"])
def test_half_written_reason_is_kept_until_it_is_sent_or_dropped(page, order, leave):
    open_order(page, order)
    page.get_by_role("button", name="Cancel order").click()
    page.get_by_label("Why is it cancelled?").fill("the customer")
    if leave == "escape":
        page.keyboard.press("Escape")
    elif leave == "map":
        page.wait_for_function("() => window.__map && window.__map.getLayer('couriers')")
        jump(page, 30, -30, 5)
        page.mouse.click(480, 250)  # neither on the panel nor on how the day goes
    if leave == "other form":
        page.get_by_role("button", name="Comment", exact=True).click()
        expect(page.get_by_label("Why is it cancelled?")).to_have_count(0)
        page.get_by_role("button", name="Cancel order").click()
    else:
        expect(page.locator(".panel")).to_have_count(0)
        open_order(page, order)
    expect(page.get_by_label("Why is it cancelled?")).to_have_value("the customer")
    page.get_by_role("button", name="Keep as it is").click()
    page.get_by_role("button", name="Close", exact=True).click()
    open_order(page, order)
    expect(page.locator("form")).to_have_count(0)


def test_two_people_on_one_order_see_one_another(page, browser, world, order):
    command = [sys.executable, "-m", "app", "token", "support", "--name", "Ines", "--address"]
    made = subprocess.run(command, cwd=ROOT, env=world.environ, capture_output=True, check=True, text=True)
    hurried(page)
    open_order(page, order)
    with patient(browser) as context:
        other = context.new_page()
        other.goto(made.stdout.strip())
        open_order(other, order)
        expect(other.get_by_text("command line has this order open, too.")).to_be_visible()
        expect(page.get_by_text("Ines has this order open, too.")).to_be_visible()
        other.get_by_role("button", name="Close", exact=True).click()
        expect(page.get_by_text("Ines has this order open, too.")).to_have_count(0)


def test_alert_is_heard_of_acknowledged_given_to_somebody_and_comes_back_from_its_rest(page, world, database):
    page.context.grant_permissions(["notifications"])
    page.evaluate(
        """() => {
            window.told = [];
            window.Notification = class {
                static permission = 'granted';
                static async requestPermission() { return 'granted'; }
                constructor(title, { body }) { window.told.push(`${title}: ${body}`); }
            };
        }"""
    )
    page.get_by_role("tab", name=re.compile("Alerts")).click()
    page.get_by_role("button", name="Sound").click()
    page.get_by_role("button", name="Desktop notifications").click()
    for name in ("Sound", "Desktop notifications"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Alerts are not available here.")).to_have_count(0)  # what was there before is no news
    alert_id = _raise_alert(database, world.redis_url, UUID(world.courier("Dora")))
    entry = page.locator(f"li[data-alert='{alert_id}']")
    expect(entry).to_contain_text("Stuck")
    expect(entry).to_contain_text("Dora")
    expect(page).to_have_title(re.compile(r"^\(\d+\) Postrider$"))
    entry.get_by_role("button", name="Acknowledge").click()
    expect(entry).to_contain_text("Acknowledged")
    page.wait_for_function("() => window.told.some(text => text.startsWith('Stuck: '))")
    entry.get_by_label("Who looks after it").select_option("command line")
    expect(entry).to_contain_text("With command line")
    entry.get_by_label("Snooze").select_option("5")
    expect(entry).to_contain_text("Rests until")
    until = datetime.now(UTC) + timedelta(seconds=2)
    world.client.post(f"/v1/alerts/{alert_id}/snooze", json={"until": until.isoformat()}).raise_for_status()
    expect(entry).not_to_contain_text("Rests until")
    answer = world.client.get("/v1/alerts", params={"state": "open"}).json()["items"]
    assert next(item for item in answer if item["id"] == str(alert_id))["acknowledged_at"] is not None


def _raise_alert(database: str, redis_url: str, courier_id: UUID) -> UUID:
    async def raise_it() -> UUID:
        connection = await asyncpg.connect(database)
        try:
            alert_id: UUID = await connection.fetchval(
                "INSERT INTO alerts (kind, region, courier_id, raised_at, facts, expected)"
                " VALUES ('stuck', 'default', $1, $2, '{\"still_s\": 600}', '{}') RETURNING id",
                courier_id,
                datetime.now(UTC),
            )
        finally:
            await connection.close()
        async with Redis.from_url(redis_url) as redis:
            await events.publish(redis, "default", "alert.raised", {"alert_id": alert_id, "courier_id": courier_id})
        return alert_id

    # Playwright's synchronous API holds this thread's event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(raise_it())).result()


def walk_to(page: Page, name: str, within: str = "body") -> None:
    """By Tab, from wherever the focus is; what was opened is not far away."""
    target = page.locator(within).get_by_role("button", name=name, exact=True)
    for _ in range(40):
        if target.evaluate("it => it === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} is not near the focus")


def test_a_caller_is_answered_by_keys_alone(page, world, couriers, order):
    unhurried(page)
    expect(page.get_by_role("tab", name=re.compile("Orders [1-9]"))).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(order["external_id"])
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name=order["external_id"])
    expect(heading).to_be_focused()

    walk_to(page, "Reassign")
    page.keyboard.press("Enter")
    why = page.get_by_label("Why?")
    expect(why).to_be_focused()
    page.keyboard.type("nearer")
    page.keyboard.press("Shift+Tab")
    finn = page.get_by_role("radio", name=re.compile("Finn"))
    expect(finn).to_be_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("Finn")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(finn).to_be_checked()
    walk_to(page, "Reassign", "form")
    page.keyboard.press("Enter")
    expect(page.locator("form [role=alert]")).to_contain_text("too far")  # on another continent
    walk_to(page, "Reassign anyway")
    page.keyboard.press("Enter")
    expect(page.locator("#order-title + p")).to_contain_text("Finn")
    expect(page.get_by_role("button", name="Reassign", exact=True)).to_be_focused()
    # Who did what, and why; people and programs told apart.
    line = page.locator("[data-by=person]", has_text="Offered to Finn")
    expect(line).to_contain_text("command line")
    expect(line).to_contain_text("nearer")

    def cancel() -> None:
        walk_to(page, "Cancel order")
        page.keyboard.press("Enter")
        page.keyboard.type("twice")
        walk_to(page, "Cancel the order")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="Cancelling")).to_be_visible()

    cancel()
    page.keyboard.press("u")
    expect(page.get_by_role("status").filter(has_text="Cancelling")).to_have_count(0)
    assert world.client.get(f"/v1/orders/{order['id']}").json()["state"] != "cancelled"
    cancel()
    page.goto("about:blank")  # what is held back is sent when the page is left
    wait_until(lambda: world.client.get(f"/v1/orders/{order['id']}").json()["state"] == "cancelled")
