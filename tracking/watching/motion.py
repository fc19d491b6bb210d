"""
Stays, trips and gaps of a courier: a fold over the fixes in order of their time; no I/O.

`step` takes one more fix; `segments` is the same fold over many. What comes out depends only on the set of fixes:
late ones are put in their place by `track.Track`, which folds again from a state before them. States are immutable,
so an old one may be kept.

A *stay* begins with the first fix of a window of `stay_s` seconds in which no two fixes are farther apart than
`within_m`. It ends with the last fix before the courier was farther than `leave_m` from the mean of the stay's fixes
for `leave_fixes` fixes and `leave_s` seconds: entering is harder than remaining, so noise at the edge makes one stay,
not many, and a stray fix does not end it. Between stays lie *trips*, and where no fix came for `gap_s`, *gaps*:
nothing is claimed about a gap but its ends. An app that saves its battery is silent for longer while the phone lies
still (Traccar Client: 300 s and a little), so a silence with the same place at both ends is a gap after `still_gap_s`,
unless it is about as long as the silence before or after it at that place: that is the interval of this phone's app.
Fixes marked as jumps or of poor accuracy should not be passed in.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from tracking.plane import d_lon_deg, metres
from tracking.position import Mode

MICROS = 1_000_000


class Sample(NamedTuple):
    """A fix, as little of it as motion needs; a tuple, because there is one for every fix of the fleet."""

    at_us: int
    """Fix time: microseconds since the Unix epoch."""
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionParams:
    """What counts as staying."""

    stay_s: int = 60
    """Shortest stay: a doorstep."""
    within_m: float = 50.0
    """Fixes of a beginning stay are pairwise this close."""
    leave_m: float = 50.0
    """Farther than this from the middle of the stay is outside it."""
    leave_s: int = 15
    """Outside for less is noise."""
    leave_fixes: int = 2
    """Outside for fewer fixes is noise."""
    gap_s: int = 300
    """No fix for longer, and then another place: a gap."""
    still_gap_s: int = 345
    """No fix for longer, and then the same place: a gap, or the app's interval. Traccar Client's 300 s at rest, and how
    late a phone is; at 930 s for all only 89 % of the long stays of the recorded track, whose logger sends every 5 s,
    are movingpandas' too."""
    interval_s: int = 3600
    """The longest interval that is believed of an app; OwnTracks sends every 15 to 30 minutes at rest."""
    interval_share: float = 0.25
    """Silences that differ by less of the shorter one are of one interval: phones at rest wake late."""

    def __post_init__(self) -> None:
        if not (self.stay_s > 0 and self.within_m > 0 and self.leave_fixes >= 1):
            raise ValueError("expected stay_s > 0, within_m > 0 and leave_fixes >= 1")
        if not self.interval_s >= self.still_gap_s >= self.gap_s > self.leave_s >= 0:
            raise ValueError("expected interval_s >= still_gap_s >= gap_s > leave_s >= 0")

    def is_still(self, last: "Sample", sample: "Sample") -> bool:
        """Whether two fixes are of one place."""
        return metres(last.lat, last.lon, sample.lat, sample.lon) <= self.within_m

    def is_alike(self, silent_us: int, other_us: int) -> bool:
        """Whether two silences are of one interval."""
        shorter, longer = sorted((silent_us, other_us))
        return longer <= shorter * (1 + self.interval_share)


DEFAULT_PARAMS: Mapping[Mode, MotionParams] = {
    Mode.CAR: MotionParams(),
    Mode.MOTORCYCLE: MotionParams(),
    Mode.BICYCLE: MotionParams(),
    # Somebody on foot who strolls must not be staying: 60 s at 0.8 m/s are 48 m.
    Mode.FOOT: MotionParams(within_m=40.0, leave_m=40.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """The courier remained in one place."""

    arrived_us: int
    departed_us: int
    """Time of the last fix at the place; while `open`, of the last one so far."""
    lat: float
    """Mean of the stay's fixes."""
    lon: float
    n_fixes: int
    open: bool = False
    """It has not ended yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """The courier moved from place to place."""

    began_us: int
    ended_us: int
    distance_m: float
    """Length of the line through the fixes."""
    n_fixes: int
    from_lat: float
    from_lon: float
    to_lat: float
    to_lon: float
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """No fix came; where the courier went is not known."""

    began_us: int
    ended_us: int
    straight_m: float
    """Distance between the fixes before and after; not part of any distance driven."""


Segment = Stay | Trip | Gap


class Moving(NamedTuple):
    """No stay is going on."""

    origin: Sample
    """Where the trip began."""
    recent: "array[float]"
    """
    The shortest tail of the trip that lasts `stay_s`, or all of it: of each fix at_us, lat, lon and the metres of the
    trip up to it, in one row of numbers, which is never changed in place. A watcher keeps several for each courier.
    """
    n_trip: int
    """Fixes of the trip so far."""

    @property
    def last(self) -> Sample:
        """The newest fix."""
        at_us, lat, lon, _ = self.recent[-_ROW:]
        return Sample(int(at_us), lat, lon)


_ROW = 4
"""Numbers of a fix in `Moving.recent`. Times are whole and below 2^53, so floats have them exactly."""


class Staying(NamedTuple):
    """A stay is going on."""

    arrived: Sample
    last: Sample
    """Last fix inside."""
    sum_lat: float
    """Sum over the stay's fixes of degrees north of `arrived`."""
    sum_lon: float
    n: int
    outside: tuple[Sample, ...] = ()
    """Fixes outside since `last`: noise, or the courier leaving."""
    silent_us: int = 0
    """The longest silence of the stay."""

    @property
    def middle(self) -> tuple[float, float]:
        """Mean latitude and longitude of the fixes inside."""
        lon = self.arrived.lon + self.sum_lon / self.n
        return self.arrived.lat + self.sum_lat / self.n, (lon + 180.0) % 360.0 - 180.0


class Silent(NamedTuple):
    """A long silence at one place: a gap, or the app's interval. The next fix tells."""

    before: Moving | Staying
    """The state at the fix before the silence."""
    sample: Sample
    """The fix after it."""


State = Moving | Staying | Silent | None
"""None: before the first fix."""


@dataclass(frozen=True, slots=True)
class Began:
    """A stay is now known to go on; it began `stay_s` ago."""

    stay: Stay


@dataclass(frozen=True, slots=True)
class Closed:
    """A stay, a trip or a gap is over and will not change unless an earlier fix turns up."""

    segment: Segment


Event = Began | Closed


def step(state: State, sample: Sample, params: MotionParams) -> tuple[State, tuple[Event, ...]]:
    """
    Take one more fix, later than all before it.

    Returns the new state and what became known by this fix. Raises ValueError when the fix is not the latest.
    """
    if state is None:
        return _begin(sample), ()
    last = _last(state)
    if sample.at_us <= last.at_us:
        raise ValueError("expected fixes in order of time, each once")
    if isinstance(state, Silent):
        return _tell(state, sample, params)
    silent_us = sample.at_us - last.at_us
    if silent_us > params.gap_s * MICROS:
        if silent_us > params.interval_s * MICROS or not params.is_still(last, sample):
            return _gap(state, sample)
        if silent_us > params.still_gap_s * MICROS and not _is_usual(state, silent_us, params):
            return Silent(state, sample), ()
    return _go_on(state, sample, params)


def current(state: State) -> tuple[Segment, ...]:
    """
    The segments that are not over: a stay, with what may be its noise or the next trip, or a trip.

    A silence that nobody can tell yet is taken for a gap.
    """
    if isinstance(state, Silent):
        return tuple(event.segment for event in _gap(state.before, state.sample)[1] if isinstance(event, Closed))
    return () if state is None else _finish(state, is_open=True)


def fold(state: State, samples: Iterable[Sample], params: MotionParams) -> tuple[State, list[Segment]]:
    """
    Take many more fixes, in order of time, each time once; returns the new state and the segments that are over now.

    A fold that begins with the first fix of any segment comes to the same segments from there on.
    """
    closed: list[Segment] = []
    for sample in samples:
        state, events = step(state, sample, params)
        closed.extend(event.segment for event in events if isinstance(event, Closed))
    return state, closed


def segments(samples: Iterable[Sample], params: MotionParams) -> list[Segment]:
    """Stays, trips and gaps of fixes that come in order of time, each time once; what is not over yet comes last."""
    state, closed = fold(None, samples, params)
    return [*closed, *current(state)]


def staying(stay: Stay, until_us: int, silent_us: int = 0) -> Staying:
    """
    The state in a stay that is known to go on, by what was recorded of it, so that a fold may begin in its midst.

    `until_us`: its last fix so far; `silent_us`: the longest silence known of it.
    """
    middle = Sample(until_us, stay.lat, stay.lon)
    return Staying(middle._replace(at_us=stay.arrived_us), middle, 0.0, 0.0, stay.n_fixes, silent_us=silent_us)


def ends_us(segment: Segment) -> tuple[int, int]:
    """When it began, and when it ended or, while it goes on, its last fix so far."""
    if isinstance(segment, Stay):
        return segment.arrived_us, segment.departed_us
    return segment.began_us, segment.ended_us


def _begin(sample: Sample) -> Moving:
    return Moving(sample, array("d", (*sample, 0.0)), 1)


def _last(state: Moving | Staying | Silent) -> Sample:
    if isinstance(state, Silent):
        return state.sample
    if isinstance(state, Moving):
        return state.last
    return state.outside[-1] if state.outside else state.last


def _is_usual(state: Moving | Staying, silent_us: int, params: MotionParams) -> bool:
    """Whether the phone was silent for about so long, or for longer, during the stay before."""
    return isinstance(state, Staying) and silent_us <= state.silent_us * (1 + params.interval_share)


def _tell(state: Silent, sample: Sample, params: MotionParams) -> tuple[State, tuple[Event, ...]]:
    """The fix after one that a silence came before."""
    last = _last(state.before)
    silences_us = state.sample.at_us - last.at_us, sample.at_us - state.sample.at_us
    if params.is_alike(*silences_us) and params.is_still(state.sample, sample):
        after, events = _go_on(state.before, state.sample, params)
    else:
        after, events = _gap(state.before, state.sample)
    then, more = step(after, sample, params)
    return then, (*events, *more)


def _gap(state: Moving | Staying, sample: Sample) -> tuple[Moving, tuple[Event, ...]]:
    last = _last(state)
    gap = Gap(
        began_us=last.at_us,
        ended_us=sample.at_us,
        straight_m=metres(last.lat, last.lon, sample.lat, sample.lon),
    )
    return _begin(sample), (*(Closed(s) for s in _finish(state, is_open=False)), Closed(gap))


def _go_on(state: Moving | Staying, sample: Sample, params: MotionParams) -> tuple[State, tuple[Event, ...]]:
    return _move(state, sample, params) if isinstance(state, Moving) else _stay(state, sample, params)


def _move(state: Moving, sample: Sample, params: MotionParams) -> tuple[State, tuple[Event, ...]]:
    recent, stay_us = state.recent, params.stay_s * MICROS
    before_us, lat, lon, trip_m = recent[-_ROW:]
    trip_m += metres(lat, lon, sample.lat, sample.lon)
    start = 0
    while start + _ROW < len(recent) and sample.at_us - recent[start + _ROW] >= stay_us:
        start += _ROW
    recent = recent[start:] + array("d", (*sample, trip_m))
    n_trip = state.n_trip + 1
    if sample.at_us - recent[0] < stay_us or not _is_within(recent[1::_ROW], recent[2::_ROW], params.within_m):
        return Moving(state.origin, recent, n_trip), ()
    at_us, lat, lon, first_m = recent[:_ROW]
    arrived, n = Sample(int(at_us), lat, lon), len(recent) // _ROW
    staying = Staying(
        arrived,
        sample,
        sum(one - lat for one in recent[1::_ROW]),
        sum(d_lon_deg(lon, one) for one in recent[2::_ROW]),
        n,
        silent_us=sample.at_us - int(before_us),
    )
    events: tuple[Event, ...] = (Began(_as_stay(staying, is_open=True)),)
    if (n_before := n_trip - n + 1) > 1:
        events = (Closed(_as_trip(state.origin, arrived, first_m, n_before, is_open=False)), *events)
    return staying, events


def _stay(state: Staying, sample: Sample, params: MotionParams) -> tuple[State, tuple[Event, ...]]:
    lat, lon = state.middle
    if metres(lat, lon, sample.lat, sample.lon) <= params.leave_m:
        arrived = state.arrived
        return (
            Staying(
                arrived,
                sample,
                state.sum_lat + sample.lat - arrived.lat,
                state.sum_lon + d_lon_deg(arrived.lon, sample.lon),
                state.n + 1,
                silent_us=max(state.silent_us, sample.at_us - _last(state).at_us),
            ),
            (),
        )
    outside = (*state.outside, sample)
    if len(outside) < params.leave_fixes or sample.at_us - outside[0].at_us < params.leave_s * MICROS:
        return state._replace(outside=outside), ()
    events: list[Event] = [Closed(_as_stay(state, is_open=False))]
    # The trip begins at the place that was left; its fixes may already contain the next stay.
    after: State = _begin(state.last)
    for late in outside:
        after, more = step(after, late, params)
        events.extend(more)
    return after, tuple(events)


def _finish(state: Moving | Staying, *, is_open: bool) -> tuple[Stay | Trip, ...]:
    if isinstance(state, Moving):
        if state.n_trip <= 1:
            return ()
        return (_as_trip(state.origin, state.last, state.recent[-1], state.n_trip, is_open=is_open),)
    stay = _as_stay(state, is_open=is_open)
    if is_open or not state.outside:
        return (stay,)
    length_m = sum(metres(a.lat, a.lon, b.lat, b.lon) for a, b in pairwise((state.last, *state.outside)))
    return stay, _as_trip(state.last, state.outside[-1], length_m, len(state.outside) + 1, is_open=False)


def _as_stay(state: Staying, *, is_open: bool) -> Stay:
    lat, lon = state.middle
    return Stay(
        arrived_us=state.arrived.at_us,
        departed_us=state.last.at_us,
        lat=lat,
        lon=lon,
        n_fixes=state.n,
        open=is_open,
    )


def _as_trip(origin: Sample, end: Sample, trip_m: float, n_fixes: int, *, is_open: bool) -> Trip:
    return Trip(
        began_us=origin.at_us,
        ended_us=end.at_us,
        distance_m=trip_m,
        n_fixes=n_fixes,
        from_lat=origin.lat,
        from_lon=origin.lon,
        to_lat=end.lat,
        to_lon=end.lon,
        open=is_open,
    )


def _is_within(lats: Sequence[float], places_lon: Sequence[float], within_m: float) -> bool:
    """No two places are farther apart; the cheap tests first, as this runs for every fix that moves."""
    lat, lon = lats[0], places_lon[0]
    if metres(lat, lon, lats[-1], places_lon[-1]) > within_m:
        return False
    lons = [d_lon_deg(lon, one) for one in places_lon]
    south, north, west, east = min(lats), max(lats), min(lons), max(lons)
    if metres(south, 0.0, north, 0.0) > within_m or metres(lat, west, lat, east) > within_m * 1.001:
        return False
    if metres(south, west, north, east) <= within_m:
        return True
    places = list(zip(lats, places_lon, strict=True))
    return all(metres(*a, *b) <= within_m for i, a in enumerate(places) for b in places[i + 1 :])
