"""Tracks on the streets while matchers fail, hang, or do not know the way."""

import asyncio

import pytest

from dispatch.travel.matching import AT_ONCE, TrackMatching
from dispatch.travel.times import EngineFailed, Source
from dispatch.travel.trace import MICROS, Seen, Snap
from tracking.position import LatLon, Mode

FIXES = [Seen(LatLon(41.0 + 0.00027 * n, -8.0), n * 10 * MICROS) for n in range(60)]
RAW = tuple((fix.at_us, fix.at) for fix in FIXES)


class Streets:
    """A matcher that moves everything west; `failing` pieces fail, by the order in which they are asked."""

    modes = frozenset({Mode.CAR})
    n_fixes = 10

    def __init__(self, source=Source.OSRM, *, failing=(), leave_alone=False, hangs=False):
        self.source = source
        self.failing, self.leave_alone, self.hangs = failing, leave_alone, hangs
        self.n_asked = self.n_now = self.n_most = 0

    async def match(self, mode, fixes):
        number, self.n_asked = self.n_asked, self.n_asked + 1
        self.n_now += 1
        self.n_most = max(self.n_most, self.n_now)
        await asyncio.sleep(3600 if self.hangs else 0)
        self.n_now -= 1
        if number in self.failing:
            raise EngineFailed("no way found", leave_alone=self.leave_alone)
        places = [LatLon(fix.at.lat, -8.0001) for fix in fixes]
        return (tuple(Snap(n, at, (places[n - 1], at) if n else ()) for n, at in enumerate(places)),)


async def test_what_was_answered_is_known_by_heart_and_few_are_asked_at_once():
    streets = Streets()
    matching = TrackMatching([streets])
    first = await matching.match(Mode.CAR, FIXES)
    n_asked = streets.n_asked
    assert (first.source, first.share) == (Source.OSRM, 1.0)
    assert {at.lon for _, at in first.points} == {-8.0001}
    assert await matching.match(Mode.CAR, FIXES) == first
    assert streets.n_asked == n_asked
    others = [[fix._replace(at_us=fix.at_us + n * 3600 * MICROS) for fix in FIXES] for n in range(1, 5)]
    await asyncio.gather(*(matching.match(Mode.CAR, one) for one in others))
    assert streets.n_most == AT_ONCE


async def test_a_piece_without_a_way_stays_as_measured_and_costs_the_others_nothing():
    matched = await TrackMatching([Streets(failing={2})]).match(Mode.CAR, FIXES)
    assert matched.source is Source.OSRM
    assert 0.7 < matched.share < 1.0
    assert {at.lon for _, at in matched.points} == {-8.0, -8.0001}


@pytest.mark.parametrize(
    "first",
    [
        Streets(hangs=True),
        Streets(failing=range(99), leave_alone=True),
        Streets(failing=range(99)),
    ],
    ids=["hangs", "down", "knows no way"],
)
async def test_without_an_answer_the_track_is_as_it_was_measured(first):
    matched = await TrackMatching([first]).match(Mode.CAR, FIXES, budget_s=0.05)
    assert (matched.points, matched.source, matched.share) == (RAW, None, 0.0)


async def test_the_next_matcher_is_asked_where_the_first_knows_nothing():
    matching = TrackMatching([Streets(failing=range(99)), Streets(Source.VALHALLA)])
    assert (await matching.match(Mode.CAR, FIXES)).source is Source.VALHALLA
    assert (matching.knows(Mode.CAR), matching.knows(Mode.FOOT)) == (True, False)
    assert (await matching.match(Mode.FOOT, FIXES)).points == RAW
