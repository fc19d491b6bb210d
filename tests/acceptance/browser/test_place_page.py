"""The page of a place: it sounds when an order comes, and tells what to make before it is ordered."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

import psycopg
import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, World, patient, show
from tests.waiting import wait_until

SOUP = {"item": "Caldo verde", "minutes": 20, "batch": 6, "shelf_life_minutes": 240, "ahead_minutes": 0}
LISTENS = """
window.tones = []
window.AudioContext = class {
  currentTime = 0
  createOscillator() {
    const tone = { frequency: { value: 0 }, connect: (to) => to, stop() {} }
    tone.start = () => tones.push(tone.frequency.value)
    return tone
  }
  createGain() {
    return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect() {} }
  }
}
// What the page does every ten seconds is done twice a second.
const i = setInterval
window.setInterval = (f, ms) => i(f, ms === 10000 ? 500 : ms)"""
"""A browser without loudspeakers, that knows what would have sounded."""


@pytest.fixture
def place(world: World):
    facts = {"name": "Adega", "lat": 41.15, "lon": -8.61, "recipes": [SOUP]}
    made = world.client.post("/v1/places", json=facts).raise_for_status().json()
    yield made
    world.cancel_orders()
    world.client.delete(f"/v1/places/{made['id']}").raise_for_status()


@pytest.fixture
def tablet(browser, world, place):
    """The place's page, which nobody has touched since it was opened."""
    context = patient(browser, viewport={"width": 800, "height": 1000}, reduced_motion="reduce", bypass_csp=True)
    context.add_init_script(LISTENS)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    invited = world.client.post(f"/v1/places/{place['id']}/invitations").raise_for_status().json()
    page.goto(urljoin(world.url, invited["url"]))
    page.get_by_role("button", name="Open the page").click()
    expect(page.get_by_role("status")).to_have_text("Connected")
    yield page
    context.close()
    assert problems == []


def order(world: World, place, name: str, **more) -> str:
    body = {
        "pickup": {"place_id": place["id"]},
        "dropoff": {"lat": 41.1579, "lon": -8.6291},
        "external_id": name,
    } | more
    placed: str = world.client.post("/v1/orders", json=body).raise_for_status().json()["id"]
    return placed


def test_an_order_that_comes_sounds_once_somebody_has_touched_the_page(tablet, world, place):
    order(world, place, "silent")
    expect(tablet.get_by_role("article", name="Order silent")).to_be_visible()
    assert tablet.evaluate("tones") == [], "no browser lets it"
    tablet.get_by_role("heading", name="Adega").click()
    assert tablet.evaluate("tones") == [], "nothing has come"
    order(world, place, "heard")
    expect(tablet.get_by_role("article", name="Order heard")).to_be_visible()
    assert tablet.evaluate("tones") == [660, 880, 660, 880]
    # What the place itself says, and an order that goes, are nothing new.
    tablet.get_by_role("article", name="Order heard").get_by_role("button", name="Start").click()
    being_made = tablet.get_by_role("region", name=re.compile("^Being made"))
    expect(being_made.get_by_role("article", name="Order heard")).to_be_visible()
    silent = tablet.get_by_role("article", name="Order silent")
    world.cancel_orders()
    expect(silent).to_have_count(0)
    assert len(tablet.evaluate("tones")) == 4


def test_soup_that_is_ordered_every_week_is_made_before_it_is(tablet, world, place):
    ahead = tablet.get_by_role("region", name=re.compile("^Ahead of orders"))
    expect(tablet.get_by_role("heading", name="Nothing to prepare")).to_be_visible()
    with psycopg.connect(world.environ["DATABASE_URL"], autocommit=True) as connection:
        for week in range(1, 7):
            # The first is of before the hours that are looked at: the place was there all of that week.
            for hours in (-1, 1.5):
                placed_at = datetime.now(UTC) - timedelta(days=7 * week) + timedelta(hours=hours)
                connection.execute(
                    "WITH o AS (INSERT INTO orders (region, place_id, state, placed_at, closed_at, pickup_lat,"
                    " pickup_lon, pickup_service_s, dropoff_lat, dropoff_lon, dropoff_service_s)"
                    " VALUES (%s, %s, 'failed', %s, %s, 41.15, -8.61, 60, 41.16, -8.62, 60) RETURNING id)"
                    " INSERT INTO place_tasks (order_id, lines, duration_s)"
                    """ SELECT id, '[{"item": "Caldo verde", "quantity": 6}]', 0 FROM o""",
                    (place["region"], place["id"], placed_at, placed_at),
                )
    # What was ordered is asked for once a minute: by another recipe it is another question.
    recipes = [SOUP | {"minutes": 25}]
    world.client.patch(f"/v1/places/{place['id']}", json={"recipes": recipes}).raise_for_status()
    soup = ahead.get_by_role("article")
    expect(soup).to_contain_text("6 × Caldo verde")
    expect(soup).to_contain_text("for ")
    tablet.add_script_tag(content=AXE.read_text())
    assert tablet.evaluate(VIOLATIONS) == []
    show(tablet, "place-ahead")

    soup.get_by_role("button", name="Start").click()
    expect(soup).to_be_focused()
    expect(soup.get_by_role("button", name="Ready")).to_be_visible()
    order(world, place, "waits", lines=[{"item": "Caldo verde", "quantity": 2}])
    waits = tablet.get_by_role("article", name="Order waits")
    expect(waits).to_be_visible()
    task = f"/v1/places/{place['id']}/tasks"
    (before,) = world.client.get(task).json()["items"]
    tablet.context.set_offline(True)
    soup.get_by_role("button", name="Ready").click()
    expect(ahead).to_have_count(0)
    expect(tablet.get_by_role("status")).to_contain_text("1 word to send")
    tablet.context.set_offline(False)
    expect(tablet.get_by_role("status")).to_have_text("Connected")

    def is_sooner() -> bool:
        (after,) = world.client.get(task).json()["items"]
        return datetime.fromisoformat(after["ready_at"]) < datetime.fromisoformat(before["ready_at"])

    wait_until(is_sooner)
    stock = world.client.get(f"/v1/places/{place['id']}/stock").json()["items"]
    assert [(one["item"], one["on_hand"]) for one in stock] == [("Caldo verde", 6)]
    # Goods that are left keep no place from being removed by those who come next.
    item_id = stock[0]["item_id"]
    out = {"id": item_id, "kind": "adjust", "item": "Caldo verde", "quantity": -6, "reason": "eaten"}
    world.cancel_orders()
    world.client.post(f"/v1/places/{place['id']}/stock/movements", json={"movements": [out]}).raise_for_status()
    world.client.delete(f"/v1/stock/items/{item_id}").raise_for_status()
