"""
The position log: a Redis Stream per region, read independently by groups, trimmed when every group has acknowledged.

Of a region with very many couriers it is several, by courier: `tracking.parts`.

An entry is what one round trip of ingest brought: fixes as packed columns, what was quarantined, and which fixes moved
live state. `tracking.intake.ingest` appends (together with live state, in one script); everybody else reads here.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tracking.batch import PositionColumns
from tracking.parts import PARTED, Layout, Part, layout_key, part_of
from tracking.position import Position, Region
from tracking.quarantine import Quarantined
from tracking.script import Script
from tracking.streams import StreamEntry, entries_of

HISTORY: Final = "history"
"""The group of `tracking.history.writer`."""
WATCH: Final = "watch"
"""The group of `tracking.watching.watch`."""
OUT: Final = "out:"
"""Before the names of groups that read for other systems, which come and go."""

_trim = Script("trim")
_part_log = Script("part_log")
_drop_parts = Script("drop_parts")


@dataclass(frozen=True, slots=True)
class RegionKeys:
    """Every key of a region carries the hash tag `{region}`, so that a cluster keeps them on one node."""

    region: Region

    def _key(self, name: str) -> str:
        return f"pr:{{{self.region}}}:{name}"

    @property
    def log(self) -> str:
        """The stream, where the log has one part."""
        return self._key("log")

    def present(self, place: str) -> str:
        """Who looks at a place: the desk, or an order."""
        return self._key(f"present:{place}")

    @property
    def appended(self) -> str:
        """Fixes ever appended."""
        return self._key("log:appended")

    @property
    def settled(self) -> str:
        """Fixes that every group has acknowledged."""
        return self._key("log:settled")

    @property
    def dead(self) -> str:
        """What could not be stored: `tracking.dead_letters`."""
        return self._key("log:dead")

    @property
    def live(self) -> str:
        """Courier id → live record."""
        return self._key("live")

    @property
    def suspects(self) -> str:
        """Courier id → the record of a fix that looks like a jump and waits for confirmation."""
        return self._key("live:suspects")

    @property
    def contacts(self) -> str:
        """Courier id → milliseconds of the last request."""
        return self._key("live:contacts")

    @property
    def marker(self) -> str:
        """Set once live state is complete; when it is missing, Redis lost its memory."""
        return self._key("live:epoch")

    @property
    def geo(self) -> tuple[str, ...]:
        """The geo indices, in the order of `tracking.batch.MODES` from 1."""
        return tuple(self._key(f"geo:{mode}") for mode in ("car", "motorcycle", "bicycle", "foot"))


_quarantine_decoder: Final = msgspec.msgpack.Decoder(list[Quarantined])


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One entry of the log, still packed.

    `columns`, `quarantined` and `moved` raise ValueError when the entry is poisoned.
    """

    id: str
    fields: Mapping[bytes, bytes]

    @property
    def n(self) -> int:
        """How many fixes."""
        return _whole(self.fields.get(b"n", b"0"))

    @property
    def total(self) -> int:
        """Fixes appended up to and including this entry."""
        return _whole(self.fields.get(b"total", b"0"))

    @property
    def appended_ms(self) -> int:
        """When Redis appended it, milliseconds since the Unix epoch."""
        return int(self.id.partition("-")[0])

    @property
    def parted(self) -> Layout | None:
        """It is the last of its part, and this is the layout that follows."""
        return parted(self.fields)

    def columns(self) -> PositionColumns:
        """Its fixes."""
        packed = self.fields.get(b"fixes", b"")
        return PositionColumns.unpack(packed) if packed else PositionColumns.empty()

    def traces(self) -> list[str]:
        """What goes on with it, as `tracing.going_on` takes it; usually nothing."""
        return self.fields.get(b"trace", b"").decode("ascii", "replace").split()

    def moved(self) -> npt.NDArray[np.int32]:
        """Rows of `columns` that moved live state forward: good, newest, and no unconfirmed jump."""
        return np.frombuffer(self.fields.get(b"moved", b""), dtype="<i4")

    def moved_positions(self) -> tuple[Position, ...]:
        """Those rows as objects: what a live map may show."""
        return self.columns().take(self.moved()).to_positions()

    def quarantined(self) -> list[Quarantined]:
        """What was quarantined."""
        packed = self.fields.get(b"quarantine", b"")
        try:
            return _quarantine_decoder.decode(packed) if packed else []
        except msgspec.DecodeError as exc:
            raise ValueError("expected packed quarantine") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far a group is behind."""

    group: str
    n_fixes: int
    """Fixes appended and not acknowledged."""
    seconds: float
    """Age of the oldest entry that is not acknowledged; 0 when there is none."""
    is_behind: bool = False
    """There is one; it may be without a fix."""

    def and_of(self, other: "Lag") -> "Lag":
        """Of two parts of a log together."""
        return Lag(
            group=self.group,
            n_fixes=self.n_fixes + other.n_fixes,
            seconds=max(self.seconds, other.seconds),
            is_behind=self.is_behind or other.is_behind,
        )


class PositionLog:
    """Reads the logs; holds no state but the client."""

    def __init__(self, redis: Redis, *, keep_s: float = 300.0, blocking: Redis | None = None) -> None:
        """
        `keep_s`: how long acknowledged entries stay, for readers without a group (the live feed's resume).
        `blocking`: a client for the reads that wait, whose connections nobody else needs.
        """
        self._redis = redis
        self._blocking = blocking or redis
        self._keep_s = keep_s

    # -- parts ----------------------------------------------------------------------------------------------------

    async def layout(self, region: Region) -> Layout:
        """Of which parts a region's log is now."""
        return Layout.parse(await self._redis.get(layout_key(region)))

    async def layouts(self, regions: Sequence[Region]) -> dict[Region, Layout]:
        """The same of several regions, in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for region in regions:
                pipe.get(layout_key(region))
            answers = await pipe.execute() if regions else []
        return {region: Layout.parse(answer) for region, answer in zip(regions, answers, strict=True)}

    async def due(self, group: str, region: Region, layout: Layout | None = None) -> list[Part]:
        """Which parts a group reads now: the older ones until it has acknowledged all of them, then the others."""
        layout = layout or await self.layout(region)
        older = layout.older(region)
        if older and not all([await self._is_read(group, part) for part in older]):
            return older
        return layout.now(region)

    async def _is_read(self, group: str, part: Part) -> bool:
        """Whether a group has acknowledged everything in a part to which nothing is appended any more."""
        lags = {lag.group: lag for lag in await self.lag(part)}
        if group in lags:
            return not lags[group].is_behind
        return not await self._redis.xlen(part.log)

    async def part(self, region: Region, n: int) -> Layout:
        """
        Have the log in `n` parts, once nothing is left of those before; how it is now.

        One step at a time: call it again and again. What is read and old enough must have been trimmed (`trim`).
        """
        layout = await self.layout(region)
        if layout.before is not None:
            older, then = layout.older(region), Layout(layout.n)
            keys = [layout_key(region), *(part.log for part in older)]
            keys += [key for part in older for key in (part.appended, part.settled)]
            done = await _drop_parts.run(self._redis, keys, [str(layout), str(then), len(older)])
            layout = then if done else layout
        if layout.before is None and layout.n != n:
            then = Layout(n, layout.n)
            keys = [layout_key(region)]
            keys += [key for part in layout.now(region) for key in (part.log, part.appended)]
            keys += [key for part in then.now(region) for key in (part.log, part.appended, part.settled)]
            done = await _part_log.run(self._redis, keys, [str(layout), str(then), layout.n])
            layout = then if done else layout
        return layout

    # -- reading: of one part; a region stands for its log where that has only one -----------------------------------

    async def ensure_group(self, group: str, where: Region | Part) -> None:
        """Create the group at the beginning of the log; harmless when it exists."""
        try:
            await self._redis.xgroup_create(part_of(where).log, group, id="0", mkstream=True)
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    async def read(
        self, group: str, consumer: str, where: Region | Part, *, count: int = 200, block_ms: int = 1000
    ) -> list[Entry]:
        """
        Entries no consumer of the group has got yet; waits for one, at most `block_ms` (0: does not wait).

        The group is made when it is missing (a new region, or a Redis that lost its memory).
        """
        key = part_of(where).log
        try:
            answer = await self._blocking.xreadgroup(group, consumer, {key: ">"}, count=count, block=block_ms or None)
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            await self.ensure_group(group, where)
            return []
        return _entries(answer)

    async def claim(
        self, group: str, consumer: str, where: Region | Part, *, idle_ms: int, count: int = 200
    ) -> list[Entry]:
        """Take over entries that a consumer got and has not acknowledged for `idle_ms`: it is dead."""
        try:
            answer = await self._redis.xautoclaim(
                part_of(where).log, group, consumer, min_idle_time=idle_ms, count=count
            )
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            return []
        return [Entry(entry_id.decode(), fields) for entry_id, fields in answer[1] if fields]

    async def ack(self, group: str, where: Region | Part, ids: Sequence[str]) -> None:
        """The group is done with these: never deliver them again."""
        if ids:
            await self._redis.xack(part_of(where).log, group, *ids)

    async def tail(
        self, where: Region | Part, after: str = "$", *, count: int = 200, block_ms: int | None = 1000
    ) -> list[Entry]:
        """Entries after an id (`$`: from now on), for readers without a group; nothing is acknowledged."""
        answer = await self._blocking.xread({part_of(where).log: after}, count=count, block=block_ms)
        return _entries(answer)

    async def forget_consumers(self, group: str, where: Region | Part, *, idle_s: float = 3600.0) -> None:
        """Remove consumers that hold nothing and have not read for so long: processes that ended long ago."""
        key = part_of(where).log
        for consumer in await self._redis.xinfo_consumers(key, group):
            if consumer["pending"] == 0 and consumer["idle"] > idle_s * 1000:
                await self._redis.xgroup_delconsumer(key, group, consumer["name"])

    async def skip(self, group: str, where: Region | Part) -> datetime:
        """Go on at the end of the log, whatever the group has not read or acknowledged; since when that has been."""
        key = part_of(where).log
        lags = await self.lag(part_of(where))
        since = time.time() - max((lag.seconds for lag in lags if lag.group == group), default=0.0)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xgroup_destroy(key, group)
            pipe.xgroup_create(key, group, id="$", mkstream=True)
            await pipe.execute()
        return datetime.fromtimestamp(since, UTC)

    # -- all parts of a region -------------------------------------------------------------------------------------

    async def let_go_of_absent(self, region: Region, *, keep: str, absent_s: float) -> list[str]:
        """
        Take away the place of readers that hold the log back and of whom nobody has read for `absent_s`; which ones.

        Such a role does not run any more. When it comes back it begins with what the log has then. `keep`: the group
        that never loses its place; while it is itself as far behind nobody does, for then the trouble is a common one.
        """
        gone: dict[str, None] = {}
        for part in (await self.layout(region)).all(region):
            lags = {lag.group: lag for lag in await self.lag(part)}
            if keep not in lags or lags[keep].seconds > absent_s:
                continue
            for group, lag in lags.items():
                if group != keep and lag.seconds > absent_s:
                    consumers = await self._redis.xinfo_consumers(part.log, group)
                    if all(consumer["idle"] > absent_s * 1000 for consumer in consumers):
                        await self._redis.xgroup_destroy(part.log, group)
                        gone[group] = None
        return list(gone)

    async def keep_only(self, region: Region, kind: str, groups: Collection[str]) -> None:
        """Of the groups whose names begin with `kind`, take their place away from all others: nobody reads for them."""
        for part in (await self.layout(region)).all(region):
            try:
                found = [row["name"].decode() for row in await self._redis.xinfo_groups(part.log)]
            except ResponseError:
                continue  # no log yet
            for group in found:
                if group.startswith(kind) and group not in groups:
                    await self._redis.xgroup_destroy(part.log, group)

    async def trim(self, region: Region) -> int:
        """Remove what every group has acknowledged and is older than `keep_s`; how many entries went."""
        floor_ms = int((time.time() - self._keep_s) * 1000)
        removed = 0
        for part in (await self.layout(region)).all(region):
            removed += await _trim.run(self._redis, [part.log, part.settled], [f"{max(floor_ms, 0)}-0"])
        return removed

    async def lag(self, where: Region | Part) -> list[Lag]:
        """How far each group is behind: in a part, or in all parts of a region."""
        parts = [where] if isinstance(where, Part) else (await self.layout(where)).all(where)
        found: dict[str, Lag] = {}
        for part in parts:
            for lag in await self._lag(part):
                found[lag.group] = lag if lag.group not in found else found[lag.group].and_of(lag)
        return list(found.values())

    async def _lag(self, part: Part) -> list[Lag]:
        try:
            groups = await self._redis.xinfo_groups(part.log)
        except ResponseError:
            return []  # no log yet
        total = int(await self._redis.get(part.appended) or 0)
        lags = []
        for group in groups:
            name = group["name"].decode()
            first = (await self._redis.xpending(part.log, name))["min"] if group["pending"] else None
            # None also where all was acknowledged between the two questions.
            start = first.decode() if first else f"({group['last-delivered-id'].decode()}"
            oldest = _range(await self._redis.xrange(part.log, min=start, count=1))
            if oldest:
                behind = total - oldest[0].total + oldest[0].n
                age_s = max(0.0, time.time() - oldest[0].appended_ms / 1000)
                lags.append(Lag(group=name, n_fixes=behind, seconds=age_s, is_behind=True))
            else:
                lags.append(Lag(group=name, n_fixes=0, seconds=0.0))
        return lags

    async def regions(self) -> list[Region]:
        """The regions that have a log; looks through every key there is."""
        before, after = RegionKeys(Region("\n")).log.split("\n")
        keys = [key.decode() async for key in self._redis.scan_iter(match=f"{before}*{after}*", count=1000)]
        # Of one part, or in the layout.
        ends = {after, layout_key(Region("\n")).partition("\n")[2]}
        found = [key.removeprefix(before).partition("}") for key in keys]
        return sorted({Region(name) for name, bracket, rest in found if bracket + rest in ends})

    async def oldest_at(self, region: Region) -> datetime | None:
        """When the oldest entry that is still there came; None when the log is empty."""
        oldest = [
            entry
            for part in (await self.layout(region)).all(region)
            for entry in _range(await self._redis.xrange(part.log, count=1))
        ]
        return datetime.fromtimestamp(min(entry.appended_ms for entry in oldest) / 1000, UTC) if oldest else None

    async def epoch(self, region: Region) -> str | None:
        """Changes when Redis lost its memory: ids from before mean nothing then."""
        marker = await self._redis.get(RegionKeys(region).marker)
        return marker.decode() if isinstance(marker, bytes) else marker


def parted(fields: Mapping[bytes, bytes]) -> Layout | None:
    """Where an entry is the last of its part: the layout that follows."""
    return Layout.parse(fields[PARTED]) if PARTED in fields else None


def _whole(raw: bytes) -> int:
    """A count of an entry; 0 where a poisoned entry has none."""
    return int(raw) if raw.isdigit() else 0


def _entries(answer: Any) -> list[Entry]:
    return [entry_of(entry) for entry in entries_of(answer)]


def entry_of(entry: StreamEntry) -> Entry:
    """An entry of the log as it came from the stream."""
    return Entry(entry.id, entry.fields)


def _range(entries: Any) -> list[Entry]:
    return [Entry(entry_id.decode(), fields) for entry_id, fields in entries if fields]
