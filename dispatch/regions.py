"""
Regions: made, looked at, and set; what cannot be used is not stored.

What is told of a setting here comes from the types that dispatcher and watcher read it with, and the boundary is made
an area as the watcher makes it: whatever is stored can be read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta

from dispatch.alerts.facts import AlertParams
from dispatch.errors import RegionExists, RegionNotFound, TooManyRegions, VersionConflict
from dispatch.orders import depots, proof, returns
from dispatch.orders.depots import DepotSettings
from dispatch.orders.proof import ProofSettings
from dispatch.orders.returns import ReturnSettings
from dispatch.orders.rows import from_json, to_json
from dispatch.region.params import CycleParams
from dispatch.region.settings import BOUNDARY, DispatchSettings, OfferSettings, faults, group_of, overlaid
from sql import queries
from tracking.feed.feed import MAX_REGIONS
from tracking.parts import MOST
from tracking.position import Region
from tracking.watching.area import Area
from tracking.watching.fence_rows import check_timezone

NAME: Final = re.compile("[a-z0-9][a-z0-9_-]{0,62}")
Faults = Sequence[tuple[str, str]]
"""What cannot be used: the JSON pointer, and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """What is kept of people."""

    on_shift_only: bool = False
    """Couriers are followed on their shifts only; where they are otherwise is answered as usual, and not kept."""


Reasons = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickReasons:
    """Reasons to choose from instead of writing them, in the words of the region's people; none: the page's own."""

    cancel: Reasons = ()
    """Why orders are cancelled."""
    reassign: Reasons = ()
    """Why they go to another courier."""
    retry: Reasons = ()
    """Why a failed one is tried again."""
    pin: Reasons = ()
    """Why one stays with its courier."""
    unpin: Reasons = ()
    """Why it no longer does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """How the desk's page speaks."""

    reasons: QuickReasons = field(default_factory=QuickReasons)
    """What people choose from when they are asked why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientSettings:
    """What recipients see, and what they may do, on the page behind their link."""

    sender: Annotated[str, Meta(max_length=80)] = ""
    """Whose order it is, at the top of the page."""
    colour: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] = "#0f766e"
    """Of the page's upper edge and buttons."""
    may_write: bool = True
    """Recipients may leave a note for the courier, while the order is not delivered."""
    may_choose_window: bool = False
    """Recipients may choose another window that the plan allows, for what is not collected yet."""
    may_rate: bool = True
    """Recipients may say how it was, once."""
    may_see_proof: bool = True
    """Recipients see the pictures that prove it was handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionFacts:
    """What people say of a region."""

    title: str
    timezone: str = "UTC"
    boundary: Mapping[str, Any] | None = None
    settings: Any
    """By group, what differs from the installation's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRecord:
    """A region as it is stored."""

    name: Region
    facts: RegionFacts
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings:
    """How a region's positions go from the phones to those who read them."""

    streams: Annotated[int, Meta(ge=1, le=MOST)] = 1
    """Streams that the position log is in, by courier; so many watchers share a region that is too large for one."""


def groups(params: CycleParams) -> dict[str, Any]:
    """Every group of settings, as the installation has it."""
    return {
        "alerts": AlertParams(),
        "dispatch": DispatchSettings.of(params),
        "offers": OfferSettings.of(params),
        "privacy": PrivacySettings(),
        "recipient": RecipientSettings(),
        "desk": DeskSettings(),
        returns.GROUP: ReturnSettings(),
        depots.GROUP: DepotSettings(),
        proof.GROUP: ProofSettings(),
        "tracking": TrackingSettings(),
    }


def recipient_settings(settings: Any) -> RecipientSettings:
    """Of a region, from its settings as they are stored; the defaults where somebody wrote what cannot be read."""
    try:
        return overlaid(RecipientSettings(), group_of(settings, "recipient"))
    except ValueError:
        return RecipientSettings()


def name_faults(name: str) -> Faults:
    """What keeps a new region from having that name."""
    return [] if NAME.fullmatch(name) else [("/name", f"expected {NAME.pattern}")]


def faults_of(facts: RegionFacts, params: CycleParams) -> Faults:
    """All that keeps what is said of a region from being stored."""
    return [
        *_raised("/timezone", lambda: check_timezone(facts.timezone)),
        *([] if facts.boundary is None else _boundary_faults(facts.boundary)),
        *_settings_faults(facts.settings, params),
    ]


def _boundary_faults(boundary: Mapping[str, Any]) -> Faults:
    if boundary.get("type") not in {"Polygon", "MultiPolygon"}:
        return [("/boundary/type", "expected Polygon or MultiPolygon")]
    return _raised("/boundary", lambda: Area.from_geojson(boundary))


def _raised(pointer: str, check: Any) -> Faults:
    try:
        check()
    except ValueError as exc:
        return [(pointer, str(exc))]
    return []


def _settings_faults(settings: Any, params: CycleParams) -> Iterator[tuple[str, str]]:
    known = groups(params)
    if not isinstance(settings, dict):
        yield "/settings", "expected an object"
        return
    for name, given in settings.items():
        where = f"/settings/{name.replace('~', '~0').replace('/', '~1')}"
        if name in known:
            yield from faults(known[name], given, where)
        else:
            yield where, f"expected one of: {', '.join(known)}"


async def list_all(connection: Any) -> list[RegionRecord]:
    """By name."""
    return [_record(row) for row in await connection.fetch(queries["regions.list"])]


async def get(connection: Any, name: str) -> RegionRecord:
    """Raise RegionNotFound where there is none."""
    return _found(await connection.fetchrow(queries["regions.get"], name))


async def lock(connection: Any, name: str) -> RegionRecord:
    """The same, held until the transaction ends."""
    return _found(await connection.fetchrow(queries["regions.lock"], name))


async def add(connection: Any, name: str, facts: RegionFacts) -> RegionRecord:
    """Raise RegionExists, and TooManyRegions where one process could not follow them all."""
    await connection.execute(queries["regions.hold"])
    row = await connection.fetchrow(queries["regions.add"], name, facts.title, facts.timezone, _stored(facts))
    if row is None:
        raise RegionExists(name=name)
    if await connection.fetchval(queries["regions.count"]) > MAX_REGIONS:
        raise TooManyRegions(at_most=MAX_REGIONS)
    return _record(row)


async def change(connection: Any, name: str, facts: RegionFacts, *, version: int) -> RegionRecord:
    """Raise VersionConflict where it has another version."""
    row = await connection.fetchrow(
        queries["regions.change"], name, facts.title, facts.timezone, _stored(facts), version
    )
    if row is None:
        raise VersionConflict(name=name, expected=version)
    return _record(row)


def merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396): null takes away, so that the installation's is in force again."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = merged(kept.get(name), value)
    return kept


def _found(row: Mapping[str, Any] | None) -> RegionRecord:
    if row is None:
        raise RegionNotFound  # not named: what was asked for may be anything, a token too
    return _record(row)


def _record(row: Mapping[str, Any]) -> RegionRecord:
    stored: Any = from_json(row["settings"])
    settings = dict(stored) if isinstance(stored, dict) else {}
    boundary = settings.pop(BOUNDARY, None)
    facts = RegionFacts(title=row["name"], timezone=row["timezone"], boundary=boundary, settings=settings)
    return RegionRecord(
        name=Region(row["id"]),
        facts=facts if isinstance(boundary, dict) else replace(facts, boundary=None),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _stored(facts: RegionFacts) -> str:
    return to_json(facts.settings | ({} if facts.boundary is None else {BOUNDARY: facts.boundary}))
