"""Geocoders one after the other: who knows nothing, or does not answer, hands the question on."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
from redis.asyncio import Redis

from app.geocoding.elsewhere import GoogleGeocoder, Nominatim, YandexGeocoder
from app.geocoding.found import Finder, Found, Geocoder
from app.geocoding.own import SUFFIX, Own
from app.settings import SettingError, Settings
from dispatch.travel.client import EngineClient
from dispatch.travel.guards import Allowance, CircuitBreaker, SharedMeter
from dispatch.travel.times import EngineFailed
from tracking.position import LatLon

log = logging.getLogger(__name__)


class Answer(msgspec.Struct, kw_only=True):
    """What was found, and who could not be asked."""

    items: list[Found]
    warnings: list[str] = []


class Geocoding:
    """The geocoders of the installation, in their order."""

    def __init__(self, finders: Sequence[Finder]) -> None:
        self._finders = finders

    async def find(self, words: str, limit: int, near: LatLon | None) -> Answer:
        """What the words may mean: the answer of the first who knows something."""
        return await self._ask(lambda finder: finder.find(words, limit, near))

    async def at(self, place: LatLon, limit: int) -> Answer:
        """The addresses of a point: the answer of the first who knows one."""
        return await self._ask(lambda finder: finder.at(place, limit))

    async def _ask(self, ask: Callable[[Finder], Awaitable[Sequence[Found]]]) -> Answer:
        warnings = [] if self._finders else ["no geocoder is set"]
        for finder in self._finders:
            try:
                found = await ask(finder)
            except EngineFailed as exc:
                log.warning(
                    "geocoder failed", extra={"event": "geocoder_failed", "source": finder.source, "why": str(exc)}
                )
                warnings.append(f"{finder.source} does not answer")
                continue
            if found:
                return Answer(items=list(found), warnings=warnings)
        return Answer(items=[], warnings=warnings)


@asynccontextmanager
async def geocoding(settings: Settings, redis: Redis) -> AsyncIterator[Geocoding]:
    """The chain, from the settings; closes what it opened."""
    own = Own(Path(settings.map_tiles).with_suffix(SUFFIX)) if settings.map_tiles else None
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=2)
    async with httpx.AsyncClient(limits=limits, follow_redirects=False) as http:
        try:
            yield Geocoding(finders(settings, http, redis, own))
        finally:
            if own is not None:
                own.close()


def finders(settings: Settings, http: httpx.AsyncClient, redis: Redis, own: Own | None) -> list[Finder]:
    """Those of the setting that have a file, an address or a key. SettingError for one that does not exist."""
    allowance = Allowance(
        requests_per_minute=settings.maps_requests_per_minute or None,
        requests_per_day=settings.maps_requests_per_day or None,
    )
    found: list[Finder] = []
    for name in filter(None, map(str.strip, settings.geocoders.split(","))):
        if name not in set(Geocoder):
            raise SettingError(f"POSTRIDER_GEOCODERS: {name} is none of {', '.join(Geocoder)}")
        source = Geocoder(name)
        client = EngineClient(
            source=source,
            http=http,
            timeout_s=settings.travel_timeout_s,
            breaker=CircuitBreaker(recovery_s=settings.travel_recovery_s),
            meter=SharedMeter(allowance, redis, engine=source.value, prefix="pr:geocode"),
        )
        match source:
            case Geocoder.OWN if own is not None:
                found.append(own)
            case Geocoder.NOMINATIM if settings.nominatim_url:
                found.append(Nominatim(client=client, url=settings.nominatim_url))
            case Geocoder.GOOGLE if settings.google_key:
                found.append(GoogleGeocoder(client=client, key=settings.google_key))
            case Geocoder.YANDEX if settings.yandex_key:
                found.append(YandexGeocoder(client=client, key=settings.yandex_key))
            case _:
                pass  # neither a file nor an address nor a key: it is not there
    return found
