"""What was: a past hour of a courier, and the way back through what was looked at."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser.conftest import AXE, FEATURES, VIOLATIONS, patient

REPLAYED = f"kind => ({FEATURES})('replay').filter(feature => feature.properties.kind === kind).length"


@pytest.fixture
def hour(world) -> datetime:
    """Greta rode for ten minutes, was not heard of for as long, and then stood for a quarter of an hour."""
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    courier_id = world.courier("Greta", "bicycle")
    riding = [(step * 30, 41.15 + step * 6e-4) for step in range(20)]
    standing = [(1200 + step * 30, 41.162) for step in range(31)]
    fixes = [
        {"courier_id": courier_id, "fixed_at": (began + timedelta(seconds=s)).isoformat(), "lat": lat, "lon": -8.61}
        for s, lat in riding + standing
    ]
    answer = world.client.post("/v1/positions", json=fixes).raise_for_status().json()
    assert answer["accepted"] == len(fixes)
    return began


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1000, 700), ("dark", 390, 844)])
def test_past_hour_of_a_courier_is_replayed_saved_and_left_by_back(
    browser: Browser, world, hour, scheme, width, height
):
    size = {"width": width, "height": height}
    with patient(
        browser, has_map=True, color_scheme=scheme, viewport=size, bypass_csp=True, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.goto(f"{world.url}/?q=Greta#token={world.token}")
        page.locator("tr[data-courier]", has_text="Greta").last.get_by_role("button").click()
        page.get_by_role("button", name="Replay").click()
        page.get_by_label("Day", exact=True).fill(f"{hour:%Y-%m-%d}")
        page.get_by_role("combobox", name="Hour").select_option(f"{hour:%H}")
        expect(page.get_by_text("This is the past")).to_be_visible()
        slider = page.get_by_role("slider", name="Time in the hour")

        # Nobody knows the streets here: said, and the way is as it was measured.
        expect(page.get_by_role("checkbox", name="On the streets")).to_be_checked()
        expect(page.get_by_text("As measured: there is no routing engine here.")).to_be_visible()

        # By the keyboard: the end of the hour, of which nobody knows anything, and its beginning.
        slider.press("End")
        expect(slider).to_have_attribute("aria-valuetext", re.compile("nobody knows where"))
        slider.press("Home")
        expect(slider).to_have_attribute("aria-valuetext", f"{hour:%H}:00:00, seen at {hour:%H}:00:00")
        page.wait_for_function(f"() => ({FEATURES})('track').some(feature => feature.properties.gap)")
        page.wait_for_function(f"() => ({REPLAYED})('stay') === 1 && ({REPLAYED})('place') === 1")
        page.get_by_role("button", name=re.compile(f"{hour:%H}:20 – ")).click()
        expect(slider).to_have_attribute("aria-valuetext", re.compile(r"stays, 15 min in all"))

        almost_over = hour + timedelta(minutes=34, seconds=30)
        slider.fill(f"{almost_over.timestamp() * 1000:.0f}")
        page.get_by_role("combobox", name="Speed").select_option("60")
        page.get_by_role("button", name="Play").click()
        expect(slider).to_have_attribute("aria-valuetext", re.compile("nobody knows where"))
        page.get_by_role("button", name="Pause").click()
        page.add_script_tag(path=AXE)
        assert page.evaluate(VIOLATIONS) == []

        for name, said in (("GPX", "<gpx"), ("CSV", "fixed_at,lat,lon"), ("GeoJSON", '"LineString"')):
            with page.expect_download() as saved:
                page.get_by_role("link", name=name, exact=True).click()
            assert said in saved.value.path().read_text()

        page.reload()
        expect(page.get_by_text("This is the past")).to_be_visible()
        for _ in range(3):  # the day or the hour that was looked at first, the courier, the list
            page.go_back()
        expect(page.get_by_text("This is the past")).to_have_count(0)
