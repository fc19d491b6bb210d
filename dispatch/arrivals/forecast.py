"""Travel and service times with their spread, from what was learned and from an engine where one answered; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from dispatch.arrivals.eta import Span
from dispatch.arrivals.itinerary import Call
from dispatch.learning.conformal import Band, Calibration
from dispatch.learning.service_times import ServiceTimes
from dispatch.learning.travel_model import GREAT_CIRCLE, TravelModel, default_s
from dispatch.travel.times import Leg, Source
from tracking.geo import distance_m
from tracking.position import CourierId, LatLon, Mode, Region

FALLBACK_SOURCES = frozenset({Source.LEARNED, Source.DEFAULT})
SAME_PLACE_M = 15.0
"""Nearer than this there is nothing to drive."""
_NOTHING_TO_DRIVE = Band(low=0.0, middle=0.0, high=0.0)


class Known(Protocol):
    """The part of `dispatch.learning.knowledge.Knowledge` that is needed."""

    version: int

    def model(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None: ...
    def services(self, region: Region) -> ServiceTimes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A leg to forecast; `engine`: what a routing engine said of it, if one did."""

    origin: LatLon
    destination: LatLon
    engine: Leg | None = None
    leaves_at: float | None = None
    """When it is left; None: about when it is asked."""


class Forecaster:
    """Forecasts legs and stays."""

    def __init__(self, known: Known, *, n_least: int = 20) -> None:
        """`n_least`: legs a model must have been made of before it corrects anything."""
        self._known = known
        self._n_least = n_least

    @property
    def version(self) -> int:
        """Grows when something new was learned."""
        return self._known.version

    def legs(
        self, mode: Mode, ways: Sequence[Way], at: float, *, courier_id: CourierId | None = None
    ) -> tuple[Span, ...]:
        """
        What each way takes when left about `at`, or when it says that it is left.

        The engine's time where there is one, corrected by what couriers needed on top of it; else the default's time,
        corrected the same way (source `learned`), or as it is (`default`).
        """
        spans: dict[int, Span] = {}
        by_base: dict[str, list[int]] = {}
        for number, way in enumerate(ways):
            if distance_m(way.origin, way.destination) < SAME_PLACE_M:
                source = way.engine.source.value if way.engine is not None else Source.DEFAULT.value
                spans[number] = Span(p50_s=0.0, band=_NOTHING_TO_DRIVE, source=source)
            else:
                by_base.setdefault(_base(way), []).append(number)
        for base, numbers in by_base.items():
            mine = [ways[number] for number in numbers]
            model = self._model(mode, base, mine[0].origin)
            log_factors, novelty = np.zeros(len(mine)), np.ones(len(mine))
            if model is not None:
                log_factors = model.log_factors([(way.origin, way.destination, _left_at(way, at)) for way in mine])
                log_factors = log_factors + (model.couriers.get(courier_id, 0.0) if courier_id is not None else 0.0)
                novelty = model.novelty([way.origin for way in mine], [way.destination for way in mine])
            for number, way, log_factor, new in zip(numbers, mine, log_factors, novelty, strict=True):
                apart_m = distance_m(way.origin, way.destination)
                middle = (model.calibration if model else Calibration()).band(apart_m).middle
                spans[number] = Span(
                    p50_s=_base_s(mode, way) * float(np.exp(log_factor + middle)),
                    band=_band(model, apart_m, new),
                    source=_source(base, model),
                )
        return tuple(spans[number] for number in range(len(ways)))

    def band(self, mode: Mode, base: str, at: LatLon, left_m: float) -> Band:
        """How far off a forecast of this base is that has `left_m` to go."""
        model = self._model(mode, base, at)
        return _band(model, left_m, 1.0 if model is None else model.novelty([at], [at])[0])

    def service(self, region: Region, call: Call, courier_id: CourierId) -> Span:
        """What the stay at a stop takes."""
        times = self._known.services(region)
        p50_s, band = times.expect(call.stop.kind, call.at, courier_id, declared_s=call.declared_s)
        return Span(p50_s=p50_s, band=band, source=Source.LEARNED.value)

    def opens_error_s(self, region: Region, call: Call) -> float:
        """How far off it is when a stop opens: said of when the goods are ready, or else learned."""
        if not call.opens_when_ready:
            return 0.0
        if call.ready_error_s is not None:
            return call.ready_error_s
        return self._known.services(region).ready.expect(call.at, datetime.fromtimestamp(call.opens_at, UTC))

    def _model(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None:
        model = self._known.model(mode, base, at)
        return model if model is not None and model.n_legs >= self._n_least else None


def _left_at(way: Way, at: float) -> datetime:
    return datetime.fromtimestamp(at if way.leaves_at is None else way.leaves_at, UTC)


def _band(model: TravelModel | None, apart_m: float, novelty: float) -> Band:
    return Calibration().band(apart_m) if model is None else model.band(apart_m, novelty)


def _base(way: Way) -> str:
    if way.engine is None or way.engine.source in FALLBACK_SOURCES:
        return GREAT_CIRCLE
    return way.engine.source.value


def _base_s(mode: Mode, way: Way) -> float:
    if way.engine is None or way.engine.source in FALLBACK_SOURCES:
        return default_s(mode, way.origin, way.destination)
    return float(max(1, way.engine.duration_s))


def _source(base: str, model: TravelModel | None) -> str:
    if base != GREAT_CIRCLE:
        return base
    return Source.DEFAULT.value if model is None else Source.LEARNED.value
