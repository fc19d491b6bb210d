"""What is taken as settings of a region can be read by whoever it concerns, is what the schema says, does something."""

import json
from dataclasses import fields, is_dataclass

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import Settings
from app.shapes.regions import settings_schema
from app.wiring.params import cycle_of
from dispatch.alerts.facts import AlertParams
from dispatch.aside import REGION, Aside
from dispatch.planning.propose import propose
from dispatch.region.settings import DispatchSettings, OfferSettings, in_force, overlaid
from dispatch.regions import RegionFacts, faults_of, merged
from tests.unit.dispatch.planning.worlds import worlds

PARAMS = cycle_of(Settings())
SCHEMA = settings_schema(PARAMS)
VALID = jsonschema_rs.validator_for(SCHEMA)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab/~")
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner))


def of_schema(schema):
    """Values that it allows, the edges among them."""
    match schema:
        case {"properties": properties}:
            needed = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: of_schema(one) for name, one in properties.items() if name in needed},
                optional={name: of_schema(one) for name, one in properties.items() if name not in needed},
            )
        case {"type": "array", "items": items}:
            return st.lists(of_schema(items), max_size=2)
        case {"enum": choices}:
            return st.sampled_from(choices)
        case {"anyOf": kinds}:
            return st.one_of([of_schema(kind) for kind in kinds])
        case {"type": "null"}:
            return st.none()
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer", "minimum": least, "maximum": most}:
            return st.sampled_from([least, most]) | st.integers(least, most)
        case {"type": "number", "minimum": least, "maximum": most}:
            return st.sampled_from([least, most]) | st.floats(least, most)
        case {"type": "number", "exclusiveMinimum": least, "maximum": most}:
            return st.floats(least, most, exclude_min=True)
        case {"type": "string", "pattern": pattern}:
            return st.from_regex(pattern, fullmatch=True)
        case {"type": "string", "maxLength": most}:
            return st.text("ab/~", min_size=schema.get("minLength", 0), max_size=most)
    raise AssertionError(schema)


allowed = of_schema(SCHEMA)


@st.composite
def perhaps_spoilt(draw):
    """What the schema allows, mostly with something put in place of a part of it."""
    settings = draw(allowed)
    if draw(st.booleans()):
        group = draw(st.sampled_from([*SCHEMA["properties"], "other"]))
        named = list(SCHEMA["properties"].get(group, {}).get("properties", ())) or ["other"]
        inner = st.dictionaries(st.sampled_from([*named, "other"]), anything, max_size=2)
        settings = settings | {group: draw(anything | inner)}
    return settings


def refused(settings):
    return faults_of(RegionFacts(title="x", settings=settings), PARAMS)


@given(perhaps_spoilt())
def test_what_is_taken_is_read_and_what_is_refused_says_where(settings):
    stored = json.loads(msgspec.json.encode(merged({}, settings)))
    faults = refused(stored)
    if not faults:
        aside = Aside()
        in_force(PARAMS, stored, aside)
        overlaid(AlertParams(), stored.get("alerts", {}))
        assert aside.causes == {}
        assert VALID.is_valid(stored)
    for pointer, _ in faults:
        found = {"settings": stored}
        for part in pointer.split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]


@given(allowed)
def test_what_the_schema_allows_is_taken_unless_two_settings_do_not_fit_each_other(settings):
    assert VALID.is_valid(settings)
    assert {pointer for pointer, _ in refused(settings)} <= {
        "/settings/alerts",
        "/settings/depots",
        "/settings/depots/places",
        "/settings/returns",
    }


@given(of_schema(SCHEMA["properties"]["dispatch"]), worlds(max_jobs=4, max_workers=3))
def test_planner_bears_whatever_is_taken(settings, world):
    params = in_force(PARAMS, {"dispatch": settings}, Aside())
    plan = propose(world, params.plan)
    assert {given.order_id for given in (*plan.assignments, *plan.unassigned)} == {job.order_id for job in world.jobs}


def settings_of(group, path=()):
    for one in fields(group):
        value = getattr(group, one.name)
        yield from settings_of(value, (*path, one.name)) if is_dataclass(value) else [(*path, one.name)]


@pytest.mark.parametrize(
    ("group", "path"),
    # Read with the couriers and their areas; test_nobody_has_it.py and test_zones.py show what they do.
    [
        ("dispatch", path)
        for path in settings_of(DispatchSettings())
        if path[0] not in {"without_shift", "area", "partners"}
    ]
    + [("offers", path) for path in settings_of(OfferSettings()) if path != ("ask",)],
)
def test_every_setting_changes_how_the_region_is_run(group, path):
    schema, default = SCHEMA["properties"][group], None
    for name in path:
        schema = schema["properties"][name]
        default = schema["default"]
    other = next(value for value in edges(schema) if value != default)
    settings = {group: {path[0]: other if len(path) == 1 else {path[1]: other}}}
    assert refused(settings) == []
    assert in_force(PARAMS, settings, Aside()) != PARAMS


def edges(schema):
    match schema:
        case {"anyOf": kinds}:
            return [edge for kind in kinds for edge in edges(kind)]
        case {"enum": choices}:
            return choices
        case {"type": "boolean"}:
            return [False, True]
        case {"minimum": least, "maximum": most}:
            return [most, least]
    return [None]


def test_nothing_set_is_what_the_installation_has():
    assert in_force(PARAMS, {}, Aside()) == PARAMS


@pytest.mark.parametrize("odd", [7, "x", None, [], {"dispatch": 7}, {"dispatch": {"horizon_s": -1}}])
def test_what_was_written_by_other_means_leaves_the_installation_s_and_is_told(odd):
    aside = Aside()
    assert in_force(PARAMS, odd, aside) == PARAMS
    assert "read settings." in aside.causes[REGION]


def test_group_that_cannot_be_read_leaves_the_other_one():
    found = in_force(PARAMS, {"dispatch": {"horizon_s": "x"}, "offers": {"offer_for_s": 30}}, Aside())
    assert (found.offer_for_s, found.plan) == (30, PARAMS.plan)
