"""No page of ours loads anything from another host, nor could: with all others out of reach they work as before."""

import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import DIST, patient
from tests.waiting import PATIENCE_S

PLACE = {"lat": 41.15, "lon": -8.61, "address": "Rua das Flores 1"}


def shared(world):
    order = world.client.post("/v1/orders", json={"pickup": PLACE, "dropoff": PLACE}).json()
    return urlsplit(world.client.post(f"/v1/orders/{order['id']}/share").json()["url"]).path


PAGES = {
    "map": (lambda world: f"/#token={world.token}", ".maplibregl-canvas"),
    "api": (lambda _: "/schema/swagger#/orders", '[data-path="/v1/orders/{order_id}/cancel"]'),
    "courier": (lambda _: "/courier", "text=This phone belongs to nobody yet"),
    "recipient": (shared, "text=Rua das Flores 1"),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_nothing_from_elsewhere(browser, world, name):
    address_of, shown = PAGES[name]
    context = patient(browser, has_map=True, viewport={"width": 1000, "height": 600}, reduced_motion="reduce")
    own, outside, refused = urlsplit(world.url).netloc, [], []

    def only_ours(route):
        if urlsplit(route.request.url).netloc in {own, ""}:
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", only_ours)
    page = context.new_page()
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    answer = page.goto(world.url + address_of(world))
    expect(page.locator(shown).first).to_be_visible()
    policy = answer.headers["content-security-policy"]
    context.close()
    assert outside == []
    assert refused == []
    assert policy.startswith(("default-src 'self'", "default-src 'none'"))
    assert "script-src" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    "path", ["/schema", "/health/live", "/problems/conflict", "/nothing/here", "/v1/orders", "/assets/x"]
)
def test_what_is_no_page_may_do_nothing(world, path):
    answer = httpx.get(world.url + path, timeout=PATIENCE_S)
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


def _bytes_over_the_line(file):
    compressed = file.with_name(f"{file.name}.br")
    return (compressed if compressed.exists() else file).stat().st_size


@pytest.mark.parametrize(("name", "most_files", "most_kb"), [("index", 7, 75), ("courier", 10, 50), ("place", 8, 40)])
def test_page_begins_with_few_and_light_files(name, most_files, most_kb):
    """Over a slow line a file costs as much as 20 kB, and a browser asks for six at a time."""
    files = re.findall(r'(?:src|href)="/(assets/[^"]+\.(?:js|css))"', DIST.with_name(f"{name}.html").read_text())
    kb = sum(_bytes_over_the_line(DIST.parent / file) for file in files) / 1000
    assert 0 < len(files) <= most_files
    assert kb <= most_kb


def test_worker_of_the_map_takes_from_the_page_what_both_need():
    [worker] = (DIST.parent / "assets").glob("map-worker-*.js")
    assert worker.stat().st_size < 60_000
