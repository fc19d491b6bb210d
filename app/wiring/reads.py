"""
What may be a little old is read from a replica, as long as that is only a little.

    question ──▶ replica, while it is near ──error, or it grows late meanwhile──▶ the database itself

How late it is comes from comparing how far the two write-ahead logs are, once a second: what the database had written
then has been replayed by now. No clock of another machine matters, an idle database makes nobody late, and a replica
that is cut off grows late like one that is slow.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from litestar.di import NamedDependency
from prometheus_client import Counter, Gauge

from sql import queries
from tracking import outages
from tracking.pause import pause

log = logging.getLogger(__name__)

LAG: Final = Gauge(
    "postrider_replica_lag_seconds", "How far the read replica is behind.", multiprocess_mode="mostrecent"
)
READS: Final = Counter(
    "postrider_replica_reads", "Answers that could come from the read replica, by whose.", ["server"]
)

LOOK_EVERY_S: Final = 1.0
LOOK_WITHIN_S: Final = 2.0
"""A server that has not told by then how far it is does not answer."""
WAIT_S: Final = 2.0
"""Longest wait for a connection to the replica; then the database itself is asked."""

Answer = TypeVar("Answer")
Question = Callable[[asyncpg.Pool], Awaitable[Answer]]


class Lag:
    """How late a replica is, from what is known of both logs. No I/O."""

    def __init__(self, within_s: float) -> None:
        """`within_s`: who is later than that need not be told apart."""
        self._within_s = within_s
        self._written: deque[tuple[float, int]] = deque()
        self._replayed_s = float("-inf")

    def note(self, asked_s: float, written: int | None, replayed: int) -> float:
        """
        The lag in seconds; inf where it is beyond the bound.

        At `asked_s` the primary had written so much (None: it did not say); what the replica had replayed was asked
        later.
        """
        if written is not None:
            self._written.append((asked_s, written))
        while self._written and self._written[0][1] <= replayed:
            self._replayed_s = self._written.popleft()[0]
        while self._written and asked_s - self._written[0][0] > self._within_s:
            self._written.popleft()  # by the time that is replayed, it will be too old
        lag_s = asked_s - self._replayed_s
        return lag_s if lag_s <= self._within_s else float("inf")


class Reads:
    """Asks the replica, or the database itself. One per process."""

    def __init__(self, primary: asyncpg.Pool, replica: asyncpg.Pool | None, *, lag_s: float) -> None:
        """`replica`: None where there is none."""
        self._primary = primary
        self._replica = replica
        self._lag_s = lag_s
        self._lag = Lag(lag_s)
        self._good_until = float("-inf")
        self._under_way: set[asyncio.Timeout] = set()
        self._was_near: bool | None = None
        self._installation: UUID | None = None

    async def ask(self, question: Question[Answer]) -> Answer:
        """
        The answer to what changes nothing.

        Asked of the database itself once more where the replica fails, or is given up while it thinks; raises what that
        raises then. What took the replica too long is not asked again.
        """
        if self._replica is not None and monotonic() < self._good_until:
            try:
                async with asyncio.timeout(None) as limit:
                    self._under_way.add(limit)
                    try:
                        answer = await question(self._replica)
                    finally:
                        self._under_way.discard(limit)
            except asyncpg.QueryCanceledError:
                raise  # its own time limit: the database itself would not be quicker
            except outages.DRIVERS as exc:
                # Also what is no outage: a replica cancels questions that stand in the way of what it replays.
                outages.tell(log, "replica did not answer", exc, event="replica_failed")
            else:
                READS.labels("replica").inc()
                return answer
        answer = await question(self._primary)
        if self._replica is not None:
            READS.labels("primary").inc()
        return answer

    async def run(self, stop: asyncio.Event) -> None:
        """Look how late it is until `stop`."""
        while not stop.is_set():
            if self._replica is not None:
                await self.look()
            await pause(stop, LOOK_EVERY_S)

    async def look(self) -> str:
        """Find out whether the replica is near enough, until the next look; why it is not, or nothing."""
        why = ""
        try:
            lag_s = await self._measured()
            if lag_s > self._lag_s:
                why = f"it is more than {self._lag_s:g} s behind"
        except _NoReplica as exc:
            lag_s, why = float("inf"), str(exc)
        except outages.DRIVERS as exc:
            lag_s, why = float("inf"), outages.words(exc)
        LAG.set(lag_s)
        self._good_until = float("-inf") if why else monotonic() + LOOK_EVERY_S + 2 * LOOK_WITHIN_S
        if why:
            for limit in self._under_way:
                limit.reschedule(asyncio.get_running_loop().time())
        if self._was_near is not (not why):
            self._was_near = not why
            if why:
                log.warning("replica left", extra={"event": "replica_left", "why": why})
            else:
                log.info("replica taken", extra={"event": "replica_taken"})
        return why

    async def _measured(self) -> float:
        """Raises what asyncpg raises where the replica does not answer."""
        asked_s, written = monotonic(), None
        try:
            primary = await _asked(self._primary, "replica.primary")
        except outages.DRIVERS as exc:
            # A database that has too much to do is not helped by asking it still more: what it said last will do for
            # as long as that is not too old.
            outages.tell(log, "replica not compared", exc, event="replica_not_compared")
        else:
            written, self._installation = primary["at"], primary["installation"]
        replica = await _asked(self._replica, "replica.standby")
        if replica["at"] is None:
            raise _NoReplica("it takes writes: it is no replica")
        if self._installation is None:
            raise _NoReplica("the database has not said how far it is")
        if replica["installation"] != self._installation:
            raise _NoReplica("it is a replica of another installation")
        return self._lag.note(asked_s, written, replica["at"])


class _NoReplica(Exception):
    """What is there is not a replica of ours."""


NearReads = NamedDependency[Reads]
"""Parameter `reads` of a handler."""


async def _asked(pool: Any, name: str) -> Any:
    async with asyncio.timeout(LOOK_WITHIN_S):
        return await pool.fetchrow(queries[name])
