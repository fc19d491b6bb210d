"""
What a region may set for itself: `regions.settings`, over what the installation has.

Each group is a type whose fields are the settings, with their ranges. What the API takes is checked here, by the types
that the dispatcher reads with; a group in the database that cannot be read all the same leaves the installation's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Annotated, Any, Final, Literal, Self, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from dispatch.aside import REGION, Aside
from dispatch.orders import depots, returns
from dispatch.orders.depots import DepotSettings
from dispatch.orders.pauses import PauseParams
from dispatch.orders.returns import ReturnSettings
from dispatch.orders.rows import from_json
from dispatch.planning.params import Bundling, Weights
from dispatch.planning.profiles import Profile
from dispatch.region.params import CycleParams
from sql import queries
from tracking.position import Region

Group = TypeVar("Group")

BOUNDARY: Final = "boundary"
"""Among the settings, the region's outline: GeoJSON."""
DAY_S: Final = 86_400
_OF_PLAN: Final = (
    "weights",
    "bundling",
    "horizon_s",
    "furthest_s",
    "commit_lead_s",
    "min_gain",
    "reposition_above_s",
)
_OF_SURVEY: Final = ("radius_m", "move_accepted", "collect_ahead_s", "fresh_within_s", "at_rest_within_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchSettings:
    """How orders find their couriers."""

    profile: Profile = Profile.QUICK
    """What all settings not given begin as: `meal`, `parcel` or `quick`."""
    weights: Weights = field(default_factory=Weights)
    """What a plan costs: whole numbers, 1 is a second of an order's delivery time."""
    bundling: Bundling = Bundling.ON_THE_WAY
    """Which orders may share a trip: `none`, `same_pickup` or `on_the_way`."""
    horizon_s: Annotated[int, Meta(ge=0, le=2 * DAY_S)] = 7200
    """Orders whose pickup opens later than this from now are left for later."""
    furthest_s: Annotated[int, Meta(ge=60, le=2 * DAY_S)] = 21_600
    """Nobody is sent on a longer way, to a pickup or from there to the drop-off: swapped coordinates, a sea between."""
    commit_lead_s: Annotated[int, Meta(ge=0, le=7200)] = 120
    """An order is offered when its courier must leave within this time."""
    min_gain: Annotated[int, Meta(ge=1, le=100_000)] = 30
    """A change of the plan must save at least this much cost, so that plans are calm."""
    reposition_above_s: Annotated[int, Meta(ge=0, le=DAY_S)] | None = None
    """Couriers with nothing to do are shown a better place to wait when orders expected soon then wait so many seconds
    less in all; none: nobody is."""
    search_s: Annotated[float, Meta(ge=0, le=10)] = 2.0
    """Time for the search that improves the plan after offers are made; 0: none."""
    radius_m: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Nobody is sent to a pickup farther away; none: no limit."""
    area: Literal["anywhere", "boundary"] = "anywhere"
    """With `boundary` nobody is sent to a place outside the region's boundary."""
    move_accepted: bool = False
    """Accepted orders go to another courier when that saves more than `weights.change`; nobody is asked twice."""
    collect_ahead_s: Annotated[int, Meta(ge=0, le=2 * DAY_S)] = 3600
    """What is to be handed over later is collected at most so long, and the way, before that."""
    fresh_within_s: Annotated[int, Meta(ge=10, le=DAY_S)] = 120
    """A courier whose last position is older gets nothing new."""
    at_rest_within_s: Annotated[int, Meta(ge=0, le=DAY_S)] = 1800
    """The same for one who stood still at the last fix and whose phone was heard of within `fresh_within_s`."""

    partners: Literal["together", "apart"] = "together"
    """`apart`: a partner's orders go to that partner's couriers only, and nobody's to those of nobody."""
    without_shift: Literal["off_if_had", "off", "work"] = "off_if_had"
    """A courier without any shift is off, works whenever on duty, or is off if there ever was one."""

    @classmethod
    def of(cls, params: CycleParams) -> Self:
        """As the installation has them."""
        return cls(
            profile=params.profile,
            search_s=params.search_s,
            **_some(params.plan, _OF_PLAN),
            **_some(params.survey, _OF_SURVEY),
        )

    def over(self, params: CycleParams) -> CycleParams:
        """The installation's, with these in their place."""
        return replace(
            params,
            plan=replace(params.plan, **_some(self, _OF_PLAN)),
            survey=replace(params.survey, **_some(self, _OF_SURVEY)),
            search_s=self.search_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSettings:
    """How couriers are asked."""

    mode: Literal["ask_one", "ask_several", "assign"] = "ask_one"
    """
    `ask_one`: one courier at a time; `ask_several`: `ask_at_once` of them, the first who accepts has it; `assign`:
    without asking, an order is accepted as soon as it is planned.
    """
    ask_at_once: Annotated[int, Meta(ge=2, le=10)] = 3
    """Couriers asked for the same at once, where `mode` asks several."""
    ask: Literal["one"] = "one"
    """Says nothing any more: `mode` does."""
    offer_for_s: Annotated[float, Meta(ge=5, le=3600)] = 60.0
    """How long a courier may think."""
    ask_again_after_s: Annotated[float, Meta(ge=0, le=DAY_S)] = 120.0
    """Before that who turned an order down is not asked again, even when nobody else can take it."""
    pause_after_expired: Annotated[int, Meta(ge=0, le=100)] = 0
    """A courier who lets so many offers run out, one after the other, gets nothing new for a while; 0: never."""
    pause_s: Annotated[int, Meta(ge=60, le=DAY_S)] = 900
    """So long, since the last of these offers."""

    @classmethod
    def of(cls, params: CycleParams) -> Self:
        """As the installation has them."""
        return cls(
            mode="assign" if not params.asks else "ask_several" if params.asks_several else "ask_one",
            ask_at_once=params.ask_at_once,
            offer_for_s=params.offer_for_s,
            ask_again_after_s=params.ask_again_after_s,
            pause_after_expired=params.pauses.after_expired,
            pause_s=params.pauses.pause_s,
        )

    def over(self, params: CycleParams) -> CycleParams:
        """The installation's, with these in their place."""
        return replace(
            params,
            asks=self.mode != "assign",
            asks_several=self.mode == "ask_several",
            ask_at_once=self.ask_at_once,
            offer_for_s=self.offer_for_s,
            ask_again_after_s=self.ask_again_after_s,
            pauses=PauseParams(after_expired=self.pause_after_expired, pause_s=self.pause_s),
        )


async def params_of(connection: Any, region: Region, params: CycleParams, aside: Aside | None = None) -> CycleParams:
    """How a region is run: its settings over the installation's `params`; `aside` is told what cannot be read."""
    return in_force(params, await settings_of(connection, region), Aside() if aside is None else aside)


async def settings_of(connection: Any, region: Region) -> Any:
    """A region's settings as they are stored: whatever somebody wrote there."""
    text = await connection.fetchval(queries["regions.settings"], region)
    return {} if text is None else from_json(text)


def in_force(params: CycleParams, settings: Any, aside: Aside) -> CycleParams:
    """The same from the settings as they are stored."""
    groups: tuple[tuple[str, type[DispatchSettings | OfferSettings]], ...] = (
        ("dispatch", DispatchSettings),
        ("offers", OfferSettings),
    )
    for name, group in groups:
        with aside.bearing(REGION, doing=f"read settings.{name}"):
            given = group_of(settings, name)
            base = overlaid(group.of(params), given)
            if isinstance(base, DispatchSettings) and base.profile is not params.profile:
                params = params.by(base.profile)
                base = overlaid(group.of(params), given)
            params = base.over(params)
    # The desk reads these; here it is told where they cannot be read.
    with aside.bearing(REGION, doing=f"read settings.{returns.GROUP}"):
        overlaid(ReturnSettings(), group_of(settings, returns.GROUP))
    places = DepotSettings()
    with aside.bearing(REGION, doing=f"read settings.{depots.GROUP}"):
        places = overlaid(places, group_of(settings, depots.GROUP))
    return replace(params, chooses_depots=places.choice == "cheapest", shifts_at_depots=places.shifts == "cheapest")


def group_of(settings: Any, name: str) -> Any:
    """One group of a region's settings; raises ValueError where they are no object."""
    if not isinstance(settings, dict):
        raise ValueError("expected settings to be an object")  # noqa: TRY004 - bad input, whatever its type
    return settings.get(name, {})


def overlaid(group: Group, given: Any) -> Group:
    """A group with what is given in place of its defaults. Raises ValueError for what cannot be used."""
    if not isinstance(given, dict):
        raise ValueError("expected an object")  # noqa: TRY004 - bad input, whatever its type
    return msgspec.convert(_merged(msgspec.to_builtins(group), given), type(group))


def faults(group: Any, given: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """What of a group cannot be used: the JSON pointer, and what was expected."""
    if not isinstance(given, dict):
        yield pointer, "expected an object"
        return
    found = list(_faults_by_name(group, given, pointer))
    yield from found
    if not found:
        try:
            overlaid(group, given)
        except ValueError as exc:
            yield pointer, str(exc)


def _faults_by_name(group: Any, given: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, str]]:
    types = get_type_hints(type(group), include_extras=True)
    for name, value in given.items():
        where = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in types:
            yield where, f"expected one of: {', '.join(types)}"
        elif is_dataclass(types[name]):
            yield from faults(getattr(group, name), value, where)
        else:
            try:
                msgspec.convert(value, types[name])
            except ValueError as exc:
                yield where, str(exc)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {**old, **{n: _merged(old[n], v) if _both_objects(old.get(n), v) else v for n, v in new.items()}}


def _both_objects(old: Any, new: Any) -> bool:
    return isinstance(old, dict) and isinstance(new, dict)


def _some(owner: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(owner, name) for name in names}
