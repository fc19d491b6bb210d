"""The courier's own page on a phone: from the invitation to the door, also where there is no network."""

import io
import re
from datetime import UTC, datetime

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, patient, show
from tests.waiting import PATIENCE_S, wait_until

SHOP = {"lat": 41.1496, "lon": -8.6109, "address": "Rua das Flores 1"}
DOOR = {
    "lat": 41.1579,
    "lon": -8.6291,
    "address": "Rua do Almada 7",
    "instructions": "Ring twice",
    "contact": {"name": "Rita", "phone": "+351 912 345 678"},
}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "reduced_motion": "reduce"}


@pytest.fixture
def phone(browser):
    context = patient(browser, **PHONE, permissions=["geolocation"], bypass_csp=True, locale="en-GB")
    context.set_geolocation({"latitude": SHOP["lat"], "longitude": SHOP["lon"], "accuracy": 10})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def is_clean(page):
    page.add_script_tag(content=AXE.read_text())
    assert page.evaluate(VIOLATIONS) == []


def test_a_courier_says_what_was_missing_and_the_rest_is_picked_up(phone, world):
    courier_id = world.courier("Courier Mia", "bicycle")
    phone.goto(world.url + world.client.post(f"/v1/couriers/{courier_id}/invitations").json()["url"])
    press(phone, "Open the courier page")
    place = world.client.post("/v1/places", json=SHOP | {"name": "Adega", "prepare_s": 0}).json()
    lines = [{"item": "Cola", "quantity": 3}, {"item": "Soup"}, {"item": "Cola"}]
    order = world.client.post(
        "/v1/orders", json={"pickup": {"place_id": place["id"]}, "dropoff": DOOR, "lines": lines}
    ).json()
    given = {"courier_id": courier_id, "reason": "test", "force": True}
    world.client.post(f"/v1/orders/{order['id']}/reassign", json=given).raise_for_status()
    press(phone, "Accept")
    goods = phone.get_by_role("list", name="What to collect").get_by_role("listitem")
    expect(goods).to_have_text(["3 × Cola", "1 × Soup", "1 × Cola"])
    press(phone, "Something is missing")
    without = phone.get_by_role("button", name="Picked up without it")
    expect(without).to_be_disabled()
    for _ in range(4):
        press(phone, "One more is missing: Cola")
    press(phone, "One more is missing: Soup")
    expect(without).to_be_disabled()
    expect(phone.get_by_text("All of it is missing")).to_be_visible()
    press(phone, "One less is missing: Cola")
    is_clean(phone)
    show(phone, "courier-missing")
    without.click()
    expect(phone.get_by_text("Next: Deliver")).to_be_visible()
    wait_until(lambda: world.client.get(f"/v1/orders/{order['id']}").json()["state"] == "picked_up")
    events = world.client.get(f"/v1/orders/{order['id']}/events").json()["items"]
    [facts] = [event["facts"] for event in events if event["action"] == "picked_up"]
    assert facts["missing"] == [{"item": "Cola", "quantity": 3}, {"item": "Soup", "quantity": 1}]
    assert world.client.delete(f"/v1/places/{place['id']}").status_code == 204


def test_a_courier_works_a_route_with_no_network_in_the_middle_of_it(phone, page, world):
    courier_id = world.courier("Courier Tessa", "bicycle")
    invitation = world.client.post(f"/v1/couriers/{courier_id}/invitations").json()["url"]
    phone.goto(world.url + invitation)
    expect(phone.get_by_role("heading", name="Hello Courier Tessa")).to_be_visible()
    is_clean(phone)
    press(phone, "Open the courier page")
    expect(phone).to_have_url(f"{world.url}/courier")
    expect(phone.get_by_role("status")).to_contain_text("Connected")
    phone.evaluate("() => navigator.serviceWorker.ready")
    wait_until(lambda: world.client.get(f"/v1/couriers/{courier_id}/position").status_code == 200)

    rules = "{currency: EUR, rules: [{id: base, title: Each delivery, kind: amount, amount: 2.80}]}"
    world.client.post("/v1/pay/rules", json={"rules": rules}).raise_for_status()
    order = world.client.post(
        "/v1/orders", json={"pickup": SHOP, "dropoff": DOOR, "ready_at": datetime.now(UTC).isoformat(), "code": "4711"}
    ).json()
    given = {"courier_id": courier_id, "reason": "test", "force": True}
    world.client.post(f"/v1/orders/{order['id']}/reassign", json=given).raise_for_status()
    offer = phone.get_by_role("region", name="New order")
    expect(offer).to_contain_text("Rua das Flores 1")
    expect(offer).to_contain_text(re.compile(r"\d+ seconds? left"))
    expect(offer).to_contain_text("€2.80")
    expect(offer.get_by_role("button", name="Show the map")).to_be_visible()
    is_clean(phone)
    press(phone, "Accept")
    expect(phone.get_by_text("Next: Pick up")).to_be_visible()
    press(phone, "I am here")
    expect(phone.get_by_text("You are there")).to_be_visible()

    expect(phone.get_by_role("status")).to_have_text("Connected")  # the arrival is told
    phone.context.set_offline(True)
    expect(phone.get_by_role("status")).to_contain_text("No network")
    before = datetime.now(UTC)
    press(phone, "Picked up")
    expect(phone.get_by_text("Next: Deliver")).to_be_visible()
    expect(phone.get_by_text("Ring twice")).to_be_visible()
    expect(phone.get_by_role("link", name="Call")).to_have_attribute("href", "tel:+351912345678")
    press(phone, "Delivered")  # a mile away
    expect(phone.get_by_text(re.compile(r"You are 1\.\d km from there"))).to_be_visible()
    press(phone, "Back")
    phone.context.set_geolocation({"latitude": DOOR["lat"], "longitude": DOOR["lon"], "accuracy": 10})
    phone.reload()
    expect(phone.get_by_text("Next: Deliver")).to_be_visible()
    is_clean(phone)
    press(phone, "Write to support")
    phone.get_by_label("Message").fill("The bell is broken")
    press(phone, "Send")
    press(phone, "Navigate")
    expect(phone.get_by_role("link", name="OsmAnd")).to_have_attribute("href", re.compile(r"41\.1579"))
    wait_until(lambda: phone.evaluate(FIXES) > 0)
    press(phone, "Delivered")
    phone.get_by_label("Who took it").fill("Rita")
    expect(phone.get_by_role("button", name="Hand over")).to_be_disabled()
    phone.get_by_label("Code of the recipient").fill("4711")
    phone.get_by_label("Take a photo").set_input_files(
        {"name": "door.jpg", "mimeType": "image/jpeg", "buffer": a_photo(3000, 2000)}
    )
    expect(phone.get_by_role("img", name="Photo 1")).to_be_visible()
    press(phone, "Signature")
    phone.get_by_label("The recipient signs here").hover()
    phone.mouse.down()
    phone.mouse.move(120, 500, steps=4)
    phone.mouse.up()
    expect(phone.get_by_role("button", name="Sign again")).to_be_enabled()
    is_clean(phone)
    press(phone, "Hand over")
    expect(phone.get_by_role("heading", name="Nothing to do yet")).to_be_visible()
    expect(phone.get_by_role("status")).to_contain_text("5 steps to send")
    after = datetime.now(UTC)
    assert world.client.get(f"/v1/orders/{order['id']}").json()["state"] == "accepted"

    phone.context.set_offline(False)
    wait_until(lambda: world.client.get(f"/v1/orders/{order['id']}").json()["state"] == "delivered")
    expect(phone.get_by_role("status")).to_have_text("Connected")
    done = world.client.get(f"/v1/orders/{order['id']}").json()
    pictures = world.client.get(f"/v1/orders/{order['id']}/proof").json()["pictures"]
    kept = {one["kind"]: one["id"] for one in pictures}
    assert done["proof"] == {"name": "Rita", "code": "4711"} | kept
    seen = httpx.get(world.url + pictures[0]["url"], timeout=PATIENCE_S)
    assert Image.open(io.BytesIO(seen.content)).size == (1600, 1067)
    assert (
        before <= datetime.fromisoformat(done["picked_up_at"]) <= datetime.fromisoformat(done["delivered_at"]) <= after
    )
    events = world.client.get(f"/v1/orders/{order['id']}/events").json()["items"]
    told = [event["action"] for event in events]
    assert (told.count("picked_up"), told.count("delivered")) == (1, 1)
    [comment] = world.client.get(f"/v1/orders/{order['id']}/comments").json()["items"]
    assert comment["text"] == "The bell is broken"
    wait_until(lambda: phone.evaluate(FIXES) == 0)

    world.roles.start("housekeeping")
    pay = f"/v1/couriers/{courier_id}/pay"
    since = {"from": before.isoformat()}
    wait_until(lambda: world.client.get(pay, params=since).json()["total"] == 280)
    world.roles.kill("housekeeping")
    press(phone, "Today")
    expect(phone.get_by_role("listitem").filter(has_text="Rua do Almada 7")).to_contain_text("Delivered")
    expect(phone.get_by_role("region", name="Earned today")).to_contain_text("€2.80")
    press(phone, "What for")
    expect(phone.get_by_role("region", name="Earned today")).to_contain_text("Each delivery")
    is_clean(phone)
    press(phone, "Support")
    phone.get_by_label("Message").fill("My bag is torn")
    press(phone, "Send")
    messages = f"/v1/couriers/{courier_id}/messages"
    wait_until(lambda: len(world.client.get(messages).json()["items"]) == 1)
    page.goto(f"{world.url}/?courier={courier_id}")
    expect(page.get_by_role("listitem").filter(has_text="My bag is torn")).to_be_visible()
    page.get_by_label("Answer", exact=True).fill("Take another one")
    press(page, "Send")
    expect(page.get_by_role("listitem").filter(has_text="Take another one")).to_be_visible()
    press(phone, "Menu")
    press(phone, "Support")
    expect(phone.get_by_role("listitem").filter(has_text="Take another one")).to_be_visible()
    is_clean(phone)
    press(phone, "Menu")
    press(phone, "Русский")
    expect(phone.get_by_role("button", name="Закончить смену")).to_be_visible()
    press(phone, "Тёмные")
    is_clean(phone)
    press(phone, "Закончить смену")
    wait_until(lambda: not world.client.get(f"/v1/couriers/{courier_id}").json()["on_duty"])


def test_a_courier_rests_gives_back_and_brings_back_what_nobody_takes(phone, world):
    world.cancel_orders()
    courier_id = world.courier("Courier Bento", "bicycle")
    invitation = world.client.post(f"/v1/couriers/{courier_id}/invitations").json()["url"]
    phone.goto(world.url + invitation)
    press(phone, "Open the courier page")
    press(phone, "Break")
    expect(phone.get_by_text("On a break")).to_be_visible()
    press(phone, "End break")
    expect(phone.get_by_text("On shift")).to_be_visible()

    def take():
        order = world.client.post("/v1/orders", json={"pickup": SHOP, "dropoff": DOOR}).json()["id"]
        given = {"courier_id": courier_id, "reason": "test", "force": True}
        world.client.post(f"/v1/orders/{order}/reassign", json=given).raise_for_status()
        press(phone, "Accept")
        expect(phone.get_by_text("Next: Pick up")).to_be_visible()
        return lambda: world.client.get(f"/v1/orders/{order}").json()

    order = take()
    press(phone, "Problem")
    press(phone, "Not ready, or not there")
    press(phone, "Give the order back")
    expect(phone.get_by_role("heading", name="Nothing to do yet")).to_be_visible()
    wait_until(lambda: order()["state"] == "placed")
    world.cancel_orders()

    order = take()
    press(phone, "Picked up")
    expect(phone.get_by_text("Next: Deliver")).to_be_visible()
    press(phone, "Problem")
    press(phone, "Nobody there")
    expect(phone.get_by_text("The goods come back")).to_be_visible()
    is_clean(phone)
    press(phone, "Cannot be delivered")
    expect(phone.get_by_text("Next: Bring back")).to_be_visible()
    assert (order()["state"], order()["reason"]) == ("returning", "Nobody there")
    press(phone, "Brought back")
    expect(phone.get_by_role("heading", name="Nothing to do yet")).to_be_visible()
    wait_until(lambda: order()["state"] == "returned")
    press(phone, "Today")
    expect(phone.get_by_role("listitem").filter(has_text="Rua do Almada 7")).to_contain_text("Brought back")


def a_photo(width, height):
    file = io.BytesIO()
    Image.effect_mandelbrot((width, height), (-2, -1.5, 1, 1.5), 20).save(file, "JPEG")
    return file.getvalue()


FIXES = """() => new Promise((tell) => {
  const asked = indexedDB.open('postrider-courier')
  asked.onsuccess = () => {
    const counted = asked.result.transaction('fixes').objectStore('fixes').count()
    counted.onsuccess = () => (asked.result.close(), tell(counted.result))
  }
})"""
