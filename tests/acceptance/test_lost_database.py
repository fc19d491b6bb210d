"""What PostgreSQL's own copies are for, on real servers: a standby takes over, a moment of the past comes back."""

import asyncio
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from redis.asyncio import Redis

from app.machine import privileges
from app.machine.servers import PostgresServer, postgres_programs
from app.settings import Settings
from tests.acceptance.test_backup import Load, playing
from tests.waiting import until

ARCHIVED = "archived"
"""The folder of the write-ahead log, as deploy/README.md sets it up."""


class Copies:
    """PostgreSQL servers that begin with what another one has."""

    def __init__(self, stack: ExitStack, folder: Path, migrated: Path) -> None:
        self.stack, self.folder = stack, folder
        self.archive = privileges.own_folder(folder / ARCHIVED)
        subprocess.run(["cp", "-a", migrated, folder / "first"], check=True)
        archiving = {"archive_mode": "on", "archive_command": f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"}
        self.first = self.start("first", archiving)

    def start(self, name: str, settings: dict[str, str]) -> PostgresServer:
        server = PostgresServer(self.folder / name, settings=settings)
        server.start()
        self.stack.callback(server.stop)
        return server

    def copy(self, name: str, *, standby: bool = False) -> Path:
        """A base backup of the first server, while it runs; with `standby` the copy follows it."""
        folder = privileges.own_folder(self.folder / name)
        privileges.own_file(folder / "password", (self.folder / "first" / "password").read_text())
        subprocess.run(
            [
                *(postgres_programs() / "pg_basebackup", "--pgdata", folder / "data", "--checkpoint=fast"),
                *(("--write-recovery-conf",) if standby else ()),
                *("--dbname", self.first.url_of("postgres")),
            ],
            check=True,
            cwd="/",
            **privileges.unprivileged(),
        )
        return folder


def is_ours(server: PostgresServer, wanted: int) -> Callable[[], bool]:
    """Whether so many fixes are stored there."""

    def look() -> bool:
        with psycopg.connect(server.url) as connection:
            row = connection.execute("SELECT count(*) FROM positions").fetchone()
        return row == (wanted,)

    return look


@pytest.fixture
def copies(servers_folder: Path, migrated_folder: Path) -> Iterator[Copies]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=servers_folder, prefix="copies-")))
        folder.chmod(0o755)
        yield Copies(stack, folder, migrated_folder)


@pytest.fixture
def settings(copies: Copies, redis_url: str) -> Settings:
    return Settings(database_url=copies.first.url, redis_url=redis_url)


async def test_a_standby_takes_over_and_what_waited_is_stored(copies, settings, admin):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    load = Load(admin, courier)
    async with playing("writer", settings):
        await load.step()
        await until(lambda: asyncio.to_thread(is_ours(copies.first, len(load.fixes))))
    await asyncio.to_thread(copies.copy, "second", standby=True)
    second = await asyncio.to_thread(copies.start, "second", {})
    copies.first.kill()
    await load.report()  # the database is gone: it waits in the log
    async with playing("writer", replace(settings, database_url=second.url)):  # read-only still
        with psycopg.connect(second.url, autocommit=True) as connection:
            assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)
        await until(lambda: asyncio.to_thread(is_ours(second, len(load.fixes))))


async def test_a_database_goes_back_to_the_moment_before_a_mistake(copies, settings, admin):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    load = Load(admin, courier)
    await asyncio.to_thread(copies.copy, "before")
    async with playing("writer", settings):
        await load.step()
        await until(lambda: asyncio.to_thread(is_ours(copies.first, len(load.fixes))))
    with psycopg.connect(copies.first.url, autocommit=True) as connection:
        [moment] = connection.execute("SELECT clock_timestamp()").fetchone()
    n_then = len(load.fixes)
    async with playing("writer", settings):
        await load.step()  # acknowledged, stored, and after that moment
        await until(lambda: asyncio.to_thread(is_ours(copies.first, len(load.fixes))))
    with psycopg.connect(copies.first.url, autocommit=True) as connection:
        connection.execute("DELETE FROM positions")
        [last] = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    await until((copies.archive / last).exists)
    copies.first.stop()
    (copies.folder / "before" / "data" / "recovery.signal").touch()
    again = await asyncio.to_thread(
        copies.start,
        "before",
        {
            "restore_command": f"cp {copies.archive}/%f %p",
            "recovery_target_time": moment.isoformat(),
            "recovery_target_action": "promote",
        },
    )
    assert is_ours(again, n_then)()
    client = Redis.from_url(settings.redis_url)
    await client.execute_command("XGROUP", "SETID", "pr:{default}:log", "history", "0")  # as the page says
    await client.aclose()
    async with playing("writer", replace(settings, database_url=again.url)):
        await until(lambda: asyncio.to_thread(is_ours(again, len(load.fixes))))
