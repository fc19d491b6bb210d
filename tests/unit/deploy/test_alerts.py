"""The alerts: each fires on its cause and not without, names its section of the runbook, and reaches somebody."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
RULES: Final = ROOT / "deploy" / "helm" / "rules"
RUNBOOK: Final = ROOT / "deploy" / "runbook.md"
ALERTMANAGER: Final = ROOT / "deploy" / "prometheus" / "alertmanager.yaml"
ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}

LONG = "x240"  # four hours, a value a minute
ROLES = {
    f'postrider_build_info{{role="{role}",version="1"}}': f"1{LONG}" for role in ("api", "writer", "watch", "dispatch")
}
UPLOADS = 'postrider_http_request_seconds_count{route="/v1/positions",status="%s"}'
ASKED = 'postrider_http_request_seconds_count{route="/v1/orders",status="%s"}'
OFFERS = {
    'postrider_order_offer_seconds_bucket{le="10.0"}': f"0+%d{LONG}",
    "postrider_order_offer_seconds_count": f"0+10{LONG}",
}


def refused(route: str, n: int) -> dict[str, str]:
    return {route % 202: f"0+1000{LONG}", route % 503: f"0+{n}{LONG}"}


def held(expression: str, value: float = 1) -> dict[str, str]:
    return {expression: f"{value}{LONG}"}


def growing(expression: str, by: float) -> dict[str, str]:
    return {expression: f"0+{by}{LONG}"}


def offered(n_soon: int, of: int) -> dict[str, str]:
    soon = growing('postrider_order_offer_seconds_bucket{le="10.0"}', n_soon)
    return soon | growing("postrider_order_offer_seconds_count", of)


CASES: Final[dict[str, tuple[dict[str, str], dict[str, str]]]] = {
    # alert: (series with the cause, series without)
    "RoleDown": (held('up{job="postrider-api"}', 0), held('up{job="postrider-api"}')),
    "NobodyTells": ({}, ROLES),
    "RoleMissing": (dict(list(ROLES.items())[:3]), ROLES),
    "TaskDies": (
        growing('postrider_task_deaths_total{task="watch"}', 1),
        held('postrider_task_deaths_total{task="watch"}'),
    ),
    "Mistakes": (
        growing('postrider_dependency_mistakes_total{event="writer_outage"}', 1),
        held('postrider_dependency_mistakes_total{event="writer_outage"}', 7),
    ),
    "EventLoopBusy": (
        growing('postrider_event_loop_lag_seconds_bucket{role="watch",le="1.0"}', 100)
        | growing('postrider_event_loop_lag_seconds_bucket{role="watch",le="0.5"}', 90)
        | growing('postrider_event_loop_lag_seconds_bucket{role="watch",le="+Inf"}', 100),
        growing('postrider_event_loop_lag_seconds_bucket{role="watch",le="0.5"}', 100)
        | growing('postrider_event_loop_lag_seconds_bucket{role="watch",le="+Inf"}', 100),
    ),
    "PoolExhausted": (
        held('postrider_database_connections{role="api",state="idle"}', 0)
        | held('postrider_database_connections{role="api",state="free"}', 0),
        held('postrider_database_connections{role="api",state="idle"}', 0)
        | held('postrider_database_connections{role="api",state="free"}', 3),
    ),
    "JobLate": (
        held('postrider_job_success_timestamp_seconds{work="retention"}', 0),
        growing('postrider_job_success_timestamp_seconds{work="retention"}', 60),
    ),
    "VersionsMixed": (
        held('postrider_build_info{role="api",version="1"}') | held('postrider_build_info{role="watch",version="2"}'),
        ROLES,
    ),
    "IngestBurnsFast": (refused(UPLOADS, 30), refused(UPLOADS, 1)),
    "IngestBurnsSlowly": (refused(UPLOADS, 10), refused(UPLOADS, 1)),
    "IngestSlow": (
        growing('postrider_ingest_commit_seconds_bucket{le="1.0"}', 100)
        | growing('postrider_ingest_commit_seconds_bucket{le="0.5"}', 90)
        | growing('postrider_ingest_commit_seconds_bucket{le="+Inf"}', 100),
        growing('postrider_ingest_commit_seconds_bucket{le="0.5"}', 100)
        | growing('postrider_ingest_commit_seconds_bucket{le="+Inf"}', 100),
    ),
    "LogLag": (
        growing('postrider_log_lag_seconds{region="r",group="history"}', 60),
        held('postrider_log_lag_seconds{region="r",group="history"}', 60),
    ),
    "ReaderLag": (
        growing('postrider_log_lag_seconds{region="r",group="watch"}', 60),
        growing('postrider_log_lag_seconds{region="r",group="history"}', 60),
    ),
    "ReaderLost": (
        growing('postrider_log_readers_lost_total{group="watch"}', 1),
        held('postrider_log_readers_lost_total{group="watch"}'),
    ),
    "DeadLetters": (held('postrider_dead_letters{region="r"}', 3), held('postrider_dead_letters{region="r"}', 0)),
    "DaysMissing": (held("postrider_position_parts_missing", 2), held("postrider_position_parts_missing", 1)),
    "ManyUnusable": (
        growing("postrider_fixes_accepted_total", 50) | growing('postrider_fixes_quarantined_total{reason="jump"}', 10),
        growing("postrider_fixes_accepted_total", 50) | growing('postrider_fixes_quarantined_total{reason="jump"}', 1),
    ),
    "Silence": (
        held('postrider_couriers_on_duty{region="r"}', 9) | held("postrider_fixes_accepted_total", 100),
        held('postrider_couriers_on_duty{region="r"}', 9) | growing("postrider_fixes_accepted_total", 1),
    ),
    "ApiBurnsFast": (refused(ASKED, 30), refused(ASKED, 1)),
    "ApiBurnsSlowly": (refused(ASKED, 10), refused(UPLOADS, 10)),
    "ViewersDropped": (growing("postrider_live_dropped_total", 10), growing("postrider_live_dropped_total", 1)),
    "RegionNotPlanned": (
        held('postrider_dispatch_success_timestamp_seconds{region="r"}', 0),
        growing('postrider_dispatch_success_timestamp_seconds{region="r"}', 60),
    ),
    "LaneFails": (
        growing('postrider_lane_failures_total{lane="dispatch",region="r"}', 2),
        held('postrider_lane_failures_total{lane="dispatch",region="r"}', 9),
    ),
    "OrdersWait": (
        held('postrider_orders_oldest_unassigned_seconds{region="r"}', 1000),
        held('postrider_orders_oldest_unassigned_seconds{region="r"}', 100),
    ),
    "OffersBurnSlowly": (offered(5, of=10), offered(9, of=10)),
    "LeftOut": (
        held('postrider_left_out{part="dispatch",region="r",subject="order"}'),
        held('postrider_left_out{part="dispatch",region="r",subject="order"}', 0),
    ),
    "FencesLeftOut": (
        held('postrider_watch_fences_set_aside{region="r"}'),
        held('postrider_watch_fences_set_aside{region="r"}', 0),
    ),
    "ArrivalsUntrue": (
        growing('postrider_eta_truth_total{side="inside"}', 5) | growing('postrider_eta_truth_total{side="later"}', 5),
        growing('postrider_eta_truth_total{side="inside"}', 8) | growing('postrider_eta_truth_total{side="later"}', 2),
    ),
    "EngineDown": (
        held('postrider_travel_breaker_open{engine="osrm"}'),
        held('postrider_travel_breaker_open{engine="osrm"}', 0),
    ),
    "MapsGuessed": (
        growing('postrider_travel_answers_total{source="default"}', 9)
        | growing('postrider_travel_answers_total{source="osrm"}', 1)
        | held('postrider_travel_breaker_open{engine="osrm"}', 0),
        growing('postrider_travel_answers_total{source="default"}', 9),  # no engine is set: nothing else is expected
    ),
    "EventsWait": (held("postrider_events_oldest_seconds", 1000), held("postrider_events_oldest_seconds", 5)),
    "EventsGivenUp": (
        growing('postrider_events_sent_total{outcome="given_up"}', 1),
        growing('postrider_events_sent_total{outcome="taken"}', 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["alerts", "recording"])
def test_the_rules_are_valid(name):
    done = subprocess.run(
        ["promtool", "check", "rules", RULES / f"{name}.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def recorded_for(expression: str) -> list[dict[str, Any]]:
    """The recording rules that an alert reckons with."""
    groups = yaml.safe_load((RULES / "recording.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["record"] in expression]


def test_each_alert_fires_on_its_cause_and_not_without(tmp_path):
    assert CASES.keys() == ALERTS.keys()
    for name, rule in ALERTS.items():
        # Alone, and without its words, so that a case says which series matter and no more.
        bare = {"alert": name, "expr": rule["expr"], "for": rule["for"]}
        counted = {"record": "n", "expr": 'count(ALERTS{alertstate="firing"}) or vector(0)'}
        groups = [{"name": name, "rules": [*recorded_for(rule["expr"]), bare, counted]}]
        (tmp_path / f"{name}.rules").write_text(yaml.safe_dump({"groups": groups}))
        tests = [
            {
                "interval": "1m",
                "input_series": [{"series": expression, "values": value} for expression, value in series.items()],
                "promql_expr_test": [
                    {
                        "expr": "n > bool 0",
                        "eval_time": "3h",
                        "exp_samples": [{"labels": "{}", "value": int(is_firing)}],
                    }
                ],
            }
            for series, is_firing in zip(CASES[name], (True, False), strict=True)
        ]
        told = {"rule_files": [f"{name}.rules"], "evaluation_interval": "5m", "tests": tests}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(told))
    files = sorted(tmp_path.glob("*.yaml"))
    done = subprocess.run(["promtool", "test", "rules", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def sections() -> dict[str, str]:
    """The runbook's sections by their name."""
    parts = re.split(r"^### (\w+)\n", RUNBOOK.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_alert_has_its_section_of_the_runbook_and_names_it():
    assert sections().keys() == ALERTS.keys()
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"deploy/runbook.md#{name.lower()}"
        assert "1." in sections()[name], f"{name}: what is to be done?"


@pytest.mark.parametrize(
    ("severity", "area", "receivers"), [("page", "ingest", "pager,slack"), ("ticket", "dispatch", "slack,mail")]
)
def test_alerts_reach_who_must_act(severity, area, receivers):
    config = f"--config.file={ALERTMANAGER}"
    checked = subprocess.run(["amtool", "check-config", ALERTMANAGER], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    asked = ["amtool", "config", "routes", "test", config, f"severity={severity}", f"area={area}"]
    assert subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == receivers
    assert {rule["labels"]["severity"] for rule in ALERTS.values()} == {"page", "ticket"}
