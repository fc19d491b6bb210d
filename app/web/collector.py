"""Python's collector of circles: not while a process begins, and seldom in one that answers requests."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 20_000
"""Objects made and not freed before the collector looks at them. By default 700: as many as the requests of one moment
hold alive, so it looked at them in vain again and again, for an eighth of the time of a request with one fix."""
OLDER: Final = 20
"""So many looks at the young before one at those that outlived a look, and so many of these before one at all."""


def spare_the_collector() -> None:
    """What is there now, the program itself, stays and is never looked at again; what is new, less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)


@contextmanager
def not_yet_collecting() -> Iterator[None]:
    """
    While the program is imported and built: nothing of it becomes garbage.

    The collector would look at all of it again and again, for a fifth of the time that a process needs to begin.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
