"""
The outbox to everybody who wants it: a queue each, of one subject in order, by one process at a time.

    outbox_queue ──claim a target──▶ drain: the first waiting event of each subject ──its way──▶ receiver
                                       taken: gone from the queue; not taken: again later, and later still

A receiver that hangs or fails is left alone for a while and keeps nobody else waiting. At least once: whoever dies
between the receiver's answer and the note of it sends that event again, with the same id.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from redis.asyncio import Redis

from app.gateway import pace
from app.gateway.events import body_of
from app.gateway.ways import Letter, Outcome, Row, Way
from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from sql import queries
from tracking import outages, periodic
from tracking.lease import new_holder
from tracking.position import Region

log = logging.getLogger(__name__)

SENT: Final = Counter(
    "postrider_events_sent_total", "Attempts to send an event out, by what became of it.", ["way", "outcome"]
)

POLL_S: Final = 0.25
HELD_S: Final = 15.0
END_WITHIN_S: Final = 3.0
GONE: Final = 410


class Sender:
    """One per process; several processes share the receivers out."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        ways: Mapping[str, Way],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._ways = ways
        for way in ways:
            for outcome in (
                "taken",
                "failed",
                "given_up",
                "unreadable",
            ):  # from the start: the first one is seen to grow
                SENT.labels(way, outcome)
        self._now = now
        self._chance = chance
        self._holder = new_holder()
        self._draining: dict[UUID, asyncio.Task[None]] = {}
        self._is_ending = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; what is under way then ends within moments, or is sent again by whoever comes next."""
        try:
            await periodic.run(
                self.turn,
                stop,
                every_s=POLL_S,
                log=log,
                message="events not sent",
                event="events_not_sent",
                name="events",
            )
        finally:
            self._is_ending = True
            await self._end()

    async def turn(self) -> None:
        """Take the receivers that have something due and nobody sends to, and begin with each."""
        for target_id in [target_id for target_id, task in self._draining.items() if task.done()]:
            del self._draining[target_id]
        mine = list(self._draining)
        for row in await self._pool.fetch(queries["event_targets.claim"], self._holder, HELD_S, mine, list(self._ways)):
            if row["id"] not in self._draining:
                task = asyncio.create_task(self._drain(row["id"]), name=f"events to {row['id']}")
                self._draining[row["id"]] = task

    async def _end(self) -> None:
        if self._draining:
            _, late = await asyncio.wait(self._draining.values(), timeout=END_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with suppress(*outages.DRIVERS):
            await self._pool.execute(queries["event_targets.let_go"], self._holder)

    async def _drain(self, target_id: UUID) -> None:
        """Send what is due to one receiver, until nothing is or something fails."""
        try:
            while not self._is_ending:
                # Anew each time: it may have been changed, turned off, or passed to another process.
                target = await self._pool.fetchrow(queries["event_targets.held"], target_id, self._holder)
                if target is None:
                    return
                way = self._ways[target["way"]]
                rows = await self._pool.fetch(queries["outbox.due"], target_id, way.at_once)
                if not rows:
                    return
                letters = await self._readable(target, rows)
                outcomes = await way.send(target, letters, self._now()) if letters else []
                if not await self._note(target, way, letters, outcomes):
                    return
        except outages.DRIVERS as exc:
            outages.tell(log, "events not sent", exc, event="events_not_sent")
        except Exception:
            log.exception("sending failed", extra={"event": "sending_failed", "target": str(target_id)})

    async def _readable(self, target: Row, rows: Sequence[Row]) -> list[Letter]:
        """Those of the rows that can be read; what nobody ever can leaves the queue."""
        letters, unreadable = [], []
        for row in rows:
            try:
                letters.append(Letter(row=row, body=body_of(row)))
            except ValueError:
                log.exception("event cannot be read", extra={"event": "event_unreadable", "n": row["n"]})
                SENT.labels(target["way"], "unreadable").inc()
                unreadable.append(row["n"])
        if unreadable:
            await self._pool.execute(queries["outbox.sent"], target["id"], unreadable)
        return letters

    async def _note(self, target: Row, way: Way, letters: Sequence[Letter], outcomes: Sequence[Outcome]) -> bool:
        """Write down what became of a few events; False: leave the receiver alone for now."""
        now = self._now()
        done: list[int] = []
        again: list[tuple[UUID, int, datetime]] = []
        attempts: list[tuple[Any, ...]] = []
        given_up = False
        for letter, outcome in zip(letters, outcomes, strict=True):
            n, attempt = letter.row["n"], letter.row["attempts"] + 1
            wait = None if outcome.is_taken else pace.wait_after(attempt, self._chance())
            is_given_up = wait is None and not outcome.is_taken and not outcome.is_away
            word = "taken" if outcome.is_taken else "given_up" if is_given_up else "failed"
            SENT.labels(target["way"], word).inc()
            given_up |= is_given_up
            due_at = None if wait is None else now + wait
            if outcome.is_taken or is_given_up:
                done.append(n)
            elif not outcome.is_away:
                assert due_at is not None  # else it is given up
                again.append((target["id"], n, due_at))
            if way.has_log:
                said = (outcome.status, outcome.took_ms, outcome.answer, outcome.error)
                attempts.append((target["id"], n, now, attempt, *said, due_at))
        failed = [outcome for outcome in outcomes if not outcome.is_taken]
        unwell = [outcome for outcome in failed if not outcome.is_alone]
        # In the order in which a deletion of the target, or of the events, takes the rows: none waits for the other.
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(queries["event_targets.keep"], target["id"]):
                return False  # deleted meanwhile
            await connection.executemany(queries["event_deliveries.add"], attempts)
            await connection.execute(queries["outbox.sent"], target["id"], done)
            await connection.executemany(queries["outbox.again"], again)
            if not unwell:
                await connection.execute(queries["event_targets.is_well"], target["id"])
            else:
                rest = pace.rest_after(target["n_failures"] + 1, self._chance(), way.longest_rest)
                failing = await connection.fetchrow(queries["event_targets.has_failed"], target["id"], now, now + rest)
        if failed and not way.has_log:
            facts = {"event": "events_not_taken", "way": target["way"], "n": len(failed), "error": failed[0].error}
            log.warning("events not taken", extra=facts)
        if not unwell:
            return True
        is_gone = any(outcome.status == GONE for outcome in unwell)
        if failing is not None and (is_gone or (given_up and now - failing["failing_since"] >= pace.OFF_AFTER)):
            reason = "the receiver said 410: gone" if is_gone else "nothing was taken for three days"
            await self._turn_off(failing, reason, now)
        return False

    async def _turn_off(self, target: Row, reason: str, now: datetime) -> None:
        row = await self._pool.fetchrow(queries["event_targets.turn_off"], target["id"], now, reason)
        if row is None:
            return
        log.warning("webhook off", extra={"event": "webhook_off", "target": str(target["id"]), "reason": reason})
        facts = {"webhook_id": str(target["id"]), "description": row["description"], "reason": reason}
        change = AlertChange(kind=AlertKind.WEBHOOK_OFF, facts=facts)
        await alert_rows.write(
            self._pool,
            self._redis,
            Region(row["alert_region"]),
            source=alert_source(target["id"]),
            raised=[change],
            resolved=[],
            now=now,
        )


def alert_source(target_id: UUID) -> str:
    """Under which the alert of a receiver is raised and resolved."""
    return f"webhook {target_id}"
