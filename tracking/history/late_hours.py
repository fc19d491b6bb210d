"""Hours that may have been summed up and get further fixes: noted here, summed again by whoever keeps the sums."""

from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from sql import queries
from tracking.batch import PositionColumns, instant, microseconds

SETTLED: Final = timedelta(hours=1)
"""What is summed are hours."""
WAIT: Final = timedelta(minutes=15)
"""An hour is summed so long after its end, or after its last late fix: rollups know of it by then."""
_HOUR_US: Final = 3_600_000_000


async def note(connection: Any, batch: PositionColumns, now: datetime) -> None:
    """Note the hours of a batch that are over; nearly always there is none, and nothing is asked."""
    late = batch.fixed_us < microseconds(now - SETTLED)
    if not late.any():
        return
    hours = batch.fixed_us[late] // _HOUR_US
    pairs = np.unique(np.stack([batch.courier[late].astype(np.int64), hours]), axis=1)
    ids = [batch.courier_ids[i] for i in pairs[0].tolist()]
    starts = [instant(hour * _HOUR_US) for hour in pairs[1].tolist()]
    await connection.execute(queries["courier_hours.note_late"], ids, starts, now + WAIT)
