"""The API in this process, on real servers."""

import asyncio
import functools
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app import roles
from app.machine.tokens import make_token
from app.main import create_app
from app.settings import Settings
from app.web.auth import Role
from app.web.metrics import ObserveMiddleware
from app.wiring import own_process
from dispatch.region.worker_process import WorkerProcess
from tests.unhurried import have_patience

ClientOf = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def one_connection_a_task(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    No request asks the pool for a connection while it has one.

    As many of those as the pool is large wait for each other for ever.
    """
    held: dict[int, asyncio.Task[Any] | None] = {}
    nested: list[str] = []
    take, give = asyncpg.Pool._acquire, asyncpg.Pool.release

    async def acquire(pool: Any, wait_s: float | None) -> Any:
        task = asyncio.current_task()
        if task in held.values():
            nested.append("".join(traceback.format_stack()))
        connection = await take(pool, wait_s)
        held[id(connection)] = task
        return connection

    async def release(pool: Any, connection: Any, **more: Any) -> None:
        held.pop(id(connection), None)
        await give(pool, connection, **more)

    monkeypatch.setattr(asyncpg.Pool, "_acquire", acquire)
    monkeypatch.setattr(asyncpg.Pool, "release", release)
    yield
    assert not nested, nested[0]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    have_patience(monkeypatch)


class Lent:
    """The process that all tests' APIs think in; who gives it back does not end it."""

    def __init__(self, process: WorkerProcess) -> None:
        self.submit = process.submit

    def end(self) -> None:
        """Others go on with it."""


@pytest.fixture(scope="session")
def thinking_process() -> Iterator[WorkerProcess]:
    """Until it has imported what it thinks with, most tests are over."""
    process = WorkerProcess()
    yield process
    process.end()


@pytest.fixture(autouse=True)
def one_process_thinks(thinking_process: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_process, "WorkerProcess", lambda: Lent(thinking_process))


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return Settings(database_url=database_url, redis_url=redis_url)


@functools.lru_cache(maxsize=2)
def built(settings: Settings) -> Litestar:
    """The API of these settings: to build it takes longer than most tests, and its lifespan opens everything anew."""
    return create_app(settings)


@pytest_asyncio.fixture
async def api(settings: Settings) -> AsyncIterator[Litestar]:
    application = built(settings)
    before = dict(application.state.items())
    began, over = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        # A task of its own: a lifespan must end in the task in which it began, and fixtures do not.
        async with application.lifespan():
            began.set()
            await over.wait()

    holder = asyncio.create_task(hold())
    await asyncio.wait([holder, asyncio.create_task(began.wait())], return_when=asyncio.FIRST_COMPLETED)
    if holder.done():
        holder.result()
    yield application
    over.set()
    await holder
    for name in list(application.state):
        del application.state[name]
    application.state.update(before)


@pytest_asyncio.fixture
async def client_of(api: Litestar, settings: Settings) -> AsyncIterator[ClientOf]:
    """`await client_of(Role.SUPPORT)` or `client_of(Role.COURIER, courier=id)`: a client with such a token."""
    async with AsyncExitStack() as stack:

        async def make(role: Role, courier: str | None = None) -> httpx.AsyncClient:
            token = await make_token(settings.database_url, role, f"test {role}", courier=courier)
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=ObserveMiddleware(api, body_within_s=30, proxies=api.state.proxies)),
                base_url="http://postrider",
                headers={"Authorization": f"Bearer {token}"},
            )
            return await stack.enter_async_context(client)

        yield make


@pytest_asyncio.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    return await client_of(Role.ADMIN)


@pytest_asyncio.fixture
async def writer(settings: Settings) -> AsyncIterator[None]:
    """The writer role, for as long as the test lasts."""
    stop = asyncio.Event()
    role = asyncio.create_task(roles.run("writer", settings, stop))
    yield
    stop.set()
    await role
