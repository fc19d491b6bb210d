"""
The chain of travel times: engines in order, each behind its cache, then the great circle. Never late, never empty.

An engine is asked only for what its cache does not hold, in blocks that it takes, the nearest pairs first; when the
time given runs out, what has arrived by then is used (and cached), and the great circle answers for the rest.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final

import numpy as np

from dispatch.travel.blocks import CellTable
from dispatch.travel.cache import TravelCache
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.metrics import ANSWERS
from dispatch.travel.times import (
    ANYWHERE,
    CODES,
    SOURCES,
    BoolMatrix,
    Engine,
    EngineFailed,
    IntMatrix,
    Leg,
    Matrix,
    Onwards,
    Pair,
    RoutePath,
)
from tracking.position import LatLon, Mode

log = logging.getLogger(__name__)

N_IN_FLIGHT: Final = 4
"""Requests to one engine at a time, per call: enough to hide the round trip, too few to overrun a small server."""


class TravelChain:
    """Implements TravelTimes. Safe to share between tasks."""

    def __init__(
        self, *, engines: Sequence[Engine] = (), great_circle: GreatCircle, cache: TravelCache | None = None
    ) -> None:
        self._engines = tuple(engines)
        self._great_circle = great_circle
        self._cache = cache or TravelCache()

    async def matrix(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        departs_at: datetime,
        *,
        budget_s: float = 1.0,
        also: Sequence[Pair] = (),
        only: Onwards = ANYWHERE,
    ) -> Matrix:
        """See TravelTimes."""
        deadline = monotonic() + budget_s
        answer = self._great_circle.matrix_now(mode, origins, destinations, departs_at)
        open_pairs = np.ones(answer.durations_s.shape, dtype=np.bool_)
        for engine in self._engines:
            if mode not in engine.modes or not open_pairs.any():
                continue
            table = CellTable(origins, destinations)
            if engine.limits.n_nearest is not None:
                table.narrow(engine.limits.n_nearest, also)
            elif only:
                table.restrict(only, also)
            await self._ask(engine, table, mode=mode, departs_at=departs_at, deadline=deadline)
            durations, distances = table.by_place()
            known = open_pairs & (durations >= 0)
            _scale(answer, durations, known=known, rest=open_pairs & ~known & ~table.wanted_by_place())
            answer.durations_s[known] = durations[known]
            answer.distances_m[known] = distances[known]
            answer.sources[known] = CODES[engine.source]
            open_pairs &= ~known
        for code, n in zip(*np.unique(answer.sources, return_counts=True), strict=True):
            ANSWERS.labels(source=SOURCES[int(code)].value).inc(int(n))
        return answer

    async def _ask(
        self,
        engine: Engine,
        table: CellTable,
        *,
        mode: Mode,
        departs_at: datetime,
        deadline: float,
    ) -> None:
        """Fill the table with what the cache holds and `engine` answers in time; negative elsewhere."""
        # Half of the time for the cache: a Redis that hangs must leave some for the engine.
        await self._cache.load(engine, mode, departs_at, table, wait_s=_left_s(deadline) / 2)
        waiting = iter(table.blocks(engine.limits))

        async def work() -> None:
            for block in waiting:
                try:
                    durations, distances = await engine.matrix(
                        mode,
                        [table.origins[i] for i in block.rows],
                        [table.destinations[j] for j in block.columns],
                        departs_at,
                    )
                except EngineFailed as exc:
                    log.debug("engine failed", extra={"event": "engine_failed", "reason": str(exc)})
                    if exc.leave_alone:
                        return
                else:
                    table.put(block, durations, distances)

        await _until(deadline, [work() for _ in range(N_IN_FLIGHT)])
        await self._cache.save(engine, mode, departs_at, table, wait_s=_left_s(deadline))

    async def route(
        self, mode: Mode, places: Sequence[LatLon], departs_at: datetime, *, budget_s: float = 1.0
    ) -> RoutePath:
        """See TravelTimes. Legs from the first engine that answers; straight lines where it knows no way."""
        deadline = monotonic() + budget_s
        for engine in self._engines:
            if mode not in engine.modes or len(places) < 2:
                continue
            try:
                async with asyncio.timeout(_left_s(deadline)):
                    return RoutePath(legs=await self._legs(engine, mode, places, departs_at))
            except (EngineFailed, TimeoutError) as exc:
                log.debug("engine failed", extra={"event": "engine_failed", "reason": str(exc)})
        return self._great_circle.route_now(mode, places, departs_at)

    async def _legs(
        self, engine: Engine, mode: Mode, places: Sequence[LatLon], departs_at: datetime
    ) -> tuple[Leg, ...]:
        """
        The legs of one engine, in pieces that it takes: the last place of one piece is the first of the next.

        One pair without a way fails a whole piece, so a failed piece is halved until that pair stands alone.
        """
        n_legs = len(places) - 1
        if n_legs < engine.limits.n_places:
            try:
                return await engine.route(mode, places, departs_at)
            except EngineFailed as exc:
                if exc.retry or exc.leave_alone:
                    raise
                if n_legs == 1:
                    return self._great_circle.route_now(mode, places, departs_at).legs
        middle = n_legs // 2
        return (
            *await self._legs(engine, mode, places[: middle + 1], departs_at),
            *await self._legs(engine, mode, places[middle:], departs_at),
        )


def _scale(answer: Matrix, durations: IntMatrix, *, known: BoolMatrix, rest: BoolMatrix) -> None:
    """
    Make what an engine was not asked about longer by as much as elsewhere its times are longer than the great circle's.

    Else the far pairs, which are not asked, might look nearer than the near ones.
    """
    told = known & (answer.durations_s > 0)
    if not told.any() or not rest.any():
        return
    factor = float(np.median(durations[told] / answer.durations_s[told]))
    answer.durations_s[rest] = np.rint(answer.durations_s[rest] * factor)


def _left_s(deadline: float) -> float:
    return max(0.0, deadline - monotonic())


async def _until(deadline: float, work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of `work` side by side; at the deadline cancel what is not done and wait until it has let go."""
    tasks = [asyncio.create_task(piece) for piece in work]
    try:
        await asyncio.wait(tasks, timeout=_left_s(deadline))
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
