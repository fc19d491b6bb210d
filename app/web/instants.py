"""Instants in a query: one way to read them, and one answer to what cannot be read."""

from datetime import datetime
from typing import Annotated, Final

from litestar.openapi.spec import Example
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import QueryParameter

from app.web.problems import BadInput
from tracking.instants import parse

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


def instant_of(name: str, text: str | None) -> datetime | None:
    """The instant in a parameter, None without one. Raises BadInput, with the parameter's name as pointer."""
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as exc:
        raise BadInput(f"`{name}` is not a time.", (f"/{name}", str(exc))) from exc
