"""
Where idle couriers might rather wait for the orders to come: a suggestion, never an order.

It lies in Redis and vanishes by itself: who is not advised again within `KEEP_S` is not advised any more.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from redis.asyncio import Redis

from tracking import events
from tracking.position import CourierId, Region

KEEP_S = 60
"""A region is planned every few seconds, all parts of a large one every ten."""
WITHIN_S = 2.0
"""Advice that Redis does not take or tell in this time is nobody's loss."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Where to wait, and by how much orders expected soon would wait less, in all."""

    lat: float
    lon: float
    saves_s: int
    advised_at: datetime

    @property
    def place(self) -> tuple[float, float]:
        """What makes it another one."""
        return (self.lat, self.lon)


def key(region: Region, courier_id: CourierId) -> str:
    """Name of a courier's advice; the braces make Redis Cluster keep a region's keys together."""
    return f"pr:{{{region}}}:advice:{courier_id}"


async def put(
    redis: Redis, region: Region, couriers: Collection[CourierId], advice: Mapping[CourierId, Advice]
) -> None:
    """Say what couriers who were just planned are advised, the others nothing any more; tells those it is new to."""
    listed = sorted(couriers)
    if not listed:
        return
    async with asyncio.timeout(WITHIN_S), redis.pipeline(transaction=False) as pipe:
        for one in listed:
            pipe.get(key(region, one))
        before = dict(zip(listed, map(_read, await pipe.execute()), strict=True))
        told: list[tuple[Region, str, Mapping[str, Any]]] = []
        for one in listed:
            old, new = before[one], advice.get(one)
            if new is not None:
                kept = old if old is not None and old.place == new.place else new
                pipe.set(key(region, one), msgspec.json.encode(kept), ex=KEEP_S)
            elif old is not None:
                pipe.delete(key(region, one))
            if (old and old.place) != (new and new.place):
                told.append((region, "courier.advised", {"courier_id": str(one)}))
        await pipe.execute()
    await events.tell(redis, told)


async def read(redis: Redis, region: Region, courier_id: CourierId) -> Advice | None:
    """What a courier is advised now; None: nothing."""
    async with asyncio.timeout(WITHIN_S):
        return _read(await redis.get(key(region, courier_id)))


def _read(stored: bytes | str | None) -> Advice | None:
    try:
        return None if stored is None else msgspec.json.decode(stored, type=Advice)
    except msgspec.DecodeError:
        return None  # written by another version: replaced at the next turn
