"""Many fixes are folded in a process of its own, and come to the same as here."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

from app.wiring.folding import FEW, Folding, folded
from tracking.position import Mode
from tracking.watching.motion import DEFAULT_PARAMS, current

PARAMS = DEFAULT_PARAMS[Mode.CAR]
BEGAN = datetime(2026, 3, 1, 9, tzinfo=UTC)
FIXES = [
    (BEGAN + timedelta(seconds=5 * i), 411_500_000 + max(0, i % 400 - 200) * 3000, -86_100_000) for i in range(4 * FEW)
]


class Database:
    """Answers with the fixes of the span, as many as are wanted."""

    async def fetch(self, _query, _courier, since, before, most):
        return [fix for fix in FIXES if since <= fix[0] < before][:most]


async def test_many_fixes_are_folded_in_another_process_and_a_fold_goes_on_where_it_was():
    folding = Folding()
    try:
        first = None, BEGAN, FIXES[-1][0] + timedelta(seconds=1), 2 * FEW
        await folding.go_on(Database(), None, first, PARAMS)  # starts the process, and is answered meanwhile
        await asyncio.wrap_future(folding._process._ready)
        assert folding._process._process.pid not in {None, os.getpid()}
        state, closed, n, last_at = await folding.go_on(Database(), None, first, PARAMS)
        assert (n, last_at) == (2 * FEW, FIXES[2 * FEW - 1][0])
        second = None, last_at + timedelta(microseconds=1), first[2], 2 * FEW
        after, more, n, last_at = await folding.go_on(Database(), state, second, PARAMS)
        whole, all_closed = folded(None, FIXES, PARAMS)
        assert [*closed, *more] == all_closed != []
        assert current(after) == current(whole)
    finally:
        folding.close()


async def test_a_few_fixes_start_no_process():
    folding = Folding()
    few = None, BEGAN, BEGAN + timedelta(seconds=5 * FEW), FEW
    assert (await folding.go_on(Database(), None, few, PARAMS))[2] == FEW
    assert folding._process._process is None
    assert await folding.go_on(Database(), None, (None, BEGAN, BEGAN, FEW), PARAMS) == (None, [], 0, None)
