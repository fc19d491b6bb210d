"""Segments of many fixes: folded in a process of its own, few of them at once in a thread."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from app.wiring.own_process import OwnProcess
from app.wiring.turns import Turns
from sql import queries
from tracking.batch import E7, microseconds
from tracking.watching.motion import MotionParams, Sample, Segment, State, fold

FOLDING_SHARE: Final = 1 / 2
"""Of the time, one request at a time: its process and the database leave a core to fixes and offers."""
FEW: Final = 500
"""Fixes that are folded in less time than it takes to hand them over."""
WITHIN_S: Final = 30.0
"""A fold that takes so long is given up: thousands take a tenth of a second."""

Row = tuple[datetime, int, int]


class Folding:
    """Reads fixes and folds them, one request at a time."""

    def __init__(self) -> None:
        self._turns = Turns(1, share=FOLDING_SHARE)
        self._process = OwnProcess("folding")

    async def go_on(
        self, pool: Any, state: State, span: tuple[Any, datetime, datetime, int], params: MotionParams
    ) -> tuple[State, list[Segment], int, datetime | None]:
        """
        Fold the fixes of a courier from an instant to before another, so many at most.

        Returns the state then, the segments that are over, how many fixes there were, and the time of the last one;
        raises TimeoutError where its turn did not come, or the fold did not end.
        """
        async with self._turns.one():
            fixes = [tuple(row) for row in await pool.fetch(queries["recounts.between"], *span)]
            if len(fixes) <= FEW:
                after, closed = await asyncio.to_thread(folded, state, fixes, params)
            else:
                after, closed = await self._process.ask(folded, state, fixes, params, within_s=WITHIN_S)
        return after, closed, len(fixes), fixes[-1][0] if fixes else None

    def close(self) -> None:
        """End the process."""
        self._process.close()


def folded(state: State, fixes: Sequence[Row], params: MotionParams) -> tuple[State, list[Segment]]:
    """The state after more fixes, and the segments that are over."""
    samples = (Sample(microseconds(at), lat_e7 / E7, lon_e7 / E7) for at, lat_e7, lon_e7 in fixes)
    return fold(state, samples, params)
