"""Real servers for the tests: started once per session and worker, emptied or cloned for every test."""

import tests.environment  # noqa: F401

# isort: split
import functools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings

from app.machine.migrate import migrate
from app.machine.servers import NotInstalled, PostgresServer, RedisServer
from app.machine.timescale import TimescaleServer
from tests import emptied
from tests.emptied import Emptied
from tests.one_slot import held

# Each client would read the certificates of all authorities anew, which takes longer than most requests here.
httpx._transports.default.create_ssl_context = functools.cache(httpx.create_ssl_context)

# How long an example takes, or to make one up, says how loaded the machine is.
# Drawn the same each time: what fails came with the change.
settings.register_profile("postrider", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None)
settings.load_profile("postrider")


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """
    A folder that servers started from root can enter.

    Not pytest's own: that one is closed to everybody but its owner.
    """
    with tempfile.TemporaryDirectory(prefix="postrider-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def postgres_server(servers_folder: Path) -> Iterator[PostgresServer]:
    """PostgreSQL without fsync: fast, and lost only with the machine."""
    server = PostgresServer(servers_folder / "postgres", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """Name of a migrated, empty database that nobody is connected to."""
    migrate(postgres_server.url)
    return "postrider"


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with nothing in it, not even the ledger."""
    name = f"empty_{os.getpid()}"
    emptied.clone(postgres_server, "template1", name)
    yield postgres_server.url_of(name)
    emptied.drop(postgres_server, name)


@pytest.fixture(scope="session")
def emptied_database(postgres_server: PostgresServer, template_database: str) -> Emptied:
    return Emptied(postgres_server, template_database, f"test_{os.getpid()}")


@pytest.fixture
def database_url(emptied_database: Emptied) -> Iterator[str]:
    """A migrated database with nothing in it; its address is every test's, so that an API can serve the next."""
    yield emptied_database.ready()
    emptied_database.empty()


@pytest.fixture(autouse=True)
def one_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is sent to Redis could be sent to a cluster."""
    yield from held(monkeypatch)


@pytest.fixture(scope="session")
def redis_server(servers_folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(servers_folder / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def migrated_folder(servers_folder: Path) -> Path:
    """What a PostgreSQL of its own begins with: making it anew takes several times as long as copying it."""
    server = PostgresServer(servers_folder / "migrated")
    server.start()
    try:
        migrate(server.url)
    finally:
        server.stop()
    return server.folder


@pytest.fixture
def own_postgres(migrated_folder: Path) -> Iterator[Callable[[], PostgresServer]]:
    """Makes a PostgreSQL that the test may kill -9 and start again; migrated, durable."""
    with ExitStack() as stack:

        def make() -> PostgresServer:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postrider-pg-")))
            folder.chmod(0o755)
            subprocess.run(["cp", "-a", migrated_folder, folder / "postgres"], check=True)
            server = PostgresServer(folder / "postgres")
            server.start()
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture
def own_redis() -> Iterator[Callable[[], RedisServer]]:
    """Makes a Redis that the test may kill -9 and start again; its append-only file is on."""
    with ExitStack() as stack:

        def make() -> RedisServer:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postrider-redis-")))
            folder.chmod(0o755)
            server = RedisServer(folder / "redis")
            server.start()
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture(scope="session")
def timescale_wasm_url() -> Iterator[str]:
    """A migrated TimescaleDB in WebAssembly; all its clients share one session."""
    with tempfile.TemporaryDirectory(prefix="postrider-timescale-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = TimescaleServer(Path(name) / "timescale")
        try:
            server.start()
        except NotInstalled as missing:
            pytest.skip(str(missing))
        migrate(server.url)
        yield server.url
        server.stop()


@pytest.fixture(scope="session")
def timescale_native_url() -> Iterator[str]:
    """A migrated database of its own on a native TimescaleDB, where one is named."""
    url = os.environ.get("POSTRIDER_TEST_TIMESCALE_URL")
    if not url:
        pytest.skip("no native TimescaleDB: set POSTRIDER_TEST_TIMESCALE_URL")
    name = f"postrider_test_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        own = urlsplit(url)._replace(path=f"/{name}").geturl()
        migrate(own)
        yield own
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The recorded data; skips where it is absent."""
    folder = Path(os.environ.get("POSTRIDER_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no recorded data: set POSTRIDER_DATA to its folder")
    return folder


LONGEST = (
    "acceptance/test_openapi.py",
    "acceptance/test_image.py",
    "acceptance/test_many_hosts.py",
    "acceptance/test_upgrade.py",
    "acceptance/test_rabbitmq.py",
    "acceptance/browser/",
    "integration/dispatch/test_isolation.py",
    "integration/dispatch/reports/test_service_level.py",
    "integration/app/machine/test_embedded.py",
    "integration/tracking/watching/test_watch.py",
    "acceptance/test_seen.py",
    "acceptance/test_up.py",
    "acceptance/test_metrics.py",
    "acceptance/test_redis_cluster.py",
    "acceptance/test_faults.py",
    "integration/benchmarks/test_eta_benchmark.py",
    "acceptance/test_many_regions.py",
    "acceptance/test_kafka.py",
    "acceptance/test_odd_requests.py",
    "acceptance/test_lost_database.py",
    "acceptance/test_secrets.py",
    "acceptance/test_commands_of_the_pages.py",
    "acceptance/test_phones.py",
    "acceptance/test_command_line.py",
    "integration/dispatch/test_crashes.py",
    "acceptance/test_integration_page.py",
    "acceptance/test_read_replica.py",
    "acceptance/test_doors_killed.py",
    "integration/tracking/history/test_contract.py",
)
"""Begun first, the longest first: what is long and begins last keeps one worker busy while the other has nothing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((k for k, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST)))


CANNOT_BE_MENDED_BY_CI = ("no native TimescaleDB", "no history in this checkout", "no network namespaces")
"""How the reasons of those skips begin that are right in CI too."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """In CI a skipped test has failed, unless CI could not have installed what it misses."""
    report: pytest.TestReport = yield
    if report.skipped and os.environ.get("CI") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(CANNOT_BE_MENDED_BY_CI):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report
