"""Composition of travel times: which engines, behind which limits, from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import redis.asyncio as aioredis

from app.settings import SettingError, Settings
from dispatch.travel import google, yandex
from dispatch.travel.cache import TravelCache
from dispatch.travel.chain import TravelChain
from dispatch.travel.client import EngineClient
from dispatch.travel.google import Google
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.guards import Allowance, CircuitBreaker, SharedMeter
from dispatch.travel.matching import TrackMatching
from dispatch.travel.osrm import Osrm
from dispatch.travel.osrm_match import OsrmMatcher
from dispatch.travel.times import PAID, Engine, Source, SpeedFactors
from dispatch.travel.trace import Matcher
from dispatch.travel.valhalla import Valhalla
from dispatch.travel.valhalla_trace import ValhallaMatcher
from dispatch.travel.yandex import Yandex
from tracking.position import Mode


@asynccontextmanager
async def travel_times(
    settings: Settings, redis: aioredis.Redis, *, learned: SpeedFactors | None = None
) -> AsyncIterator[TravelChain]:
    """The chain of travel times; closes its connections at the end."""
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=8)
    async with httpx.AsyncClient(limits=limits, follow_redirects=False) as http:
        yield TravelChain(
            engines=engines(settings, http, redis),
            great_circle=GreatCircle(learned=learned),
            cache=TravelCache(redis=redis),
        )


@asynccontextmanager
async def track_matching(settings: Settings) -> AsyncIterator[TrackMatching]:
    """Tracks on the streets of the same engines; with connections and breakers of its own: no plan waits for it."""
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=4)
    async with httpx.AsyncClient(limits=limits, follow_redirects=False) as http:
        yield TrackMatching([matcher for source in _order(settings) if (matcher := _matcher(source, settings, http))])


def _matcher(source: Source, settings: Settings, http: httpx.AsyncClient) -> Matcher | None:
    client = EngineClient(
        source=source,
        http=http,
        timeout_s=settings.travel_timeout_s,
        breaker=CircuitBreaker(recovery_s=settings.travel_recovery_s),
    )
    if source is Source.OSRM and settings.osrm_url:
        return OsrmMatcher(client=client, urls=by_mode(settings.osrm_url))
    if source is Source.VALHALLA and settings.valhalla_url:
        return ValhallaMatcher(client=client, url=settings.valhalla_url)
    return None


def engines(settings: Settings, http: httpx.AsyncClient, redis: aioredis.Redis) -> list[Engine]:
    """The engines that have an address or a key, in the order of `travel_engines`. SettingError."""
    found = [_engine(source, settings, http, redis) for source in _order(settings)]
    return [engine for engine in found if engine is not None]


def _order(settings: Settings) -> list[Source]:
    try:
        return [Source(name.strip()) for name in settings.travel_engines.split(",") if name.strip()]
    except ValueError as exc:
        raise SettingError(f"POSTRIDER_TRAVEL_ENGINES: {exc}") from exc


def _engine(source: Source, settings: Settings, http: httpx.AsyncClient, redis: aioredis.Redis) -> Engine | None:
    allowance = _allowance(source, settings)
    most = None if allowance is None else allowance.most_elements
    client = EngineClient(
        source=source,
        http=http,
        timeout_s=settings.travel_timeout_s,
        breaker=CircuitBreaker(recovery_s=settings.travel_recovery_s),
        meter=None if allowance is None else SharedMeter(allowance, redis, engine=source.value),
    )
    match source:
        case Source.OSRM:
            return Osrm(client=client, urls=by_mode(settings.osrm_url)) if settings.osrm_url else None
        case Source.VALHALLA:
            return Valhalla(client=client, url=settings.valhalla_url) if settings.valhalla_url else None
        case Source.GOOGLE:
            return (
                Google(client=client, key=settings.google_key, limits=google.LIMITS.within(most))
                if settings.google_key
                else None
            )
        case Source.YANDEX:
            return (
                Yandex(client=client, key=settings.yandex_key, limits=yandex.LIMITS.within(most))
                if settings.yandex_key
                else None
            )
        case _:
            raise SettingError(f"POSTRIDER_TRAVEL_ENGINES: {source.value} is not an engine")


def _allowance(source: Source, settings: Settings) -> Allowance | None:
    """Only what is paid for is limited: 0 in the settings means no limit."""
    if source not in PAID:
        return None
    allowance = Allowance(
        requests_per_minute=settings.maps_requests_per_minute or None,
        requests_per_day=settings.maps_requests_per_day or None,
        spend_per_minute=settings.maps_spend_per_minute or None,
        spend_per_day=settings.maps_spend_per_day or None,
        price_per_1000=settings.maps_price_per_1000,
    )
    return allowance if allowance.is_limited else None


def by_mode(text: str) -> dict[Mode, str]:
    """`http://…` for every mode, or `car=http://…,bicycle=http://…`; a motorcycle goes where cars go."""
    if "=" not in text.split("://", 1)[0]:
        return dict.fromkeys(Mode, text)
    try:
        urls = {Mode(mode.strip()): url.strip() for mode, url in (part.split("=", 1) for part in text.split(","))}
    except ValueError as exc:
        raise SettingError(f"POSTRIDER_OSRM_URL: expected a URL or mode=URL,…: {exc}") from exc
    if Mode.CAR in urls:
        urls.setdefault(Mode.MOTORCYCLE, urls[Mode.CAR])
    return urls
