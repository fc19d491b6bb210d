"""Cursor pagination: `{"items": […], "next"?: cursor}`, where a cursor is opaque to the caller."""

import base64
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import msgspec

from app.web.problems import BadInput
from tracking.instants import is_believable

T = TypeVar("T")

PAGE_LIMIT = 1000
"""Most rows a page may have."""
LONGEST_SPAN: Final = timedelta(days=7)
"""Of the stays, trips and gaps that are asked for at once."""
FIXES_AT_ONCE: Final = 10_000
"""Folded in one go, some 50 ms; more than half a day of 5-second fixes."""
MOST_FIXES: Final = 200_000
"""Folded for one page, about a second; a segment of still more fixes is cut there."""
LONGEST_CURSOR: Final = 500
"""Characters; ours have a hundred."""
LARGEST_ID: Final = 2**63 - 1
"""A bigint."""


class Page(msgspec.Struct, Generic[T], kw_only=True, omit_defaults=True):
    """A page of a list; without `next` it is the last one."""

    items: list[T]
    next: str | None = None


def cursor_of(*key: Any) -> str:
    """An opaque cursor that holds the sort key of the last row of a page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key, enc_hook=str)).decode().rstrip("=")


def key_of(cursor: str | None, types: Any) -> Any:
    """
    The sort key in a cursor, as `types` (a tuple type), or None without a cursor.

    Raises BadInput when it is not a cursor of ours.
    """
    if cursor is None:
        return None
    key = _decoded(cursor, types) if len(cursor) <= LONGEST_CURSOR else None
    if key is None or not all(map(_can_be_a_key, key)):
        raise BadInput("The cursor is not one of ours.", ("/cursor", "expected the `next` of an earlier page"))
    return key


def _decoded(cursor: str, types: Any) -> Any:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=types)
    except ValueError:  # also what msgspec and binascii raise
        return None


def _can_be_a_key(value: Any) -> bool:
    """Whether a column of ours could hold it: whoever makes a cursor up may put anything there."""
    match value:
        case datetime():
            return value.tzinfo is not None and is_believable(value)
        case int():
            return 0 <= value <= LARGEST_ID
        case str():
            return "\x00" not in value
        case _:
            return True
