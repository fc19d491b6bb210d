"""The page of capacity, from what was measured; no I/O."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, inf
from typing import Any

from benchmarks.capacity_days import OUTAGE_AT_S, STEP_S, TROUBLES, fixes_of_a_day, orders_of_a_rush
from benchmarks.capacity_fleet import HOUR_S, Costs, Fleet, Terms
from benchmarks.capacity_plan import Plan, fix_redis_us, limits, planned, upload_us
from benchmarks.queues import Round, within_s

SIZES = (
    Fleet(couriers=10_000),
    Fleet(couriers=100_000),
    Fleet(couriers=1_000_000),
    Fleet(couriers=50_000, per_region=50_000),
)

Row = tuple[str, Callable[[Plan], str]]


def page(kept: Mapping[str, Any]) -> str:
    """As Markdown; `kept`: the report of `benchmarks.capacity`."""
    costs, terms = Costs.of(kept["results"]), terms_of(kept["settings"])
    plans = [planned(costs, fleet, terms) for fleet in SIZES]
    parts = [
        _measured(kept, costs),
        "## Machines and money\n\n" + _table(plans, _needs(terms)),
        "## Bad days\n\n" + "\n\n".join(_days(costs, plans, terms)),
        "## What is full first, and what to do then\n\n" + _limits(costs, terms),
    ]
    return "\n\n".join(parts)


def terms_of(settings: Mapping[str, Any]) -> Terms:
    """From the options of the command."""
    return Terms(**{name: settings[name] for name in ("cores", "memory_gb", "machine_month", "disk_gb_month")})


def _measured(kept: Mapping[str, Any], costs: Costs) -> str:
    machine, fleet = kept["machine"], Fleet(couriers=1)
    engines = {name: machine[name] for name in ("python", "postgresql", "timescaledb", "redis") if machine[name]}
    told = ", ".join(f"{name} {version}" for name, version in engines.items())
    of_page = costs.page_us + costs.box_us
    rows = [
        _rate("a fix accepted, one an upload: API", upload_us(costs, fleet)),
        _rate("the same in Redis, with its three readers", fix_redis_us(costs, fleet)),
        _rate("a fix stored: writer", costs.writer_us),
        _rate("the same in PostgreSQL", costs.postgres_us),
        _rate("a fix watched", costs.watch_us),
        *(
            _rate(f"a decision beside {n:,} open orders", us)
            for n, us in zip(costs.orders, costs.decision_us, strict=True)
        ),
        _rate("a further order in the same decision", costs.each_more_us),
        _rate(f"a second of a page with a live map of {costs.page_couriers:,} couriers", of_page),
        ("a fix in the log", f"{costs.log_bytes:.0f} bytes", ""),
        ("a fix in PostgreSQL, not compressed", f"{costs.history_bytes:.0f} bytes", ""),
        ("a courier in Redis; in the watcher", f"{costs.courier_bytes / 1000:.2g} kB; {costs.watch_kb:.3g} kB", ""),
    ]
    lines = [
        "## What one core does",
        "",
        f"Measured on {kept['at'][:10]}, load {machine['load_before']:g} of {machine['cores']} cores ({told}).",
        "",
        "| what | processor time, or room | one core |",
        "|---|---|---|",
        *(_row(what, cells) for what, *cells in rows),
    ]
    return "\n".join(lines)


def _rate(what: str, us: float) -> tuple[str, str, str]:
    took = f"{us:.3g} µs" if us < 1_000 else f"{us / 1_000:,.3g} ms"
    return what, took, f"{1e6 / us:,.0f} a second" if us else ""


def _needs(terms: Terms) -> Sequence[Row]:
    return (
        ("regions, couriers in each", lambda plan: f"{plan.fleet.regions:,} × {plan.fleet.per_region:,}"),
        ("fixes a second at the peak", lambda plan: f"{plan.fleet.fixes_per_s:,.0f}"),
        ("installations", lambda plan: f"{plan.installations}"),
        ("of the largest: API processes", lambda plan: f"{plan.api}"),
        ("… writers", lambda plan: f"{plan.writers}"),
        ("… watchers", lambda plan: f"{plan.watchers}"),
        ("… dispatchers, each with a process that searches", lambda plan: f"{plan.dispatchers}"),
        ("… cores of PostgreSQL, and as many of its replica", lambda plan: f"{plan.postgres_cores}"),
        ("… Redis, of its one core at the peak", lambda plan: f"{100 * plan.redis_busy:.0f} %"),
        (
            f"machines of {terms.cores} cores and {terms.memory_gb:g} GB, of all installations",
            lambda plan: f"{plan.machines}",
        ),
        (f"disk, {terms.retention_days} days of fixes twice", lambda plan: f"{plan.disk_gb / 1000:,.2g} TB"),
        ("money a month", lambda plan: f"{_two_digits(plan.month):,.0f}"),
        ("**a courier and month**", lambda plan: f"**{plan.month / plan.fleet.couriers:.2g}**"),
        ("more than one process or Redis can", lambda plan: ", ".join(plan.beyond) or "nothing"),
    )


def _days(costs: Costs, plans: Sequence[Plan], terms: Terms) -> list[str]:
    found = []
    for name, trouble in TROUBLES.items():
        days = [fixes_of_a_day(costs, plan, terms, trouble) for plan in plans]
        lived = [(plan, orders_of_a_rush(costs, plan, trouble)) for plan in plans]
        rows = [
            ("oldest fix that is stored", [_time(day.oldest_s("history") + STEP_S, "under ") for day in days]),
            ("oldest fix that is watched", [_time(day.oldest_s("watch") + STEP_S, "under ") for day in days]),
            ("most fixes that wait with phones", [_amount(day.most_at_phones()) for day in days]),
            ("most fixes unread in the log", [_amount(day.most_unread()) for day in days]),
            ("oldest order that is decided on", [_decided(plan, rush, 1.0) for plan, rush in lived]),
        ]
        if away_s := max(trouble.database_away_s, trouble.redis_away_s):
            ends_s = OUTAGE_AT_S + away_s
            even = [_time(day.is_even_at_s(ends_s) - ends_s, "within ") for day in days]
            rows.append(("nothing waits any more, after it has come back", even))
        else:
            rows.append(
                ("95 of 100 orders are decided on within", [_decided(plan, rush, 0.95) for plan, rush in lived])
            )
        head = f"| {name}{f', {away_s:.0f} s' if away_s else ''} |" + "".join(f" {_size(plan)} |" for plan in plans)
        found.append("\n".join([head, _rule(plans), *(_row(what, cells) for what, cells in rows)]))
    return found


def _limits(costs: Costs, terms: Terms) -> str:
    fleet = Fleet(couriers=1_000_000)
    rows = [
        _row(f"{_two_digits(n):,.0f}", [whose, what, remedy]) for n, whose, what, remedy in limits(costs, fleet, terms)
    ]
    return "\n".join(["| couriers | of | what is full | what to do |", "|---|---|---|---|", *rows])


def _table(plans: Sequence[Plan], rows: Sequence[Row]) -> str:
    head = "| couriers |" + "".join(f" {_size(plan)} |" for plan in plans)
    return "\n".join([head, _rule(plans), *(_row(what, [tell(plan) for plan in plans]) for what, tell in rows)])


def _size(plan: Plan) -> str:
    whole = f"{plan.fleet.couriers:,}"
    return f"{whole} in one region" if plan.fleet.regions == 1 else whole


def _rule(plans: Sequence[Plan]) -> str:
    return "|---|" + "---|" * len(plans)


def _row(what: str, cells: Sequence[str]) -> str:
    return f"| {what} | " + " | ".join(cells) + " |"


def _two_digits(n: float) -> float:
    return float(f"{n:.2g}")


def _decided(plan: Plan, rush: Sequence[Round], share: float) -> str:
    return "falls behind" if "dispatch" in plan.beyond else _time(within_s(rush, share))


def _time(seconds: float, how: str = "") -> str:
    if seconds == inf:
        return "never that day"
    if seconds >= HOUR_S:
        return f"{how}{seconds / HOUR_S:.1f} h"
    if seconds >= 120:
        return f"{how}{ceil(seconds / 60)} min"
    return f"{how}{seconds:.0f} s" if seconds >= 10 else f"{how}{seconds:.2g} s"


def _amount(n: float) -> str:
    return "none" if n < 1 else f"{_two_digits(n):,.0f}"
