"""
Plans of worlds that are not, in a process of their own: seconds of Python must not hold up offers and fixes in the API.

A bounded number of questions: who comes when that is full is told to come again.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final

from app.wiring.own_process import OwnProcess
from dispatch.errors import PlannerBusy
from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Snapshot

THINK_S: Final = 2.0
"""Time for all plans of a question together; what is found by then counts."""
ANSWER_MARGIN_S: Final = 8.0
"""A question that takes so much longer is given up: reports come after the time, on a busy machine slowly."""
QUESTIONS: Final = 8
"""At once in a process, the one that is thought about among them."""


class Thinking:
    """Answers questions one after another."""

    def __init__(self) -> None:
        self._process = OwnProcess("thinking")
        self._n = 0

    async def plans(self, snapshots: Sequence[Snapshot], params: Params, *, seconds: float = THINK_S) -> list[Plan]:
        """A plan for each; raises PlannerBusy, and TimeoutError where no answer came: then the process is ended."""
        if self._n >= QUESTIONS:
            raise PlannerBusy
        self._n += 1
        try:
            # Those before it have as long, and no longer.
            within_s = self._n * seconds + ANSWER_MARGIN_S
            return await self._process.ask(think, snapshots, params, seconds, within_s=within_s)
        finally:
            self._n -= 1

    def close(self) -> None:
        """End the process."""
        self._process.close()


def think(snapshots: Sequence[Snapshot], params: Params, seconds: float) -> list[Plan]:
    """A plan for each, each with its share of the time that is left."""
    ends_at, plans = monotonic() + seconds, []
    for number, snapshot in enumerate(snapshots):
        left = max(0.0, ends_at - monotonic()) / (len(snapshots) - number)
        plans.append(_within(snapshot, params, monotonic() + left))
    return plans


def _within(snapshot: Snapshot, params: Params, deadline: float) -> Plan:
    return propose(snapshot, params, lambda: monotonic() > deadline)
