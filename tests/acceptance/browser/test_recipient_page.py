"""The recipient's page on a phone: before, on the way, at the next door, delivered."""

import base64
from uuid import uuid4

import httpx
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, patient
from tests.waiting import PATIENCE_S

SHOP = {"lat": 41.1496, "lon": -8.6109, "address": "Rua das Flores 1"}
DOOR = {"lat": 41.1579, "lon": -8.6291, "address": "Rua do Almada 7"}

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


def test_a_recipient_follows_an_order_to_the_door(browser, world):
    courier_id = world.courier("Courier Rui", "bicycle")
    token = world.client.post(f"/v1/couriers/{courier_id}/tokens").json()["token"]
    phone = httpx.Client(base_url=world.url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)
    world.fix("Courier Rui", SHOP["lat"], SHOP["lon"])
    order = world.client.post("/v1/orders", json={"pickup": SHOP, "dropoff": DOOR, "code": "AB12"}).json()
    link = world.client.post(f"/v1/orders/{order['id']}/share").json()["url"]
    given = {"courier_id": courier_id, "reason": "test", "force": True}
    world.client.post(f"/v1/orders/{order['id']}/reassign", json=given).raise_for_status()
    size = {"width": 390, "height": 844}
    context = patient(
        browser, has_map=True, viewport=size, color_scheme="dark", bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()

    def looks_well(text):
        page.goto(world.url + link)
        expect(page.get_by_role("heading", level=1)).to_have_text(text)
        page.add_script_tag(content=AXE.read_text())
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390

    looks_well("We are looking for a courier.")
    page.get_by_role("link", name="Leave a note for the courier").click()
    page.get_by_label("Note").fill("Ring twice")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("The courier will see your note.")
    offers = phone.get("/v1/offers", params={"state": "open"}).json()["items"]
    phone.post(f"/v1/offers/{offers[0]['id']}/accept").raise_for_status()
    phone.post(f"/v1/orders/{order['id']}/picked-up").raise_for_status()
    looks_well("Your order is on its way.")
    expect(page.get_by_text("You are the next stop.")).to_be_visible()
    expect(page.frame_locator("iframe").locator("canvas")).to_be_visible()
    expect(page.get_by_text("AB12")).to_be_visible()
    phone.put(f"/v1/orders/{order['id']}/pictures/{uuid4()}", content=PIXEL).raise_for_status()
    phone.post(f"/v1/orders/{order['id']}/delivered", json={"name": "Rita", "code": "ab12"}).raise_for_status()
    looks_well("Your order has been delivered.")
    picture = page.get_by_role("img", name="Photo")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 1
    page.get_by_role("button", name="4 of 5").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    context.close()
    phone.close()
