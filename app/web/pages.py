"""Cursor pagination: `{"items": […], "next"?: cursor}`, where a cursor is opaque to the caller."""

import base64
import binascii
from typing import Any, Generic, TypeVar

import msgspec

from app.web.problems import BadInput

T = TypeVar("T")

PAGE_LIMIT = 1000
"""Most rows a page may have."""


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
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=types)
    except (binascii.Error, ValueError, msgspec.DecodeError) as exc:
        raise BadInput("The cursor is not one of ours.", ("/cursor", "expected the `next` of an earlier page")) from exc
