"""Where an address is, and the address of a point: `/v1/geocode`."""

from typing import Annotated, Any

from litestar import get
from litestar.params import FromQuery, QueryParameter

from app.commands.locating import CurrentGeocoding
from app.geocoding.chain import Answer
from app.web.auth import Role, requires
from app.web.problems import BadInput
from tracking.position import LatLon

Words = Annotated[str, QueryParameter(description="What somebody types.", min_length=1, max_length=200)]
Limit = Annotated[int, QueryParameter(description="Most finds.", ge=1, le=20)]
Lat = Annotated[float, QueryParameter(description="Degrees north.", ge=-90, le=90)]
Lon = Annotated[float, QueryParameter(description="Degrees east.", ge=-180, le=180)]
Near = Annotated[str | None, QueryParameter(description="`lat,lon`: what is nearer comes first.", max_length=60)]


@get("/v1/geocode", guards=[requires(Role.VIEWER)], tags=["map"])
async def find_address(geocoding: CurrentGeocoding, q: Words, limit: Limit = 8, near: Near = None) -> Answer:
    """
    Addresses, streets and places that the words may mean, as somebody types them; the best first.

    `warnings` names geocoders that did not answer. A street stands for a house that is not known in it.
    """
    return await geocoding.find(q, limit, _near(near))


@get("/v1/geocode/reverse", guards=[requires(Role.VIEWER)], tags=["map"])
async def find_address_of_point(geocoding: CurrentGeocoding, lat: Lat, lon: Lon, limit: FromQuery[int] = 1) -> Answer:
    """The street address of a point; nothing where none is known nearby."""
    return await geocoding.at(LatLon(lat, lon), max(1, min(20, limit)))


def _near(text: str | None) -> LatLon | None:
    if text is None:
        return None
    try:
        lat, lon = (float(part) for part in text.split(","))
        return LatLon(lat, lon)
    except ValueError as exc:
        raise BadInput("There is no such place.", ("/near", "expected lat,lon in degrees")) from exc


route_handlers: list[Any] = [find_address, find_address_of_point]
