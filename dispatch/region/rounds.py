"""
When it is time again for what is not done in every turn of a large region; no I/O.

What is told of all its orders takes as long as the plan of a part, and may come some seconds later.
"""

from datetime import datetime, timedelta
from typing import Final

from tracking.position import Region

EVERY: Final = timedelta(seconds=5)
"""As often as a region is looked at when nothing happens."""


class Rounds:
    """Remembers when each region had its last round."""

    def __init__(self, every: timedelta = EVERY) -> None:
        self._every = every
        self._last_at: dict[Region, datetime] = {}

    def is_due(self, region: Region, now: datetime) -> bool:
        """Whether a round is due, which is then taken to be made now; also when the clock was put back since."""
        last_at = self._last_at.get(region)
        if last_at is not None and timedelta(0) <= now - last_at < self._every:
            return False
        self._last_at[region] = now
        return True
