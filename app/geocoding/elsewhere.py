"""Geocoders of others: Nominatim, Google and Yandex, each behind its client's timeout, limits and circuit breaker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.geocoding.found import Found, Geocoder, Kind
from dispatch.travel.answers import reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.times import EngineFailed
from tracking.geo import distance_m
from tracking.position import LatLon

NEAR_DEGREES: Final = 0.25
"""A geocoder is asked to prefer what lies about so near (some 25 km)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nominatim:
    """
    A Finder. Source: nominatim.org/release-docs/latest/api/Search, …/Reverse.

    The public server allows one request a second and no search by typing: run one of your own.
    """

    client: EngineClient
    url: str

    source = Geocoder.NOMINATIM

    async def find(self, words: str, limit: int, near: LatLon | None) -> Sequence[Found]:
        """See Finder."""
        around = {} if near is None else {"viewbox": ",".join(f"{edge:.5f}" for edge in _around(near))}
        answer = await self._get("search", {"q": words, "limit": str(limit), **around})
        return reading(lambda: [self._found(one, None) for one in answer])

    async def at(self, place: LatLon, limit: int) -> Sequence[Found]:
        """See Finder."""
        del limit  # it tells one
        one = await self._get("reverse", {"lat": f"{place.lat:.7f}", "lon": f"{place.lon:.7f}"})
        return reading(lambda: [] if "error" in one else [self._found(one, place)])

    async def _get(self, what: str, params: Mapping[str, str]) -> Any:
        url = f"{self.url.rstrip('/')}/{what}"
        return await self.client.fetch(Ask(url=url, params={**params, "format": "jsonv2", "addressdetails": "1"}))

    def _found(self, one: Mapping[str, Any], place: LatLon | None) -> Found:
        address = one.get("address", {})
        if "house_number" in address:
            kind = Kind.ADDRESS
        else:
            kind = Kind.STREET if one.get("category") == "highway" else Kind.PLACE
        return _found(one["display_name"], float(one["lat"]), float(one["lon"]), kind, self.source, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleGeocoder:
    """A Finder. Source: developers.google.com/maps/documentation/geocoding/requests-geocoding."""

    client: EngineClient
    key: str = field(repr=False)
    url: str = "https://maps.googleapis.com"

    source = Geocoder.GOOGLE

    async def find(self, words: str, limit: int, near: LatLon | None) -> Sequence[Found]:
        """See Finder."""
        params = {"address": words}
        if near is not None:
            west, south, east, north = _around(near)
            params["bounds"] = f"{south:.5f},{west:.5f}|{north:.5f},{east:.5f}"
        return (await self._get(params, None))[:limit]

    async def at(self, place: LatLon, limit: int) -> Sequence[Found]:
        """See Finder."""
        return (await self._get({"latlng": f"{place.lat:.7f},{place.lon:.7f}"}, place))[:limit]

    async def _get(self, params: Mapping[str, str], place: LatLon | None) -> list[Found]:
        url = f"{self.url.rstrip('/')}/maps/api/geocode/json"
        answer = await self.client.fetch(Ask(url=url, params={**params, "key": self.key}))
        if (status := reading(lambda: answer["status"])) not in {"OK", "ZERO_RESULTS"}:
            raise EngineFailed(f"status {status}: is the key right and paid for?", leave_alone=True)
        return reading(lambda: [self._found(one, place) for one in answer["results"]])

    def _found(self, one: Mapping[str, Any], place: LatLon | None) -> Found:
        kinds = {"street_address": Kind.ADDRESS, "premise": Kind.ADDRESS, "route": Kind.STREET}
        kind = next((kinds[name] for name in one.get("types", ()) if name in kinds), Kind.PLACE)
        at = one["geometry"]["location"]
        return _found(one["formatted_address"], float(at["lat"]), float(at["lng"]), kind, self.source, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class YandexGeocoder:
    """A Finder. Source: yandex.ru/maps-api/docs/geocoder-api."""

    client: EngineClient
    key: str = field(repr=False)
    url: str = "https://geocode-maps.yandex.ru"

    source = Geocoder.YANDEX

    async def find(self, words: str, limit: int, near: LatLon | None) -> Sequence[Found]:
        """See Finder."""
        params = {"geocode": words, "results": str(limit)}
        if near is not None:
            span = f"{2 * NEAR_DEGREES},{2 * NEAR_DEGREES}"
            params |= {"ll": f"{near.lon:.5f},{near.lat:.5f}", "spn": span}
        return await self._get(params, None)

    async def at(self, place: LatLon, limit: int) -> Sequence[Found]:
        """See Finder."""
        return await self._get({"geocode": f"{place.lon:.7f},{place.lat:.7f}", "results": str(limit)}, place)

    async def _get(self, params: Mapping[str, str], place: LatLon | None) -> list[Found]:
        asked = {**params, "format": "json", "apikey": self.key}
        answer = await self.client.fetch(Ask(url=f"{self.url.rstrip('/')}/1.x/", params=asked))
        return reading(
            lambda: [
                self._found(one["GeoObject"], place)
                for one in answer["response"]["GeoObjectCollection"]["featureMember"]
            ]
        )

    def _found(self, one: Mapping[str, Any], place: LatLon | None) -> Found:
        told = one["metaDataProperty"]["GeocoderMetaData"]
        kind = {"house": Kind.ADDRESS, "street": Kind.STREET}.get(told.get("kind", ""), Kind.PLACE)
        lon, lat = (float(number) for number in one["Point"]["pos"].split())
        return _found(told["text"], lat, lon, kind, self.source, place)


def _around(near: LatLon) -> tuple[float, float, float, float]:
    """West, south, east, north."""
    south, north = max(-90.0, near.lat - NEAR_DEGREES), min(90.0, near.lat + NEAR_DEGREES)
    return max(-180.0, near.lon - NEAR_DEGREES), south, min(180.0, near.lon + NEAR_DEGREES), north


def _found(label: str, lat: float, lon: float, kind: Kind, source: Geocoder, place: LatLon | None) -> Found:
    at = LatLon(lat, lon)  # ValueError for what is nowhere: an answer that cannot be read
    far_m = None if place is None else round(distance_m(place, at), 1)
    return Found(label=label, lat=at.lat, lon=at.lon, kind=kind, source=source, distance_m=far_m)
