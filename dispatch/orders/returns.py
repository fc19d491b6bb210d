"""Where goods go that did not reach their recipient: to their pickup, or to the region's own place for them."""

import logging
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dispatch.orders.rows import from_json
from sql import queries
from tracking.position import LatLon, Region

log = logging.getLogger(__name__)

GROUP: Final = "returns"
"""Among a region's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPlace:
    """Where goods come back to."""

    at: LatLon
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSettings:
    """Where goods come back to that could not be delivered; unset: to their pickup place."""

    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    """Latitude (WGS 84) of where goods come back to that could not be delivered; none: where they were picked up."""
    lon: Annotated[float, Meta(ge=-180, le=180)] | None = None
    """Longitude of it; both or neither."""
    address: Annotated[str, Meta(max_length=500)] | None = None
    """Its address, for the courier."""

    def __post_init__(self) -> None:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("expected both lat and lon, or neither")

    @property
    def place(self) -> ReturnPlace | None:
        """The region's own, if it has one."""
        if self.lat is None or self.lon is None:
            return None
        return ReturnPlace(at=LatLon(self.lat, self.lon), address=self.address)


async def place_of(connection: Any, region: Region) -> ReturnPlace | None:
    """
    A region's place for what comes back; None: where it was picked up.

    Settings that cannot be read keep nobody from bringing goods back; the dispatcher tells staff of them.
    """
    settings = from_json(await connection.fetchval(queries["regions.settings"], region) or "{}")
    try:
        given = settings.get(GROUP, {}) if isinstance(settings, dict) else {}
        return msgspec.convert(given, ReturnSettings).place
    except ValueError as exc:
        facts = {"event": "return_place_unreadable", "region": region, "why": str(exc)}
        log.warning("return place unreadable", extra=facts)
        return None
