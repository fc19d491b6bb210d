"""Every view that the address of the page can name: for everybody, in both languages, on every screen."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from json import dumps
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.acceptance.browser.conftest import AXE, GO, World, patient, show
from tests.waiting import PATIENCE_S

PLACES: Final = {
    "pickup": {"lat": 41.1530, "lon": -8.6110, "address": "Кухня 1"},
    "dropoff": {"lat": 41.1560, "lon": -8.6160, "address": "Дверь 2", "instructions": "Звонить дважды"},
}
AREA: Final = {"type": "Polygon", "coordinates": [[[-8.62, 41.15], [-8.61, 41.15], [-8.61, 41.16], [-8.62, 41.15]]]}

OPENED: Final = "dialog[open], .detail"
SIGNS: Final = {"tab": "[role=tabpanel]", "view": ".board", "open": OPENED}
"""What stands on the page once a view is there, by the last word of its address; else something is opened."""
A_FRAME: Final = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"

AXE_IN_STATES: Final = """async () => {
    const styles = function* (rules) {
        for (const rule of rules) {
            if (rule.selectorText) yield rule
            if (rule.cssRules) yield* styles(rule.cssRules)
        }
    }
    // As if everything were in that state at once; what takes its place counts as much (CSS specificity).
    const into = state => {
        const changed = []
        for (const sheet of document.styleSheets)
            for (const rule of styles(sheet.cssRules)) {
                const text = rule.selectorText
                const forced = text.replace(new RegExp(`:${state}(?![-\\\\w])`, 'g'), ':not(.nobody)')
                if (forced === text) continue
                rule.selectorText = forced
                changed.push([rule, text])
            }
        return changed
    }
    const found = []
    const look = async (theme, state, rules) => {
        const { violations } = await axe.run(document, { ...rules, resultTypes: ['violations'], preload: false })
        for (const one of violations) found.push([theme, state, one.id, ...one.nodes.map(node => node.html)])
    }
    const colours = { runOnly: ['color-contrast'] }
    for (const theme of ['dark', 'light']) {
        document.documentElement.dataset.theme = theme
        await look(theme, 'at rest', theme === 'light' ? {} : colours)
        for (const state of ['hover', 'focus-visible']) {
            const changed = into(state)
            if (changed.length) await look(theme, state, colours)
            else found.push([theme, state, 'nothing looks different'])
            for (const [rule, text] of changed) rule.selectorText = text
        }
    }
    return found
}"""

BY_KEYS: Final = """async () => {
    const { violations } = await axe.run(document, { runOnly: ['scrollable-region-focusable'], preload: false })
    return violations.flatMap(one => one.nodes.map(node => node.html))
}"""
"""What scrolls where there is little room, and only for a mouse."""
MOVES: Final = """() => document.getAnimations().filter(one => one.playState === 'running')
    .map(({ effect }) => effect.target.outerHTML.slice(0, 200))"""

SEEN: Final = """() => {
    const foreign = 'code, kbd, pre, samp, script, style, [lang]:not(html):not([lang=ru]), [translate=no]'
    const isSeen = it => it.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !it.closest(foreign)
    const texts = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) if (isSeen(walker.currentNode.parentElement)) texts.push(walker.currentNode.data)
    for (const name of ['aria-label', 'title', 'placeholder', 'alt'])
        for (const it of document.querySelectorAll(`[${name}]`)) if (isSeen(it)) texts.push(it.getAttribute(name))
    return texts.filter(text => text.trim())
}"""
"""What a person reads, or is read out to."""
WORD: Final = re.compile(r"[A-Za-z]{2,}")
ADDRESS: Final = re.compile(r"\S+://\S*|\S+@\S+|\b[A-Z]\w+/[A-Z]\w+")
"""Of something on the net, or the name of a time zone."""
NAMES: Final = {
    "Postrider",
    "OSRM",
    "Natural",
    "Earth",
    "CSV",
    "GeoJSON",
    "JSON",
    "YAML",
    "GPX",
    "WebGL",
    "UTC",
    "Esc",
    "Alt",
    "id",
}
"""Of programs, keys and formats."""

OUTSIDE: Final = """() => {
    const name = it => it.outerHTML.slice(0, 160)
    const scrolls = it => /auto|scroll/.test(getComputedStyle(it).overflowX)
    const found = []
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page itself')
    for (const it of document.querySelectorAll('body *')) {
        if (!it.checkVisibility() || it.closest('.visually-hidden, [data-sideways], svg, .maplibregl-map')) continue
        const { scrollWidth, clientWidth } = it
        const { left, right, width } = it.getBoundingClientRect()
        if (scrolls(it) && scrollWidth > clientWidth + 1) {
            const wide = [...it.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > right)
            found.push(`${scrollWidth} of ${clientWidth}: ${name(it)}: ${wide.slice(-3).map(name).join(' and ')}`)
        }
        if (width && (left < -1 || right > innerWidth + 1)) found.push(`${left} to ${right}: ${name(it)}`)
    }
    return found.slice(0, 5)
}"""
"""What goes beyond the edge of the screen, or must be scrolled sideways; a table that is wide by nature says so."""
SCREENS: Final = {"phone": (390, 844), "tablet": (1024, 768), "twice the size": (720, 450)}
"""The last is a laptop's screen of 1,440 x 900 at 200 %."""


class Desk:
    """A page, and what it is still waiting for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self._asked: set[Request] = set()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _begun(self, asked: Request) -> None:
        if asked.resource_type != "eventsource":  # which never ends
            self._asked.add(asked)

    def _ended(self, asked: Request) -> None:
        self._asked.discard(asked)

    def go(self, query: str) -> None:
        self.page.evaluate(GO, query)
        *_, (last, _) = parse_qsl(query.lstrip("?"))
        expect(self.page.locator(SIGNS.get(last, OPENED)).first).to_be_visible()
        self.settle()

    def settle(self) -> None:
        """Until nothing is asked for any more, for some frames."""
        give_up_at, n_quiet = time.monotonic() + PATIENCE_S, 0
        while n_quiet < 3:
            assert time.monotonic() < give_up_at, [asked.url for asked in self._asked]
            self.page.evaluate(A_FRAME)
            n_quiet = 0 if self._asked else n_quiet + 1


@pytest.fixture(scope="module")
def there(world: World) -> Iterator[dict[str, str]]:
    """Something of each kind to show, and what stands for the words in braces; all of it has Russian names."""
    client = world.client
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    courier = world.courier("Анна", "bicycle")
    world.courier("Борис")
    ridden = [
        {"courier_id": courier, "fixed_at": (began + timedelta(minutes=n)).isoformat(), "lat": lat, "lon": -8.61}
        for n, lat in enumerate((41.150, 41.151, 41.152, 41.152))
    ]
    client.post("/v1/positions", json=ridden).raise_for_status()
    world.fix("Анна", 41.1525, -8.6100, speed_mps=2.2, course_deg=0, accuracy_m=9)
    world.fix("Борис", 41.1540, -8.6150, age_s=200)
    orders = [_place(client, "никто не умеет") for _ in range(3)]
    for given, steps in zip(orders, (["picked-up"], ["picked-up", "delivered"]), strict=False):
        about = {"courier_id": courier, "force": True, "reason": "так ближе"}
        client.post(f"/v1/orders/{given['id']}/reassign", json=about).raise_for_status()
        for step in steps:  # on board it stays with whoever has it
            client.post(f"/v1/orders/{given['id']}/{step}", json={}).raise_for_status()
    client.post(f"/v1/orders/{orders[0]['id']}/comments", json={"text": "звонил клиент"}).raise_for_status()
    client.post("/v1/geofences", json={"name": "Центр", "geometry": AREA}).raise_for_status()
    place = client.post("/v1/places", json={"name": "Кухня", "lat": 41.153, "lon": -8.611}).raise_for_status().json()
    client.post("/v1/stock/items", json={"item": "суп"}).raise_for_status()
    received = {"id": str(uuid4()), "kind": "receive", "item": "суп", "quantity": 9, "best_before": "2020-01-31"}
    stock = f"/v1/places/{place['id']}/stock"
    client.post(f"{stock}/movements", json={"movements": [received]}).raise_for_status()
    counted = {"id": str(uuid4()), "lines": [{"item": "суп", "quantity": 7}]}
    client.post(f"{stock}/counts", json=counted).raise_for_status()
    with psycopg.connect(world.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO alerts (kind, region, courier_id, raised_at, facts, expected)"
            " VALUES ('stuck', 'default', %s, now(), '{\"still_s\": 600, \"to_nearest_stop_m\": 900}', '{}')",
            (courier,),
        )
    made = [
        ("users", client.post("/v1/users", json={"name": "Ольга", "role": "support"})),
        ("webhooks", client.post("/v1/webhooks", json={"url": "https://hooks.invalid/x", "description": "касса"})),
        ("channels", client.post("/v1/channels", json={"url": "json://127.0.0.1:9/x", "description": "ночь"})),
    ]
    yield {"courier": courier, "order": orders[0]["id"], "instant": began.isoformat()[:16] + "Z"}
    for name, answer in made:
        client.delete(f"/v1/{name}/{answer.raise_for_status().json()['id']}").raise_for_status()


def _place(client: Any, skill: str) -> dict[str, Any]:
    """The planner gives it to nobody, for nobody has the skill."""
    body = {**PLACES, "external_id": f"{uuid4().int % 10**8:08}", "skills": [skill]}
    placed: dict[str, Any] = client.post("/v1/orders", json=body).raise_for_status().json()
    return placed


@contextmanager
def desk(browser: Browser, world: World, **options: Any) -> Iterator[Desk]:
    with patient(browser, reduced_motion="reduce", bypass_csp=True, **options) as context:
        context.request.post(f"{world.url}/v1/sign-in", data={"token": world.token})
        opened = Desk(context.new_page())
        opened.page.goto(world.url)
        expect(opened.page.locator("tr[data-courier]").first).to_be_visible()
        yield opened
        assert opened.problems == []


def views(page: Page, there: dict[str, str]) -> list[str]:
    """Their addresses, with somebody and something in them."""
    named: list[str] = page.evaluate("() => window.__views")
    assert len(named) > 15
    return [re.sub(r"\{(\w+)\}", lambda word: there[word[1]], view) for view in named]


def name_of(view: str, there: dict[str, str]) -> str:
    for word, value in there.items():
        view = view.replace(value, word)
    return re.sub(r"\W+", "-", view).strip("-")


def test_no_view_keeps_anybody_out_at_rest_under_the_mouse_and_in_focus(browser, world, there):
    found = {}
    with desk(browser, world, viewport={"width": 1280, "height": 760}) as opened:
        opened.page.add_script_tag(path=AXE)
        for view in views(opened.page, there):
            opened.go(view)
            found[view] = opened.page.evaluate(AXE_IN_STATES)
            show(opened.page, f"view-{name_of(view, there)}")
    assert not (faults := {view: those for view, those in found.items() if those}), dumps(faults, indent=1)


def test_every_view_speaks_russian_keeps_still_and_fits_every_screen(browser, world, there):
    # Names that people gave to others and to programs are theirs.
    items = [one for path in ("tokens", "users", "regions") for one in world.client.get(f"/v1/{path}").json()["items"]]
    own = NAMES | set(WORD.findall(" ".join(one.get("title") or one.get("name") or "" for one in items)))
    found: dict[str, Any] = {}
    width, height = SCREENS["phone"]
    with desk(
        browser, world, locale="ru-RU", color_scheme="dark", viewport={"width": width, "height": height}
    ) as opened:
        page = opened.page
        page.add_script_tag(path=AXE)
        for view in views(page, there):
            opened.go(view)
            seen = " ".join(ADDRESS.sub(" ", text) for text in page.evaluate(SEEN))
            assert re.search("[а-яё]", seen)
            faults = {"English": sorted(set(WORD.findall(seen)) - own), "moves": page.evaluate(MOVES)}
            faults["by keys"] = page.evaluate(BY_KEYS)
            show(page, f"view-{name_of(view, there)}-phone-dark")
            for screen, (width, height) in SCREENS.items():
                page.set_viewport_size({"width": width, "height": height})
                page.evaluate(A_FRAME)
                faults[screen] = page.evaluate(OUTSIDE)
            width, height = SCREENS["phone"]
            page.set_viewport_size({"width": width, "height": height})
            if left := {what: those for what, those in faults.items() if those}:
                found[view] = left
    assert not found, dumps(found, ensure_ascii=False, indent=1)
