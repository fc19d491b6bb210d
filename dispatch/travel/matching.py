"""
Tracks on the streets: the first matcher that knows them, behind its limits and what is known by heart; never late.

What a matcher has not answered when the time is up stays as it was measured, and the answer says how much that is.
"""

import asyncio
import logging
from collections.abc import Sequence
from hashlib import blake2b
from time import monotonic
from typing import Final

import msgspec

from dispatch.travel.times import EngineFailed
from dispatch.travel.trace import Matched, Matcher, Piece, Run, Seen, as_measured, on_streets, pieces
from tracking.memo import Memo
from tracking.position import Mode

log = logging.getLogger(__name__)

BUDGET_S: Final = 8.0
"""A day of a courier is some 80 requests to OSRM, of 20 to 50 ms each."""
AT_ONCE: Final = 4
"""Requests to matchers at a time, of everybody in this process: enough to hide the round trip."""
KNOWN_PIECES: Final = 256
"""Some 60 kB each; a past hour that is played and then saved is asked about once."""
KNOWN_S: Final = 1800.0


class TrackMatching:
    """Safe to share between tasks."""

    def __init__(self, matchers: Sequence[Matcher] = ()) -> None:
        self._matchers = tuple(matchers)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._known: Memo[bytes, tuple[Run, ...]] = Memo(KNOWN_PIECES)

    def knows(self, mode: Mode) -> bool:
        """Whether there is a matcher for it, be it well or not."""
        return any(mode in matcher.modes for matcher in self._matchers)

    async def match(self, mode: Mode, fixes: Sequence[Seen], *, budget_s: float = BUDGET_S) -> Matched:
        """The track on its streets, in order of time, as far as somebody knows them."""
        deadline = monotonic() + budget_s
        for matcher in self._matchers:
            if mode not in matcher.modes:
                continue
            # Off the event loop: a day of fixes takes a tenth of a second.
            asked = await asyncio.to_thread(pieces, fixes, matcher.n_fixes)
            answers = await self._ask(matcher, mode, fixes, asked, deadline)
            matched = await asyncio.to_thread(on_streets, fixes, asked, answers, matcher.source)
            if matched.source is not None:
                return matched
        return as_measured(fixes)

    async def _ask(
        self, matcher: Matcher, mode: Mode, fixes: Sequence[Seen], asked: Sequence[Piece], deadline: float
    ) -> list[tuple[Run, ...]]:
        """What the matcher says of each piece; nothing of those that it fails at, or has not answered in time."""
        answers: list[tuple[Run, ...]] = [()] * len(asked)
        waiting = iter(range(len(asked)))

        async def work() -> None:
            for number in waiting:
                try:
                    answers[number] = await self._answer(matcher, mode, [fixes[i] for i in asked[number]])
                except EngineFailed as exc:
                    log.debug("matcher failed", extra={"event": "matcher_failed", "reason": str(exc)})
                    if exc.leave_alone:
                        return

        try:
            async with asyncio.timeout(max(0.0, deadline - monotonic())), asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except TimeoutError:
            log.info("matching ran out of time", extra={"event": "matching_timed_out", "pieces": len(asked)})
        return answers

    async def _answer(self, matcher: Matcher, mode: Mode, fixes: Sequence[Seen]) -> tuple[Run, ...]:
        key = blake2b(msgspec.msgpack.encode((matcher.source, mode, fixes)), digest_size=16).digest()
        held = self._known.get(key)
        if held is not None and held[0] is not None and held[1] > monotonic():
            return held[0]
        async with self._slots:
            runs = await matcher.match(mode, fixes)
        self._known.put(key, runs, monotonic() + KNOWN_S)
        return runs
