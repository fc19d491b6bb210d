"""The real program, a real Chromium, and a small fleet that the test moves by hand."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.machine.servers import PostgresServer, RedisServer, free_port
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[3]
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first is Chromium without its own windows, whose tabs are pages too: it needs half of the processor."""
CHROMIUM = os.environ.get("POSTRIDER_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
SCREENS = ROOT / "tests" / "screens"
"""Pictures of the page, an output of CI; not kept in the repository."""
DIST = ROOT / "app" / "console" / "dist" / "index.html"
AXE = ROOT / "app" / "console" / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = "async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])"
"""What axe has against the page; for a context that goes round the policy, which keeps out the checker too."""
GO = "query => { history.pushState(null, '', query); dispatchEvent(new PopStateEvent('popstate')) }"
"""To another view of the page, by its address."""
FEATURES = "name => window.__map ? window.__map.getStyle().sources[name]?.data.features ?? [] : []"
"""What the map was given to draw, in view or not."""
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
"""WebGL 2 in software, and no talk with the internet."""


expect.set_options(timeout=1000 * PATIENCE_S)  # a busy machine draws slowly

OPEN_STATES = ("placed", "assigned", "accepted", "picked_up", "returning")


class Roles:
    """The program's processes, a role each."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, role: str) -> None:
        self._running[role] = subprocess.Popen([sys.executable, "-m", "app", role], cwd=ROOT, env=self.environ)

    def kill(self, role: str) -> None:
        process = self._running.pop(role)
        process.kill()
        process.wait()

    def end(self) -> None:
        for process in self._running.values():
            _end(process)


class World:
    """A running API with couriers."""

    def __init__(self, url: str, token: str, redis: RedisServer, roles: "Roles") -> None:
        self.url = url
        self.environ = roles.environ
        self.redis = redis
        self.redis_url = redis.url
        self.roles = roles
        self.token = token
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)
        self.ids: dict[str, str] = {}

    def courier(self, name: str, mode: str = "car") -> str:
        made = self.client.post("/v1/couriers", json={"name": name, "mode": mode})
        made.raise_for_status()
        self.ids[name] = made.json()["id"]
        return self.ids[name]

    def clear(self) -> None:
        """What other files have left: their orders would be offered to whoever comes next, their couriers counted."""
        wait_until(lambda: is_ready(self.url))
        self.cancel_orders()
        for what in ("couriers", "geofences"):
            for left in self._all(what):
                self.client.delete(f"/v1/{what}/{left['id']}").raise_for_status()
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("UPDATE alerts SET resolved_at = greatest(now(), raised_at) WHERE resolved_at IS NULL")
            # Reports know those of before, and another file hires people of the same names.
            connection.execute("UPDATE couriers SET name = 'of another file' WHERE deleted_at IS NOT NULL")
        self.ids.clear()

    def cancel_orders(self) -> None:
        """What others have left would be offered to whoever comes next."""
        wait_until(self._cancels_all)

    def _cancels_all(self) -> bool:
        """Whether nothing was open any more; what was has one step less before it."""
        left = self._all("orders", state=OPEN_STATES)
        for order in left:
            # Goods on board are not cancelled, they come back first.
            step = "returned" if order["state"] == "returning" else "cancel"
            self.client.post(f"/v1/orders/{order['id']}/{step}", json={"reason": "another one begins"})
        return not left

    def _all(self, what: str, **wanted: Any) -> list[dict[str, Any]]:
        answer = self.client.get(f"/v1/{what}", params={"limit": 1000, **wanted}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def fix(self, name: str, lat: float, lon: float, *, age_s: float = 0, **more: Any) -> None:
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        body = [{"courier_id": self.ids[name], "fixed_at": at.isoformat(), "lat": lat, "lon": lon, **more}]
        answer = self.client.post("/v1/positions", json=body)
        answer.raise_for_status()
        assert answer.json()["accepted"] == 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Ends with the module: while Playwright's synchronous API is open, this thread can run no other event loop.
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, though CI could have installed it")
        pytest.skip("chromium is not installed")
    if not DIST.exists():
        pytest.fail("the console is not built: run make setup")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def database(postgres_server: PostgresServer, template_database: str) -> Iterator[str]:
    name = f"browser_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}" STRATEGY FILE_COPY')
        yield postgres_server.url_of(name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    """A file's own: whatever others did in it is over."""
    shared_world.clear()
    return shared_world


@pytest.fixture(scope="package")
def shared_world(database: str) -> Iterator[World]:
    """The API, the writer and the dispatcher as processes of their own; ended after the last browser test."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postrider-browser-")))
        folder.chmod(0o755)
        server = RedisServer(folder / "redis")
        server.start()
        stack.callback(server.stop)
        port = free_port()
        environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
        environ |= {"DATABASE_URL": database, "REDIS_URL": server.url, "POSTRIDER_PORT": str(port)}
        environ |= {"POSTRIDER_LIVE_TICK_S": "0.2"}
        # What a page shows must still be so when a busy machine has drawn it.
        environ |= {"POSTRIDER_ONLINE_WITHIN_S": "900", "POSTRIDER_STALE_WITHIN_S": "7200"}
        environ |= {"POSTRIDER_OFFER_FOR_S": "900"}
        roles = Roles(environ)
        stack.callback(roles.end)
        for role in ("api", "writer", "dispatch"):
            roles.start(role)
        made = subprocess.run(
            [sys.executable, "-m", "app", "token", "admin"], cwd=ROOT, env=environ, capture_output=True, check=True
        )
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ready(url))
        made_world = World(url, made.stdout.decode().strip(), server, roles)
        stack.callback(made_world.client.close)
        yield made_world


NO_WEBGL = """
const context = HTMLCanvasElement.prototype.getContext
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith('webgl') ? null : context.call(this, kind, ...more)
}"""


UNHURRIED = """
const within = AbortSignal.timeout.bind(AbortSignal)
AbortSignal.timeout = (ms) => within(20 * ms)"""
"""What the page waits for a server that hangs is less than a busy machine may need."""


def patient(browser: Browser, *, has_map: bool = False, **options: Any) -> BrowserContext:
    """
    A context that waits as long as a busy machine may need.

    Without `has_map` it cannot draw one, and the page does without: in software that costs more than all the rest.
    """
    context = browser.new_context(**options)
    context.add_init_script(UNHURRIED)
    if not has_map:
        context.add_init_script(NO_WEBGL)
    context.set_default_timeout(1000 * PATIENCE_S)
    return context


@pytest.fixture
def page(browser: Browser, world: World, request: pytest.FixtureRequest) -> Iterator[Page]:
    """
    A signed-in page of its own context, that must not raise an error; small and calm, for pixels are slow here.

    Its browser draws no map, unless the test is marked `with_map`.
    """
    has_map = request.node.get_closest_marker("with_map") is not None
    context = patient(browser, has_map=has_map, viewport={"width": 1000, "height": 600}, reduced_motion="reduce")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{world.url}/#token={world.token}")
    yield page
    if not page.is_closed():
        show(page, request.node.name)
    context.close()
    assert problems == []


def unhurried(page: Page) -> None:
    """What can be taken back for ten seconds can be for an hour: a busy machine is slower than a person."""
    page.evaluate("() => { const s = setTimeout; window.setTimeout = (f, ms) => s(f, ms === 10000 ? 3600000 : ms) }")


def jump(page: Page, lat: float, lon: float, zoom: float) -> None:
    """Show another part of the map; what `jumpTo` answers, all of the map, would be read for half a minute."""
    page.evaluate("to => { window.__map.jumpTo(to) }", {"center": [lon, lat], "zoom": zoom})


def hurried(page: Page) -> None:
    """What the page does again every quarter of a minute is done twice a second; begins the page anew."""
    expect(page.get_by_role("button", name=re.compile("^You: ."))).to_be_visible()  # signed in
    page.add_init_script("const i = setInterval; window.setInterval = (f, ms) => i(f, ms === 15000 ? 500 : ms)")
    page.reload()


def show(page: Page, name: str) -> None:
    """Keep a picture of how a test left the page, for people to look at."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
