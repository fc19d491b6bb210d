"""What `postrider check` has to say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """What was looked at, what was found, whether that will do, and what mends it."""

    what: str
    found: str
    ok: bool
    mend: str = ""
