"""Travel times remembered: nothing is asked twice while it is good, and nothing is kept longer."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dispatch.travel.blocks import CellTable
from dispatch.travel.cache import LocalCache, TravelCache
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.times import UNKNOWN
from tests.unit.dispatch.travel.test_chain import FakeEngine
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = ("osrm", "car", "any")


def row_of(n: int, *, lat: float = 41.1) -> list[LatLon]:
    """Places some hundred metres apart, so each in a cell of its own."""
    return [LatLon(lat, -8.7 + i / 500) for i in range(n)]


def known(origins, destinations) -> CellTable:
    table = CellTable(origins, destinations)
    shape = table.durations_s.shape
    table.durations_s[:] = np.arange(shape[0] * shape[1]).reshape(shape)
    table.distances_m[:] = table.durations_s * 10
    return table


def kept(cache: LocalCache, table: CellTable, *, at_s: float = 0.0, keep_s: float = 100.0) -> None:
    whole = np.ones(table.durations_s.shape, dtype=bool)
    cache.save(KEY, table, whole, at_s, dict.fromkeys(range(len(table.rows)), keep_s))


class Remembered(FakeEngine):
    cache_s = 300


async def test_a_question_of_more_cells_than_ever_before_is_asked_once_only():
    """2,300 cells in all, as in a large city; the engine takes them in blocks."""
    places = row_of(2250)
    engine, cache = Remembered(), TravelCache()
    travel = TravelChain(engines=[engine], great_circle=GreatCircle(), cache=cache)
    for doors in (places[:50], row_of(50, lat=41.2), places[:50]):
        await travel.matrix(Mode.CAR, places, doors, NOON, budget_s=60)
    n_asked = len(engine.asked)
    for doors in (places[:50], row_of(50, lat=41.2)):
        await travel.matrix(Mode.CAR, places, doors, NOON, budget_s=60)
    assert len(engine.asked) == n_asked


async def test_an_answer_is_not_kept_longer_than_its_source_allows():
    now = [0.0]
    engine = Remembered()
    travel = TravelChain(engines=[engine], great_circle=GreatCircle(), cache=TravelCache(clock=lambda: now[0]))
    near, far = row_of(5), row_of(5, lat=41.2)
    await travel.matrix(Mode.CAR, near, near, NOON, budget_s=60)
    now[0] = 299.0
    await travel.matrix(Mode.CAR, near, [*near, *far], NOON, budget_s=60)  # the row grows, and is as old as before
    n_asked = len(engine.asked)
    await travel.matrix(Mode.CAR, near, near, NOON, budget_s=60)
    assert len(engine.asked) == n_asked
    now[0] = 300.0
    await travel.matrix(Mode.CAR, near, near, NOON, budget_s=60)
    assert len(engine.asked) > n_asked


def test_when_it_is_full_the_origins_unused_longest_go():
    cache = LocalCache(n_pairs=250)
    places = row_of(40)
    for first in (0, 10):
        kept(cache, known(places[first : first + 10], places[30:]))
    cache.load(KEY, CellTable(places[:1], places[30:]), 1.0)  # used again, so it is not among the oldest
    kept(cache, known(places[20:30], places[30:]))

    def n_origins(some) -> int:
        table = CellTable(some, places[30:])
        cache.load(KEY, table, 1.0)
        return int((table.durations_s != UNKNOWN).any(axis=1).sum())

    assert cache.n_pairs == 250
    assert [n_origins(some) for some in (places[:1], places[1:10], places[10:20], places[20:30])] == [1, 4, 10, 10]


@given(st.lists(st.tuples(st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8))), max_size=6), st.integers(1, 100))
def test_what_comes_out_is_what_was_put_in_last_and_its_number_is_bounded(questions, most):
    """Pairs overlap in any way; the number kept is what is counted."""
    places, cache, truth = row_of(9), LocalCache(n_pairs=most), {}
    for turn, (origins, destinations) in enumerate(questions):
        table = CellTable([places[i] for i in origins], [places[j] for j in destinations])
        table.durations_s[:] = turn
        table.distances_m[:] = turn
        kept(cache, table)
        truth |= {(int(a), int(b)): turn for a in table.rows for b in table.columns}
        assert cache.n_pairs <= most
    whole = CellTable(places, places)
    whole.durations_s[:] = UNKNOWN
    cache.load(KEY, whole, 1.0)
    found = {
        (int(whole.rows[i]), int(whole.columns[j])): int(whole.durations_s[i, j])
        for i, j in np.argwhere(whole.durations_s != UNKNOWN)
    }
    assert found.items() <= truth.items()
    assert len(found) == cache.n_pairs
