"""The planner's travel times: engines corrected by what was learned of them, exactly as arrivals are."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from dispatch.arrivals.forecast import Forecaster, Way
from dispatch.learning.factors import LearnedFactors
from dispatch.learning.service_times import ServiceTimes
from dispatch.learning.travel_model import learn
from dispatch.travel.corrected import Corrected
from dispatch.travel.times import CODES, Leg, Matrix, RoutePath, Source
from tests.unit.dispatch.learning.test_travel_model import ANA, NOW, PORTO, legs
from tracking.position import LatLon, Mode, Region

DOORS = [LatLon(PORTO.lat + i / 200, PORTO.lon + i / 150) for i in range(3)]
RUSH = datetime(2026, 3, 20, 8, tzinfo=UTC)


class Known:
    """Of OSRM it is known that couriers need longer."""

    version = 1

    def __init__(self, base="osrm"):
        self.model_in_force = learn(legs(200, factor=1.4), region=Region("porto"), mode=Mode.CAR, base=base, now=NOW)
        self.learned = LearnedFactors([self.model_in_force])

    def model(self, mode, base, at):
        return self.learned.model(mode, base, at)

    def services(self, _):
        return ServiceTimes()


class Engines:
    """Answers 400 s for every pair, the last column by the great circle."""

    async def matrix(self, _mode, origins, destinations, _departs_at, *, budget_s=1.0, also=(), only=None):
        shape = len(origins), len(destinations)
        sources = np.full(shape, CODES[Source.OSRM], dtype=np.uint8)
        sources[:, -1] = CODES[Source.LEARNED]
        durations = np.full(shape, 400, dtype=np.int32)
        return Matrix(durations_s=durations, distances_m=np.full(shape, 900, dtype=np.int32), sources=sources)

    async def route(self, _mode, places, _departs_at, *, budget_s=1.0, also=(), only=None):
        legs = [Leg(duration_s=400, distance_m=900, geometry=(a, b), source=Source.OSRM) for a, b in pairwise(places)]
        return RoutePath(legs=tuple(legs))


async def test_the_planners_matrix_and_the_arrivals_say_the_same_of_a_leg():
    known = Known()
    answer = await Corrected(Engines(), known.learned).matrix(Mode.CAR, DOORS, DOORS, RUSH)
    engine = Leg(duration_s=400, distance_m=900, geometry=(DOORS[0], DOORS[1]), source=Source.OSRM)
    way = Way(origin=DOORS[0], destination=DOORS[1], engine=engine)
    (span,) = Forecaster(known).legs(Mode.CAR, [way], RUSH.timestamp())
    assert answer.durations_s[0, 1] == pytest.approx(span.p50_s, abs=1)
    assert answer.durations_s[0, 1] > 500
    assert answer.durations_s.dtype == np.int32
    # What the great circle answered was corrected there.
    assert (answer.durations_s[:, -1] == 400).all()


async def test_ways_are_corrected_alike():
    known = Known()
    corrected = Corrected(Engines(), known.learned)
    path = await corrected.route(Mode.CAR, DOORS[:2], RUSH)
    matrix = await corrected.matrix(Mode.CAR, DOORS[:1], [DOORS[1], DOORS[2]], RUSH)
    assert path.legs[0].duration_s == matrix.durations_s[0, 0]


async def test_of_an_engine_of_which_nothing_was_learned_nothing_is_changed():
    answer = await Corrected(Engines(), Known(base="valhalla").learned).matrix(Mode.CAR, DOORS, DOORS, RUSH)
    assert (answer.durations_s == 400).all()


async def test_a_leg_that_is_driven_later_takes_as_long_by_the_plan_as_by_the_arrivals():
    """And so does one of a courier who is slower than others."""
    some = legs(300)
    rush = [
        replace(leg, departed_at=leg.departed_at.replace(hour=18), duration_s=leg.duration_s * 1.5)
        for leg in some[150:]
    ]
    quiet = [replace(leg, departed_at=leg.departed_at.replace(hour=11), error=0.2) for leg in some[:150]]
    known = Known()
    known.model_in_force = learn([*rush, *quiet], region=Region("porto"), mode=Mode.CAR, base="osrm", now=NOW)
    known.learned = LearnedFactors([known.model_in_force])
    at_eleven, at_six = (datetime(2026, 3, 20, hour, tzinfo=UTC) for hour in (11, 18))
    answer = await Corrected(Engines(), known.learned).matrix(Mode.CAR, DOORS, DOORS, at_eleven)
    rhythm, matrix_s = answer.habits.rhythm, int(answer.durations_s[0, 1])
    assert rhythm is not None
    planned_s = rhythm.leg_s(int(at_six.timestamp()), round(matrix_s * answer.habits.paces[ANA]))
    engine = Leg(duration_s=400, distance_m=900, geometry=(DOORS[0], DOORS[1]), source=Source.OSRM)
    way = Way(origin=DOORS[0], destination=DOORS[1], engine=engine, leaves_at=at_six.timestamp())
    (span,) = Forecaster(known).legs(Mode.CAR, [way], at_eleven.timestamp(), courier_id=ANA)
    assert planned_s > 1.3 * matrix_s
    assert planned_s == pytest.approx(span.p50_s, rel=0.04)
