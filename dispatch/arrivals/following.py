"""
A courier on a route, followed from fix to fix: what is said of each arrival, and why it changed; no I/O.

A `Following` holds one courier's state and is used by one task. Instants are seconds since the Unix epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from dispatch.arrivals.eta import Eta, Journey, Note, Span, StopAhead, foresee
from dispatch.arrivals.forecast import FALLBACK_SOURCES, Forecaster, Way
from dispatch.arrivals.itinerary import Call, Itinerary, breaks_changed, continues, windows_changed
from dispatch.arrivals.progress import Path, Progress, advance, depart, leg_ahead
from dispatch.arrivals.steady import settle
from dispatch.learning.conformal import Band
from dispatch.learning.travel_model import GREAT_CIRCLE
from dispatch.travel.times import Leg
from tracking.geo import distance_m
from tracking.position import LatLon

UNSEEN_LEG_S = 900.0
"""First leg of a courier of whom nothing is known, not even a schedule."""
UNSEEN_BAND = Band(low=-1.0, middle=0.0, high=1.0)
LOOK_AGAIN_S = 30.0
"""Off the way, an engine is asked for another one at most so often."""


@dataclass(slots=True)
class Following:
    """A courier, the route, and how far it has got."""

    itinerary: Itinerary
    engine_expected: bool = False
    """An engine is configured: falling back is worth a warning."""
    progress: Progress | None = None
    said: tuple[Eta, ...] = ()
    wants_ways: bool = True
    """The ways should be asked from an engine (again)."""
    _at: LatLon | None = None
    _fixed_at: float | None = None
    _ways: dict[tuple[LatLon, LatLon], Leg] = field(default_factory=dict)
    _first: Leg | None = None
    _expected: Span | None = None
    _legs: tuple[Span, ...] = ()
    _services: tuple[Span, ...] = ()
    _known_version: int = -1
    _cause: Note | None = None
    _asked_at: float = 0.0

    @property
    def at(self) -> LatLon | None:
        """Where the courier was last seen."""
        return self._at

    def change(self, itinerary: Itinerary) -> None:
        """The route was read anew."""
        before, self.itinerary = self.itinerary, itinerary
        if before == itinerary:
            return
        if not continues(before, itinerary):
            self._cause = Note.ROUTE_CHANGED
        elif windows_changed(before, itinerary):
            self._cause = Note.WINDOW_CHANGED
        elif breaks_changed(before, itinerary):
            self._cause = Note.ON_BREAK
        if before.places != itinerary.places:
            self._legs, self.wants_ways = (), True
            self._services = ()
        # The time of a break says nothing about the pace: the leg begins anew after it.
        rested = before.rests_until is not None and itinerary.rests_until is None
        if rested or before.places[:1] != itinerary.places[:1]:
            self.progress, self._first, self._expected = None, None, None
            self.wants_ways = True

    def see(self, at: LatLon, fixed_at: float) -> None:
        """The courier was seen; a fix older than the last one changes nothing."""
        if self._fixed_at is not None and fixed_at < self._fixed_at:
            return
        self._at, self._fixed_at = at, fixed_at
        if self.progress is not None:
            self.progress = advance(self.progress, at, fixed_at)
            if self.progress.off_route and fixed_at - self._asked_at > LOOK_AGAIN_S:
                self.wants_ways = True

    def places(self) -> list[LatLon]:
        """Where the route leads from here, for an engine to find the ways."""
        return ([] if self._at is None else [self._at]) + [call.at for call in self.itinerary.calls]

    def find_ways(self, places: Sequence[LatLon], legs: Sequence[Leg], *, asked_at: float) -> None:
        """An engine answered for `places`, as they were when it was asked."""
        self.wants_ways, self._asked_at = False, asked_at
        found = {(a, b): leg for a, b, leg in zip(places, places[1:], legs, strict=False)}
        self._ways, self._legs = found, ()
        first = self.itinerary.calls[0] if self.itinerary.calls else None
        if first is None or len(places) < 2 or places[1] != first.at or self._at is None:
            return
        leg = legs[0]
        if leg.source not in FALLBACK_SOURCES:
            started = self.progress
            self._first, self._expected = leg, None
            self.progress = depart(
                first.stop, first.at, at=places[0], fixed_at=asked_at, path=Path(points=leg.geometry)
            )
            if started is not None:
                self.progress = replace(self.progress, door=started.door)
            self.progress = advance(self.progress, self._at, max(asked_at, self._fixed_at or 0.0))

    def tell(self, forecaster: Forecaster, now: float) -> tuple[Eta, ...]:
        """Arrivals at all stops as they should be told at `now`; () for a route without stops."""
        calls = self.itinerary.calls
        if not calls:
            self.said = ()
            return ()
        cause = self._cause_of_change(forecaster)
        self._prepare(forecaster, now)
        first = self._first_leg(forecaster, calls[0], now)
        ahead = tuple(
            StopAhead(
                stop=call.stop,
                at=call.at,
                leg=leg,
                service=service,
                opens_at=call.opens_at,
                promised_at=call.promised_at,
                break_at=call.break_at,
                break_s=call.break_s,
            )
            for call, leg, service in zip(calls, (first, *self._legs), self._services, strict=True)
        )
        arrived_at = self.progress.arrived_at if self.progress is not None else None
        journey = Journey(
            stops=ahead, fixed_at=self._fixed_at, arrived_at=arrived_at, rests_until=self.itinerary.rests_until
        )
        found = foresee(journey, now=now, engine_expected=self.engine_expected)
        found = tuple(
            eta if call.is_assigned else replace(eta, warnings=(*eta.warnings, Note.NOT_ASSIGNED))
            for eta, call in zip(found, calls, strict=True)
        )
        if self.itinerary.rests_until is not None:
            found = tuple(replace(eta, warnings=(*eta.warnings, Note.ON_BREAK)) for eta in found)
        self.said = settle(self.said, found, cause)
        self._cause = None
        return self.said

    def _prepare(self, forecaster: Forecaster, now: float) -> None:
        """Forecast what does not change from fix to fix."""
        route, calls = self.itinerary, self.itinerary.calls
        if self._known_version != forecaster.version:
            self._legs, self._services, self._expected = (), (), None
            self._known_version = forecaster.version
        if len(self._services) != len(calls):
            self._services = tuple(forecaster.service(route.region, call, route.courier_id) for call in calls)
        if len(self._legs) != len(calls) - 1:
            ways = [Way(origin=a.at, destination=b.at, engine=self._ways.get((a.at, b.at))) for a, b in pairwise(calls)]
            self._legs = forecaster.legs(route.mode, ways, now, courier_id=route.courier_id)
        if self.progress is None and self._at is not None and self._fixed_at is not None:
            self.progress = depart(calls[0].stop, calls[0].at, at=self._at, fixed_at=self._fixed_at)

    def _first_leg(self, forecaster: Forecaster, call: Call, now: float) -> Span:
        """What is left of the leg being driven."""
        route, progress = self.itinerary, self.progress
        if progress is None:
            scheduled_s = UNSEEN_LEG_S if call.scheduled_at is None else max(60.0, call.scheduled_at - now)
            return Span(p50_s=scheduled_s, band=UNSEEN_BAND, source="default")
        if self._expected is None:
            whole = Way(origin=progress.origin, destination=call.at, engine=self._first)
            (self._expected,) = forecaster.legs(route.mode, [whole], progress.started_at, courier_id=route.courier_id)
        expected = self._expected
        if progress.path is not None and not progress.off_route:
            base = GREAT_CIRCLE if self._first is None else self._first.source.value
            band = forecaster.band(route.mode, base, call.at, distance_m(progress.at, call.at))
            left_s = expected.p50_s * (1.0 - progress.done)
            return leg_ahead(progress, expected_s=expected.p50_s, left_s=left_s, band=band, source=expected.source)
        from_here = Way(origin=progress.at, destination=call.at)
        (left,) = forecaster.legs(route.mode, [from_here], now, courier_id=route.courier_id)
        return leg_ahead(progress, expected_s=expected.p50_s, left_s=left.p50_s, band=left.band, source=left.source)

    def _cause_of_change(self, forecaster: Forecaster) -> Note | None:
        """What is known to have happened since arrivals were last told."""
        if self._cause is not None:
            return self._cause
        if self.itinerary.rests_until is not None:
            return Note.ON_BREAK
        progress = self.progress
        if progress is not None and progress.off_route:
            return Note.OFF_ROUTE
        if progress is not None and progress.arrived_at is not None and self._services:
            if progress.fixed_at - progress.arrived_at > self._services[0].p50_s:
                return Note.SERVICE_OVERRUN
        elif progress is not None and progress.standing:
            return Note.STANDING_STILL
        if self._known_version not in (-1, forecaster.version) or (self.said and not self._legs and self._ways):
            return Note.TIMES_CHANGED
        return None
