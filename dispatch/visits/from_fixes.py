"""
Whether a courier has arrived at a stop of the route, or left it, from the fixes; no I/O.

Order-aware: at the next stop it is enough to be near and slow for a moment; at a later one (a courier passes many
doors) the courier must dwell there. What is found is offered to the courier as "arrived?" and kept beside what the
courier presses; it decides nothing by itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dispatch.stop import OrderId, StopKind
from dispatch.visits.at_stop import ArrivalParams
from tracking.plane import metres
from tracking.position import LatLon

MICROS = 1_000_000


class ArrivalFix(NamedTuple):
    """A fix, as little of it as arrivals need."""

    at_us: int
    lat: float
    lon: float


class RouteStop(NamedTuple):
    """A stop of a courier, and when it was there to be made."""

    order_id: OrderId
    kind: StopKind
    at: LatLon
    since_us: int = 0
    """The courier had accepted it."""
    until_us: int | None = None
    """It was pressed done, or closed; None: it is not done yet."""

    def is_open(self, at_us: int) -> bool:
        """Whether it was to be made at an instant."""
        return self.since_us <= at_us and (self.until_us is None or at_us < self.until_us)


StopKey = tuple[OrderId, StopKind]


class _Visit(NamedTuple):
    at: LatLon
    near_us: int | None = None
    """First of the fixes in a row that are near and slow."""
    arrived: bool = False
    left_us: int | None = None
    """Last fix near, once one is away."""
    last_near_us: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """The courier is at a stop since then."""

    key: StopKey
    at_us: int


@dataclass(frozen=True, slots=True)
class Departed:
    """The courier left a stop then."""

    key: StopKey
    at_us: int


class Visited(NamedTuple):
    """A stop the courier was at; the first arrival and the first departure count."""

    arrived_us: int
    departed_us: int | None = None


class ArrivalState(NamedTuple):
    """Of one courier."""

    last: ArrivalFix | None = None
    visits: Mapping[StopKey, _Visit] = {}

    def arrived_us(self, key: StopKey) -> int | None:
        """Since when the courier has been at a stop; None: not there."""
        visit = self.visits.get(key)
        return visit.near_us if visit is not None and visit.arrived else None


EMPTY = ArrivalState()


def step(
    state: ArrivalState, fix: ArrivalFix, stops: Sequence[RouteStop], params: ArrivalParams
) -> tuple[ArrivalState, tuple[Arrived | Departed, ...]]:
    """
    Take one more fix, later than all before it.

    `stops` in the order in which they were or will be made; those not open at the fix's time do not count. A stop that
    is done keeps its visit until the courier leaves.
    """
    stops = [stop for stop in stops if stop.is_open(fix.at_us)]
    last, events = state.last, []
    mps = None
    if last is not None and fix.at_us > last.at_us:
        mps = metres(last.lat, last.lon, fix.lat, fix.lon) * MICROS / (fix.at_us - last.at_us)
    is_slow = mps is not None and mps <= params.slow_mps
    visits: dict[StopKey, _Visit] = {}
    for key, place, dwell_s in _places(state, stops, params):
        visit = state.visits.get(key, _Visit(place))
        after, event = _look(visit._replace(at=place), key, fix, is_slow=is_slow, dwell_s=dwell_s, params=params)
        if after is not None:
            visits[key] = after
        if event is not None:
            events.append(event)
    return ArrivalState(fix, visits), tuple(events)


def fold(
    state: ArrivalState, fixes: Iterable[ArrivalFix], stops: Sequence[RouteStop], params: ArrivalParams
) -> tuple[ArrivalState, dict[StopKey, Visited]]:
    """Every visit that the fixes show, in order of time; those going on in `state` among them."""
    found = {key: Visited(visit.near_us or visit.last_near_us) for key, visit in state.visits.items() if visit.arrived}
    for fix in fixes:
        state, events = step(state, fix, stops, params)
        for event in events:
            if isinstance(event, Arrived):
                found.setdefault(event.key, Visited(event.at_us))
            elif event.key in found and found[event.key].departed_us is None:
                found[event.key] = found[event.key]._replace(departed_us=event.at_us)
    return state, found


def resumed(visits: Mapping[StopKey, tuple[LatLon, int]]) -> ArrivalState:
    """The state of a courier who is at these places, each since an instant: to go on from."""
    return ArrivalState(
        None, {key: _Visit(at, near_us=us, arrived=True, last_near_us=us) for key, (at, us) in visits.items()}
    )


def _places(
    state: ArrivalState, stops: Sequence[RouteStop], params: ArrivalParams
) -> Iterator[tuple[StopKey, LatLon, int]]:
    """Every stop to look at, where it is, and how long the courier must be there."""
    open_keys = set()
    for stop in stops:
        first = stops[0].at
        is_next = metres(first.lat, first.lon, stop.at.lat, stop.at.lon) <= params.near_m
        open_keys.add((stop.order_id, stop.kind))
        yield (stop.order_id, stop.kind), stop.at, params.next_s if is_next else params.later_s
    for key, visit in state.visits.items():
        if key not in open_keys and visit.arrived:
            yield key, visit.at, params.later_s


def _look(
    visit: _Visit, key: StopKey, fix: ArrivalFix, *, is_slow: bool, dwell_s: int, params: ArrivalParams
) -> tuple[_Visit | None, Arrived | Departed | None]:
    away_m = metres(visit.at.lat, visit.at.lon, fix.lat, fix.lon)
    if visit.arrived:
        if away_m <= params.away_m:
            return visit._replace(left_us=None, last_near_us=fix.at_us), None
        if visit.left_us is None:
            return visit._replace(left_us=visit.last_near_us), None
        return None, Departed(key, visit.left_us)
    if away_m > params.near_m or not is_slow:
        return None, None
    near_us = fix.at_us if visit.near_us is None else visit.near_us
    if fix.at_us - near_us < dwell_s * MICROS:
        return visit._replace(near_us=near_us, last_near_us=fix.at_us), None
    return visit._replace(near_us=near_us, arrived=True, last_near_us=fix.at_us), Arrived(key, near_us)
