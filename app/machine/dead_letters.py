"""`postrider dead-letters`: what the writer could not store, shown, and brought back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.settings import Settings
from app.wiring.resources import open_redis
from tracking.dead_letters import DeadLetters, Kept
from tracking.position import Region


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[DeadLetters]:
    """The dead letters of the installation."""
    client = open_redis(settings)
    try:
        yield DeadLetters(client)
    finally:
        await client.aclose()


async def list_letters(settings: Settings) -> list[tuple[Region, Kept]]:
    """All of them, region by region, oldest first."""
    async with opened(settings) as letters:
        return [(region, kept) for region in await letters.regions() async for kept in letters.all(region)]


async def replay(settings: Settings, region: str | None = None) -> int:
    """
    Put those there are now back into the log, of one region or of all; how many.

    The writer stores them, or sets aside anew what still cannot be stored.
    """
    n = 0
    async with opened(settings) as letters:
        for one in await letters.regions():
            if region in (None, one):
                async for kept in letters.all(one):
                    n += await letters.replay(one, kept.id)
    return n
