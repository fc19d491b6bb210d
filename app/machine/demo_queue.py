"""A queue for the demo: RabbitMQ's where it is installed, on the loopback only, and no longer than the demo."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.machine.rabbitmq import RabbitServer, is_installed
from app.machine.servers import ServerFailed
from app.settings import Settings

READY_WITHIN_S: Final = 300.0
"""Ten seconds are usual. A demo without a queue is better than one that never says where to look."""
OURS: Final = {"127.0.0.1", "::1", "localhost"}


@asynccontextmanager
async def queue(settings: Settings, say: Callable[[str], None]) -> AsyncIterator[Awaitable[str]]:
    """
    The address of a RabbitMQ of this machine once it is ready; empty: there is none.

    It is the one that the settings name, or one of its own, which starts while other things do.
    """
    if settings.rabbitmq_url or not is_installed() or find_spec("aio_pika") is None:
        is_here = urlsplit(settings.rabbitmq_url).hostname in OURS
        yield asyncio.create_task(_known(settings.rabbitmq_url if is_here else ""))
        return
    with tempfile.TemporaryDirectory(prefix="postrider-queue-", ignore_cleanup_errors=True) as folder:
        server = RabbitServer(Path(folder))
        server.ready_within_s = READY_WITHIN_S
        server.launch()
        starting = asyncio.create_task(_started(server, say))
        try:
            yield starting
        finally:
            await asyncio.to_thread(server.stop)
            await asyncio.gather(starting, return_exceptions=True)


async def _known(url: str) -> str:
    return url


async def _started(server: RabbitServer, say: Callable[[str], None]) -> str:
    try:
        await asyncio.to_thread(server.wait_until_ready)
    except ServerFailed as exc:
        say(f"no queue: {exc}")
        return ""
    return server.url
