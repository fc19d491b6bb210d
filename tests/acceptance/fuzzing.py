"""What the fuzzer leaves out; `test_openapi.py` has it load this file."""

import gc
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import schemathesis

gc.set_threshold(100_000)  # of what it makes up, hardly anything is in a circle
_TRIED: dict[Any, int] = Counter()
_NAME = re.compile(r"Object with valid '([^']+)' value: |(?<=/properties/)([^/]+)")
"""Of a field, in how a value is described, or where its rule stands."""


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """
    Of what one decoder reads the same way wherever it stands the first, the first at each door, and every eighth.

    That is a part of a body within a part (a stop of an order, of an order in a plan, of one in a bulk), and the six
    wrong types of each field, of which many get another one, too.
    """
    about = case.meta.phase.data
    scenario = getattr(about, "scenario", None)
    if scenario is None:
        return True
    said = str(about.location or about.description)
    names = [one or other for one, other in _NAME.findall(said)]
    part: Any = (case.operation.label, about.parameter_location, about.parameter, about.location)
    if case.operation.body and len(names) > 1:
        part = (*_part(case, names), scenario, _NAME.split(said)[-1])
    elif scenario != "incorrect_type":
        return True
    door = (case.operation.label, scenario)
    number = min(_TRIED[part], _TRIED[door])
    _TRIED[part] += 1
    _TRIED[door] += 1
    return number == 0 or (number + len(_TRIED)) % 8 == 0


def _part(case: Any, names: list[str]) -> tuple[str, tuple[str, ...]]:
    """The type that the field at the end of these names belongs to, and the names from there."""
    known = case.operation.schema.raw_schema["components"]["schemas"]
    media = case.operation.definition.raw["requestBody"]["content"]
    at = [(case.operation.label, one["schema"]) for one in media.values()]
    way: tuple[str, ...] = ()
    holder = case.operation.label
    for name in names:
        opened = [(of, node) for one in at for of, node in _opened(*one, known)]
        of, node = next(((of, node) for of, node in opened if name in node.get("properties", {})), (holder, {}))
        way = (*way, name) if of == holder else (name,)
        holder = of
        at = [(holder, node["properties"][name])] if node else opened
    return holder, way


def _opened(of: str, node: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A description and all that it may be, each with the name of its type."""
    if "$ref" in node:
        of = node["$ref"].rpartition("/")[2]
        node = known[of]
    yield of, node
    for one in (*node.get("oneOf", ()), *node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _opened(of, one, known)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), Mapping):
            yield from _opened(of, node[key], known)
