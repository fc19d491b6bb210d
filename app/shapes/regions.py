"""Regions as they go over HTTP, and the description of what can be set of one."""

import inspect
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from app.settings import meanings_of
from dispatch.region.params import CycleParams
from dispatch.regions import RegionFacts, RegionRecord, groups, merged

Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", max_length=63)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
TimeZone = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="IANA name, such as Europe/Lisbon.")]
Settings = Annotated[
    dict[str, Any],
    msgspec.Meta(
        description="Groups `alerts`, `depots`, `desk`, `dispatch`, `offers`, `privacy`, `proof`, `recipient`,"
        " `returns`, `tracking`: what differs from the installation;"
        " `GET /v1/regions/{name}/settings/schema` describes them."
    ),
]


class Outline(msgspec.Struct, kw_only=True):
    """GeoJSON geometry: Polygon or MultiPolygon, holes and all."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Any]


class NewRegion(msgspec.Struct, kw_only=True):
    """A region to be."""

    name: Name
    title: Title | None = None
    """For people; the name, where none is given."""
    timezone: TimeZone = "UTC"
    boundary: Outline | None = None
    settings: Settings = {}


class RegionPatch(msgspec.Struct, kw_only=True):
    """
    What shall change; `version` (or If-Match) refuses the change when somebody else was first.

    `settings` is a JSON merge patch (RFC 7396): what is null goes back to what the installation has.
    """

    title: Title | msgspec.UnsetType = msgspec.UNSET
    timezone: TimeZone | msgspec.UnsetType = msgspec.UNSET
    boundary: Outline | msgspec.UnsetType | None = msgspec.UNSET
    settings: Settings | msgspec.UnsetType = msgspec.UNSET
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | msgspec.UnsetType = msgspec.UNSET


class Region(msgspec.Struct, kw_only=True):
    """A city or the like."""

    name: str
    title: str
    timezone: str
    boundary: dict[str, Any] | None
    settings: dict[str, Any]
    """What differs from the installation."""
    version: int
    created_at: datetime
    updated_at: datetime


def region_shape(record: RegionRecord) -> Region:
    """As it goes out."""
    facts = record.facts
    return Region(
        name=record.name,
        title=facts.title,
        timezone=facts.timezone,
        boundary=None if facts.boundary is None else dict(facts.boundary),
        settings=facts.settings,
        version=record.version,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def facts_of(new: NewRegion) -> RegionFacts:
    """What is said of a new region."""
    boundary = None if new.boundary is None else msgspec.to_builtins(new.boundary)
    return RegionFacts(
        title=new.title or new.name, timezone=new.timezone, boundary=boundary, settings=merged({}, new.settings)
    )


def settings_schema(params: CycleParams) -> dict[str, Any]:
    """JSON Schema of the settings of a region; defaults are the installation's."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of a region",
        **_object({name: _schema_of(group) for name, group in groups(params).items()}),
    }


def _schema_of(group: Any) -> dict[str, Any]:
    types, meanings = get_type_hints(type(group), include_extras=True), meanings_of(type(group))
    properties = {}
    for one in fields(group):
        value = getattr(group, one.name)
        default = list(value) if isinstance(value, tuple) else value
        known = {"description": meanings[one.name], "default": msgspec.to_builtins(default)}
        properties[one.name] = (_schema_of(value) if is_dataclass(value) else _value_schema(types[one.name])) | known
    return {"description": (inspect.getdoc(type(group)) or "").splitlines()[0], **_object(properties)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value_schema(kind: Any) -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components([kind])
    found: dict[str, Any] = _inlined(schema, components)
    return found


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """A schema that stands for itself."""
    match schema:
        case {"$ref": name}:
            return _inlined(components[name.rpartition("/")[2]], components)
        case dict():
            return {name: _inlined(one, components) for name, one in schema.items()}
        case list():
            return [_inlined(one, components) for one in schema]
    return schema


def settings_table(params: CycleParams) -> str:
    """The same as a Markdown table, for the page: group, setting, default, range, meaning."""
    rows = ["| setting | default | range | meaning |", "|---|---|---|---|"]
    for name, group in settings_schema(params)["properties"].items():
        rows += _rows(name, group)
    return "\n".join(rows)


def _rows(path: str, schema: dict[str, Any]) -> list[str]:
    rows = []
    for name, one in schema["properties"].items():
        if "properties" in one:
            rows += _rows(f"{path}.{name}", one)
        else:
            default = "" if one["default"] is None else f"`{one['default']}`"
            rows.append(f"| `{path}.{name}` | {default} | {_range(one)} | {one['description']} |")
    return rows


def _range(schema: dict[str, Any]) -> str:
    match schema:
        case {"type": "array", "maxItems": most}:
            return f"a list, at most {most}"
        case {"enum": choices}:
            return ", ".join(f"`{choice}`" for choice in choices)
        case {"minimum": least, "maximum": most}:
            return f"{least:g} to {most:g}"
        case {"anyOf": [{"minimum": least, "maximum": most}, *_] | [_, {"minimum": least, "maximum": most}]}:
            return f"{least:g} to {most:g}"
        case {"anyOf": kinds}:
            return " or ".join(kind["type"] for kind in kinds if kind["type"] != "null")
        case _:
            return str(schema["type"])
