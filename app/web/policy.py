"""What a browser may do with an answer: whatever a page does not ask for is forbidden."""

from collections.abc import Iterable
from typing import Final

HEADER: Final = b"content-security-policy"
NOTHING: Final = b"default-src 'none'; frame-ancestors 'none'"
"""No script, no style, no picture, from nowhere; pages of ours say themselves what they need."""
NO_GUESSING: Final = (b"x-content-type-options", b"nosniff")


def with_policy(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers, with a policy where there is none."""
    found = list(headers)
    names = {name for name, _ in found}
    if HEADER not in names:
        found.append((HEADER, NOTHING))
    if NO_GUESSING[0] not in names:
        found.append(NO_GUESSING)
    return found
