"""The dashboards: as the code makes them, in PromQL, and of metrics that the program has."""

import importlib
import json
import re

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY

from deploy.dashboards import BOARDS, FOLDER, board
from tests.unit.deploy.test_alerts import ALERTS, RULES

for name in ("app.main", "app.roles"):  # what is imported there is all that is counted anywhere
    importlib.import_module(name)

RECORDED = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load((RULES / "recording.yaml").read_text())["groups"]
    for rule in group["rules"]
}
QUERIES = [query for _, panels in BOARDS.values() for *_, queries in panels for query in queries.values()]


def test_the_files_are_what_the_code_makes():
    assert {path.stem for path in FOLDER.glob("*.json")} == BOARDS.keys()
    for name in BOARDS:
        made = json.loads(board(name))
        assert json.loads((FOLDER / f"{name}.json").read_text()) == made, "python -m deploy.dashboards"
        queries = [target["expr"] for panel in made["panels"] for target in panel["targets"]]
        assert queries == [query for *_, wanted in BOARDS[name][1] for query in wanted.values()]


def metrics_of_the_program():
    names = set()
    for metric in REGISTRY.collect():
        ends = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count"), "counter": ("_total",)}
        names |= {metric.name + end for end in ends.get(metric.type, ("",))}
    return names


@pytest.mark.parametrize(
    "query", [*QUERIES, *RECORDED.values(), *(rule["expr"] for rule in ALERTS.values())], ids=lambda query: query[:60]
)
def test_each_query_can_be_read_and_asks_for_what_there_is(query):
    promql_parser.parse(query)
    known = metrics_of_the_program() | RECORDED.keys()
    assert set(re.findall(r"\bpostrider[a-z0-9_:]+", query)) <= known


def test_no_metric_has_a_label_that_names_somebody():
    for metric in REGISTRY.collect():
        labels = getattr(REGISTRY._names_to_collectors.get(metric.name), "_labelnames", ())
        assert not [label for label in labels if label.endswith("id") or label in {"courier", "order", "token", "user"}]
