"""
What Redis has of the regions, as a file and back: logs entry by entry, everything else as Redis itself packs it.

A log may be larger than Redis lets one value be, so it is read and written in pages. Its readers begin, in the copy, at
the first entry that they had not acknowledged: they may see one twice, and never miss one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard
from redis.asyncio import Redis

from tracking.log import HISTORY, PositionLog
from tracking.parts import Part

PAGE: Final = 500
"""Entries of a log at once."""
LEFT_OUT: Final = (":present:", ":advice:")
"""Who looks where, and where to wait: true for moments."""
OF_REGIONS: Final = "pr:{*}:*"
INTAKE: Final = "pr:{intake}:"
"""Not a region's: of the API processes that live."""


class Packed(msgspec.Struct, array_like=True, tag="key", frozen=True):
    """A key as Redis packs it, and for how long it stays, in milliseconds; 0: for ever."""

    name: bytes
    value: bytes
    ttl_ms: int


class Page(msgspec.Struct, array_like=True, tag="page", frozen=True):
    """Some entries of a log."""

    region: str
    """Or a part of its log, by its name."""
    entries: list[tuple[str, dict[bytes, bytes]]]


class Place(msgspec.Struct, array_like=True, tag="place", frozen=True):
    """After which entry a reader of a log goes on."""

    region: str
    """Or a part of its log, by its name."""
    group: str
    after: str


Frame = Packed | Page | Place
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Frame)


async def export(redis: Redis, path: Path) -> int:
    """Write everything; how many entries of logs. Raises what the driver raises."""
    n = 0
    log = PositionLog(redis)
    regions = await log.regions()
    parts = [part for region in regions for part in (await log.layout(region)).all(region)]
    logs = {part.log.encode() for part in parts}
    with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as out:
        # The logs first: what a reader stores meanwhile is in the database, which is copied after this.
        for part in parts:
            for group, after in await _places(redis, part):
                _write(out, Place(part.name, group, after))
            async for page in _pages(redis, part):
                n += len(page.entries)
                _write(out, page)
        async for name in redis.scan_iter(match=OF_REGIONS, count=1000):
            is_wanted = name not in logs and not name.startswith(INTAKE.encode())
            if is_wanted and not any(part.encode() in name for part in LEFT_OUT):
                await _pack(redis, name, out)
    return n


async def _pack(redis: Redis, name: bytes, out: Any) -> None:
    value, ttl_ms = await redis.dump(name), await redis.pttl(name)
    if value is not None:  # it has just ended
        _write(out, Packed(name, value, max(0, ttl_ms)))


async def _places(redis: Redis, part: Part) -> list[tuple[str, str]]:
    """Each reader, and the last entry before the first that it had not acknowledged."""
    key, found = part.log, []
    groups: Any = await redis.xinfo_groups(key) if await redis.exists(key) else []
    for group in groups:
        after = group["last-delivered-id"].decode()
        if group["pending"]:
            pending: Any = await redis.xpending(key, group["name"])
            first = pending["min"]
            after = _before(first.decode()) if first else after
        found.append((group["name"].decode(), after))
    return found


def _before(entry_id: str) -> str:
    """The id just before this one."""
    ms, _, n = entry_id.partition("-")
    return f"{ms}-{int(n) - 1}" if int(n) else f"{int(ms) - 1}-{2**64 - 1}"


async def _pages(redis: Redis, part: Part) -> Any:
    after = "-"
    while True:
        entries: Any = await redis.xrange(part.log, min=after, count=PAGE)
        if not entries:
            return
        yield Page(part.name, [(entry_id.decode(), fields) for entry_id, fields in entries])
        after = f"({entries[-1][0].decode()}"


def _write(out: Any, frame: Frame) -> None:
    body = _encoder.encode(frame)
    out.write(len(body).to_bytes(4, "little") + body)


def frames(path: Path) -> Iterator[Frame]:
    """What was written. Raises ValueError where the file ends early or cannot be read."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as source:
        while head := _whole(source, 4, may_end=True):
            yield _decoder.decode(_whole(source, int.from_bytes(head, "little")))


def _whole(source: Any, n: int, *, may_end: bool = False) -> bytes:
    parts, left = [], n
    while left and (part := source.read(left)):
        parts.append(part)
        left -= len(part)
    if left and not (may_end and left == n):
        raise ValueError("the copy of Redis ends early")
    return b"".join(parts)


async def is_empty(redis: Redis) -> bool:
    """Whether this Redis has nothing of any region."""
    async for name in redis.scan_iter(match=OF_REGIONS, count=1000):
        if not name.startswith(INTAKE.encode()):
            return False
    return True


async def restore(redis: Redis, path: Path) -> int:
    """Put everything into an empty Redis; how many entries of logs. Raises ValueError as `frames`."""
    n, places = 0, []
    for frame in frames(path):
        match frame:
            case Packed():
                await redis.restore(frame.name, frame.ttl_ms, frame.value, replace=True)
            case Page():
                async with redis.pipeline(transaction=False) as pipe:
                    for entry_id, fields in frame.entries:
                        whole: Any = fields
                        pipe.xadd(Part.named(frame.region).log, whole, id=entry_id)
                    await pipe.execute()
                n += len(frame.entries)
            case Place():
                places.append(frame)
    for place in places:
        await redis.xgroup_create(Part.named(place.region).log, place.group, id=place.after, mkstream=True)
    return n


async def store_again(redis: Redis) -> None:
    """Let the writer begin anew with the oldest entry that each log has: what is stored already stays as it is."""
    log = PositionLog(redis)
    for region in await log.regions():
        for part in (await log.layout(region)).all(region):
            await log.ensure_group(HISTORY, part)
            await redis.xgroup_setid(part.log, HISTORY, "0")
