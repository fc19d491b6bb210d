"""
What no route of ours can bear: text with NUL, which PostgreSQL stores in no column, and JSON nested without end.

One place for every route, before its parameters are read: it is told with its place in the request. Doors that keep
whatever comes (`opt={"keeps_anything": True}`) look after it themselves.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec
from litestar import Request

from app.web.problems import BadInput

NUL: Final = "\x00"
FEW_BRACKETS: Final = 500
"""JSON with fewer cannot be nested too deeply for the decoder."""


async def refuse_unbearable(request: Request[Any, Any, Any]) -> None:
    """Raise BadInput that names where it is."""
    if request.scope["route_handler"].opt.get("keeps_anything", False):
        return
    if NUL in unquote(request.scope["path"]):
        raise _bad("")
    query = request.scope["query_string"]
    if b"%00" in query or b"\x00" in query:
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if NUL in name or NUL in value:
                raise _bad(f"/{_escaped(name.replace(NUL, ''))}")
    if request.method in {"POST", "PUT", "PATCH"}:
        body = await request.body()
        holds_nul = b"\\u0000" in body
        if holds_nul or body.count(b"[") + body.count(b"{") > FEW_BRACKETS:
            document = _decoded(body)
            pointer = next(places_of_nul(document, ""), None) if holds_nul else None
            if pointer is not None:
                raise _bad(pointer)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except ValueError:  # the route says what is wrong with it
        return None
    except RecursionError as exc:
        raise BadInput("The body is nested too deeply.", ("", "expected fewer levels")) from exc


def places_of_nul(value: Any, pointer: str) -> Iterator[str]:
    """Where in a JSON document a string holds NUL, or a name does (that of the object then)."""
    match value:
        case str() if NUL in value:
            yield pointer
        case list():
            for i, item in enumerate(value):
                yield from places_of_nul(item, f"{pointer}/{i}")
        case dict():
            for name, item in value.items():
                if NUL in name:
                    yield pointer
                yield from places_of_nul(item, f"{pointer}/{_escaped(name)}")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _bad(pointer: str) -> BadInput:
    return BadInput("Text must not hold NUL.", (pointer, "expected text without U+0000"))
