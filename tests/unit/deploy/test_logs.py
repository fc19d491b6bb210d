"""Lines of the program and of the proxy fit what Elastic and Loki are told of them."""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import yaml

from app.logs import JsonFormatter, begin_trace
from tests.unit.deploy.test_alerts import ROOT

ELASTIC: Final = ROOT / "deploy" / "elastic"
LOKI: Final = ROOT / "deploy" / "loki"
TEMPLATE: Final = json.loads((ELASTIC / "template.json").read_text())
KNOWN_PROCESSORS: Final = {"date", "dot_expander", "json", "remove", "set"}
TAKES: Final[dict[str, tuple[type, ...]]] = {
    "date": (str,),
    "keyword": (str,),
    "match_only_text": (str,),
    "wildcard": (str,),
    "long": (int,),
}
"""What each type of field is given; of `flattened` everything below is kept as words."""


def fields(properties: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each field of a mapping, by its whole name, with its type."""
    for name, told in properties.items():
        if "properties" in told:
            yield from fields(told["properties"], f"{before}{name}.")
        else:
            yield f"{before}{name}", told["type"]


FIELDS: Final = dict(fields(TEMPLATE["template"]["mappings"]["properties"]))


def misfits(line: str) -> set[str]:
    """Names in a line that Elasticsearch has no field for, or another type of."""
    found = set()
    for name, value in json.loads(line).items():
        if FIELDS.get(name.partition(".")[0]) == "flattened":
            continue
        wanted = TAKES.get(FIELDS.get(name, ""), ())
        if not isinstance(value, wanted) or isinstance(value, bool):
            found.add(name)
    return found


def whole_line() -> str:
    """A line with everything that a line may have."""
    begin_trace(None)
    try:
        int("odd")
    except ValueError:
        facts = {"event": "task_died", "n": 3, "share": 0.5, "regions": ["north"]}
        record = logging.getLogger("app").makeRecord(
            "app", logging.ERROR, __file__, 1, "task died", (), sys.exc_info(), extra=facts
        )
    return JsonFormatter().format(record)


def proxy_line() -> str:
    """A line as nginx writes it."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    parts = re.search(r"log_format masked escape=json\s+((?:'.*'\s*)+);", text)
    assert parts is not None
    line = "".join(re.findall(r"'(.*)'", parts[1]))
    samples = {"$status": "200", "$body_bytes_sent": "17", "$request_time": "0.004"}
    return re.sub(r"(?<=:)\$\w+", lambda found: samples[found[0]], line)


@pytest.mark.parametrize("line", [whole_line, proxy_line])
def test_each_name_in_a_line_is_a_field_of_its_type(line):
    assert misfits(line()) == set()


def test_a_name_that_is_no_field_is_noticed():
    assert misfits('{"event.duration_s": 1, "process.pid": "7", "log.level": "info"}') == {
        "event.duration_s",
        "process.pid",
    }


def test_the_pipeline_keeps_what_it_cannot_read_and_is_named_by_the_template():
    pipeline = json.loads((ELASTIC / "pipeline.json").read_text())
    assert {name for step in pipeline["processors"] for name in step} <= KNOWN_PROCESSORS
    assert {"dot_expander": {"field": "*", "override": True}} in pipeline["processors"]  # our names have dots
    elsewhere = [step["set"]["value"] for step in pipeline["on_failure"] if step["set"]["field"] == "_index"]
    shipped = yaml.safe_load((ELASTIC / "filebeat.yaml").read_text())["output.elasticsearch"]["index"]
    [pattern] = TEMPLATE["index_patterns"]
    assert all(re.fullmatch(pattern.replace("*", ".+"), name) for name in (shipped, *elsewhere))
    assert TEMPLATE["template"]["settings"]["index.default_pipeline"] == "postrider"


def test_loki_is_given_names_that_lines_have_and_few_labels():
    line = json.loads(whole_line())
    text = (LOKI / "alloy.alloy").read_text()
    read = dict(re.findall(r'(\w+) = "\\"([\w@.]+)\\""', text))
    assert read.keys() == {"at", "level", "action", "trace_id"}
    assert set(read.values()) <= line.keys()
    labels = re.search(r"stage\.labels \{\s+values = \{(.*)\}", text)
    assert labels is not None
    assert labels[1] == 'level = ""'  # a label is an index: no ids
    told = yaml.safe_load((LOKI / "loki.yaml").read_text())
    assert told["limits_config"]["allow_structured_metadata"]
    assert told["compactor"]["retention_enabled"]
