"""
An update without a pause, and back: programs of another release on one schema, behind the proxy, under load.

Each step of it is a rolling restart of every role as well: one is started, then the other is told to stop.
"""

import asyncio
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest

from app.machine.servers import PostgresServer, RedisServer, free_port
from sql.ledger import Engine, load
from tests import proxy
from tests.acceptance.test_faults import ROOT, Process
from tests.acceptance.test_orders import MINIMAL, RESTAURANT
from tests.acceptance.test_seen import end
from tests.waiting import PATIENCE_S, is_ready, until, wait_until

FIRST_MISSING: Final = "sql/migrations/0044_events.sql"
"""The other release is the one before it: it knows of no events, partners, proofs, and days of orders."""
ROLES: Final = ("api", "writer", "watch", "dispatch")
FIXES_AT_ONCE: Final = 10
MISTAKES: Final = ("Traceback", "Undefined", "ViolationError", "mistake")
"""What a program says whose schema is not what it thinks."""


@dataclass(frozen=True)
class Release:
    """A program and where its API listens."""

    root: Path
    port: int
    environ: dict[str, str]
    log: Path

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self.environ, check=True, capture_output=True, text=True, timeout=PATIENCE_S
        ).stdout

    def start(self, stack: ExitStack) -> list[Process]:
        """Every role, once the API is ready."""
        log = stack.enter_context(self.log.open("a"))
        started = []
        for role in ROLES:
            process = Process([role], self.environ, log=log, root=self.root)
            process.start()
            stack.callback(end, process.process)
            started.append(process)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{self.port}"))
        return started


def stop(roles: list[Process]) -> list[int]:
    """Tell each to stop, and what it ended with."""
    codes = []
    for role in roles:
        role.stop()
        codes.append(role.process.returncode)
    return codes


@dataclass
class Stage:
    """The servers and two releases of the program."""

    postgres: PostgresServer
    old: Release
    new: Release
    url: str

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url) as connection:
            return connection.execute(statement).fetchall()


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True).stdout


def release_before(path: str) -> str:
    """The commit before the one that brought a file; skips where the checkout does not reach back so far."""
    brought = _git("log", "--format=%H %P", "--diff-filter=A", "--", path).decode().split()
    if len(brought) < 2:
        pytest.skip("no history in this checkout: fetch it whole")
    return brought[-1]


@pytest.fixture
def stage(servers_folder: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=servers_folder, prefix="upgrade-")))
        folder.chmod(0o755)
        postgres, redis = PostgresServer(folder / "postgres", durable=False), RedisServer(folder / "redis")
        for server in (postgres, redis):
            server.start()
            stack.callback(server.stop)
        packed = _git("archive", release_before(FIRST_MISSING))
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder / "before", filter="data")
        releases = []
        for name, root in {"old": folder / "before", "new": ROOT}.items():
            port = free_port()
            environ = {key: value for key, value in os.environ.items() if not key.startswith("POSTRIDER_")} | {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": redis.url,
                "PYTHONPATH": str(root),
                "POSTRIDER_PORT": str(port),
                "POSTRIDER_LOG_LEVEL": "WARNING",
            }
            releases.append(Release(root, port, environ, folder / f"{name}.log"))
        ports = [release.port for release in releases]
        url = stack.enter_context(proxy.running(folder, ports, https=free_port(), http=free_port()))
        yield Stage(postgres, *releases, url)


@dataclass
class Load:
    """Phones and a shop behind the proxy; every answer counted, everything acknowledged kept."""

    client: httpx.AsyncClient
    courier: str
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    fixes: set[datetime] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    n_sent: int = 0

    async def report(self) -> None:
        now = datetime.now(UTC)
        at = [now - timedelta(milliseconds=i) for i in range(FIXES_AT_ONCE)]
        self.n_sent += 1
        body = [{"courier_id": self.courier, "fixed_at": one.isoformat(), **RESTAURANT} for one in at]
        answer = await self.client.post("/v1/positions", json=body)
        self.answers["positions", answer.status_code] += 1
        if answer.status_code == 202 and answer.json()["accepted"] == FIXES_AT_ONCE:
            self.fixes |= set(at)

    async def order(self) -> None:
        key = {"Idempotency-Key": f"order-{self.n_sent}"}
        answer = await self.client.post("/v1/orders", json=MINIMAL, headers=key)
        self.answers["orders", answer.status_code] += 1
        if answer.status_code == 201:
            self.orders.add(answer.json()["id"])

    async def look(self) -> None:
        for path in ("/v1/orders", f"/v1/couriers/{self.courier}/position", "/v1/couriers"):
            self.answers["look", (await self.client.get(path)).status_code] += 1

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await asyncio.gather(self.report(), self.order(), self.look())
            await asyncio.sleep(0.05)  # the pace: both cores belong to what is under load, and no time comes twice

    async def more(self, n: int = 8) -> None:
        """Until so many further orders and uploads have been taken."""
        fixes, orders = len(self.fixes) + n * FIXES_AT_ONCE, len(self.orders) + n
        await until(lambda: len(self.fixes) >= fixes and len(self.orders) >= orders)


@asynccontextmanager
async def loaded(stage: Stage, token: str) -> AsyncIterator[Load]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=stage.url, headers=headers, verify=False, timeout=PATIENCE_S) as client:
        hired = await client.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"})
        load = Load(client, hired.json()["id"])
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(over))
            yield load
            over.set()


async def test_an_update_and_the_way_back_under_load_answer_everything_and_lose_nothing(stage):
    old, new = stage.old, stage.new
    await asyncio.to_thread(old.run, "migrate")
    with ExitStack() as stack:
        first = await asyncio.to_thread(old.start, stack)
        token = (await asyncio.to_thread(old.run, "token", "admin")).strip()
        async with loaded(stage, token) as load:
            await load.more()
            applied = await asyncio.to_thread(new.run, "migrate")
            assert applied.count("applied") > 10
            await load.more()  # the old program on the new schema

            second = await asyncio.to_thread(new.start, stack)
            await load.more()  # side by side
            assert set(await asyncio.to_thread(stop, first)) == {0}
            await load.more()

            assert "later" in await asyncio.to_thread(old.run, "migrate")  # the way back
            third = await asyncio.to_thread(old.start, stack)
            await load.more()
            assert set(await asyncio.to_thread(stop, second)) == {0}
            await load.more()

        assert {status for _, status in load.answers} <= {200, 201, 202}, load.answers
        n_stored = "SELECT count(*) FROM positions"
        await until(lambda: asyncio.to_thread(lambda: stage.rows(n_stored)[0][0] >= len(load.fixes)))
        await until(lambda: asyncio.to_thread(lambda: stage.rows("SELECT FROM offers")))
        assert await asyncio.to_thread(stop, third) == [0] * len(ROLES)
    assert {row[0] for row in stage.rows("SELECT fixed_at FROM positions")} == load.fixes
    assert stage.rows(n_stored) == [(len(load.fixes),)]  # none twice
    assert {str(row[0]) for row in stage.rows("SELECT id FROM orders")} == load.orders
    said = [line for log in (old.log, new.log) for line in log.read_text().splitlines()]
    assert [line for line in said if any(word in line for word in MISTAKES)] == []
    assert len(load_names()) == stage.rows("SELECT max(version) FROM schema_migrations")[0][0]


def load_names() -> list[str]:
    return [migration.name for migration in load(Engine.POSTGRES)]
