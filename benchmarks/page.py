"""
The live map in a browser, with a fleet that moves: python -m benchmarks.page --json.

Chromium on a page of the API itself, with software GL, over the DevTools protocol. Loading: bytes over the wire until
the map is ready, compressed as they come; and, with the network slowed down to 50 KB/s and 400 ms, when the first
list and the map are there. Watching: every courier reports each five seconds, and for some time it is counted what
scripts take of a second, how often the map is drawn, and what comes over the wire. With `--heap-minutes 10` the page
stays open that long, and it is told what of its heap was in use each minute, once its garbage was collected.

With `--pages 500` no browser is started (unless `--couriers` names fleets, too): so many clients follow the stream of
one API process (or of `--workers`) while 10,000 couriers report (or `--pages-couriers`), a fifth of them a second, and
it is told how old what they are shown is when it comes to them; with `--bbox` all of them look at that part of the map.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import numpy as np
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from app.machine.tokens import make_token
from app.web.auth import Role
from benchmarks.ingest import cpu_s, serving
from benchmarks.pages import opened_pages
from benchmarks.world import Phone, World, engine_of, hire, parser, report, world
from tests.acceptance.browser.conftest import CHROMIUM, FLAGS

EVERY_S: Final = 5.0
"""A courier reports so often."""
PER_REQUEST: Final = 500
LIST_THERE: Final = "() => document.querySelector('[data-courier]')"
MAP_THERE: Final = "() => window.__map && window.__map.queryRenderedFeatures({layers: ['couriers', 'clusters']}).length"
"""The first couriers are drawn; a map whose couriers move is never `loaded()`."""
COUNT_DRAWN: Final = "() => { window.__drawn = 0; window.__map.on('render', () => window.__drawn++) }"
PAGES_COURIERS: Final = 10_000
"""Report 2,000 times a second."""
SLOW: Final = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
PATIENCE_MS: Final = 300_000


class Wire:
    """Bytes that came, compressed as they came."""

    def __init__(self, cdp: CDPSession) -> None:
        self.n_bytes = 0
        cdp.on("Network.dataReceived", self._count)
        cdp.send("Network.enable")

    def _count(self, event: dict[str, Any]) -> None:
        self.n_bytes += event["encodedDataLength"]


@contextmanager
def moving(url: str, token: str, phones: Sequence[Phone]) -> Iterator[Counter[str]]:
    """The fleet reports, a part of it each second, until the context ends; gives what became of the fixes so far."""
    over, fixes_of = threading.Event(), Counter[str]()
    rng = np.random.default_rng(1)
    places = np.column_stack([rng.normal(41.157, 0.012, len(phones)), rng.normal(-8.629, 0.016, len(phones))])
    steps = rng.normal(0, 0.0003, places.shape)

    def report_all() -> None:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            part = 0
            while not over.is_set():
                began = time.monotonic()
                mine = range(part, len(phones), round(EVERY_S))
                at = datetime.now(UTC).isoformat()
                places[part :: round(EVERY_S)] += steps[part :: round(EVERY_S)]
                fixes = [
                    {
                        "courier_id": str(phones[n].courier_id),
                        "fixed_at": at,
                        "lat": round(float(places[n, 0]), 6),
                        "lon": round(float(places[n, 1]), 6),
                        "accuracy_m": 5,
                        "speed_mps": 6,
                        "course_deg": 90,
                    }
                    for n in mine
                ]
                for start in range(0, len(fixes), PER_REQUEST):
                    some = fixes[start : start + PER_REQUEST]
                    try:
                        client.post("/v1/positions", json=some).raise_for_status()
                    except httpx.HTTPError:  # as a phone that is told to come again: counted, and the next ones follow
                        fixes_of["refused"] += len(some)
                    else:
                        fixes_of["accepted"] += len(some)
                part = (part + 1) % round(EVERY_S)
                over.wait(max(0.0, 1.0 - (time.monotonic() - began)))

    thread = threading.Thread(target=report_all)
    thread.start()
    try:
        yield fixes_of
    finally:
        over.set()
        thread.join()


def opened(browser: Browser, url: str, token: str, *, slow: bool) -> tuple[Page, CDPSession, dict[str, Any]]:
    """A page that shows the map, and how it came to that."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, service_workers="block")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    cdp = context.new_cdp_session(page)
    wire = Wire(cdp)
    if slow:
        cdp.send("Network.emulateNetworkConditions", SLOW)
    began = time.monotonic()
    page.goto(f"{url}/#token={token}", wait_until="commit", timeout=PATIENCE_MS)
    page.wait_for_function(LIST_THERE)
    list_s = time.monotonic() - began
    page.wait_for_function(MAP_THERE)
    took = {"list_s": round(list_s, 1), "map_s": round(time.monotonic() - began, 1), "kb": round(wire.n_bytes / 1000)}
    return page, cdp, took


def watched(page: Page, cdp: CDPSession, seconds: float) -> dict[str, Any]:
    """What a second of looking on takes."""
    cdp.send("Performance.enable")
    page.wait_for_timeout(3000)
    wire = Wire(cdp)

    def now() -> dict[str, float]:
        return {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}

    page.evaluate(COUNT_DRAWN)
    before, began = now(), time.monotonic()
    page.wait_for_timeout(1000 * seconds)
    after, took_s = now(), time.monotonic() - began
    return {
        "script_s_per_s": round((after["ScriptDuration"] - before["ScriptDuration"]) / took_s, 3),
        "frames_per_s": round(page.evaluate("() => window.__drawn") / took_s, 1),
        "kb_per_s": round(wire.n_bytes / took_s / 1000, 1),
        "heap_mb": round(after["JSHeapUsedSize"] / 1e6, 1),
    }


def heap(page: Page, cdp: CDPSession, minutes: int) -> dict[str, Any]:
    """What of it is in use, in MB: at the beginning and after each minute."""

    def used() -> float:
        cdp.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
        return round(float(metrics["JSHeapUsedSize"]) / 1e6, 1)

    cdp.send("Performance.enable")
    found = [used()]
    for _ in range(minutes):
        page.wait_for_timeout(60_000)
        found.append(used())
    return {"heap_mb_each_minute": found}


def measured(
    browser: Browser, url: str, tokens: tuple[str, str], phones: Sequence[Phone], options: Any
) -> dict[str, Any]:
    """That fleet, by a service's token, in a viewer's page: loaded, watched, loaded slowly."""
    service, viewer = tokens
    with moving(url, service, phones):
        time.sleep(EVERY_S + 1)
        page, cdp, took = opened(browser, url, viewer, slow=False)
        found = {"load": took, "watch": watched(page, cdp, options.seconds)}
        if options.heap_minutes:
            found["heap"] = heap(page, cdp, options.heap_minutes)
        page.context.close()
        page, _, found["load, slowly"] = opened(browser, url, viewer, slow=True)
        page.context.close()
    return found


def tokens_of(servers: World) -> tuple[str, str]:
    """Of who sends for all of the fleet, and of who looks on."""
    service, viewer = (
        asyncio.run(make_token(servers.database_url, role, "bench")) for role in (Role.SERVICE, Role.VIEWER)
    )
    return service, viewer


def followed(url: str, tokens: tuple[str, str], phones: Sequence[Phone], options: Any) -> dict[str, Any]:
    """That fleet, followed by many pages at once."""
    service, viewer = tokens
    path = "/v1/live" + (f"?bbox={options.bbox}" if options.bbox else "")
    with moving(url, service, phones) as fixes, opened_pages(url, viewer, options.pages, options.seconds, path) as seen:
        time.sleep(EVERY_S)
        used_s, before, began = cpu_s(url), fixes.copy(), time.monotonic()
        found: dict[str, Any] = seen()
        took_s = time.monotonic() - began
        found["api_processor_s_per_s"] = round((cpu_s(url) - used_s) / took_s, 2)
        found |= {
            f"fixes_{name}_per_s": round((fixes[name] - before[name]) / took_s) for name in ("accepted", "refused")
        }
    return found


def main() -> None:
    options = parser("page", __doc__)
    options.add_argument("--couriers", type=int, nargs="*", help="default: 200 and 5000, or none beside --pages")
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--heap-minutes", type=int, default=0)
    options.add_argument("--pages", type=int, default=0)
    options.add_argument("--pages-couriers", type=int, default=PAGES_COURIERS)
    options.add_argument("--workers", type=int, default=1, help="processes of the API for --pages")
    options.add_argument("--bbox", help="west,south,east,north: the part of the map that --pages look at; default: all")
    arguments = options.parse_args()
    if arguments.couriers is None:
        arguments.couriers = [] if arguments.pages else [200, 5000]
    results: dict[str, Any] = {}
    engines: dict[str, str | None] = {}
    for n in arguments.couriers:
        with world() as servers, serving(servers, "app", "api") as url:
            # Before the browser: Playwright's synchronous interface lets no other loop run in this thread.
            phones = hire(servers, n, with_tokens=False)
            service, viewer = tokens_of(servers)
            engines |= engine_of(servers)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                engines["chromium"] = browser.version
                found = measured(browser, url, (service, viewer), phones, arguments)
                browser.close()
        results |= {f"{name}, {n} couriers": row for name, row in found.items()}
    if arguments.pages:
        with world() as servers, serving(servers, "app", "api", workers=arguments.workers) as url:
            phones = hire(servers, arguments.pages_couriers, with_tokens=False)
            engines |= engine_of(servers)
            results[f"{arguments.pages} pages"] = followed(url, tokens_of(servers), phones, arguments)
    report("page", arguments, engines, results)


if __name__ == "__main__":
    main()
