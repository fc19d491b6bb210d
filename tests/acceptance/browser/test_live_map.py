"""The live map as support staff use it, in a real Chromium."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, patient
from tests.waiting import wait_until

MAP_READY = "() => window.__map && window.__map.getLayer('couriers')"
DRAWN = """name => window.__map.queryRenderedFeatures({layers: ['couriers']})
    .filter(feature => feature.properties.name === name)
    .map(feature => ({...feature.properties, at: feature.geometry.coordinates}))[0] || null"""
AT = """name => {
    const found = window.__map.queryRenderedFeatures({layers: ['couriers']}).find(f => f.properties.name === name);
    if (!found) return null;
    const {x, y} = window.__map.project(found.geometry.coordinates);
    const {left, top} = window.__map.getContainer().getBoundingClientRect();
    return {x: x + left, y: y + top};
}"""


@pytest.fixture(scope="module", autouse=True)
def fleet(world):
    """Three couriers within a few hundred metres: one that has just moved, one stale, one long gone."""
    world.courier("Anna", "bicycle")
    world.courier("Boris", "car")
    world.courier("Clara", "foot")
    for step in range(12):
        world.fix("Anna", 41.1500 + step * 2e-4, -8.6100, age_s=120 - step * 10, speed_mps=2.2, course_deg=0)
    world.fix("Boris", 41.1540, -8.6150, age_s=1800, accuracy_m=9)
    world.fix("Clara", 41.1480, -8.6050, age_s=4 * 3600)


def row(page: Page, name: str):
    return page.locator("tr[data-courier]", has_text=name)


def wait_for_map(page: Page) -> None:
    page.wait_for_function(MAP_READY)


@pytest.mark.with_map
def test_couriers_appear_and_move_on_the_map_and_in_the_list(page, world):
    world.fix("Anna", 41.1525, -8.6100, speed_mps=2.2, course_deg=0)
    expect(row(page, "Anna")).to_have_attribute("data-state", "online")
    expect(row(page, "Boris")).to_have_attribute("data-state", "stale")
    expect(row(page, "Clara")).to_have_attribute("data-state", "offline")
    wait_for_map(page)
    page.wait_for_function(f"name => ({DRAWN})(name) !== null", arg="Anna")
    drawn = {name: page.evaluate(DRAWN, name) for name in ("Anna", "Boris", "Clara")}
    assert [drawn[name]["state"] for name in drawn] == ["online", "stale", "offline"]
    assert page.evaluate("() => ['online', 'stale', 'offline'].every(s => window.__map.hasImage('courier-' + s))")
    assert re.fullmatch(r"\d+ (s|min)", drawn["Boris"]["age"])  # of the newest none is told
    world.fix("Anna", 41.1530, -8.6101)
    page.wait_for_function(
        f"([name, lat]) => {{ const f = ({DRAWN})(name); return f && Math.abs(f.at[1] - lat) < 2e-5 }}",
        arg=["Anna", 41.1530],
    )


@pytest.mark.with_map
def test_token_leaves_the_address_scripts_cannot_read_the_session_and_nothing_comes_from_elsewhere(page, world):
    expect(row(page, "Anna")).to_be_visible()
    routes = page.get_by_role("button", name="Routes", exact=True)
    routes.click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    wait_for_map(page)
    expect(routes).to_have_attribute("aria-pressed", "true")  # as the person chose, in this browser
    assert [url for url in asked if not url.startswith((world.url, "blob:"))] == []
    assert "token" not in page.url
    assert page.evaluate("() => document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_filter_narrows_list_and_counts_and_stays_in_the_address(page, world):
    world.fix("Anna", 41.1530, -8.6101)
    expect(row(page, "Anna")).to_have_attribute("data-state", "online")
    page.get_by_role("button", name=re.compile("^Stale 1")).click()
    expect(page.locator("tr[data-courier]")).to_have_count(1)
    expect(row(page, "Boris")).to_be_visible()
    assert "state=stale" in page.url
    page.reload()
    expect(page.locator("tr[data-courier]")).to_have_count(1)
    page.get_by_role("button", name="Show all").first.click()
    expect(row(page, "Anna")).to_be_visible()
    page.get_by_role("searchbox").fill("clar")
    expect(page.locator("tr[data-courier]")).to_have_count(1)
    expect(row(page, "Clara")).to_be_visible()
    assert "q=clar" in page.url


@pytest.mark.with_map
def test_click_on_the_map_shows_details_and_the_last_hours_track(page, world):
    wait_for_map(page)
    page.wait_for_function(f"name => ({AT})(name) !== null", arg="Anna")
    page.wait_for_function("() => !window.__map.isMoving()")
    at = page.evaluate(AT, "Anna")
    page.mouse.click(at["x"], at["y"])
    expect(page.get_by_role("heading", name="Anna")).to_be_visible()
    expect(page.locator("[data-track=ready]")).to_be_visible()
    assert int(page.locator("[data-track]").get_attribute("data-track-fixes")) >= 12
    page.wait_for_function("() => window.__map.queryRenderedFeatures({layers: ['track']}).length > 0")
    assert f"courier={world.ids['Anna']}" in page.url
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Anna")).to_have_count(0)


@pytest.mark.with_map
def test_selected_courier_has_an_accuracy_circle_and_can_be_followed(page, world):
    wait_for_map(page)
    row(page, "Boris").get_by_role("button").click()
    expect(page.get_by_text("± 9 m")).to_be_visible()
    page.wait_for_function("() => window.__map.querySourceFeatures('accuracy').length > 0")
    page.get_by_role("button", name="Follow").click()
    assert "follow=1" in page.url
    world.fix("Boris", 41.1542, -8.6155)
    page.wait_for_function(
        "lat => Math.abs(window.__map.getCenter().lat - lat) < 3e-4 && !window.__map.isMoving()", arg=41.1542
    )


def test_keys_do_what_the_help_says(page):
    expect(row(page, "Anna")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("tr.chosen")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("tr.chosen")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_lost_connection_is_said_with_the_age_of_the_data(page):
    expect(page.locator("[data-connection=live]")).to_be_visible()
    page.route("**/v1/live*", lambda route: route.abort())
    page.evaluate("() => window.dispatchEvent(new Event('offline'))")
    page.reload()
    expect(page.locator("[data-connection=connecting], [data-connection=lost]")).to_be_visible()
    page.unroute("**/v1/live*")
    expect(page.locator("[data-connection=live]")).to_be_visible()


def test_stranger_gets_the_login_and_a_wrong_token_is_refused(browser: Browser, world):
    context = patient(browser)
    page = context.new_page()
    page.goto(world.url)
    page.get_by_role("button", name="Use a staff token instead").click()
    page.get_by_label("Staff token").fill("pr_x_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not a valid staff token")
    page.get_by_label("Staff token").fill(world.token)
    page.get_by_role("button", name="Sign in").click()
    expect(row(page, "Anna")).to_be_visible()
    page.get_by_role("button", name=re.compile("^You:")).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    context.close()


def test_without_webgl_the_list_stays(browser: Browser, world):
    context = patient(browser)
    page = context.new_page()
    page.goto(f"{world.url}/#token={world.token}")
    expect(page.get_by_text("WebGL 2 is missing")).to_be_visible()
    row(page, "Boris").get_by_role("button").click()
    expect(page.get_by_role("heading", name="Boris")).to_be_visible()
    context.close()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1000, 700), ("dark", 390, 844)])
def test_page_is_accessible(browser: Browser, world, scheme, width, height):
    # The content security policy keeps out the checker too.
    context = patient(
        browser,
        has_map=True,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        bypass_csp=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{world.url}/#token={world.token}")
    row(page, "Boris").get_by_role("button").click()
    expect(page.get_by_role("heading", name="Boris")).to_be_visible()
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []
    context.close()


CONTRAST = """button => {
    // WCAG 2.2, section "contrast ratio".
    const luminance = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(Number)
            .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(button);
    const [a, b] = [luminance(style.color), luminance(style.backgroundColor)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_buttons_can_be_read_at_rest_under_the_mouse_and_in_focus(browser: Browser, world, scheme):
    context = patient(browser, color_scheme=scheme)
    page = context.new_page()
    page.goto(world.url)
    page.get_by_role("button", name="Use a staff token instead").click()
    page.get_by_label("Staff token").fill("pr_x")
    button = page.get_by_role("button", name="Sign in")
    found = {"at rest": button.evaluate(CONTRAST)}
    button.hover()
    found["under the mouse"] = button.evaluate(CONTRAST)
    button.focus()
    found["in focus"] = button.evaluate(CONTRAST)
    assert {state: ratio for state, ratio in found.items() if ratio < 4.5} == {}
    context.close()


@pytest.mark.with_map
def test_page_says_that_the_server_or_its_memory_is_gone_and_comes_back_by_itself(page, world):
    wait_for_map(page)
    expect(page.locator("[data-connection=live]")).to_be_visible()
    world.roles.kill("api")
    expect(page.get_by_role("alert")).to_contain_text("Connection lost, trying again. Data as of")
    expect(row(page, "Boris")).to_be_visible()
    world.roles.start("api")
    expect(page.locator("[data-connection=live]")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)

    world.redis.stop()
    expect(page.locator("[data-connection=delayed], [data-connection=lost]")).to_be_visible()
    expect(row(page, "Boris")).to_be_visible()
    world.redis.start()
    expect(page.locator("[data-connection=live]")).to_be_visible()
    wait_until(lambda: world.client.get("/health/ready").status_code == 200)
    world.fix("Boris", 41.1560, -8.6150)
    expect(row(page, "Boris")).to_have_attribute("data-state", "online")


@pytest.mark.parametrize(("width", "height"), [(1024, 700), (720, 450)], ids=["small", "twice the size"])
def test_on_a_small_screen_the_list_is_there_and_the_chosen_courier_beside_the_panel(browser, world, width, height):
    """720 x 450 is what a laptop's screen has at 200 %."""
    with patient(
        browser, has_map=True, viewport={"width": width, "height": height}, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.goto(f"{world.url}/#token={world.token}")
        wait_for_map(page)
        entry = row(page, "Boris")
        expect(entry).to_be_in_viewport(ratio=1)
        entry.get_by_role("button").click()
        expect(page.get_by_role("heading", name="Boris")).to_be_in_viewport()
        if width > 1000:
            page.wait_for_function(
                f"""() => {{
                    const at = ({AT})('Boris');
                    return at && document.elementFromPoint(at.x, at.y)?.matches('.maplibregl-canvas');
                }}"""
            )
