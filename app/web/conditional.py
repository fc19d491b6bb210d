"""
Answers that a caller may have already (RFC 9110, section 13): a weak tag of what they say, and 304 for who has it.

A phone that asks every few seconds is answered in a few bytes while nothing has changed, and never with what was true a
moment ago: the tag is made anew for each question.
"""

import hashlib
from typing import Any, Final

import msgspec
from litestar import Request, Response

LONGEST: Final = 4000
"""Of the header that is looked at."""
CACHING: Final = "private, no-cache"
"""The caller's own, and asked about each time."""


def tag_of(said: Any) -> str:
    """The same for what says the same."""
    digest = hashlib.blake2b(msgspec.json.encode(said), digest_size=12)
    return f'W/"{digest.hexdigest()}"'


def headers_of(tag: str) -> dict[str, str]:
    """What a whole answer has beside it, so that it can be asked about."""
    return {"ETag": tag, "Cache-Control": CACHING}


def is_known(request: Request[Any, Any, Any], tag: str) -> bool:
    """Whether the caller has the answer with that tag."""
    told = request.headers.get("if-none-match", "")[:LONGEST]
    return any(one.strip() in {tag, "*"} for one in told.split(","))


def known(tag: str) -> Response[Any]:
    """You have it."""
    return Response(None, status_code=304, headers=headers_of(tag))


def answer(request: Request[Any, Any, Any], shape: Any) -> Response[Any]:
    """A shape, or that the caller has it."""
    tag = tag_of(shape)
    return known(tag) if is_known(request, tag) else Response(shape, headers=headers_of(tag))
