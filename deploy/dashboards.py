"""
The dashboards of Grafana: `python -m deploy.dashboards` writes deploy/helm/dashboards/*.json, a test compares them.

Each is a table of panels: title, unit, and the queries with their legends.
"""

from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER: Final = Path(__file__).parent / "helm" / "dashboards"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = tuple[str, str, Mapping[str, str]]
"""Title, unit, queries by legend."""


def quantile(q: float, metric: str, by: str = "") -> str:
    """Of a histogram, over five minutes."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket[5m])))"


def rate(metric: str, by: str = "") -> str:
    """A second, over five minutes."""
    return f"sum by ({by}) (rate({metric}[5m]))" if by else f"sum(rate({metric}[5m]))"


BOARDS: Final[Mapping[str, tuple[str, list[Panel]]]] = {
    "ingest": (
        "Ingest",
        [
            (
                "Fixes a second",
                "cps",
                {
                    "accepted": rate("postrider_fixes_accepted_total"),
                    "stored": rate("postrider_fixes_stored_total"),
                    "stored already": rate("postrider_fixes_duplicate_total"),
                    "off shift": rate("postrider_fixes_off_shift_total"),
                },
            ),
            (
                "Unusable or refused",
                "cps",
                {
                    "quarantined: {{reason}}": rate("postrider_fixes_quarantined_total", "reason"),
                    "answered 503: {{reason}}": rate("postrider_ingest_turned_away_total", "reason"),
                },
            ),
            (
                "Uploads, p50 and p99",
                "s",
                {
                    "wait p99": quantile(0.99, "postrider_ingest_wait_seconds"),
                    "commit p50": quantile(0.5, "postrider_ingest_commit_seconds"),
                    "commit p99": quantile(0.99, "postrider_ingest_commit_seconds"),
                    "store p99": quantile(0.99, "postrider_writer_store_seconds"),
                },
            ),
            (
                "How far readers of the log are behind",
                "s",
                {"{{region}} {{group}}": "max by (region, group) (postrider_log_lag_seconds)"},
            ),
            (
                "Fixes waiting in the log",
                "short",
                {"{{region}} {{group}}": "max by (region, group) (postrider_log_fixes)"},
            ),
            (
                "Age of fixes when they come",
                "s",
                {
                    "p50": quantile(0.5, "postrider_fix_age_seconds"),
                    "p95": quantile(0.95, "postrider_fix_age_seconds"),
                },
            ),
            ("Dead letters", "short", {"{{region}}": "max by (region) (postrider_dead_letters)"}),
            ("Next four days without a part", "short", {"days": "max(postrider_position_parts_missing)"}),
            ("Fixes of no day's part", "short", {"fixes": "max(postrider_positions_apart)"}),
        ],
    ),
    "dispatch": (
        "Dispatch",
        [
            (
                "Open orders",
                "short",
                {"{{region}} {{state}}": "max by (region, state) (postrider_orders)"},
            ),
            (
                "Oldest order that nobody has",
                "s",
                {"{{region}}": "max by (region) (postrider_orders_oldest_unassigned_seconds)"},
            ),
            ("Couriers on duty", "short", {"{{region}}": "max by (region) (postrider_couriers_on_duty)"}),
            (
                "Steps of a quick cycle, mean",
                "s",
                {
                    "{{region}} {{step}}": "sum by (region, step) (rate(postrider_dispatch_step_seconds_sum[5m]))"
                    " / sum by (region, step) (rate(postrider_dispatch_step_seconds_count[5m]))",
                },
            ),
            (
                "Cycle, p95",
                "s",
                {"{{depth}}": quantile(0.95, "postrider_dispatch_cycle_seconds", "depth")},
            ),
            (
                "Since a region was planned",
                "s",
                {"{{region}}": "time() - max by (region) (postrider_dispatch_success_timestamp_seconds)"},
            ),
            (
                "Offers",
                "cps",
                {"{{type}}": 'sum by (type) (rate(postrider_events_told_total{type=~"offer[.].*"}[5m]))'},
            ),
            (
                "Left out",
                "short",
                {"{{part}} {{region}} {{subject}}": "max by (part, region, subject) (postrider_left_out)"},
            ),
        ],
    ),
    "service": (
        "Service level",
        [
            (
                "Share of each promise that is not kept, 1 h",
                "percentunit",
                {
                    "uploads": "postrider:ingest_failed:ratio_rate1h",
                    "requests": "postrider:api_failed:ratio_rate1h",
                    "offers within 10 s": "postrider:offer_failed:ratio_rate1h",
                },
            ),
            (
                "The same, 3 d",
                "percentunit",
                {
                    "uploads": "postrider:ingest_failed:ratio_rate3d",
                    "requests": "postrider:api_failed:ratio_rate3d",
                    "offers within 10 s": "postrider:offer_failed:ratio_rate3d",
                },
            ),
            (
                "From order to offer",
                "s",
                {
                    "p50": quantile(0.5, "postrider_order_offer_seconds"),
                    "p95": quantile(0.95, "postrider_order_offer_seconds"),
                },
            ),
            (
                "Orders through their lives",
                "cps",
                {"{{type}}": 'sum by (type) (rate(postrider_events_told_total{type=~"order[.].*"}[5m]))'},
            ),
            (
                "Requests by route, p99",
                "s",
                {"{{route}}": "topk(10, postrider:request_seconds:p99_5m)"},
            ),
            (
                "Failures by route",
                "cps",
                {"{{route}}": "topk(10, sum by (route) (rate(postrider_http_requests_failed_total[5m])))"},
            ),
            (
                "Open alerts of the desk",
                "short",
                {"{{region}} {{kind}}": "max by (region, kind) (postrider_alerts_open)"},
            ),
        ],
    ),
    "eta": (
        "ETA truth",
        [
            (
                "Arrivals inside the spread that is told (80 % should be)",
                "percentunit",
                {"1 d": "postrider:eta_inside:ratio_1d"},
            ),
            (
                "Where the others fell",
                "cps",
                {"{{side}}": rate("postrider_eta_truth_total", "side")},
            ),
            (
                "Error by how far ahead it was told, p50",
                "s",
                {"{{ahead_s}} s": quantile(0.5, "postrider_eta_error_seconds", "ahead_s")},
            ),
            (
                "The same, p90",
                "s",
                {"{{ahead_s}} s": quantile(0.9, "postrider_eta_error_seconds", "ahead_s")},
            ),
            (
                "Real by predicted time of legs, median",
                "none",
                {"{{base}}": quantile(0.5, "postrider_leg_error_ratio", "base")},
            ),
            ("Arrivals told", "cps", {"a second": rate("postrider_eta_told_total")}),
        ],
    ),
    "gateways": (
        "Gateways and live maps",
        [
            ("Events that wait", "short", {"events": "max(postrider_events_waiting)"}),
            ("Age of the oldest", "s", {"age": "max(postrider_events_oldest_seconds)"}),
            ("Attempts by outcome", "cps", {"{{outcome}}": rate("postrider_events_sent_total", "outcome")}),
            ("Live maps", "short", {"open": "sum(postrider_live_viewers)"}),
            ("Sent to them", "Bps", {"bytes": rate("postrider_live_sent_bytes_total")}),
            ("Cut off", "cps", {"too slow": rate("postrider_live_dropped_total")}),
        ],
    ),
    "dependencies": (
        "Dependencies and processes",
        [
            (
                "Connections to the database",
                "short",
                {"{{role}} {{state}}": "sum by (role, state) (postrider_database_connections)"},
            ),
            (
                "Connections to Redis",
                "short",
                {"{{role}} {{use}} {{state}}": "sum by (role, use, state) (postrider_redis_connections)"},
            ),
            ("Mistakes", "cps", {"{{event}}": rate("postrider_dependency_mistakes_total", "event")}),
            ("Travel times by source", "cps", {"{{source}}": rate("postrider_travel_answers_total", "source")}),
            (
                "Maps APIs, p95",
                "s",
                {"{{engine}}": quantile(0.95, "postrider_travel_request_seconds", "engine")},
            ),
            (
                "Spent on maps a day",
                "short",
                {"{{engine}}": "sum by (engine) (increase(postrider_travel_spent_total[1d]))"},
            ),
            ("Maps APIs left alone", "short", {"{{engine}}": "max by (engine) (postrider_travel_breaker_open)"}),
            (
                "How late timers are, p99",
                "s",
                {"{{role}}": quantile(0.99, "postrider_event_loop_lag_seconds", "role")},
            ),
            ("Tasks that died", "cps", {"{{task}}": rate("postrider_task_deaths_total", "task")}),
            (
                "Since periodic work went well",
                "s",
                {"{{work}}": "time() - max by (work) (postrider_job_success_timestamp_seconds)"},
            ),
            ("Versions", "short", {"{{version}} {{role}}": "count by (version, role) (postrider_build_info)"}),
        ],
    ),
}


def board(name: str) -> str:
    """One dashboard as JSON."""
    title, panels = BOARDS[name]
    made = (
        dashboard.Dashboard(f"Postrider: {title}")
        .uid(f"postrider-{name}")
        .tags(["postrider"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for number, (heading, unit, queries) in enumerate(panels, 1):
        panel = timeseries.Panel().id(number).title(heading).unit(unit).min(0).height(8).span(12).datasource(SOURCE)
        for letter, (legend, expr) in zip(ascii_uppercase, queries.items(), strict=False):
            query = prometheus.Dataquery().ref_id(letter).expr(expr).legend_format(legend).datasource(SOURCE)
            panel = panel.with_target(query)
        made = made.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(board(name))


if __name__ == "__main__":
    main()
