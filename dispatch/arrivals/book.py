"""
The arrivals in force, in Redis: one hash per region, courier id → what is told of each stop of the route.

Written by `keeper`, read by everybody who answers. An entry says when it was computed; nothing is ever
read as fresh that is not. What was told of an order that lost its courier stays beside these, by order, until somebody
else has it: a promise is the order's.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from prometheus_client import Counter
from redis.asyncio import Redis

from dispatch.arrivals.eta import Eta, Note
from dispatch.arrivals.widths import Widths
from dispatch.arrivals.widths import unpack as unpack_widths
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.errors import LeaseLost
from tracking.lease import Lease
from tracking.position import CourierId, Region
from tracking.script import Script

log = logging.getLogger(__name__)

UNREADABLE = Counter("postrider_etas_unreadable_total", "Arrivals in the book that could not be read.")

TOKEN_S = 60
"""A keeper writes at least every 10 s; after so long without one, a database begun anew may count from 1 again."""
ID_BYTES = 16
WIDTHS = b"widths"
"""Field of how wide intervals must be, in the region."""
PROMISE = b"order:"
"""Before the id of an order, for what was told of it while nobody had it."""
LATEST = 7_258_118_400
"""The year 2200, in seconds since the Unix epoch."""
FRESH_S = 45.0
"""The keeper tells every courier's arrivals anew at least every 10 s; older than this, it is not at work."""
KEEP_S = 86_400
"""A region's hash vanishes a day after its last change."""


class _Stop(msgspec.Struct, array_like=True):
    """One arrival on the wire. Fields are only ever added at the end."""

    order_id: UUID
    kind: StopKind
    p10: float
    p50: float
    p90: float
    source: str
    confidence: float
    warnings: list[str]
    later_at: float | None = None
    later_by: str | None = None


class _Entry(msgspec.Struct, array_like=True):
    """A courier's arrivals on the wire."""

    route_version: int
    computed_at: float
    stops: list[_Stop]


_fenced_hash = Script("fenced_hash")
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Entry)
_NOTES = frozenset(note.value for note in Note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of a courier's arrivals."""

    route_version: int
    computed_at: float
    """Seconds since the Unix epoch."""
    etas: tuple[Eta, ...]

    def find(self, order_id: UUID, kind: StopKind) -> Eta | None:
        """The arrival at one stop."""
        return next((eta for eta in self.etas if eta.stop == PlannedStop(OrderId(order_id), kind)), None)


def key(region: Region) -> str:
    """Name of the region's hash; the braces make Redis Cluster keep a region's keys together."""
    return f"pr:{{{region}}}:etas"


def pack(route_version: int, computed_at: float, etas: Sequence[Eta]) -> bytes:
    """Bytes of an entry."""
    stops = [
        _Stop(
            eta.stop.order_id,
            eta.stop.kind,
            eta.p10,
            eta.p50,
            eta.p90,
            eta.source,
            eta.confidence,
            [note.value for note in eta.warnings],
            eta.later_at,
            eta.later_by,
        )
        for eta in etas
    ]
    return _encode(_Entry(route_version, computed_at, stops))


def unpack(packed: bytes) -> Told:
    """The entry; ValueError for bytes that are none."""
    try:
        entry = _decoder.decode(packed)
    except msgspec.DecodeError as exc:
        raise ValueError("expected packed arrivals") from exc
    etas = tuple(
        Eta(
            stop=PlannedStop(OrderId(stop.order_id), stop.kind),
            p10=stop.p10,
            p50=stop.p50,
            p90=stop.p90,
            computed_at=entry.computed_at,
            source=stop.source,
            confidence=stop.confidence,
            # a newer version may know more notes than this one
            warnings=tuple(Note(note) for note in stop.warnings if note in _NOTES),
            later_at=stop.later_at if stop.later_by in _NOTES else None,
            later_by=Note(stop.later_by) if stop.later_by in _NOTES else None,
        )
        for stop in entry.stops
    )
    if not all(0 <= at <= LATEST for eta in etas for at in (eta.p10, eta.p50, eta.p90)):
        raise ValueError("expected instants")
    return Told(route_version=entry.route_version, computed_at=entry.computed_at, etas=etas)


class EtaBook:
    """Reads and writes the hashes; holds no state but the client. Raises what redis raises."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def of_courier(self, region: Region, courier_id: UUID) -> Told | None:
        """What is told of one courier's stops; None when nothing is."""
        packed: Any = await self._redis.hget(key(region), courier_id.bytes)
        return None if packed is None else _readable(packed)

    async def of_couriers(self, region: Region, courier_ids: Sequence[CourierId]) -> dict[CourierId, Told]:
        """What is told of some couriers' stops; nothing of those of whom nothing is."""
        if not courier_ids:
            return {}
        entries: Any = await self._redis.hmget(key(region), [courier_id.bytes for courier_id in courier_ids])
        read = {one: _readable(packed) for one, packed in zip(courier_ids, entries, strict=True) if packed is not None}
        return {courier_id: told for courier_id, told in read.items() if told is not None}

    async def of_region(self, region: Region) -> dict[CourierId, Told]:
        """What is told of every courier on a route."""
        found: dict[CourierId, Told] = {}
        entries: Any = await self._redis.hgetall(key(region))
        for courier_id, packed in entries.items():
            if len(courier_id) == ID_BYTES and (told := _readable(packed)) is not None:
                found[CourierId(UUID(bytes=courier_id))] = told
        return found

    async def promises(self, region: Region) -> dict[OrderId, tuple[Eta, ...]]:
        """What was told of orders that nobody has, while somebody had them."""
        entries: Any = await self._redis.hgetall(key(region))
        return {
            OrderId(UUID(bytes=name[len(PROMISE) :])): told.etas
            for name, packed in entries.items()
            if _is_promise(name) and (told := _readable(packed)) is not None
        }

    async def promise(self, region: Region, order_id: UUID) -> tuple[Eta, ...]:
        """What was told of an order while it was on the route of somebody who has lost it."""
        packed: Any = await self._redis.hget(key(region), PROMISE + order_id.bytes)
        told = None if packed is None else _readable(packed)
        if told is not None:
            return told.etas
        everybody = (await self.of_region(region)).values()
        return tuple(eta for told in everybody for eta in told.etas if eta.stop.order_id == order_id)

    async def p90(self, region: Region) -> dict[tuple[OrderId, StopKind], datetime]:
        """
        The p90 of the arrival at every stop of the region that is kept up to date.

        Where nobody knows where the courier is, an honest interval is so wide that it says nothing of being late.
        """
        now = datetime.now(UTC).timestamp()
        return {
            (eta.stop.order_id, eta.stop.kind): datetime.fromtimestamp(eta.p90, UTC)
            for told in (await self.of_region(region)).values()
            if now - told.computed_at <= FRESH_S
            for eta in told.etas
            if Note.NO_POSITION not in eta.warnings
        }

    async def widths(self, region: Region) -> Widths:
        """How wide the region's intervals proved to have to be."""
        packed: Any = await self._redis.hget(key(region), WIDTHS)
        return unpack_widths(packed)

    async def put(
        self,
        lease: Lease,
        entries: Mapping[CourierId, tuple[int, float, Sequence[Eta]]],
        gone: Iterable[UUID] = (),
        *,
        promises: Mapping[OrderId, Sequence[Eta]] | None = None,
        kept: Iterable[OrderId] = (),
        widths: Widths | None = None,
    ) -> None:
        """
        Tell new arrivals (route version, computed at, etas) of some couriers, and forget others; one round trip.

        `promises`: what was told of orders that nobody has any more; `kept`: somebody has them now, or they are closed.
        `widths` go along where something new was learned of them.
        Raises `LeaseLost` when somebody with a newer lease has told any.
        """
        lost = [*(courier_id.bytes for courier_id in gone), *(PROMISE + order_id.bytes for order_id in kept)]
        promised = {PROMISE + order_id.bytes: pack(0, 0.0, etas) for order_id, etas in (promises or {}).items()}
        if widths is not None and widths.is_changed:
            promised[WIDTHS] = widths.pack()
        if not entries and not lost and not promised:
            return
        fields = [part for courier_id, entry in entries.items() for part in (courier_id.bytes, pack(*entry))]
        fields += [part for entry in promised.items() for part in entry]
        keys = [key(lease.region), f"{key(lease.region)}:token"]
        head = [lease.token, TOKEN_S, KEEP_S, len(entries) + len(promised)]
        if not await _fenced_hash.run(self._redis, keys, [*head, *fields, *lost]):
            raise LeaseLost(job=lease.job, region=lease.region)

    async def forget(self, region: Region, courier_id: UUID) -> None:
        """Forget one courier, whoever leads."""
        await self._redis.hdel(key(region), courier_id.bytes)


def _is_promise(name: bytes) -> bool:
    return name.startswith(PROMISE) and len(name) == len(PROMISE) + ID_BYTES


def _readable(packed: bytes) -> Told | None:
    """The entry; None where it cannot be read, of another release maybe: then nothing is told."""
    try:
        return unpack(packed)
    except ValueError as exc:
        UNREADABLE.inc()
        log.warning("arrivals not readable", extra={"event": "etas_unreadable", "why": str(exc)})
        return None
