"""Instants in a query or a body: one way to read them, and one answer to what cannot be meant."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar.openapi.spec import Example
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import QueryParameter

from app.web.problems import BadInput
from tracking.instants import EXPECTED, is_believable, parse

EXAMPLES: Final = [Example(value="2026-11-23T12:00:00Z")]

From = Annotated[
    str | None,
    QueryParameter(name="from", description="RFC 3339 with zone.", format=OpenAPIFormat.DATE_TIME, examples=EXAMPLES),
]
"""Where a span begins; `instant_of` reads it."""
To = Annotated[
    str | None,
    QueryParameter(
        name="to", description="RFC 3339 with zone; now.", format=OpenAPIFormat.DATE_TIME, examples=EXAMPLES
    ),
]
"""Where a span ends."""

InstantQuery = Annotated[
    str | None, QueryParameter(description="RFC 3339 with zone.", format=OpenAPIFormat.DATE_TIME, examples=EXAMPLES)
]
"""An instant in a parameter with the name of the argument."""


def instant_of(name: str, text: str | None) -> datetime | None:
    """The instant in a parameter, None without one. Raises BadInput, with the parameter's name as pointer."""
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as exc:
        raise BadInput(f"`{name}` is not a time.", (f"/{name}", str(exc))) from exc


def check_instants(body: msgspec.Struct) -> None:
    """
    Raise BadInput, with a pointer each, for instants of a body that nobody can mean: an unset date, "for ever".

    Not left to the decoder, whose instants have no bounds, nor to the shapes, which also say what is stored already.
    """
    if errors := list(_unbelievable(body, "")):
        raise BadInput("Some instants cannot be meant.", *errors)


def _unbelievable(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, datetime):
        if not is_believable(value):
            yield pointer, EXPECTED
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            yield from _unbelievable(getattr(value, field.name), f"{pointer}/{field.encode_name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unbelievable(item, f"{pointer}/{index}")
