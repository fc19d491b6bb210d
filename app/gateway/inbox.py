"""
Events from other systems: each has its effect once, whatever way it comes and however often.

    message ──take──▶ its effect and the note of it, in one transaction ──▶ the broker hears that it is taken
               ├────▶ cannot be yet (the order is unknown, an earlier one is missing): waits, tried ever less often
               └────▶ can never be, or was not in time: a dead letter, with the reason, until a person brings it back

An outage of the database is nobody's fault: then `take` raises, and the message stays with the broker.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import asyncpg
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis

from app.gateway.commands import MOST_BYTES, Command, Envelope
from app.gateway.performing import Effect, perform, prepared, subject_of
from app.gateway.refusals import tell_refused, tell_state
from app.geocoding.chain import Geocoding
from app.logs import begin_trace
from app.web.actors import actor_of
from app.web.auth import Caller, Role
from app.web.problems import BadInput, part_problem
from dispatch.errors import ExternalIdInUse, RegionNotFound, VersionConflict
from dispatch.orders.desk import Desk, at_desk
from sql import queries
from tracking import outages, tracing
from tracking.pause import pause, pause_until, rest

log = logging.getLogger(__name__)

TAKEN: Final = Counter(
    "postrider_commands_total", "Events from other systems, by what became of each.", ["way", "outcome"]
)
WAITING: Final = Gauge(
    "postrider_commands_waiting", "Those that cannot have their effect yet.", ["way"], multiprocess_mode="livemax"
)
DEAD: Final = Gauge(
    "postrider_commands_dead", "Those that could not have it: dead letters.", ["way"], multiprocess_mode="livemax"
)
LAG: Final = Gauge(
    "postrider_commands_lag", "Messages that wait with their broker.", ["way"], multiprocess_mode="livemax"
)

WAITS_S: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400, 28_800)
"""Before it is tried again: 16 hours in all, longer than a shop is offline."""
GAP_FOR: Final = timedelta(minutes=1)
"""An event whose number leaves some out waits for those no longer."""
MOST_KEPT: Final = 100_000
"""Messages kept with their body; beyond it brokers keep the others, and staff has been told of these."""
DUE_AT_ONCE: Final = 100
LOOK_EVERY_S: Final = 0.5
MEASURE_EVERY_S: Final = 5.0
OUTAGE_WAIT_AT_MOST_S: Final = 5.0
NEVER: Final = (BadInput, ExternalIdInUse, VersionConflict, RegionNotFound, *outages.DATA)
"""Tried again, it would be the same."""


class InboxFull(OSError):
    """Too many messages wait or are dead: this one stays with its broker."""


class Gap(Exception):
    """An earlier event of the subject has not come yet."""


class Inbox:
    """One per process; several may take the same message, and one of them does what it says."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        geocoding: Geocoding,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._geocoding = geocoding
        self._now = now
        self._woken = asyncio.Event()

    async def take(self, way: str, body: bytes) -> None:
        """Do what the message says, or keep it; when this returns it may be forgotten. Raises for outages only."""
        envelope = Envelope.of(body)
        traceparent = None if envelope.command is None else envelope.command.traceparent
        begin_trace(traceparent)
        with tracing.span("take a command", parent=traceparent, way=way):
            await self._take(way, body, envelope)

    async def _take(self, way: str, body: bytes, envelope: Envelope) -> None:
        command = await self._prepared(envelope)
        async with at_desk(self._pool, self._redis, actor_of(caller_of(way))) as desk:
            names = (envelope.source, envelope.event_id, envelope.type, envelope.subject)
            row = await desk.connection.fetchrow(queries["inbox.claim"], way, *names)
            if row is None:
                outcome = str(Effect.REPEATED)
            else:
                outcome = await self._settle(
                    desk, dict(row) | {"way": way, "body": body[:MOST_BYTES]}, envelope, command
                )
        TAKEN.labels(way, outcome).inc()
        if outcome == Effect.DONE:
            await self._wake(envelope.subject)

    async def run(self, stop: asyncio.Event) -> None:
        """Try again what waits, until `stop`."""
        measured_at = self._now() - timedelta(seconds=MEASURE_EVERY_S)
        while not stop.is_set():
            try:
                await self.turn()
                if (self._now() - measured_at).total_seconds() >= MEASURE_EVERY_S:
                    measured_at = self._now()
                    await self._measure()
            except outages.DRIVERS as exc:
                outages.tell(log, "commands not tried again", exc, event="commands_not_tried_again")
                await pause(stop, LOOK_EVERY_S)
            await pause_until(LOOK_EVERY_S, stop, self._woken)
            self._woken.clear()

    async def turn(self) -> None:
        """Try again what is due; one that fails keeps no other from its turn."""
        for row in await self._pool.fetch(queries["inbox.due"], DUE_AT_ONCE):
            await self._again(row["n"])

    async def _again(self, n: int) -> None:
        row = await self._pool.fetchrow(queries["inbox.get"], n)
        if row is None or row["body"] is None:
            return
        envelope = Envelope.of(row["body"])
        command = await self._prepared(envelope)
        async with at_desk(self._pool, self._redis, actor_of(caller_of(row["way"]))) as desk:
            held = await desk.connection.fetchrow(queries["inbox.take_due"], n)
            if held is None:
                return
            outcome = await self._settle(desk, dict(held), envelope, command)
        TAKEN.labels(row["way"], outcome).inc()
        if outcome == Effect.DONE:
            await self._wake(envelope.subject)

    async def _prepared(self, envelope: Envelope) -> Command | Exception:
        """The command, or why there is none."""
        if envelope.command is None:
            return BadInput(envelope.wrong or "The event cannot be read.")
        try:
            return await prepared(envelope.command, self._geocoding)
        except Exception as exc:  # noqa: BLE001 - judged with what the desk raises
            return exc

    async def _settle(self, desk: Desk, row: dict[str, Any], envelope: Envelope, command: Command | Exception) -> str:
        """Do what a held row says, or write down why not."""
        connection = desk.connection
        try:
            async with connection.transaction():
                effect, subject = await self._in_turn(desk, command, row)
        except outages.EITHER:
            raise
        except Exception as exc:  # noqa: BLE001 - one command's failure is no other's
            desk.events.clear()
            return await self._keep(desk, row, envelope, exc)
        await connection.execute(queries["inbox.is_done"], row["n"], subject)
        return str(effect)

    async def _in_turn(self, desk: Desk, command: Command | Exception, row: dict[str, Any]) -> tuple[Effect, str]:
        """Do it, if it is its turn among the numbered ones of its subject; also: whose it is, by our name."""
        if isinstance(command, Exception):
            raise command
        caller, subject = caller_of(row["way"]), await subject_of(desk, command)
        if command.sequence is None:
            return await perform(desk, command, caller), subject
        head = await desk.connection.fetchval(queries["inbox.hold_head"], command.source, subject)
        if command.sequence <= head:
            return Effect.LATE, subject
        if command.sequence > head + 1 and desk.now - row["received_at"] < GAP_FOR:
            raise Gap(f"Number {head + 1} has not come yet.")
        effect = await perform(desk, command, caller)
        await desk.connection.execute(queries["inbox.advance"], command.source, subject, command.sequence)
        return effect, subject

    async def _keep(self, desk: Desk, row: dict[str, Any], envelope: Envelope, exc: Exception) -> str:
        connection, why = desk.connection, _words(exc)
        if await connection.fetchval(queries["inbox.kept"], MOST_KEPT) >= MOST_KEPT:
            raise InboxFull(f"{MOST_KEPT} messages wait or are dead letters") from exc
        if not isinstance(exc, (*NEVER, Gap)) and part_problem(exc) is None:
            log.error("command failed", exc_info=exc, extra={"event": "command_failed", "type": envelope.type})
        if isinstance(exc, NEVER) or row["attempts"] >= len(WAITS_S):
            await connection.execute(queries["inbox.is_dead"], row["n"], why, row["body"])
            await tell_refused(connection, row, envelope, why, desk.now)
            return "dead"
        await connection.execute(queries["inbox.waits"], row["n"], WAITS_S[row["attempts"]], why, row["body"])
        return "waiting"

    async def _wake(self, subject: str) -> None:
        """What waited for this may go on; after the commit, so that nobody waits for who waits for us."""
        try:
            status = await self._pool.execute(queries["inbox.wake"], subject)
        except outages.DRIVERS as exc:
            outages.tell(log, "waiting commands not woken", exc, event="commands_not_woken")
        else:
            if status != "UPDATE 0":
                self._woken.set()

    async def _measure(self) -> None:
        states = {row["way"]: row for row in await self._pool.fetch(queries["inbox.states"])}
        for way in {"rabbitmq", "kafka", *states}:
            WAITING.labels(way).set(states[way]["n_waiting"] if way in states else 0)
            DEAD.labels(way).set(states[way]["n_dead"] if way in states else 0)
        await tell_state(self._pool, self._redis, sum(row["n_dead"] for row in states.values()), self._now())


async def keep_taking(inbox: Inbox, way: str, body: bytes) -> None:
    """Take a message, however long an outage lasts: its broker keeps those behind it meanwhile."""
    wait_s = LOOK_EVERY_S
    while True:
        try:
            await inbox.take(way, body)
        except outages.DRIVERS as exc:
            outages.tell(log, "command not taken", exc, event="command_not_taken", way=way)
        else:
            return
        await rest(wait_s)
        wait_s = min(wait_s * 2, OUTAGE_WAIT_AT_MOST_S)


def caller_of(way: str) -> Caller:
    """Who does it, for the audit log and the order's timeline: a machine, as one with a service token."""
    return Caller(token_id=uuid5(NAMESPACE_URL, f"postrider:{way}"), role=Role.SERVICE, name=way)


def _words(exc: Exception) -> str:
    if isinstance(exc, BadInput):
        return "; ".join([str(exc), *(f"{pointer}: {detail}" for pointer, detail in exc.errors)])[:500]
    if isinstance(exc, Gap) or part_problem(exc) is not None:
        return str(exc)[:500]
    return outages.words(exc)[:500]
