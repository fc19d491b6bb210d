"""What a person at the page asks the demo to break: from the API's process to the one that simulates, through Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

import msgspec
from redis.asyncio import Redis

from tracking import outages
from tracking.pause import pause

log = logging.getLogger(__name__)

ASKED: Final = "postrider:demo:asked"
TOLD: Final = "postrider:demo:told:"
LOOK_EVERY_S: Final = 0.2
ANSWERED_WITHIN_S: Final = 8.0
SLOW: Final = "It takes longer than usual, and is under way."
MOST_WAITING: Final = 16
"""More are not kept: nobody looks after them."""


class Breakage(StrEnum):
    """What can be broken."""

    COURIER = "courier"
    """One on the way to somebody stops moving."""
    STORM = "storm"
    """Fifty orders at once."""
    KITCHEN = "kitchen"
    """The one with most to collect is twenty minutes late."""


class Broken(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was done, in words, and who it is about."""

    text: str
    courier_id: UUID | None = None


class _Asked(msgspec.Struct, kw_only=True):
    id: str
    what: Breakage


async def ask(redis: Redis, what: Breakage) -> Broken | None:
    """Have something broken; None when nobody simulates."""
    asked = _Asked(id=uuid4().hex, what=what)
    wanted = msgspec.json.encode(asked).decode()
    async with redis.pipeline(transaction=True) as both:
        both.lpush(ASKED, wanted)
        both.ltrim(ASKED, 0, MOST_WAITING - 1)
        both.expire(ASKED, round(2 * ANSWERED_WITHIN_S))
        await both.execute()
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            never = asyncio.Event()
            while not await pause(never, LOOK_EVERY_S):
                if (told := await redis.getdel(f"{TOLD}{asked.id}")) is not None:
                    return msgspec.json.decode(told, type=Broken)
    return None if await redis.lrem(ASKED, 1, wanted) else Broken(text=SLOW)


async def serve(redis: Redis, do: Callable[[Breakage], Awaitable[Broken]], stop: asyncio.Event) -> None:
    """Do what is asked, one after the other, until `stop` is set."""
    while not await pause(stop, LOOK_EVERY_S):
        try:
            found = await redis.rpop(ASKED)
            if not isinstance(found, bytes):
                continue  # nothing is asked
            asked = msgspec.json.decode(found, type=_Asked)
            told = msgspec.json.encode(await do(asked.what))
            await redis.set(f"{TOLD}{asked.id}", told, ex=round(ANSWERED_WITHIN_S))
        except outages.DRIVERS as exc:
            outages.tell(log, "nothing can be broken", exc, event="demo_not_asked")
