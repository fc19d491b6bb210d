"""Lines of routes for the off-route alert: only from a map, and never waited for."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from uuid import UUID

import pytest
from redis.exceptions import ConnectionError as RedisGone

from dispatch.alerts.engine_lines import EngineLines
from dispatch.travel.times import Leg, RoutePath, Source
from tracking.position import CourierId, LatLon, Mode, Region

CITY, ANA = Region("default"), CourierId(UUID(int=1))
HERE, DOOR = LatLon(41.15, -8.61), LatLon(41.16, -8.61)


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
    live = Live(broken=True)
    travel = Travel(Source.OSRM)
    lines = EngineLines(travel, live)
    await line_of(lines)
    live.broken = False
    assert (await line_of(lines))[1] is not None
