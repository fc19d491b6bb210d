"""`postrider up`: every role in one process tree, each a child of its own that is started again when it dies."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

import httpx

from app.machine.embedded import Embedded
from app.machine.migrate import migrate
from app.machine.tokens import FIRST_ADMIN, ensure_admin_token, make_address
from app.machine.users import ensure_first
from app.settings import Settings
from app.web.auth import Role
from app.web.health_listener import Look, listen
from app.web.together import MULTIPROCESS, share_metrics
from app.wiring.child import Child
from sql.ledger import Engine

log = logging.getLogger(__name__)

API = "api"
DOORS = "doors"
"""Played only where one of its ports is set."""
ROLES = (API, "writer", "watch", "dispatch", "background", DOORS)
READY_WITHIN_S = 300.0
"""Seconds are usual; a machine may be fifty times as busy, and to begin slowly is better than not at all."""
COMPANION_ENDS_WITHIN_S = 5.0


Beside = Callable[[Settings], Coroutine[None, None, None]]
"""What runs beside the roles once they serve; gets the settings with the servers' addresses."""


class StartError(RuntimeError):
    """The program could not start."""


async def up(
    settings: Settings,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    *,
    beside: Beside | None = None,
    roles: Collection[str] = ROLES,
) -> None:
    """
    Run until `stop` is set.

    Starts embedded servers where no URL is set, migrates, makes the first administrator's token, starts the roles, and
    prints one line when they serve; then one with an address that signs that administrator in, and, where there are no
    people, one for the first of them, or, if given, runs `beside` until the end, which says where to look when there is
    something to see. Raises StartError when they do not serve.

    `roles` without the API: this process tells their metrics, and nobody waits for readiness.
    """
    async with servers(settings) as connected:
        await asyncio.to_thread(migrate, connected.database_url)
        token_file = await ensure_admin_token(connected.database_url, connected.data_dir / "admin.token")
        if token_file is not None:
            print(f"postrider admin token in {token_file}", flush=True)  # noqa: T201 - the contract of `up`
        share_metrics(connected.data_dir / "metrics")
        child_environ = {**environ, **_environ_of(connected), MULTIPROCESS: os.environ[MULTIPROCESS]}
        is_open = connected.grpc_port or connected.mqtt_port
        children = [Child(role) for role in ROLES if role in roles and (role != DOORS or is_open)]
        async with asyncio.TaskGroup() as group:
            companion: asyncio.Task[None] | None = None
            tasks = [group.create_task(child.keep_running(child_environ)) for child in children]
            try:
                if API in roles:
                    await _wait_until_ready(connected, stop)
                if API not in roles:
                    if connected.metrics_port:
                        asked: dict[str, Look] = {"/health/live": _lives}
                        group.create_task(listen(connected.host, connected.metrics_port, asked, stop))
                    print(f"postrider runs {', '.join(roles)}", flush=True)  # noqa: T201 - as below
                elif not stop.is_set():
                    print(f"postrider ready {connected_url(connected)}", flush=True)  # noqa: T201 - the contract of `up`
                    if beside is None and token_file is not None:
                        print(await desk_line(connected), flush=True)  # noqa: T201 - what a person came for
                    if beside is None and (first := await ensure_first(connected)) is not None:
                        said = f"first administrator: {first} (sets a password, once, within three days)"
                        print(said, flush=True)  # noqa: T201 - shown once
                    if beside is not None:
                        companion = group.create_task(beside(connected))
                await stop.wait()
            finally:
                if companion is not None:
                    # It ends by itself, and may still want to say something; the roles serve until then.
                    await asyncio.wait([companion], timeout=COMPANION_ENDS_WITHIN_S)
                    tasks.append(companion)
                for task in tasks:
                    task.cancel()


async def _lives() -> tuple[int, dict[str, Any]]:
    return 200, {"status": "ok"}


async def desk_line(settings: Settings) -> str:
    """Where the live map is, with a code that signs the first administrator in."""
    address = await make_address(settings, Role.ADMIN, FIRST_ADMIN)
    return f"the desk: {address} (signs in once, within 15 minutes)"


def connected_url(settings: Settings) -> str:
    """Where the API answers."""
    return f"http://{settings.host}:{settings.port}"


@asynccontextmanager
async def servers(settings: Settings) -> AsyncIterator[Settings]:
    """The settings with both URLs set: as they are, or of embedded servers that live as long as the context."""
    if settings.database_url and settings.redis_url:
        yield settings
        return
    over = asyncio.Event()
    with Embedded(settings.data_dir, Engine(settings.engine)) as embedded:
        keeper = asyncio.create_task(embedded.supervise(over))
        try:
            yield replace(
                settings,
                database_url=settings.database_url or embedded.database_url,
                redis_url=settings.redis_url or embedded.redis_url,
                database_shared_session=settings.database_shared_session
                or (not settings.database_url and embedded.shared_session),
            )
        finally:
            over.set()
            await keeper


def _environ_of(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "POSTRIDER_DATABASE_SHARED_SESSION": "1" if settings.database_shared_session else "0",
        "POSTRIDER_HOST": settings.host,
        "POSTRIDER_PORT": str(settings.port),
        "POSTRIDER_DATA_DIR": str(settings.data_dir),
    }


async def _wait_until_ready(settings: Settings, stop: asyncio.Event) -> None:
    deadline = monotonic() + READY_WITHIN_S
    async with httpx.AsyncClient(base_url=connected_url(settings), timeout=10) as client:
        while not stop.is_set():
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/health/ready")).status_code == httpx.codes.OK:
                    return
            if monotonic() > deadline:
                raise StartError(f"the API did not become ready within {READY_WITHIN_S:.0f} s; its log says why")
            await asyncio.sleep(0.1)
