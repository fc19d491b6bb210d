"""The page in the viewer's language, with the times of the city that is looked at."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, patient, show


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


SHOWN = """() => {
    const isShown = it => it.checkVisibility({visibilityProperty: true}) && !it.closest('[lang=en], code, script');
    const texts = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walk.nextNode()); ) {
        const holder = node.parentElement.closest('select') ?? node.parentElement;
        if (isShown(holder) && !node.parentElement.closest('[lang=en]')) texts.push(node.textContent.trim());
    }
    for (const name of ['aria-label', 'title', 'placeholder', 'alt'])
        for (const it of document.querySelectorAll(`[${name}]`)) if (isShown(it)) texts.push(it.getAttribute(name));
    return texts.filter(text => /[A-Za-z]{2}/.test(text));
}"""
"""What a viewer can read in Latin letters, but for what says that it is English, and code."""
MOVING = "() => document.getAnimations().filter(it => it.effect.getComputedTiming().duration > 1).length"
NAMES = {
    *("Postrider", "CSV", "GPX", "GeoJSON", "JSON", "OSRM", "Google", "API", "URL", "UTC", "WebGL", "Natural", "Earth"),
    *("Enter", "Esc", "Tab", "English", "kg", "Web", "Push", "OsmAnd", "OwnTracks", "Traccar", "GPSLogger", "argon"),
}
"""Of programs, formats, keys; the language that one may change to."""


def go_to(page: Page, view: str) -> None:
    """As Back and Forward do, without loading the page again."""
    page.evaluate("view => { history.pushState(null, '', view); dispatchEvent(new PopStateEvent('popstate')) }", view)
    what = "[role=tab][aria-selected=true]" if view.startswith("?tab=") and "order=" not in view else ".panel h2"
    if "open=admin" in view or "open=level" in view:
        what = "dialog[open] h2"
    if "view=board" in view:
        what = "#board-title"
    expect(page.locator(f"{what} >> visible=true").first).to_be_visible()


def under_the_mouse_and_in_focus(page: Page) -> None:
    """Everything that can be pressed, at once, as a checker cannot hover."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("DOM.enable")
    cdp.send("CSS.enable")
    root = cdp.send("DOM.getDocument")["root"]["nodeId"]
    wanted = {"nodeId": root, "selector": "button, a[href], input, select, textarea, summary, [tabindex]"}
    for node in cdp.send("DOM.querySelectorAll", wanted)["nodeIds"]:
        classes = ["hover", "focus", "focus-visible"]
        cdp.send("CSS.forcePseudoState", {"nodeId": node, "forcedPseudoClasses": classes})
    cdp.detach()


def test_every_view_that_the_address_names_is_clean_under_the_mouse_still_and_in_russian(page: Page, world):
    name = f"Вера {uuid4().hex[:4]}"
    courier = world.courier(name)
    world.fix(name, 41.15, -8.61)
    ends = {"pickup": {"lat": 41.15, "lon": -8.61, "address": "Кухня 1"}, "dropoff": {"lat": 41.16, "lon": -8.61}}
    order = world.client.post("/v1/orders", json=ends | {"skills": ["нет"]}).raise_for_status().json()["id"]
    page.goto(f"{world.url}/#token={world.token}")
    expect(page.locator(f"tr[data-courier='{courier}']")).to_be_visible()
    page.add_script_tag(path=AXE)
    names = known_names(world)
    found: dict[str, object] = {}
    for view in page.evaluate("() => window.__views"):
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:00Z")
        go_to(page, view.replace("{courier}", courier).replace("{order}", order).replace("{instant}", at))
        page.wait_for_load_state("networkidle")
        english = {
            word
            for text in page.evaluate(SHOWN)
            for word in re.findall(r"[A-Za-z]{2,}", names.sub(" ", text))
            if word not in NAMES
        }
        under_the_mouse_and_in_focus(page)
        told = {"English": sorted(english), "axe": page.evaluate(VIOLATIONS), "moving": page.evaluate(MOVING)}
        found |= {view: told} if any(told.values()) else {}
        show(page, f"ru-{len(found)}-{re.sub('[^a-z]+', '-', view)}")
    world.client.post(f"/v1/orders/{order}/cancel", json={"reason": "проба"}).raise_for_status()
    assert found == {}


def known_names(world) -> re.Pattern[str]:
    """Names that people gave to things; not words of the page."""
    given: set[str] = {"command line"}
    for path, fields in {
        "/v1/couriers": ("name", "external_id", "id"),
        "/v1/orders": ("external_id", "id"),
        "/v1/regions": ("name", "title", "timezone"),
        "/v1/users": ("name",),
        "/v1/tokens": ("name",),
        "/v1/geofences": ("name",),
    }.items():
        for one in world.client.get(path, params={"limit": 1000}).raise_for_status().json()["items"]:
            given |= {one[field] for field in fields if one.get(field)}
    given |= {text[:8] for text in given if len(text) > 12}
    return re.compile("|".join(re.escape(text) for text in sorted(given, key=len, reverse=True)))
