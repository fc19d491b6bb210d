"""
Dead letters: what the writer was given and can never store as it is, kept until a person brings it back.

One Redis Stream per region, never trimmed: its length is a metric, `postrider check` complains of it, and
`postrider dead-letters replay` puts the letters back into the log once the cause is mended. A letter holds as little as
could be told to be at fault: a single fix where there is one, a whole entry of the log where it cannot be unpacked.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Self

import msgspec
import numpy as np
from redis.asyncio import Redis

from tracking.batch import PositionColumns
from tracking.log import Entry, RegionKeys
from tracking.parts import Layout, Part, layout_key, part_of, place_of
from tracking.position import CourierId, Region
from tracking.quarantine import Quarantined
from tracking.script import Script

PAGE: Final = 100
WORDS: Final = 500
"""A reason is cut to so many characters."""

_replay = Script("replay")
_CARRIED: Final = (b"fixes", b"quarantine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Something that cannot be stored."""

    why: str
    n: int
    """How many fixes; 0 for something of the quarantine, or what cannot be unpacked at all."""
    fields: Mapping[bytes, bytes]
    """As in the log."""

    @classmethod
    def of_entry(cls, entry: Entry, why: str) -> Self:
        """A whole entry, as it came."""
        return cls(why=why, n=entry.n, fields=entry.fields)

    @classmethod
    def of(cls, fixes: PositionColumns, items: Sequence[Quarantined], why: str) -> Self:
        """Some of an entry."""
        return cls(
            why=why,
            n=len(fixes),
            fields={
                b"fixes": fixes.pack() if len(fixes) else b"",
                b"quarantine": msgspec.msgpack.encode(list(items)) if items else b"",
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A letter that was kept."""

    id: str
    kept_at: datetime
    entry: str
    """The log entry it came from."""
    why: str
    n: int


class DeadLetters:
    """The dead letters of all regions."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, group: str, where: Region | Part, entry_id: str, letters: Sequence[Letter]) -> None:
        """
        Keep letters and acknowledge the entry they came from: both or neither, so that none is kept twice.

        `where`: the part of the log, or the region where that has only one.
        """
        part = part_of(where)
        keys = RegionKeys(part.region)
        async with self._redis.pipeline(transaction=True) as pipe:
            for letter in letters:
                fields: dict[Any, Any] = {
                    **{name: letter.fields[name] for name in _CARRIED if name in letter.fields},
                    b"n": letter.n,
                    b"entry": entry_id,
                    b"why": letter.why[:WORDS],
                }
                pipe.xadd(keys.dead, fields)
            pipe.xack(part.log, group, entry_id)
            await pipe.execute()

    async def regions(self) -> list[Region]:
        """The regions that have any."""
        before, after = RegionKeys(Region("\n")).dead.split("\n")
        keys = [key.decode() async for key in self._redis.scan_iter(match=f"{before}*{after}", count=1000)]
        return sorted(Region(key.removeprefix(before).removesuffix(after)) for key in keys)

    async def count(self, region: Region) -> int:
        """How many letters there are."""
        return int(await self._redis.xlen(RegionKeys(region).dead))

    async def all(self, region: Region) -> AsyncIterator[Kept]:
        """Those there are now, oldest first."""
        async for letter_id, fields in self._walk(region):
            yield _kept(letter_id, fields)

    async def _walk(self, region: Region) -> AsyncIterator[tuple[str, Mapping[bytes, bytes]]]:
        key = RegionKeys(region).dead
        newest: Any = await self._redis.xrevrange(key, count=1)
        after = "-"
        while newest:
            page: Any = await self._redis.xrange(key, min=after, max=newest[0][0], count=PAGE)
            for letter_id, fields in page:
                yield letter_id.decode(), fields
            if len(page) < PAGE:
                return
            after = f"({page[-1][0].decode()}"

    async def replay(self, region: Region, letter_id: str) -> bool:
        """Put a letter back at the end of the log, once: False when it is no longer there."""
        dead = RegionKeys(region).dead
        layout = Layout()
        while True:
            page: Any = await self._redis.xrange(dead, min=letter_id, max=letter_id)
            keys = [layout_key(region), dead]
            args: list[str | bytes] = [str(layout), letter_id]
            for part, letter in _by_part(region, layout, page[0][1] if page else {}):
                keys += [part.log, part.appended]
                args += [letter.get(b"n", b"0"), letter.get(b"fixes", b""), letter.get(b"quarantine", b"")]
            answer = await _replay.run(self._redis, keys, args)
            if not isinstance(answer, list):
                return bool(answer)
            layout = Layout.parse(answer[0])

    async def forget(self, courier_id: CourierId) -> int:
        """
        Take a courier out of every letter; how many letters had to do with that courier.

        What is left of a letter becomes a new one at the end; a letter that nobody can unpack goes as a whole.
        """
        n = 0
        for region in await self.regions():
            async for letter_id, fields in self._walk(region):
                if not _names(fields, courier_id):
                    continue
                n += 1
                rest = _without(fields, courier_id)
                async with self._redis.pipeline(transaction=True) as pipe:
                    if rest is not None:
                        pipe.xadd(RegionKeys(region).dead, rest)
                    pipe.xdel(RegionKeys(region).dead, letter_id)
                    await pipe.execute()
        return n


def _by_part(region: Region, layout: Layout, fields: Mapping[bytes, bytes]) -> list[tuple[Part, Mapping[bytes, bytes]]]:
    """A letter, each courier's fixes for the part of the log where they belong; what nobody can unpack stays whole."""
    parts = layout.now(region)
    try:
        fixes = Entry("0-0", fields).columns()
    except Exception:  # noqa: BLE001 - whatever unpacking raises
        fixes = PositionColumns.empty()
    if len(parts) == 1 or not len(fixes):
        return [(parts[0], fields)]
    rest = dict(fields)
    found: list[tuple[Part, Mapping[bytes, bytes]]] = []
    for place, mine in fixes.parted(partial(place_of, n=layout.n)).items():
        found.append((parts[place], {**rest, b"n": str(len(mine)).encode(), b"fixes": mine.pack()}))
        rest.pop(b"quarantine", None)  # goes with one of them
    return found


def _names(fields: Mapping[bytes, bytes], courier_id: CourierId) -> bool:
    written = (courier_id.bytes, str(courier_id).encode())
    return any(mark in value for value in fields.values() for mark in written)


def _without(fields: Mapping[bytes, bytes], courier_id: CourierId) -> dict[Any, Any] | None:
    """The letter without a courier's part; None when nothing is left, or nobody can say which part that is."""
    entry = Entry("0-0", dict(fields))
    try:
        columns, items = entry.columns(), entry.quarantined()
    except ValueError:
        return None
    others = np.array([other != courier_id for other in columns.courier_ids], dtype=np.bool_)
    columns = columns.take(others[columns.courier])
    columns = replace(
        columns,
        courier_ids=tuple(other for other in columns.courier_ids if other != courier_id),
        courier=(np.cumsum(others) - 1).astype("<i4")[columns.courier],
    )
    items = [i for i in items if i.courier_id != courier_id and str(courier_id).encode() not in i.payload]
    if not len(columns) and not items:
        return None
    rest = Letter.of(columns, items, fields.get(b"why", b"").decode(errors="replace"))
    why = rest.why.replace(str(courier_id), "erased")
    return {**rest.fields, b"n": rest.n, b"entry": fields.get(b"entry", b""), b"why": why}


def _kept(letter_id: str, fields: Mapping[bytes, bytes]) -> Kept:
    return Kept(
        id=letter_id,
        kept_at=datetime.fromtimestamp(int(letter_id.partition("-")[0]) / 1000, UTC),
        entry=fields.get(b"entry", b"").decode(errors="replace"),
        why=fields.get(b"why", b"").decode(errors="replace"),
        n=Entry(letter_id, dict(fields)).n,
    )
