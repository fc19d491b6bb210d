"""When what could not be sent is tried again; no I/O."""

from datetime import timedelta
from typing import Final

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before the second attempt, the third, …: three days in all."""
SPREAD: Final = 0.2
"""A wait is longer or shorter by up to this part of it: a receiver that comes back is not met by all at once."""
LONGEST_REST: Final = timedelta(minutes=5)
OFF_AFTER: Final = timedelta(days=3)
"""A receiver that answers nothing well for so long is sent nothing any more."""


def wait_after(attempts: int, chance: float) -> timedelta | None:
    """How long to wait after so many attempts that failed; None: give up. `chance`: 0 to 1."""
    if attempts > len(WAITS):
        return None
    return WAITS[attempts - 1] * (1 - SPREAD + 2 * SPREAD * chance)


def rest_after(failures: int, chance: float, longest: timedelta = LONGEST_REST) -> timedelta:
    """How long a receiver is left alone after so many failures in a row."""
    rest = min(timedelta(seconds=2 ** min(failures, 20) / 2), longest)
    return rest * (1 - SPREAD + 2 * SPREAD * chance)
