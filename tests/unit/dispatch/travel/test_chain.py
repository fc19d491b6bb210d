"""The chain against engines that fail, hang or leave pairs open."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from time import monotonic

import numpy as np
import pytest

from dispatch.travel import Leg, Source
from dispatch.travel.cache import TravelCache
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle, great_circle_m
from dispatch.travel.times import UNROUTABLE, EngineFailed, Limits
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CITY = [LatLon(41.15 + i / 500, -8.61 + (i % 7) / 300) for i in range(40)]


class FakeEngine:
    """Answers one second a metre; `behave` may fail, wait or open pairs."""

    depends_on_time = False
    cache_s = 0
    limits = Limits(n_cells=64, n_origins=8, n_destinations=16, n_places=5)

    def __init__(self, source=Source.OSRM, modes=frozenset(Mode), behave=None):
        self.source = source
        self.modes = modes
        self.behave = behave
        self.asked = []

    async def matrix(self, mode, origins, destinations, departs_at):
        self.asked.append((len(origins), len(destinations)))
        if self.behave:
            await self.behave(self)
        metres = np.rint(great_circle_m(origins, destinations)).astype(np.int32)
        return metres.copy(), metres

    async def route(self, mode, places, departs_at):
        self.asked.append(len(places))
        if self.behave:
            await self.behave(self)
        return tuple(Leg(duration_s=1, distance_m=1, geometry=(a, b), source=self.source) for a, b in pairwise(places))


async def hang(engine):
    await asyncio.sleep(60)


async def fail(engine):
    raise EngineFailed("down", leave_alone=True)


def chain(*engines):
    return TravelChain(engines=engines, great_circle=GreatCircle())


async def test_engine_answers_every_pair_in_requests_within_its_limits():
    engine = FakeEngine()
    matrix = await chain(engine).matrix(Mode.CAR, CITY, CITY, NOON)
    assert matrix.weakest() is Source.OSRM
    assert all(n <= 8 and m <= 16 and n * m <= 64 for n, m in engine.asked)
    off_diagonal = ~np.eye(len(CITY), dtype=bool)
    assert (matrix.sources[off_diagonal] == 0).all()


async def test_a_failing_engine_is_replaced_by_the_next_and_then_by_the_great_circle():
    second = FakeEngine(Source.VALHALLA)
    matrix = await chain(FakeEngine(behave=fail), second).matrix(Mode.CAR, CITY, CITY, NOON)
    assert matrix.weakest() is Source.VALHALLA
    matrix = await chain(FakeEngine(behave=fail), FakeEngine(behave=fail)).matrix(Mode.CAR, CITY, CITY, NOON)
    assert matrix.weakest() is Source.DEFAULT
    assert (matrix.durations_s >= 0).all()


async def test_a_hanging_engine_costs_no_more_than_the_budget():
    began = monotonic()
    matrix = await chain(FakeEngine(behave=hang)).matrix(Mode.CAR, CITY, CITY, NOON, budget_s=0.05)
    path = await chain(FakeEngine(behave=hang)).route(Mode.CAR, CITY[:3], NOON, budget_s=0.05)
    assert monotonic() - began < 5  # the engine would take a minute
    assert matrix.weakest() is Source.DEFAULT
    assert path.source is Source.DEFAULT


async def test_what_arrived_before_the_deadline_is_used():
    async def hang_after_five(engine):
        if len(engine.asked) > 5:
            await hang(engine)

    matrix = await chain(FakeEngine(behave=hang_after_five)).matrix(Mode.CAR, CITY, CITY, NOON, budget_s=0.1)
    assert {Source.OSRM, Source.DEFAULT} == {matrix.source(i, j) for i in range(40) for j in range(40)}


async def test_unroutable_pairs_fall_back_one_by_one():
    class Island(FakeEngine):
        async def matrix(self, mode, origins, destinations, departs_at):
            durations, distances = await super().matrix(mode, origins, destinations, departs_at)
            durations[:, [d == CITY[0] for d in destinations]] = UNROUTABLE
            return durations, distances

    matrix = await chain(Island()).matrix(Mode.CAR, CITY, CITY, NOON)
    assert matrix.source(5, 0) is Source.DEFAULT
    assert matrix.source(5, 1) is Source.OSRM
    assert (matrix.durations_s >= 0).all()


async def test_a_mode_the_engine_does_not_know_goes_to_the_next_source():
    engine = FakeEngine(modes=frozenset({Mode.CAR}))
    assert (await chain(engine).matrix(Mode.FOOT, CITY, CITY, NOON)).weakest() is Source.DEFAULT
    assert not engine.asked


async def test_a_bug_in_an_adapter_is_not_swallowed():
    async def bug(engine):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await chain(FakeEngine(behave=bug)).matrix(Mode.CAR, CITY, CITY, NOON)


async def test_a_long_route_is_asked_in_pieces_and_joined():
    engine = FakeEngine()
    path = await chain(engine).route(Mode.CAR, CITY[:12], NOON)
    assert all(n <= 5 for n in engine.asked)
    assert path.geometry == tuple(CITY[:12])
    assert len(path.legs) == 11


async def test_one_pair_without_a_way_costs_only_its_own_leg():
    class Broken(FakeEngine):
        async def route(self, mode, places, departs_at):
            if CITY[2] in places and CITY[3] in places:
                raise EngineFailed("no way found")
            return await super().route(mode, places, departs_at)

    path = await chain(Broken()).route(Mode.CAR, CITY[:9], NOON)
    assert [leg.source for leg in path.legs].count(Source.DEFAULT) == 1
    assert path.legs[2].source is Source.DEFAULT
    assert path.source is Source.DEFAULT


async def test_no_places_need_no_engine():
    engine = FakeEngine()
    matrix = await chain(engine).matrix(Mode.CAR, [], CITY, NOON)
    assert matrix.durations_s.shape == (0, 40)
    assert (await chain(engine).route(Mode.CAR, CITY[:1], NOON)).legs == ()
    assert not engine.asked


class Paid(FakeEngine):
    """Every pair has its price, and is a third longer than as the crow flies; counts what it was paid for."""

    limits = Limits(n_cells=64, n_origins=8, n_destinations=16, n_places=5, n_nearest=3)

    def __init__(self):
        super().__init__(Source.GOOGLE)
        self.pairs = []

    async def matrix(self, mode, origins, destinations, departs_at):
        self.pairs += [(origin, destination) for origin in origins for destination in destinations]
        _, distances = await super().matrix(mode, origins, destinations, departs_at)
        return np.rint(GreatCircle().matrix_now(mode, origins, destinations, departs_at).durations_s * 4 / 3), distances


async def test_an_engine_that_is_paid_for_is_asked_about_the_nearest_and_what_must_be_known():
    engine = Paid()
    far = (0, 39)
    matrix = await chain(engine).matrix(Mode.CAR, CITY, CITY, NOON, also=[far])
    assert matrix.source(*far) is Source.GOOGLE
    assert (CITY[0], CITY[39]) in engine.pairs
    metres = great_circle_m(CITY, CITY)
    np.fill_diagonal(metres, np.inf)
    assert all(matrix.source(i, int(metres[i].argmin())) is Source.GOOGLE for i in range(40))
    assert len(engine.pairs) <= 2 * (2 * 3 * len(CITY) + 1), "at least half of what is paid for was wanted"


@pytest.mark.parametrize("n", [40, 80])
async def test_what_is_paid_for_grows_with_the_places_not_with_their_pairs(n):
    engine = Paid()
    places = [LatLon(41.15 + i / 500, -8.61 + (i % 7) / 300) for i in range(n)]
    await chain(engine).matrix(Mode.CAR, places, places, NOON, budget_s=60)
    assert len(engine.pairs) <= 2 * 2 * 3 * n


async def test_what_is_not_asked_about_looks_no_nearer_than_what_is():
    """Else the planner would send whoever is far away."""
    matrix = await chain(Paid()).matrix(Mode.CAR, CITY, CITY, NOON)
    alone = GreatCircle().matrix_now(Mode.CAR, CITY, CITY, NOON).durations_s
    assert matrix.source(0, 30) is Source.DEFAULT
    assert matrix.durations_s[0, 30] == pytest.approx(alone[0, 30] * 4 / 3, rel=0.01)


class Asked(FakeEngine):
    """Counts the pairs that it is asked about, and is a third slower than the great circle."""

    limits = Limits(n_cells=10_000, n_origins=100, n_destinations=100, n_places=5)

    def __init__(self):
        super().__init__()
        self.pairs = []

    async def matrix(self, mode, origins, destinations, departs_at):
        self.pairs += [(origin, destination) for origin in origins for destination in destinations]
        _, distances = await super().matrix(mode, origins, destinations, departs_at)
        return np.rint(GreatCircle().matrix_now(mode, origins, destinations, departs_at).durations_s * 4 / 3), distances


async def test_from_where_somebody_is_only_where_they_may_go_is_asked_about():
    engine, doors = Asked(), CITY[:20]
    only = {20: frozenset({3, 4}), 21: frozenset({3, 4}), 22: frozenset()}
    matrix = await chain(engine).matrix(Mode.CAR, CITY[:23], doors, NOON, also=[(22, 7)], only=only)
    wanted = {(i, j) for i in range(20) for j in range(20)} | {(20, 3), (20, 4), (21, 3), (21, 4), (22, 7)}
    near = {(i, j) for i in range(23) for j in range(20) if matrix.distances_m[i, j] == 0}
    known = {(i, j) for i in range(23) for j in range(20) if matrix.source(i, j) is Source.OSRM}
    assert wanted - near <= known
    assert known <= wanted | {(22, 3), (22, 4), (20, 7), (21, 7)}, "a block is asked as a whole"
    alone = GreatCircle().matrix_now(Mode.CAR, CITY[:23], doors, NOON).durations_s
    assert matrix.durations_s[22, 15] == pytest.approx(alone[22, 15] * 4 / 3, rel=0.01), "no nearer than what is asked"


async def test_nobody_is_asked_again_where_somebody_goes_nowhere():
    engine, cache = Asked(), TravelCache()
    engine.cache_s = 60
    travel = TravelChain(engines=[engine], great_circle=GreatCircle(), cache=cache)
    await travel.matrix(Mode.CAR, CITY[:20], CITY[:20], NOON)
    engine.asked.clear()
    moved = [replace(at, lat=at.lat + 0.003, lon=at.lon - 0.05) for at in CITY[20:]]
    await travel.matrix(Mode.CAR, [*CITY[:20], *moved], CITY[:20], NOON, only=dict.fromkeys(range(20, 40), frozenset()))
    assert engine.asked == []
    pickups = dict.fromkeys(range(20, 40), frozenset({0, 1}))
    await travel.matrix(Mode.CAR, [*CITY[:20], *moved], CITY[:20], NOON, only=pickups)
    assert engine.asked == [(20, 2)]
