"""`postrider top`: how an installation fares, from the metrics of its processes, anew every few seconds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

Labels = tuple[tuple[str, str], ...]
RATES: Final = {
    "fixes accepted": ("postrider_fixes_accepted_total", {}),
    "fixes stored": ("postrider_fixes_stored_total", {}),
    "fixes unusable": ("postrider_fixes_quarantined_total", {}),
    "uploads refused": ("postrider_ingest_turned_away_total", {}),
    "requests": ("postrider_http_request_seconds_count", {}),
    "requests failed": ("postrider_http_requests_failed_total", {}),
    "orders placed": ("postrider_events_told_total", {"type": "order.placed"}),
    "orders delivered": ("postrider_events_told_total", {"type": "order.delivered"}),
    "offers made": ("postrider_events_told_total", {"type": "offer.made"}),
}
WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The metrics of all processes asked, at one moment."""

    at_s: float
    values: Mapping[str, Mapping[Labels, float]]
    silent: Sequence[str] = ()
    """Addresses that did not answer."""

    def of(self, name: str, **labels: str) -> dict[Labels, float]:
        """Samples of a metric that have these labels."""
        wanted = labels.items()
        return {key: value for key, value in self.values.get(name, {}).items() if wanted <= dict(key).items()}

    def sum(self, name: str, **labels: str) -> float:
        """Of all processes and labels."""
        return sum(self.of(name, **labels).values())


def read(texts: Iterable[str], at_s: float, silent: Sequence[str] = ()) -> Seen:
    """Counters of several processes are added; of what each tells of the whole (gauges) the largest counts."""
    values: dict[str, dict[Labels, float]] = defaultdict(dict)
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key, known = tuple(sorted(sample.labels.items())), values[sample.name]
                before = known.get(key, 0.0)
                known[key] = max(before, sample.value) if family.type == "gauge" else before + sample.value
    return Seen(at_s, values, silent)


@dataclass(frozen=True, slots=True)
class Region:
    """One line of the page."""

    name: str
    n_on_duty: int
    orders: Mapping[str, int]
    oldest_s: float
    lags_s: Mapping[str, float]
    n_alerts: int


@dataclass(frozen=True, slots=True)
class Screen:
    """What the page shows."""

    rates: Mapping[str, float] = field(default_factory=dict)
    regions: Sequence[Region] = ()
    alerts: Mapping[str, int] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    dead_letters: int = 0
    events_wait_s: float = 0.0
    silent: Sequence[str] = ()


def screen(before: Seen, now: Seen) -> Screen:
    """What two looks say together; a counter that went back belongs to a process that began anew."""
    seconds = max(now.at_s - before.at_s, 1e-3)
    rates = {
        title: max(0.0, now.sum(name, **labels) - before.sum(name, **labels)) / seconds
        for title, (name, labels) in RATES.items()
    }
    names = {dict(key)["region"] for key in (*now.of("postrider_couriers_on_duty"), *now.of("postrider_log_fixes"))}
    alerts: dict[str, int] = defaultdict(int)
    for key, n in now.of("postrider_alerts_open").items():
        if n:
            alerts[dict(key)["kind"]] += int(n)
    return Screen(
        rates=rates,
        regions=[_region(now, name) for name in sorted(names)],
        alerts=dict(sorted(alerts.items())),
        roles={dict(key)["role"]: dict(key)["version"] for key in now.of("postrider_build_info")},
        dead_letters=int(now.sum("postrider_dead_letters")),
        events_wait_s=now.sum("postrider_events_oldest_seconds"),
        silent=now.silent,
    )


def _region(now: Seen, name: str) -> Region:
    return Region(
        name,
        int(now.sum("postrider_couriers_on_duty", region=name)),
        {dict(key)["state"]: int(n) for key, n in now.of("postrider_orders", region=name).items()},
        now.sum("postrider_orders_oldest_unassigned_seconds", region=name),
        {dict(key)["group"]: lag_s for key, lag_s in now.of("postrider_log_lag_seconds", region=name).items()},
        int(now.sum("postrider_alerts_open", region=name)),
    )


STATES: Final = ("placed", "assigned", "accepted", "picked_up", "returning")


def drawn(shown: Screen) -> RenderableType:
    """The page."""
    rates = Table(title="a second", expand=False)
    for title in shown.rates:
        rates.add_column(title, justify="right")
    rates.add_row(*(f"{rate:,.1f}" for rate in shown.rates.values()))
    regions = Table(title="regions")
    for title in ("region", "on duty", *(state.replace("_", " ") for state in STATES), "oldest waits", "alerts", "log"):
        regions.add_column(title, justify="left" if title in {"region", "log"} else "right")
    for one in shown.regions:
        lags = ", ".join(f"{group} {lag_s:.0f} s" for group, lag_s in sorted(one.lags_s.items()))
        numbers = (str(one.orders.get(state, 0)) for state in STATES)
        regions.add_row(one.name, str(one.n_on_duty), *numbers, f"{one.oldest_s:.0f} s", str(one.n_alerts), lags)
    alerts = ", ".join(f"{kind} {n}" for kind, n in shown.alerts.items()) or "none"
    roles = ", ".join(f"{role} {version}" for role, version in sorted(shown.roles.items())) or "none"
    lines = [f"alerts: {alerts}", f"roles: {roles}"]
    if shown.dead_letters:
        lines.append(f"dead letters: {shown.dead_letters}")
    if shown.events_wait_s > WITHIN_S:
        lines.append(f"the oldest event waits for {shown.events_wait_s:.0f} s")
    lines += [f"no answer from {url}" for url in shown.silent]
    return Group(rates, regions, *lines)


def look(urls: Sequence[str]) -> Seen:
    """Ask every process."""
    texts, silent = [], []
    for url in urls:
        try:
            answer = httpx.get(f"{url.rstrip('/')}/metrics", timeout=WITHIN_S)
            answer.raise_for_status()
        except httpx.HTTPError:
            silent.append(url)
        else:
            texts.append(answer.text)
    return read(texts, monotonic(), silent)


def top(
    urls: Sequence[str], *, every_s: float, times: int | None, look: Callable[[Sequence[str]], Seen] = look
) -> None:
    """Show it until somebody ends it, or so many times."""
    before = look(urls)
    n = 0
    with Live(console=Console(), auto_refresh=False) as live:
        while times is None or n < times:
            sleep(every_s)
            now = look(urls)
            live.update(drawn(screen(before, now)), refresh=True)
            before, n = now, n + 1
