"""
What a place has of its goods: from Redis where that is remembered, else from the database.

For whoever looks. Who takes goods asks the database, which decides (dispatch/stock/reserving.py, moving.py).

    look ──▶ Redis: what is remembered ──none──▶ a ticket ──▶ database ──▶ remembered, while the ticket holds
    goods change, and with them a row of stock_outbox ──commit──▶ the key is deleted, ticket and all (outbox.py)

Whoever read before a change holds a ticket of before it, and so remembers nothing after it. A key lives for `TTL_S`
from when its ticket was given, however often it is read: a balance is never older, whatever was not told. No Redis, no
memory: then all comes from the database.
"""

import asyncio
import logging
import secrets
import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from prometheus_client import Counter
from redis.asyncio import Redis

from dispatch.errors import PlaceNotFound
from dispatch.stock.batches import Batch, in_turn
from sql import queries
from tracking import outages
from tracking.script import Script

log = logging.getLogger(__name__)

READS: Final = Counter("postrider_stock_reads_total", "Looks at what places have, by where it came from.", ["source"])

TTL_S: Final = 60
WITHIN_S: Final = 0.5
"""So long Redis is waited for; then the database is asked."""
MOST_GOODS: Final = 1_000
LARGEST_B: Final = 65_536
"""Compressed; a place with more of either is always asked of the database."""
TOO_MUCH: Final = b""

_recall, _remember = Script("recall"), Script("remember")


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What a place has of some goods."""

    item_id: UUID
    item: str
    name: str
    gtin: str | None
    unit: str
    reserved: int
    """Of open orders that nobody has collected."""
    batches: tuple[Batch, ...]
    """In the sequence in which they go."""


class Balances(msgspec.Struct, frozen=True, kw_only=True):
    """What a place has, by code of the goods; also of those that have run out."""

    timezone: str
    goods: tuple[Balance, ...]

    def today(self, now: datetime) -> date:
        """The day by the place's clock."""
        return now.astimezone(ZoneInfo(self.timezone)).date()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for of a place."""

    after: UUID | None = None
    after_item: str | None = None
    """Goods beyond these; both or neither."""
    items: tuple[str, ...] = ()
    """Those goods only; none: all."""
    limit: int
    """At most so many."""


async def balances_at(pool: Any, redis: Redis, place_id: UUID, part: Part) -> Balances:
    """What the place has; raises `PlaceNotFound`."""
    body, ticket = await _recalled(redis, place_id)
    found = None if body is None else _part_of(body, part)
    READS.labels("database" if found is None else "redis").inc()
    if found is None and ticket is not None:
        whole = await _read(pool, place_id, Part(limit=MOST_GOODS + 1))
        await _keep(redis, place_id, ticket, whole)
        found = _part_of(whole, part) if len(whole.goods) <= MOST_GOODS else None
    return found if found is not None else await _read(pool, place_id, part)


async def forget(redis: Redis, place_ids: Iterable[UUID]) -> None:
    """Let go of what is remembered of places, after what changed there is committed. Raises what redis-py raises."""
    async with asyncio.timeout(WITHIN_S), redis.pipeline(transaction=False) as pipe:
        for place_id in place_ids:
            pipe.delete(key(place_id))
        await pipe.execute()


async def forget_now(redis: Redis, place_ids: Collection[UUID]) -> None:
    """The same where nobody need wait for the outbox: who changed something sees it. Without Redis it comes later."""
    try:
        await forget(redis, place_ids)
    except outages.DRIVERS as exc:
        outages.tell(log, "balances not forgotten yet", exc, event="balances_not_forgotten")


def key(place_id: UUID) -> str:
    """Of Redis."""
    return f"pr:stock:{place_id}"


def _part_of(whole: Balances, part: Part) -> Balances | None:
    """None where that is not known: the goods to go on from are not there any more."""
    goods: Sequence[Balance] = whole.goods
    if part.after is not None:
        at = next((n for n, one in enumerate(goods) if one.item_id == part.after), None)
        if at is None:
            return None
        goods = goods[at + 1 :]
    if part.items:
        goods = [one for one in goods if one.item in part.items]
    return Balances(timezone=whole.timezone, goods=tuple(goods[: part.limit]))


async def _recalled(redis: Redis, place_id: UUID) -> tuple[Balances | None, bytes | None]:
    """What is remembered, else a ticket, else neither: it cannot be remembered."""
    try:
        async with asyncio.timeout(WITHIN_S):
            body, ticket = await _recall.run(redis, [key(place_id)], [secrets.token_hex(8), TTL_S * 1000])
        if not body:
            return None, ticket
        return msgspec.msgpack.decode(zlib.decompress(body), type=Balances), None
    except outages.DRIVERS as exc:
        outages.tell(log, "balances not recalled", exc, event="balances_not_recalled")
    except (zlib.error, msgspec.MsgspecError):  # another release wrote it; it does not last
        pass
    return None, None


async def _keep(redis: Redis, place_id: UUID, ticket: bytes, whole: Balances) -> None:
    body = zlib.compress(msgspec.msgpack.encode(whole), 1) if len(whole.goods) <= MOST_GOODS else TOO_MUCH
    try:
        async with asyncio.timeout(WITHIN_S):
            await _remember.run(redis, [key(place_id)], [ticket, body if len(body) <= LARGEST_B else TOO_MUCH])
    except outages.DRIVERS as exc:
        outages.tell(log, "balances not remembered", exc, event="balances_not_remembered")


async def _read(pool: Any, place_id: UUID, part: Part) -> Balances:
    timezone = await pool.fetchval(queries["stock.clock_of"], place_id)
    if timezone is None:
        raise PlaceNotFound(place_id=str(place_id))
    rows = await pool.fetch(
        queries["stock.at_place"], place_id, part.after_item, part.after, part.limit, list(part.items) or None
    )
    goods = []
    for _, group in groupby(rows, key=lambda row: row["item_id"]):
        some = list(group)
        batches = [
            Batch(id=row["batch_id"], **{name: row[name] for name in ("quantity", "lot", "best_before", "n")})
            for row in some
            if row["batch_id"] is not None
        ]
        facts = {name: some[0][name] for name in ("item_id", "item", "name", "gtin", "unit", "reserved")}
        goods.append(Balance(batches=tuple(in_turn(batches)), **facts))
    return Balances(timezone=timezone, goods=tuple(goods))
