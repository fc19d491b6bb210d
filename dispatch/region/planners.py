"""
Processes that plan the parts of a large region side by side, each one part at a time.

A plan holds the interpreter for tenths of a second: in the dispatcher's own process parts would be planned one after
the other, and offers, events and other regions would wait. They are started when a region is first too large for one
plan. Whoever does not answer is not waited for, and replaced later; its part is planned in the next turn.
"""

import asyncio
import logging
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from prometheus_client import Counter

from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Snapshot
from dispatch.region.worker_process import WorkerProcess
from dispatch.stop import OrderId

log = logging.getLogger(__name__)

PLANS_LOST = Counter(
    "postrider_dispatch_plans_lost_total", "Parts not planned because the process died or did not answer."
)

ANSWER_MARGIN_S: Final = 2.0
"""A plan that takes so much longer than it may is not waited for; on a busy machine a process waits for its turn."""
LOST_AFTER_S: Final = 10.0
"""A process that is busy for so much longer than it may is taken for dead."""
STARTS_WITHIN_S: Final = 60.0
"""A process that has not begun by then is taken for dead: on a busy machine it imports OR-Tools for some seconds."""


class PlanLost(Exception):
    """The process that planned a part died, or did not answer in time."""


@dataclass(slots=True, eq=False)
class _Planner:
    process: WorkerProcess
    running: "Future[Any]"
    """What it does, or did last; at first it gets ready."""
    lost_at: float


class Planners:
    """So many processes; none before `warm`."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._planners: list[_Planner] = []

    def warm(self) -> None:
        """Start the processes, if they are not; until they are ready nobody is free."""
        while len(self._planners) < self._n:
            self._planners.append(_started())

    @property
    def pids(self) -> list[int]:
        """Of those that run."""
        return [pid for planner in self._planners if (pid := planner.process.pid) is not None]

    def n_free(self) -> int:
        """How many could take a part now; those that died or hang are replaced."""
        return sum(self._is_free(planner) for planner in list(self._planners))

    async def propose(
        self, snapshot: Snapshot, params: Params, seconds: float, again: frozenset[OrderId] | None
    ) -> tuple[Plan, bool] | None:
        """
        A plan, and whether its time was over before all was tried; None when nobody is free.

        Raises `PlanLost`, and whatever the planner raises.
        """
        planner = self._begun(snapshot, params, seconds, again)
        if planner is None:
            return None
        answer = asyncio.wrap_future(planner.running)
        # An answer that is not waited for any more may be an error: it has been looked at.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({answer}, timeout=seconds + ANSWER_MARGIN_S)
        if not answer.done():
            raise _lost("did not answer")
        try:
            found: tuple[Plan, bool] = answer.result()
        except BrokenProcessPool:
            self._replace(planner)
            raise _lost("died") from None
        return found

    def _begun(
        self, snapshot: Snapshot, params: Params, seconds: float, again: frozenset[OrderId] | None
    ) -> _Planner | None:
        """Who has begun with that; those that died while they were idle are replaced."""
        for planner in list(self._planners):
            if not self._is_free(planner):
                continue
            try:
                planner.running = planner.process.submit(propose_within, snapshot, params, seconds, again)
            except BrokenProcessPool:
                self._replace(planner)
            else:
                planner.lost_at = monotonic() + seconds + LOST_AFTER_S
                return planner
        return None

    def close(self) -> None:
        """End them."""
        for planner in self._planners:
            planner.process.end()
        self._planners.clear()

    def _is_free(self, planner: _Planner) -> bool:
        if not planner.running.done():
            if monotonic() > planner.lost_at:
                self._replace(planner)
            return False
        if isinstance(planner.running.exception(), BrokenProcessPool):
            self._replace(planner)
            return False
        return True

    def _replace(self, planner: _Planner) -> None:
        """Another one in its place, unless there is one already."""
        if planner in self._planners:
            log.warning("planner replaced", extra={"event": "planner_replaced"})
            planner.process.end()
            self._planners[self._planners.index(planner)] = _started()


def _lost(why: str) -> PlanLost:
    PLANS_LOST.inc()
    log.warning("plan lost", extra={"event": "plan_lost", "reason": why})
    return PlanLost(why)


def _started() -> _Planner:
    process = WorkerProcess()
    return _Planner(process, process.submit(_get_ready), monotonic() + STARTS_WITHIN_S)


def _get_ready() -> None:
    from ortools.graph.python import min_cost_flow  # noqa: F401, PLC0415 - not in the parent


def propose_within(
    snapshot: Snapshot, params: Params, seconds: float, again: frozenset[OrderId] | None = None
) -> tuple[Plan, bool]:
    """
    A proposal in so many seconds from when a thread or a process takes it up, which may be late when many regions are
    planned; and whether its time was over before all was tried.
    """
    deadline = monotonic() + seconds

    def should_end() -> bool:
        return monotonic() > deadline

    return propose(snapshot, params, should_end, again), should_end()
