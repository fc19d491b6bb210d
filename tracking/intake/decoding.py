"""
The JSON of `POST /v1/positions`; no I/O.

One bad fix never spoils the others, and one bad value never spoils a fix: where the whole cannot be decoded each fix is
tried alone, then without what is optional in it, then as one of the shapes that phone apps write.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tracking.intake.phones.contents import is_json, json_of, json_text, text_of_body
from tracking.intake.phones.heard import Hearing, SpeedUnit, Unreadable, optional
from tracking.intake.phones.shapes import Habits, lowered, many_of, take
from tracking.intake.reading import Reading

OPTIONAL: Final = ("accuracy_m", "speed_mps", "course_deg", "altitude_m", "battery_pct")
HABITS: Final = Habits(unit=SpeedUnit.METRES_PER_SECOND)


class Envelope(msgspec.Struct, frozen=True):
    """Fixes under a name, for senders whose JSON must be an object."""

    fixes: list[Reading]


_one: Final = msgspec.json.Decoder(Reading)
_list: Final = msgspec.json.Decoder(list[Reading])
_envelope: Final = msgspec.json.Decoder(Envelope)


class TooManyFixes(Exception):
    """An upload holds more fixes than allowed."""

    def __init__(self, n: int) -> None:
        """`n`: how many it holds."""
        super().__init__(self.__doc__)
        self.n = n


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What a body holds."""

    readings: Sequence[Reading]
    indices: Sequence[int] = ()
    """Place of each reading among all that was sent; empty: as they stand."""
    unreadable: Sequence[tuple[int, bytes]] = ()
    """Place and text of what is no fix."""


def decode(body: bytes, limit: int = 10_000) -> Decoded:
    """
    Read one fix, an array of fixes, or `{"fixes": […]}`.

    Raises TooManyFixes, and nothing else, whatever the bytes are.
    """
    start = body[:64].lstrip()[:1]
    try:
        if start == b"[":
            decoded = Decoded(_list.decode(body))
        elif start == b"{" and b'"fixes"' in body:
            decoded = Decoded(_envelope.decode(body).fixes)
        else:
            return Decoded((_one.decode(body),))
    except (msgspec.DecodeError, RecursionError):
        return _patiently(body, limit)
    if len(decoded.readings) > limit:
        raise TooManyFixes(len(decoded.readings))
    return decoded


def _patiently(body: bytes, limit: int) -> Decoded:
    text = text_of_body(body)
    try:
        if not is_json(text):
            raise Unreadable("expected JSON")  # noqa: TRY301 - as what cannot be decoded
        content = json_of(text)
    except Unreadable:
        return Decoded((), (), ((0, body),))
    many = many_of(content)
    parts = [content] if many is None else many
    if len(parts) > limit:
        raise TooManyFixes(len(parts))
    readings, indices, unreadable = [], [], []
    for i, part in enumerate(parts):
        reading = _reading(part)
        if reading is None:
            unreadable.append((i, json_text(part)))
        else:
            readings.append(reading)
            indices.append(i)
    return Decoded(readings, indices, unreadable)


def _reading(part: Any) -> Reading | None:
    try:
        return msgspec.convert(part, Reading)
    except msgspec.ValidationError:
        pass
    if not isinstance(part, dict):
        return None
    fields = lowered(part)
    if "fixed_at" not in fields:
        return _as_a_phone_writes_it(part)
    fields |= {name: _optional(fields.get(name)) for name in OPTIONAL}
    if not isinstance(fields.get("mock"), bool):
        fields.pop("mock", None)
    try:
        return msgspec.convert(fields, Reading)
    except msgspec.ValidationError:
        return None


def _optional(value: Any) -> float | None:
    return optional(None if value is None else value if isinstance(value, int | float) else "none")


def _as_a_phone_writes_it(part: dict[Any, Any]) -> Reading | None:
    hearing = Hearing(now=None)
    take(hearing, part, HABITS)
    return hearing.readings[0] if len(hearing.readings) == 1 and not hearing.unusable else None
