"""The version of a thing two people may edit at once: `If-Match`, or a field of the body."""

from typing import Annotated, Final

from litestar.params import HeaderParameter

from app.web.problems import BadInput

LARGEST: Final = 2**31 - 1
"""What the column holds."""
LONGEST: Final = len(str(LARGEST))

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]


def version_of(if_match: str | None, version: int | None) -> int | None:
    """The version a change expects, from an If-Match header such as `"3"`, or from the body; None: any."""
    if if_match is None or if_match.strip() == "*":
        return version
    digits = if_match.strip().removeprefix("W/").strip('"')
    if digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST and int(digits) <= LARGEST:
        return int(digits)
    raise BadInput("If-Match is not one of our ETags.", ("/If-Match", 'expected a version such as "3"'))
