"""What OwnTracks is told: cards of who is at work, the stops ahead as waypoints, a wish to know where it is; no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.doors.mqtt.packets import matches

RADIUS_M: Final = 60
"""Of a stop's waypoint: where we take a courier to be at the door, too."""
REPORT: Final = msgspec.json.encode({"_type": "cmd", "action": "reportLocation"})
CLEAR: Final = msgspec.json.encode({"_type": "cmd", "action": "clearWaypoints"})
FOR_COMMANDS: Final = "cmd"

Message = tuple[str, bytes]
"""Topic and payload."""


def base_of(topic: str) -> str | None:
    """`owntracks/<user>/<device>` of a topic in it; None for one that names no device, or any device."""
    parts = topic.split("/")
    return "/".join(parts[:3]) if len(parts) > 2 and not {"+", "#", ""} & set(parts[:3]) else None


def initials(name: str) -> str:
    """Two letters that stand for somebody on a map."""
    words = name.split()
    letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else name[:2]
    return letters.upper()


def card(base: str, name: str) -> Message:
    """Who that device's person is."""
    return f"{base}/info", msgspec.json.encode({"_type": "card", "name": name, "tid": initials(name)})


def cards(rows: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Of couriers; each has a topic of its own, by what others call the courier."""
    found = []
    for row in rows:
        name = row["external_id"] or ""
        is_level = bool(name) and not {"/", "+", "#", "\x00"} & set(name)
        found.append(card(f"owntracks/{name if is_level else row['id']}/courier", row["name"]))
    return found


def stops_ahead(route: Mapping[str, Any], now_s: int) -> bytes:
    """The command that makes the stops of a route the phone's waypoints."""
    stops: Sequence[Mapping[str, Any]] = route.get("stops", ())
    if not stops:
        return CLEAR
    waypoints = [
        {
            "_type": "waypoint",
            "desc": " ".join(filter(None, (f"{place}", stop["kind"], stop.get("address")))),
            "lat": stop["lat"],
            "lon": stop["lon"],
            "rad": RADIUS_M,
            "tst": now_s + place,  # the app knows a waypoint by this
        }
        for place, stop in enumerate(stops, start=1)
    ]
    wanted = {"_type": "cmd", "action": "setWaypoints", "waypoints": {"_type": "waypoints", "waypoints": waypoints}}
    return msgspec.json.encode(wanted)


def wanted(messages: Iterable[Message], filters: Iterable[str]) -> list[Message]:
    """Those that the client has subscribed to."""
    held = tuple(filters)
    return [one for one in messages if any(matches(one[0], filter_) for filter_ in held)]
