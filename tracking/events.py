"""
What happened, told to whoever listens: one bounded Redis Stream per region.

An event only wakes people up; the rows in the database are the truth. The stream keeps about MAX_EVENTS entries and
drops the oldest, so a reader that was away for longer must look at the database again.

On the wire an entry has one field, `e`: a JSON object with `type`, `at` and the facts (ids, mostly) side by side.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import Counter
from redis.asyncio import Redis

from tracking import outages
from tracking.pause import rest
from tracking.streams import StreamEntry, Tails, entries_of, text_of

log = logging.getLogger(__name__)

UNREADABLE = Counter("postrider_events_unreadable_total", "Events left out because they could not be read.")
TOLD = Counter(
    "postrider_events_told_total", "Events of committed changes, by type: orders, offers, couriers.", ["type"]
)
LOST = Counter("postrider_events_lost_total", "Events that could not be published: the others wait for their timer.")

PUBLISH_TIMEOUT_S = 2.0
"""A publish that takes longer is given up: the rows are the truth, events only wake people."""

TAKE_S = 60.0
"""Longest wait for an event before it is waited for again."""

MAX_EVENTS = 100_000
"""About an hour of a busy city; when full, the oldest go (trimmed approximately, which is cheap)."""

KEPT = timedelta(hours=24)
"""Events name couriers and orders; a region in which little happens would keep them for years."""

START = "0-0"
"""Before every event."""
NOW = "$"
"""After every event there is at this moment; only meaningful as the first `after` of a blocking read."""

_RESERVED = frozenset({"type", "at"})
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a region."""

    id: str
    """Place in the region's stream; pass it as `after` to read on."""
    type: str
    """Dotted, subject first: `order.placed`, `alert.raised`, `stay.began`."""
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON values; ids are strings."""


def key(region: str) -> str:
    """Name of the region's stream; the braces make Redis Cluster keep a region's keys together."""
    return f"pr:{{{region}}}:events"


def encode(type: str, facts: Mapping[str, Any], at: datetime) -> bytes:  # noqa: A002 - the word of the contract
    """JSON of one event; raises ValueError when a fact is named like one of the event's own fields."""
    if clash := _RESERVED & facts.keys():
        raise ValueError(f"expected no fact named {', '.join(sorted(clash))}")
    return _encoder.encode({"type": type, "at": at, **facts})


def decode(id: str, body: bytes | str) -> Event:  # noqa: A002 - the word of the contract
    """Event from its stream id and JSON."""
    facts = _decoder.decode(body)
    return Event(id=id, type=facts.pop("type"), at=datetime.fromisoformat(facts.pop("at")), facts=facts)


async def publish(
    redis: Redis,
    region: str,
    type: str,  # noqa: A002 - the word of the contract
    facts: Mapping[str, Any],
    *,
    at: datetime | None = None,
) -> None:
    """
    Append one event to the region's stream, dropping the oldest past MAX_EVENTS.

    `facts` hold ids and small values that msgspec can encode (UUID and datetime too). `redis` may be a pipeline, which
    then appends when it is executed. `at` is when it happened, by default now.
    """
    body = encode(type, facts, at or datetime.now(UTC))
    await redis.xadd(key(region), {"e": body}, maxlen=MAX_EVENTS, approximate=True)


async def tell(redis: Redis, told: Sequence[tuple[str, str, Mapping[str, Any]]], *, at: datetime | None = None) -> None:
    """
    Publish events of committed changes, (region, type, facts) each, in one round trip; never raises for Redis' sake.

    A lost event delays the others until their timer, it loses nothing: so what caused it neither fails nor waits for
    longer than PUBLISH_TIMEOUT_S.
    """
    if not told:
        return
    for _, type_, _ in told:
        TOLD.labels(type_).inc()
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT_S), redis.pipeline(transaction=False) as pipe:
            for region, type_, facts in told:
                await publish(pipe, region, type_, facts, at=at)
            await pipe.execute()
    except outages.DRIVERS as exc:
        LOST.inc(len(told))
        outages.tell(log, "events not published", exc, event="events_not_published", n_events=len(told))


async def forget_old(redis: Redis, region: str, now: datetime) -> None:
    """Drop the events of a region that are older than KEPT; never raises for Redis' sake."""
    before_ms = int((now - KEPT).timestamp() * 1000)
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT_S):
            await redis.xtrim(key(region), minid=f"{before_ms}-0", approximate=False)
    except outages.DRIVERS as exc:
        outages.tell(log, "events not trimmed", exc, event="events_not_trimmed", region=region)


async def read(
    redis: Redis, region: str, *, after: str = NOW, count: int = 500, block_ms: int | None = None
) -> list[Event]:
    """
    Events later than the id `after`, oldest first, at most `count`.

    With `block_ms` waits so long for the first one and returns an empty list when none came; without, answers at once.
    The client's socket timeout must be longer than `block_ms`.
    """
    return readable(entries_of(await redis.xread({key(region): after}, count=count, block=block_ms)))


async def follow(
    redis: Redis, tails: Tails, region: str, hear: Callable[[Sequence[Event]], None], *, retry_s: float = 1.0
) -> None:
    """
    Let `hear` have what happens in a region, until cancelled; nothing at first, and whenever something may be missed.

    While Redis is away nothing is heard.
    """
    while True:
        try:
            after = await last_id(redis, region)
            hear(())
            with tails.follow({key(region): after}) as tail:
                while True:
                    if told := readable(await tail.take(TAKE_S)):
                        hear(told)
        except outages.DRIVERS as exc:
            outages.tell(log, "events not read", exc, event="events_not_read", region=region)
        await rest(retry_s)


async def last_id(redis: Redis, region: str) -> str:
    """Id of the newest event, to read on from; START when there is none."""
    newest = await redis.xrevrange(key(region), count=1)
    return text_of(newest[0][0]) if newest else START


def readable(entries: Iterable[StreamEntry]) -> list[Event]:
    """The events of a stream; one that cannot be read, of another release maybe, is told and left out."""
    found = []
    for entry in entries:
        try:
            found.append(decode(entry.id, entry.fields[b"e"]))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            UNREADABLE.inc()
            log.warning(
                "event not readable", extra={"event": "event_unreadable", "id": entry.id, "why": repr(exc)[:200]}
            )
    return found
