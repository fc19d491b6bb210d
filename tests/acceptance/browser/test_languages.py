"""The page in the viewer's language, with the times of the city that is looked at."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, patient


@pytest.fixture
def lisbon(world) -> Iterator[None]:
    """The region keeps the time of Lisbon."""
    before = world.client.get("/v1/regions/default").json()["timezone"]
    world.client.patch("/v1/regions/default", json={"timezone": "Europe/Lisbon"}).raise_for_status()
    yield
    world.client.patch("/v1/regions/default", json={"timezone": before}).raise_for_status()


@pytest.fixture
def page(browser: Browser, world) -> Iterator[Page]:
    """Somebody's who reads Russian and sits in Tokyo."""
    context = patient(
        browser,
        locale="ru-RU",
        timezone_id="Asia/Tokyo",
        viewport={"width": 1000, "height": 600},
        reduced_motion="reduce",
        bypass_csp=True,
    )
    yield context.new_page()
    context.close()


def test_viewer_in_tokyo_reads_the_citys_times_in_russian_and_changes_to_english(page: Page, world, lisbon):
    # Of a summer to come: in Lisbon one o'clock, in Tokyo nine in the evening.
    promised = datetime(datetime.now(UTC).year + 1, 7, 1, 12, 0, tzinfo=UTC)
    place = {"lat": -33.45, "lon": -70.66}
    body = {
        "pickup": place,
        "dropoff": place | {"window": {"to": promised.isoformat()}},
        "external_id": f"web-{uuid4().hex[:6]}",
    }
    order = world.client.post("/v1/orders", json=body).raise_for_status().json()
    page.goto(f"{world.url}/#token={world.token}")
    page.get_by_role("tab", name=re.compile("Заказы")).click()
    entry = page.locator(f"tr[data-order='{order['id']}']")
    expect(entry).to_contain_text(re.compile(r"Оформлен.*до 1 июл\.?, 13:00"))
    expect(page.get_by_text(re.compile("Время — Europe/Lisbon"))).to_be_visible()

    page.get_by_role("button", name=re.compile("^Вы:")).click()
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []
    page.get_by_label("Язык").select_option("en")
    expect(page.get_by_role("tab", name=re.compile("Orders"))).to_be_visible()
    expect(entry).to_contain_text(re.compile("by .*13:00"))
    page.reload()
    expect(page.get_by_role("tab", name=re.compile("Orders"))).to_be_visible()
    assert page.evaluate("() => document.documentElement.lang") == "en"
