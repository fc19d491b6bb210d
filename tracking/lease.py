"""
Who does a job for a region: a row with an expiry and a token, by the database's clock.

    tracking.lanes ──take, renew──▶ leases ◀──hold── every transaction that writes what the job found

A process that was stopped for longer than its lease and wakes up again still believes in it. Therefore whatever it
writes carries the lease's token and is refused when the lease has passed to another (a fencing token): in PostgreSQL by
`held`, in Redis by comparing tokens where it is written (`dispatch.arrivals.book`).
"""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from math import ceil
from typing import Any, Final
from uuid import UUID

import asyncpg

from sql import queries
from tracking.errors import LeaseLost
from tracking.parts import Part
from tracking.position import Region

IDLE_MS: Final = 3000
"""A transaction that holds a lease and says nothing for so long is ended: its process is stopped or unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do a job for a region, as long as the token is the newest."""

    job: str
    region: Region
    token: int
    part: Part | None = None
    """Of the region's log, where the job is done part by part."""

    @property
    def name(self) -> Region:
        """Whose row it is."""
        return self.region if self.part is None else self.part.name

    def has(self, courier_id: UUID) -> bool:
        """Whether the courier is one of those it is about."""
        return self.part is None or self.part.has(courier_id)


def new_holder() -> str:
    """A name for this process that no other, and no later, process has: host, process id and chance."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


async def take(pool: asyncpg.Pool, job: str, region: Region, holder: str, *, ttl_s: float) -> Lease | None:
    """Take a lease that is free for `ttl_s` seconds; None while somebody else has it."""
    token = await pool.fetchval(queries["leases.take"], job, region, holder, ttl_s)
    return None if token is None else Lease(job=job, region=region, token=token)


async def hold(connection: Any, lease: Lease) -> datetime:
    """Make sure, until the transaction ends, that nobody else takes the lease; the time now. Raises `LeaseLost`."""
    row = await connection.fetchrow(queries["leases.hold"], lease.job, lease.name, lease.token, str(IDLE_MS))
    if row is None:
        raise LeaseLost(job=lease.job, region=lease.region)
    now: datetime = row["now"]
    return now


@asynccontextmanager
async def held(pool: asyncpg.Pool, lease: Lease) -> AsyncIterator[Any]:
    """A connection in a transaction that only the holder of the lease can commit; raises `LeaseLost`."""
    async with pool.acquire() as connection, connection.transaction():
        await hold(connection, lease)
        yield connection


async def release(pool: asyncpg.Pool, lease: Lease) -> None:
    """Give the lease back, so that the next one need not wait for its expiry."""
    await pool.execute(queries["leases.release"], lease.job, lease.name, lease.token)


async def revoke(pool: asyncpg.Pool, job: str, region: Region, names: Collection[str]) -> None:
    """
    Take the leases of a region's parts from whoever still believes in them, but for those of these names.

    For when a log has other parts: what was led by the old ones is led by the new ones.
    """
    await pool.execute(queries["leases.revoke"], job, region, list(names))


def shares(regions: Collection[Region], holders: Collection[str]) -> Mapping[Region, str]:
    """
    Which process should do each region: the one that the two names draw highest, as long as it has room.

    All processes come to the same answer from the same names. One more, or one less, moves few regions (rendezvous
    hashing: D. Thaler, C. V. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on
    Networking 6 (1), 1998), and none has more than its part, rounded up.
    """
    if not holders:
        return {}
    room = dict.fromkeys(holders, ceil(len(regions) / len(holders)))
    found: dict[Region, str] = {}
    for _, region, holder in sorted(
        (_drawn(region, holder), region, holder) for region in regions for holder in holders
    ):
        if region not in found and room[holder] > 0:
            found[region] = holder
            room[holder] -= 1
    return found


def _drawn(region: Region, holder: str) -> bytes:
    return blake2b(f"{region}\n{holder}".encode(), digest_size=8).digest()
