"""The version of a thing two people may edit at once: `If-Match`, or a field of the body."""

from typing import Annotated

from litestar.params import HeaderParameter

from app.web.problems import BadInput

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]


def version_of(if_match: str | None, version: int | None) -> int | None:
    """The version a change expects, from an If-Match header such as `"3"`, or from the body; None: any."""
    if if_match is None or if_match.strip() == "*":
        return version
    try:
        return int(if_match.strip().removeprefix("W/").strip('"'))
    except ValueError as exc:
        raise BadInput("If-Match is not one of our ETags.", ("/If-Match", 'expected a version such as "3"')) from exc
