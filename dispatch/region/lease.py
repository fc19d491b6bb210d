"""
Who plans a region: a row with an expiry, so that two dispatchers never do at once.

A dispatcher that was stopped for longer than its lease and wakes up again still believes in it. Therefore every commit
carries the lease's token and is refused when the lease has passed to another (a fencing token).
"""

import os
import secrets
import socket
from dataclasses import dataclass

import asyncpg

from dispatch.errors import LeaseLost
from sql import queries
from tracking.position import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to plan a region, as long as the token is the newest."""

    region: Region
    token: int


def new_holder() -> str:
    """A name for this process that no other, and no later, process has: host, process id and chance."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


async def take(pool: asyncpg.Pool, region: Region, holder: str, *, ttl_s: float) -> Lease | None:
    """Take the lease or renew it for `ttl_s` seconds by the database's clock; None while somebody else has it."""
    token = await pool.fetchval(queries["dispatch_leases.take"], region, holder, ttl_s)
    return None if token is None else Lease(region=region, token=token)


async def hold(connection: asyncpg.Connection, lease: Lease) -> None:
    """Make sure, until the transaction ends, that nobody else plans the region; raises `LeaseLost`."""
    if await connection.fetchval(queries["dispatch_leases.hold"], lease.region, lease.token) is None:
        raise LeaseLost(region=lease.region)


async def release(pool: asyncpg.Pool, region: Region, holder: str) -> None:
    """Give the lease back, so that the next dispatcher need not wait for its expiry."""
    await pool.execute(queries["dispatch_leases.release"], region, holder)
