"""
The shapes in which fixes come, at whichever door: flat fields under many names, Traccar Client's `location`, arrays of
locations, Overland, GeoJSON, OwnTracks messages; no I/O.

What is in none of them is unusable, and kept whole; only what is known to carry no place leaves nothing.
Sources: Traccar, `OsmAndProtocolDecoder.java`; Overland, README "API"; RFC 7946; and those named in the formats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tracking.intake.phones import owntracks
from tracking.intake.phones.contents import Fields, json_text
from tracking.intake.phones.heard import (
    Hearing,
    SpeedUnit,
    Unreadable,
    course_of,
    fraction,
    not_negative,
    optional,
    place_of,
    text_of,
    truth,
)
from tracking.intake.reading import Reading
from tracking.quality import Reason

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "long", "longitude"),
    "at": ("timestamp", "time", "fixed_at", "tst", "recorded_at"),
    "accuracy": ("accuracy", "acc", "accuracy_m", "horizontal_accuracy"),
    "speed": ("speed", "spd"),
    "speed_mps": ("speed_mps",),
    "course": ("bearing", "heading", "course", "dir", "direction", "course_deg", "cog"),
    "altitude": ("altitude", "alt", "altitude_m"),
    "battery": ("batt", "battery", "battery_pct"),
    "battery_level": ("battery_level",),
    "device": ("id", "deviceid", "device_id", "device"),
    "courier": ("courier_id",),
    "mock": ("mock",),
    "valid": ("valid",),
}
"""What a field is called; the first that is there counts."""
OF_A_PLACE: Final = {*NAMES["lat"], *NAMES["lon"], "location", "coords", "coordinates", "geometry"}
WITHOUT_A_PLACE: Final = ({name for names in NAMES.values() for name in names} - OF_A_PLACE) | {
    *("alarm", "cell", "charge", "driveruniqueid", "hdop", "notificationtoken", "wifi"),  # Traccar Client, form
    *("activity", "age", "event", "extras", "is_heartbeat", "is_moving", "odometer"),  # Traccar Client, JSON
    *("provider", "sample", "uuid", "_"),
    *("eta", "etfa", "eda", "edfa"),  # the OsmAnd app
    *("act", "aid", "desc", "dist", "filename", "pdop", "profile", "prov", "sat", "ser", "vdop"),  # GPSLogger
    *("date", "starttimestamp", "timeoffset"),
}
"""What holds nothing else is a heartbeat, a change of the location provider, or a push token."""
LISTS: Final = ("locations", "location", "fixes", "features", "positions")
"""Members under which an object holds many fixes."""
OVERLAND_REPLY: Final = b'{"result":"ok"}'
"""Without this Overland sends the same again. Source: Overland, README."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a door takes for granted of flat fields."""

    unit: SpeedUnit
    zero_is_unknown: bool = False
    """GPSLogger writes 0.0 for what is missing."""


def take_content(hearing: Hearing, content: Any, habits: Habits, shared: Fields, *, limit: int) -> bool:
    """
    A JSON document. `shared`: fields of the query; returns whether they were used with it.

    Of more than `limit` parts the rest is kept as one.
    """
    parts = many_of(content)
    if parts is None:
        if content == {} and not shared.keys() & OF_A_PLACE:
            raise Unreadable("an empty object")
        is_flat = isinstance(content, dict) and _is_flat(lowered(content))
        take(hearing, {**shared, **lowered(content)} if is_flat else content, habits)
        return is_flat
    if isinstance(content, dict):
        rest = {name: value for name, value in lowered(content).items() if value is not parts}
        _name(hearing, rest)
        if rest.keys() & {*NAMES["lat"], *NAMES["lon"]}:
            take(hearing, rest, habits)
        if "locations" in content and any(isinstance(part, dict) and part.get("type") == "Feature" for part in parts):
            hearing.reply = OVERLAND_REPLY
    for part in parts[:limit]:
        take(hearing, part, habits)
    if len(parts) > limit:
        hearing.unusable.append((Reason.UNREADABLE, json_text(parts[limit:])))
    return False


def many_of(content: Any) -> Sequence[Any] | None:
    """The parts of a document that holds many; None when it is one fix by itself."""
    if isinstance(content, list):
        return content
    if isinstance(content, dict):
        fields = lowered(content)
        return next((fields[name] for name in LISTS if isinstance(fields.get(name), list)), None)
    return None


def lowered(fields: Mapping[Any, Any]) -> Fields:
    """Names in lower case."""
    return {str(name).strip().lower(): value for name, value in fields.items()}


def take(hearing: Hearing, part: Any, habits: Habits) -> None:
    """One fix, message or heartbeat."""
    try:
        if not isinstance(part, dict):
            raise Unreadable("expected an object")  # noqa: TRY301 - one place answers all that cannot be read
        fields = lowered(part)
        if isinstance(fields.get("_type"), str):
            owntracks.take(hearing, fields, json_text(part))
        elif fields.get("type") == "Feature":
            _take_feature(hearing, fields)
        elif _is_flat(fields):
            take_flat(hearing, fields, habits, json_text(part))
        else:
            _take_nested(hearing, fields)
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, json_text(part)))


def take_flat(hearing: Hearing, fields: Fields, habits: Habits, payload: bytes) -> None:
    """Fields beside each other: a query, a form, or an object of them."""
    _name(hearing, fields)
    try:
        place = _place(fields)
        if place is None:
            if not fields or not fields.keys() <= WITHOUT_A_PLACE | OF_A_PLACE:
                raise Unreadable("no place, and no heartbeat that is known")  # noqa: TRY301 - as above
            return
        if not truth(_first(fields, "valid"), default=True):
            hearing.unusable.append((Reason.INVALID, payload))
            return
        hearing.readings.append(_reading(hearing, fields, place, habits))
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, payload))


def _is_flat(fields: Fields) -> bool:
    """Whether the place stands among the other fields, or there is none."""
    nested = fields.get("location"), fields.get("coords"), fields.get("geometry"), fields.get("coordinates")
    return not any(isinstance(value, dict | list) for value in nested)


def _take_nested(hearing: Hearing, fields: Fields) -> None:
    """The place in an object of its own: Traccar Client 9, its relatives with GeoJSON, a bare GeoJSON point."""
    _name(hearing, fields)
    inner = fields.get("location")
    if isinstance(inner, dict):
        inner = {name: value for name, value in lowered(inner).items() if value is not None}
        if not inner.keys() & (OF_A_PLACE | {"type"}):
            if not inner or not inner.keys() <= WITHOUT_A_PLACE:
                raise Unreadable("no coordinates, and no heartbeat that is known")
            return
        fields = {**fields, **inner}
        fields.pop("location", None)
    coords = fields.get("coords")
    habits = Habits(unit=SpeedUnit.METRES_PER_SECOND)
    if isinstance(coords, dict):
        fields = {**fields, **lowered(coords)}
        place = _place(fields)
    elif "coords" in fields and coords is not None:
        raise Unreadable("expected an object of coordinates")
    elif isinstance(fields.get("geometry"), dict):
        place = _point(fields["geometry"])
    elif "coordinates" in fields:
        place = _point(fields)
    else:
        place = _place(fields)
    if place is None:
        raise Unreadable("expected coordinates")
    hearing.readings.append(_reading(hearing, fields, place, habits))


def _take_feature(hearing: Hearing, fields: Fields) -> None:
    """A GeoJSON Feature, as Overland writes it."""
    geometry, properties = fields.get("geometry"), fields.get("properties")
    place = _point(geometry)
    known = lowered(properties) if isinstance(properties, dict) else {}
    _name(hearing, known)
    hearing.readings.append(_reading(hearing, known, place, Habits(unit=SpeedUnit.METRES_PER_SECOND)))


def _point(geometry: Any) -> tuple[float, float]:
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        raise Unreadable("expected a point")
    match geometry.get("coordinates"):
        case [lon, lat, *_]:
            place = place_of({"lat": lat, "lon": lon}, "lat", "lon")
            if place is not None:
                return place
    raise Unreadable("expected coordinates")


def _place(fields: Fields) -> tuple[float, float] | None:
    place = place_of({"lat": _first(fields, "lat"), "lon": _first(fields, "lon")}, "lat", "lon")
    location = fields.get("location")
    if place is not None or location is None or location == "":
        return place
    lat, _, lon = str(location).partition(",")
    return place_of({"lat": lat.strip(), "lon": lon.strip()}, "lat", "lon")


def _first(fields: Fields, name: str) -> Any:
    return next((value for known in NAMES[name] if (value := fields.get(known)) is not None and value != ""), None)


def _name(hearing: Hearing, fields: Fields) -> None:
    device = text_of(_first(fields, "device"))
    if device is not None:
        hearing.devices.add(device)


def _reading(hearing: Hearing, fields: Fields, place: tuple[float, float], habits: Habits) -> Reading:
    def known(value: float | None) -> float | None:
        return None if habits.zero_is_unknown and value == 0 else value

    si_speed = _first(fields, "speed_mps")
    speed = hearing.speed_of(_first(fields, "speed"), habits.unit) if si_speed is None else not_negative(si_speed)
    return Reading(
        fixed_at=hearing.instant_of(_first(fields, "at")),
        lat=place[0],
        lon=place[1],
        accuracy_m=known(not_negative(_first(fields, "accuracy"))),
        speed_mps=known(speed),
        course_deg=known(course_of(_first(fields, "course"))),
        altitude_m=known(optional(_first(fields, "altitude"))),
        battery_pct=known(_battery(fields)),
        mock=truth(fields.get("mock"), default=False),
        courier_id=_courier(fields),
    )


def _battery(fields: Fields) -> float | None:
    """Percent; libraries for phones count from 0 to 1."""
    battery, level = _first(fields, "battery"), _first(fields, "battery_level")
    if isinstance(battery, dict):
        return fraction(battery.get("level"))
    if battery is None and level is not None:
        share = not_negative(level)
        return share if share is None or share > 1 else share * 100
    return not_negative(battery)


def _courier(fields: Fields) -> UUID | None:
    """Raises Unreadable where it is none, for nobody knows then whose fix it is."""
    value = _first(fields, "courier")
    try:
        return None if value is None else UUID(str(value))
    except ValueError as exc:
        raise Unreadable("expected the id of a courier") from exc
