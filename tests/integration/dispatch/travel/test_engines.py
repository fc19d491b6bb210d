"""Travel times from real engines, killed and paused in the middle, and cached in a real Redis."""

import asyncio
import random
from datetime import UTC, datetime
from time import monotonic

import httpx
import numpy as np
import pytest
from redis.asyncio import Redis

from dispatch.travel import Source
from dispatch.travel.cache import TravelCache
from dispatch.travel.chain import TravelChain
from dispatch.travel.client import EngineClient
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.guards import Allowance, CircuitBreaker, SharedMeter, Used, limited_engines, used_on
from dispatch.travel.metrics import CACHE_PAIRS, REQUESTS
from dispatch.travel.osrm import Osrm
from dispatch.travel.times import Limits
from dispatch.travel.valhalla import Valhalla
from tests.engines import PORTO_CENTRE
from tests.waiting import PATIENCE_S
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FAR = LatLon(48.85, 2.35)


def places(n, seed=1):
    chance = random.Random(seed)
    return [
        LatLon(PORTO_CENTRE.lat + chance.uniform(-0.008, 0.008), PORTO_CENTRE.lon + chance.uniform(-0.008, 0.008))
        for _ in range(n)
    ]


@pytest.fixture
async def http():
    async with httpx.AsyncClient() as client:
        yield client


def osrm(server, http, **options):
    client = EngineClient(source=Source.OSRM, http=http, breaker=CircuitBreaker(n_failures=2, recovery_s=0.2))
    return Osrm(client=client, urls={Mode.CAR: server.url}, **options)


def chain(*engines, cache=None):
    return TravelChain(engines=engines, great_circle=GreatCircle(), cache=cache)


def share(matrix, source):
    return np.mean([matrix.source(i, j) is source for i, j in np.ndindex(matrix.durations_s.shape)])


async def test_osrm_answers_a_matrix_in_several_requests(osrm_server, http):
    limits = Limits(n_cells=400, n_origins=20, n_destinations=20, n_places=10)
    at = places(50)
    in_pieces = await chain(osrm(osrm_server, http, limits=limits)).matrix(Mode.CAR, at, at, NOON, budget_s=20)
    at_once = await chain(osrm(osrm_server, http)).matrix(Mode.CAR, at, at, NOON, budget_s=20)
    assert (in_pieces.durations_s == at_once.durations_s).all()
    assert share(in_pieces, Source.OSRM) > 0.9
    far_apart = at_once.distances_m > 200
    assert (
        at_once.distances_m[far_apart] >= 0.95 * np.array([[distance_m(a, b) for b in at] for a in at])[far_apart]
    ).all()


async def test_osrm_route_has_geometry_along_streets(osrm_server, http):
    at = places(12)
    path = await chain(osrm(osrm_server, http)).route(Mode.CAR, at, NOON, budget_s=20)
    assert len(path.legs) == 11
    routed = [leg for leg in path.legs if leg.source is Source.OSRM]
    assert len(routed) >= 8
    assert all(distance_m(leg.geometry[0], at[i]) < 500 for i, leg in enumerate(path.legs))
    assert sum(len(leg.geometry) for leg in routed) > 3 * len(routed)


async def test_osrm_does_not_answer_for_a_place_off_its_map(osrm_server, http):
    at = [*places(3), FAR]
    matrix = await chain(osrm(osrm_server, http)).matrix(Mode.CAR, at, at, NOON, budget_s=20)
    assert all(matrix.source(i, 3) is Source.DEFAULT and matrix.source(3, i) is Source.DEFAULT for i in range(3))
    assert matrix.source(0, 1) is Source.OSRM
    path = await chain(osrm(osrm_server, http)).route(Mode.CAR, at, NOON, budget_s=20)
    assert path.legs[-1].source is Source.DEFAULT
    assert path.legs[0].source is Source.OSRM


@pytest.mark.parametrize("mode", Mode)
async def test_valhalla_answers_every_mode_within_its_own_limit_of_pairs(valhalla_server, http, mode):
    valhalla = Valhalla(client=EngineClient(source=Source.VALHALLA, http=http, timeout_s=20), url=valhalla_server.url)
    before = REQUESTS.labels(engine="valhalla", outcome="rejected")._value.get()
    at = places(60, seed=2)
    matrix = await chain(valhalla).matrix(mode, at, at, NOON, budget_s=60)
    assert share(matrix, Source.VALHALLA) > 0.8
    assert REQUESTS.labels(engine="valhalla", outcome="rejected")._value.get() == before
    path = await chain(valhalla).route(mode, at[:25], NOON, budget_s=60)
    assert sum(leg.source is Source.VALHALLA for leg in path.legs) > 15


async def test_valhalla_refuses_more_pairs_than_its_limit_and_that_is_a_fallback(valhalla_server, http):
    """The limit is real: without chunking, error 150."""
    limits = Limits(n_cells=10_000, n_origins=100, n_destinations=100, n_places=20)
    client = EngineClient(source=Source.VALHALLA, http=http, timeout_s=20)
    valhalla = Valhalla(client=client, url=valhalla_server.url, limits=limits)
    at = places(60, seed=2)
    matrix = await chain(valhalla).matrix(Mode.FOOT, at, at, NOON, budget_s=20)
    assert share(matrix, Source.DEFAULT) == 1


async def test_a_killed_engine_is_replaced_at_once_and_comes_back_by_itself(own_osrm, http):
    server = own_osrm()
    travel = chain(osrm(server, http, cache_s=0))
    at = places(8)
    assert (await travel.matrix(Mode.CAR, at, at, NOON, budget_s=5)).weakest() is Source.OSRM
    server.kill()
    for _ in range(3):
        matrix = await travel.matrix(Mode.CAR, at, at, NOON, budget_s=5)
        assert share(matrix, Source.DEFAULT) == 1
    server.start()
    await _until_osrm_answers(travel, at)


async def test_a_hanging_engine_costs_the_budget_then_nothing_and_comes_back_by_itself(own_osrm, http):
    server = own_osrm()
    travel = chain(osrm(server, http, cache_s=0))
    at = places(8)
    server.pause()
    began = monotonic()
    for _ in range(4):
        assert share(await travel.matrix(Mode.CAR, at, at, NOON, budget_s=0.1), Source.DEFAULT) == 1
    assert monotonic() - began < 10  # without a deadline: the engine never answers
    left_alone = REQUESTS.labels(engine="osrm", outcome="left_alone")._value.get()
    await travel.matrix(Mode.CAR, at, at, NOON, budget_s=0.1)
    assert REQUESTS.labels(engine="osrm", outcome="left_alone")._value.get() > left_alone
    server.resume()
    await _until_osrm_answers(travel, at)


async def _until_osrm_answers(travel, at):
    async with asyncio.timeout(PATIENCE_S):
        while (await travel.matrix(Mode.CAR, at, at, NOON, budget_s=1)).weakest() is not Source.OSRM:
            await asyncio.sleep(0.05)


async def test_connections_that_the_server_drops_are_not_noticed(osrm_server, http):
    """osrm-routed closes a kept-alive connection after some hundreds of requests."""
    travel = chain(osrm(osrm_server, http, cache_s=0))
    at = places(2)
    for _ in range(600):
        assert (await travel.matrix(Mode.CAR, at[:1], at[1:], NOON, budget_s=10)).weakest() is Source.OSRM


async def test_what_one_process_asked_another_finds_in_redis(osrm_server, http, redis_url):
    at = places(20)
    async with Redis.from_url(redis_url) as redis:
        first = await chain(osrm(osrm_server, http), cache=TravelCache(redis=redis)).matrix(
            Mode.CAR, at, at, NOON, budget_s=20
        )
        requests = REQUESTS.labels(engine="osrm", outcome="answered")
        hits = CACHE_PAIRS.labels(tier="redis", result="hit")
        n_requests, n_hits = requests._value.get(), hits._value.get()
        second = await chain(osrm(osrm_server, http), cache=TravelCache(redis=redis)).matrix(
            Mode.CAR, at, at, NOON, budget_s=20
        )
        assert requests._value.get() == n_requests
        assert hits._value.get() >= n_hits + 300
        assert (first.durations_s == second.durations_s).all()
        assert (first.sources == second.sources).all()
        keys = [key async for key in redis.scan_iter("pr:travel:osrm:car:any:*")]
        assert keys
        assert 0 < await redis.ttl(keys[0]) <= 7 * 86_400


async def test_a_redis_that_is_gone_is_a_miss(osrm_server, http):
    async with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.1) as redis:
        travel = chain(osrm(osrm_server, http), cache=TravelCache(redis=redis))
        assert (await travel.matrix(Mode.CAR, places(5), places(5), NOON, budget_s=20)).weakest() is Source.OSRM


async def test_limits_are_counted_by_all_processes_together(redis_url):
    allowance = Allowance(requests_per_minute=1000, requests_per_day=3, spend_per_day=1, price_per_1000=5)
    async with Redis.from_url(redis_url) as redis:
        meters = [SharedMeter(allowance, redis, engine="google", clock=lambda: 1_800_000_000) for _ in range(2)]
        assert [await meter.take(50) for meter in (*meters, *meters)] == [True, True, True, False]
        assert await redis.ttl("pr:travel:{google}:requests:d20833") > 86_400
        assert await used_on(redis, "google", 1_800_000_000) == Used(requests=3, money=0.75)
        assert await used_on(redis, "google", 1_800_000_000 + 86_400) == Used(requests=0, money=0)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        meter = SharedMeter(Allowance(spend_per_day=1, price_per_1000=5), redis, engine="google")
        assert [await meter.take(150), await meter.take(100), await meter.take(50)] == [True, False, True]


async def test_requests_are_limited_by_the_minute_and_by_the_day_and_a_refusal_costs_nothing(redis_url):
    now_s = 1_800_000_000
    async with Redis.from_url(redis_url) as redis:
        allowance = Allowance(requests_per_minute=2, requests_per_day=3)
        meter = SharedMeter(allowance, redis, engine="osrm", clock=lambda: now_s)
        assert [await meter.take(1) for _ in range(3)] == [True, True, False]
        now_s += 60
        assert [await meter.take(1) for _ in range(2)] == [True, False]
        now_s += 86_400
        assert await meter.take(1)


async def test_that_our_limits_keep_an_engine_from_being_asked_is_told_to_every_process(redis_url):
    async with Redis.from_url(redis_url) as redis:
        meter = SharedMeter(Allowance(requests_per_minute=1), redis, engine="google")
        await meter.take(1)
        assert await limited_engines(redis, ["google", "yandex"]) == []
        await meter.take(1)
        assert await limited_engines(redis, ["google", "yandex"]) == ["google"]
        assert 0 < await redis.ttl("pr:travel:{google}:limited") <= 60


async def test_without_redis_a_limited_engine_is_not_asked():
    async with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.1) as redis:
        assert not await SharedMeter(Allowance(requests_per_day=3), redis, engine="google").take(1)
        assert await SharedMeter(Allowance(), redis, engine="google").take(1)
