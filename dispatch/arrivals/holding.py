"""Who does a job for a region: a key in Redis that vanishes when its holder dies."""

import secrets

from redis.asyncio import Redis

from tracking.position import Region


class Holding:
    """
    Holds regions for one process.

    For work that two may do for a moment without harm (after a pause of the process, say); what must never be done
    twice needs the leases of `dispatch.region.lease`. Raises what redis raises.
    """

    def __init__(self, redis: Redis, *, for_s: float = 10.0, job: str = "etas:keeper") -> None:
        """`for_s`: so long after the last `take` the region is free again."""
        self._redis = redis
        self._for_ms = int(for_s * 1000)
        self._job = job
        self._me = secrets.token_hex(8)

    async def take(self, region: Region) -> bool:
        """Take the region if it is free, or go on holding it; whether this process holds it."""
        if await self._redis.set(self._key(region), self._me, nx=True, px=self._for_ms):
            return True
        if not await self._is_mine(region):
            return False
        await self._redis.pexpire(self._key(region), self._for_ms)
        return True

    async def release(self, region: Region) -> None:
        """Let go of the region if this process holds it."""
        if await self._is_mine(region):
            await self._redis.delete(self._key(region))

    async def _is_mine(self, region: Region) -> bool:
        holder = await self._redis.get(self._key(region))
        return (holder.decode() if isinstance(holder, bytes) else holder) == self._me

    def _key(self, region: Region) -> str:
        return f"pr:{{{region}}}:{self._job}"
