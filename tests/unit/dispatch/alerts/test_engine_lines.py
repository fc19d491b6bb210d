"""Lines of routes for the off-route alert: only from a map, and never waited for."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from uuid import UUID

import pytest
from redis.exceptions import ConnectionError as RedisGone

from dispatch.alerts.engine_lines import ASK_AGAIN_AT_MOST_S, ASK_AGAIN_S, EngineLines
from dispatch.travel.times import Leg, RoutePath, Source
from tracking.position import CourierId, LatLon, Mode, Region

CITY, ANA, BEN = Region("default"), CourierId(UUID(int=1)), CourierId(UUID(int=2))
HERE, DOOR = LatLon(41.15, -8.61), LatLon(41.16, -8.61)


class Clock:
    now_s = 1_000.0

    def __call__(self):
        return self.now_s


class Travel:
    def __init__(self, source):
        self.source = source
        self.asked = []

    async def route(self, _mode, places, _departs_at):
        self.asked.append(tuple(places))
        legs = tuple(
            Leg(duration_s=60, distance_m=1000, geometry=(a, b), source=self.source) for a, b in pairwise(places)
        )
        return RoutePath(legs=legs)


class Live:
    def __init__(self, *, broken=False):
        self.broken = broken

    async def get(self, _courier_id, _region):
        if self.broken:
            raise RedisGone
        fix = SimpleNamespace(at=HERE, fixed_at=datetime.now(UTC))
        return SimpleNamespace(position=SimpleNamespace(fix=fix))


async def line_of(lines, version=1):
    first = await lines.line(CITY, ANA, version, Mode.CAR, [DOOR])
    for _ in range(5):
        await asyncio.sleep(0)
    return first, await lines.line(CITY, ANA, version, Mode.CAR, [DOOR])


async def test_the_line_begins_where_the_courier_is_and_comes_later():
    travel = Travel(Source.OSRM)
    first, second = await line_of(EngineLines(travel, Live()))
    assert first is None
    assert second.places == (HERE, DOOR)
    assert travel.asked == [(HERE, DOOR)]


async def test_a_new_version_of_the_route_is_asked_for_anew():
    travel = Travel(Source.VALHALLA)
    lines = EngineLines(travel, Live())
    await line_of(lines, 1)
    await line_of(lines, 2)
    assert len(travel.asked) == 2


@pytest.mark.parametrize("source", [Source.LEARNED, Source.DEFAULT])
async def test_a_straight_line_says_nothing_about_who_left_the_route(source):
    assert (await line_of(EngineLines(Travel(source), Live())))[1] is None


async def test_without_redis_there_is_no_line_and_it_is_asked_for_again():
    live, clock = Live(broken=True), Clock()
    lines = EngineLines(Travel(Source.OSRM), live, clock=clock)
    await line_of(lines)
    live.broken = False
    assert (await line_of(lines))[1] is None
    clock.now_s += ASK_AGAIN_S
    assert (await line_of(lines))[1] is not None


async def test_after_an_outage_of_the_engine_the_line_is_asked_for_again_in_growing_pauses():
    travel, clock = Travel(Source.DEFAULT), Clock()
    lines = EngineLines(travel, Live(), clock=clock)
    asked_at = []
    for _ in range(200):
        before = len(travel.asked)
        assert (await line_of(lines))[1] is None
        asked_at += [clock.now_s] * (len(travel.asked) - before)
        clock.now_s += 10.0
    pauses = [b - a for a, b in pairwise(asked_at)]
    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) <= ASK_AGAIN_AT_MOST_S
    travel.source = Source.OSRM
    clock.now_s += ASK_AGAIN_AT_MOST_S
    assert (await line_of(lines))[1].places == (HERE, DOOR)


async def test_a_defect_of_one_answer_ends_neither_the_asking_nor_the_lines_of_others():
    travel, clock = Travel(None), Clock()
    lines = EngineLines(travel, Live(), clock=clock)
    await line_of(lines)  # a leg without a source: raises
    travel.source = Source.OSRM
    await lines.line(CITY, BEN, 1, Mode.CAR, [DOOR])
    clock.now_s += ASK_AGAIN_S
    assert (await line_of(lines))[1] is not None
    assert await lines.line(CITY, BEN, 1, Mode.CAR, [DOOR]) is not None
