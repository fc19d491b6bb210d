"""
A courier on a route, followed from fix to fix: what is said of each arrival, and why it changed; no I/O.

A `Following` holds one courier's state and is used by one task. Instants are seconds since the Unix epoch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from dispatch.arrivals.eta import Eta, Journey, Note, Span, StopAhead, foresee
from dispatch.arrivals.forecast import FALLBACK_SOURCES, Forecaster, Way
from dispatch.arrivals.itinerary import Call, Itinerary, breaks_changed, continues, windows_changed
from dispatch.arrivals.progress import Path, Progress, advance, depart, leg_ahead
from dispatch.arrivals.steady import AT_ONCE, HOLD_S, REMEMBERED_S, SETTLE_S, hold, settle
from dispatch.arrivals.widths import Stage, Widths
from dispatch.learning.conformal import Band
from dispatch.learning.travel_model import GREAT_CIRCLE
from dispatch.planning.params import Params
from dispatch.travel.times import Leg
from tracking.geo import distance_m
from tracking.position import LatLon

UNSEEN_LEG_S = 900.0
"""First leg of a courier of whom nothing is known, not even a schedule."""
UNSEEN_BAND = Band(low=-1.0, middle=0.0, high=1.0)
COMMIT_LEAD_S = Params().commit_lead_s
"""Who is only meant to collect something is sent this early; a region's own setting makes little difference here."""
EXPLAINS_S = 3 * SETTLE_S
"""So long a cause explains what is told: that is approached."""
LOOK_AGAIN_S = 30.0
"""Off the way, an engine is asked for another one at most so often."""


@dataclass(slots=True)
class Following:
    """A courier, the route, and how far it has got."""

    itinerary: Itinerary
    engine_expected: bool = False
    """An engine is configured: falling back is worth a warning."""
    widths: Widths = field(default_factory=Widths)
    """How wide intervals have proved to have to be, in the region."""
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
    _explains: tuple[Note, float] | None = None
    """The last cause that was found, and until when it explains what moves."""
    _resumed_at: float | None = None
    _has_new_ways: bool = False
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
        first_is_done = before.places[1:2] == itinerary.places[:1] != before.places[:1]
        if first_is_done:
            self._explain_stop_done()
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
        if first_is_done:
            self._go_on(before.calls[0], itinerary.calls[0])

    def _explain_stop_done(self) -> None:
        """What comes after a stop is later when the stop was done later than it was told."""
        if not self.said or not self._services or self._fixed_at is None:
            return
        usual_s = self._services[0].p50_s
        if self._fixed_at - self.said[0].p50 - usual_s > HOLD_S:
            arrived_at = self.progress.arrived_at if self.progress is not None else None
            overran = arrived_at is not None and self._fixed_at - arrived_at > usual_s
            note = Note.SERVICE_OVERRUN if overran else Note.SLOWER_THAN_EXPECTED
            self._explains = note, self._fixed_at + EXPLAINS_S

    def _go_on(self, left: Call, first: Call) -> None:
        """The way from the stop that was done to the next is known already, where an engine has told it."""
        leg = self._ways.get((left.at, first.at))
        if leg is None or leg.source in FALLBACK_SOURCES or self._at is None or self._fixed_at is None:
            return
        self._first = leg
        self.progress = depart(
            first.stop, first.at, at=self._at, fixed_at=self._fixed_at, path=Path(points=leg.geometry)
        )

    def promise(self, etas: Iterable[Eta]) -> None:
        """What was told of stops that this courier has taken over: told of the order, whoever brings it."""
        known = {eta.stop for eta in self.said}
        taken = tuple(eta for eta in etas if eta.stop not in known)
        if taken:
            self.said, self._cause = (*self.said, *taken), self._cause or Note.ROUTE_CHANGED

    def resume(self, said: Iterable[Eta], now: float | None = None) -> None:
        """What was told before; `now`: nobody has kept it up to date since."""
        told = tuple(said)
        known = {eta.stop for eta in told}
        self.said = (*told, *(eta for eta in self.said if eta.stop not in known))
        self._resumed_at = now

    def see(self, at: LatLon, fixed_at: float) -> None:
        """The courier was seen; a fix older than the last one changes nothing."""
        if self._fixed_at is not None and fixed_at < self._fixed_at:
            return
        self._at, self._fixed_at = at, fixed_at
        if self.progress is not None:
            self.progress = advance(self.progress, at, fixed_at)
            if self.itinerary.calls and not self.itinerary.calls[0].is_assigned and self.progress.path is None:
                self.progress, self._expected = None, None  # nobody was sent yet: the way begins where the courier is
            elif self.progress.off_route and fixed_at - self._asked_at > LOOK_AGAIN_S:
                self.wants_ways = True

    def places(self) -> list[LatLon]:
        """Where the route leads from here, for an engine to find the ways."""
        return ([] if self._at is None else [self._at]) + [call.at for call in self.itinerary.calls]

    def find_ways(self, places: Sequence[LatLon], legs: Sequence[Leg], *, asked_at: float) -> None:
        """An engine answered for `places`, as they were when it was asked."""
        self.wants_ways, self._asked_at = False, asked_at
        found = {(a, b): leg for a, b, leg in zip(places, places[1:], legs, strict=False)}
        self._ways, self._legs, self._has_new_ways = found, (), True
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
        route, calls = self.itinerary, self.itinerary.calls
        if not calls:
            self.said = ()
            return ()
        is_changed = self._times_changed(forecaster)
        self._prepare(forecaster, now)
        first = self._first_leg(forecaster, calls[0], now)
        cause = self._cause_of_change(now, is_changed=is_changed)
        leaves_at = None if calls[0].is_assigned else calls[0].opens_at - COMMIT_LEAD_S - first.p50_s
        ahead = tuple(
            StopAhead(
                stop=call.stop,
                at=call.at,
                leg=leg,
                service=service,
                opens_at=call.opens_at,
                opens_error_s=forecaster.opens_error_s(route.region, call),
                promised_at=call.promised_at,
                break_at=call.break_at,
                break_s=call.break_s,
            )
            for call, leg, service in zip(calls, (first, *self._legs), self._services, strict=True)
        )
        arrived_at = self.progress.arrived_at if self.progress is not None else None
        journey = Journey(
            stops=ahead,
            fixed_at=self._fixed_at,
            arrived_at=arrived_at,
            rests_until=self.itinerary.rests_until,
            leaves_at=leaves_at,
        )
        is_driven = arrived_at is None and self.progress is not None
        stages = [_stage(call, is_driven=is_driven and number == 0) for number, call in enumerate(calls)]
        found = foresee(
            journey,
            now=now,
            engine_expected=self.engine_expected,
            widen=lambda etas: self.widths.widen(etas, stages),
        )
        resumed = self._resumed_at is not None and now - self._resumed_at <= REMEMBERED_S
        found = tuple(
            replace(eta, warnings=(*eta.warnings, *_notes(call, resumed=resumed)))
            for eta, call in zip(found, calls, strict=True)
        )
        if self.itinerary.rests_until is not None:
            found = tuple(replace(eta, warnings=(*eta.warnings, Note.ON_BREAK)) for eta in found)
        self._remember(cause, found, now)
        self.said = settle(self.said, hold(self.said, found) if cause is None else found, cause)
        self._cause, self._has_new_ways = None, False
        if arrived_at is not None:
            self.widths.arrived(calls[0].stop, arrived_at)
        self.widths.hear(self.said, stages)
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
            left_at = [
                max(now, call.scheduled_at or now, call.opens_at) + service.p50_s
                for call, service in zip(calls, self._services, strict=True)
            ]
            ways = [
                Way(origin=a.at, destination=b.at, engine=self._ways.get((a.at, b.at)), leaves_at=left)
                for (a, b), left in zip(pairwise(calls), left_at, strict=False)
            ]
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

    def _times_changed(self, forecaster: Forecaster) -> bool:
        """Whether something was learned, or an engine came or went, since arrivals were last told."""
        learned = self._known_version not in (-1, forecaster.version)
        return learned or self._has_new_ways

    def _cause_of_change(self, now: float, *, is_changed: bool) -> Note | None:
        """What is known to have happened; None: nothing that would make an arrival later."""
        resting = Note.ON_BREAK if self.itinerary.rests_until is not None else None
        cause = self._cause or resting or self._happening(now)
        if cause is None and self._explains is not None and now <= self._explains[1]:
            return None if self._explains[0] in AT_ONCE else self._explains[0]
        return cause or (Note.TIMES_CHANGED if is_changed else None)

    def _remember(self, cause: Note | None, found: Iterable[Eta], now: float) -> None:
        """A cause that makes something later explains it until it has been approached."""
        said = {eta.stop: eta.p50 for eta in self.said}
        if self._explains is not None and self._explains[0] is cause and now <= self._explains[1]:
            return
        if cause is not None and any(eta.p50 > said.get(eta.stop, eta.p50) for eta in found):
            self._explains = cause, now + EXPLAINS_S

    def _happening(self, now: float) -> Note | None:
        """What the fixes show."""
        progress = self.progress
        if progress is None:
            return None
        if progress.off_route:
            return Note.OFF_ROUTE
        if progress.arrived_at is not None:
            begun_at = max(progress.arrived_at, self.itinerary.calls[0].opens_at)
            return Note.SERVICE_OVERRUN if now - begun_at > self._services[0].p50_s else None
        if progress.standing:
            return Note.STANDING_STILL
        if self._expected is not None and progress.is_behind(self._expected.p50_s):
            return Note.SLOWER_THAN_EXPECTED
        return None


def _stage(call: Call, *, is_driven: bool) -> Stage:
    if not call.is_assigned:
        return Stage.INTENDED
    return Stage.ON_THE_WAY if is_driven else Stage.BEFORE


def _notes(call: Call, *, resumed: bool) -> Iterable[Note]:
    if not call.is_assigned:
        yield Note.NOT_ASSIGNED
    if resumed:
        yield Note.NOT_FOLLOWED
