"""The command line as an operator meets it: a mistake is a line that names what to change, never a traceback."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import httpx
import pytest
import redis

from app import logs
from app.__main__ import main
from app.machine import ailments
from app.machine.check import check
from app.settings import SettingError, Settings
from app.web.rsgi import Rsgi
from app.web.together import MULTIPROCESS
from tests.acceptance.test_slow_clients import api
from tests.acceptance.test_up import Program, own_folder
from tests.waiting import PATIENCE_S
from tracking.log import RegionKeys
from tracking.position import Region

__all__ = ["own_folder"]

NOBODY = "127.0.0.1:1"


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def postrider(monkeypatch, capsys):
    """Runs a command in this process, with nothing set but what is given."""
    for name in [name for name in os.environ if name.startswith("POSTRIDER_") or name.endswith("_URL")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # pytest's own handlers stay

    def run(*arguments, **environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["postrider", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert MULTIPROCESS not in os.environ, "a folder that is gone by now"
        return Done(ended.value.code, *capsys.readouterr())

    return run


def complaint_of(done):
    """The one line that a command ended with."""
    assert done.returncode != 0, done.stdout
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"POSTRIDER_PORT": "many"}, "POSTRIDER_PORT: expected int"),
        ({"POSTRIDER_PORT": "70000"}, "POSTRIDER_PORT: expected at most 65535"),
        ({"POSTRIDER_API_WORKERS": "0"}, "POSTRIDER_API_WORKERS: expected 1 or more"),
        ({"POSTRIDER_ENGINE": "mysql"}, "POSTRIDER_ENGINE: expected one of postgres, timescale"),
        ({"POSTRIDER_LOG_LEVEL": "LOUD"}, "POSTRIDER_LOG_LEVEL: expected one of DEBUG"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: expected an address that begins with postgresql://"),
        ({"DATABASE_URL": "postgresql://x:y@z:port/d"}, "DATABASE_URL: cannot be read as an address"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL: expected an address that begins with redis://"),
        ({"REDIS_URL_FILE": "/nowhere/redis"}, "REDIS_URL_FILE: cannot read /nowhere/redis"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named_in_a_line(postrider, environ, named):
    assert complaint_of(postrider("api", **environ)).startswith(named)


@pytest.fixture
def addresses(database_url, redis_url):
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


def wrong_password(url):
    head, _, rest = url.partition("://")
    user, _, place = rest.rpartition("@")
    return f"{head}://{user.partition(':')[0]}:wrong@{place}"


@pytest.mark.parametrize("command", ["api", "writer", "watch", "migrate"])
def test_a_wrong_password_of_the_database_is_named_in_a_line(postrider, addresses, command):
    wrong = addresses | {"DATABASE_URL": wrong_password(addresses["DATABASE_URL"])}
    line = complaint_of(postrider(command, **wrong))
    assert line.startswith("DATABASE_URL: cannot connect: ")
    assert "password authentication failed" in line


@pytest.mark.parametrize("command", ["api", "dispatch"])
def test_a_wrong_password_of_redis_is_named_in_a_line(postrider, addresses, command):
    wrong = addresses | {"REDIS_URL": wrong_password(addresses["REDIS_URL"])}
    assert complaint_of(postrider(command, **wrong)).startswith("REDIS_URL: cannot connect: ")


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("token", "admin"), "DATABASE_URL and REDIS_URL are not both set, and no Postrider runs on"),
        (("check",), "nothing was looked at: DATABASE_URL and REDIS_URL are not both set"),
        (("migrate",), "DATABASE_URL and REDIS_URL are not both set"),
        (("dead-letters", "list"), "DATABASE_URL and REDIS_URL are not both set"),
    ],
)
def test_a_tool_that_finds_no_servers_says_so_in_a_line(postrider, tmp_path, command, named):
    assert complaint_of(postrider(*command, POSTRIDER_DATA_DIR=str(tmp_path))).startswith(named)


def test_a_port_in_use_is_named_in_a_line(postrider, addresses):
    taken = addresses["REDIS_URL"].rpartition(":")[2].partition("/")[0]
    done = postrider("writer", **addresses, POSTRIDER_METRICS_PORT=taken)
    assert complaint_of(done).startswith(f"POSTRIDER_METRICS_PORT: cannot listen on {taken}")


def test_a_variable_that_nothing_reads_is_told_with_the_nearest_name(postrider):
    done = postrider("settings", POSTRIDER_PROT="9000")
    assert done.stderr.splitlines() == ["POSTRIDER_PROT is no setting; did you mean POSTRIDER_PORT?"]
    assert done.returncode == 0


def test_settings_in_force_are_shown_without_secrets(postrider, tmp_path):
    secret = tmp_path / "redis"
    secret.write_text("redis://:hush2@cache/0\n")
    done = postrider(
        "settings",
        DATABASE_URL="postgresql://me:hush1@db/x",
        REDIS_URL_FILE=str(secret),
        POSTRIDER_GOOGLE_KEY="hush3",
        POSTRIDER_PORT="9000",
    )
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["DATABASE_URL"] == ["postgresql://me:***@db/x", "environment"]
    assert rows["REDIS_URL"] == ["redis://:***@cache/0", "REDIS_URL_FILE"]
    assert rows["POSTRIDER_GOOGLE_KEY"] == ["***", "environment"]
    assert rows["POSTRIDER_PORT"] == ["9000", "environment"]
    assert rows["POSTRIDER_HOST"] == ["127.0.0.1", "default"]
    assert "hush" not in done.stdout


@pytest.mark.parametrize(("given", "kept"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "4"}, "4")])
def test_matrices_are_no_work_for_several_threads_unless_an_operator_says_so(postrider, monkeypatch, given, kept):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    postrider("settings", **given)
    assert os.environ["OPENBLAS_NUM_THREADS"] == kept


def test_the_tools_find_the_servers_of_a_running_program_by_its_folder(postrider, own_folder):
    """As `make demo` does it: the data lies in a folder below the one that the tools look in."""
    program = Program(own_folder)
    try:
        beside = {"POSTRIDER_DATA_DIR": str(own_folder.parent)}
        made = postrider("token", "support", "--name", "Ben", **beside)
        assert (made.returncode, made.stderr) == (0, "")
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert httpx.get(f"{program.url}/v1/couriers", headers=headers, timeout=PATIENCE_S).status_code == 200
        checked = postrider("check", **beside)
        assert checked.returncode == 0, checked.stdout
    finally:
        program.close()
    assert "no Postrider runs on" in complaint_of(postrider("token", "support", "--name", "Ben", **beside))


def test_a_simulation_without_a_right_token_ends_with_a_line(postrider, database_url, redis_url):
    with api(database_url, redis_url) as port:
        url = f"http://127.0.0.1:{port}"
        done = postrider("simulate", "--url", url, "--token", "nobody's", "--couriers", "1")
    assert complaint_of(done).startswith(f"{url}/v1/couriers?limit=500: 401")


@pytest.fixture
def odd_redis(own_redis):
    server = own_redis()
    with redis.Redis.from_url(server.url) as client:
        yield server, client


async def failures(database_url, redis_url):
    results = await check(Settings(database_url=database_url, redis_url=redis_url))
    return {result.what for result in results if not result.ok}


@pytest.mark.parametrize(
    ("name", "value"), [("maxmemory-policy", "allkeys-lru"), ("appendfsync", "no"), ("appendonly", "no")]
)
async def test_check_fails_where_redis_would_lose_what_was_accepted(database_url, odd_redis, name, value):
    server, client = odd_redis
    assert await failures(database_url, server.url) == set()
    client.config_set(name, value)
    assert await failures(database_url, server.url) == {name}


async def test_check_tells_what_a_user_may_not_ask(database_url, odd_redis):
    server, client = odd_redis
    client.acl_setuser("plain", enabled=True, passwords=["+plain"], keys=["*"], commands=["+@all", "-info", "-config"])
    url = f"redis://plain:plain@{server.url.rpartition('@')[2]}"
    results = await check(Settings(database_url=database_url, redis_url=url))
    assert [result.what for result in results if not result.ok] == []
    assert sum("may not ask" in result.found for result in results) == 4


async def test_check_says_what_was_not_looked_at_and_what_does_not_answer(redis_url):
    assert await failures("", redis_url) == {"database"}
    assert await failures(f"postgresql://x:y@{NOBODY}/z", f"redis://{NOBODY}") == {"database", "redis"}


async def test_check_fails_on_a_schema_that_is_behind(empty_database_url, redis_url):
    assert await failures(empty_database_url, redis_url) == {"schema"}


async def test_check_says_what_mends_each_finding(database_url, redis_url, monkeypatch):
    monkeypatch.setattr(ailments, "OLD", timedelta(0))
    with redis.Redis.from_url(redis_url) as client:
        log = RegionKeys(Region("default")).log
        client.xadd(log, {"n": 1, "total": 1}, id=f"{int(time.time() * 1000) - 600_000}-1")
        client.xgroup_create(log, "history", id="0")
        client.set("pr:travel:{google}:limited", 1)
        client.set(f"pr:travel:{{google}}:spend:d{int(time.time()) // 86_400}", 12_340_000)
        client.set(f"pr:travel:{{google}}:spend:d{int(time.time()) // 86_400 + 1}", 12_340_000)  # it is near midnight
    settings = Settings(database_url=database_url, redis_url=redis_url, google_key="a key")
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE TABLE twice AS SELECT 1 AS a FROM generate_series(1, 2)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY half_made ON twice (a)")
        async with connection.transaction():
            await connection.execute("SELECT 1")
            found = {one.what: one for one in await check(settings)}
            pid = connection.get_server_pid()
    finally:
        await connection.execute("DROP TABLE twice")
        await connection.close()
    assert {what for what, one in found.items() if not one.ok} == {
        *("indexes", "maps of google", "transactions", "readers of the log")
    }
    assert found["maps of google"].found == "today 0 of 50,000 requests, 12.34 of 100 spent"
    assert "half_made" in found["indexes"].found
    assert found["transactions"].mend == f"end it: SELECT pg_terminate_backend({pid})"
    assert found["readers of the log"].found.startswith("history of default: 6")  # hundred seconds, and a few
    assert all(one.mend for one in found.values() if not one.ok)


def test_check_tells_programs_an_object_a_finding(postrider, addresses):
    done = postrider("check", "--json", **addresses)
    found = {one["what"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0
    assert found["schema"].keys() == {"what", "found", "ok", "mend"}


def test_the_plan_of_a_slow_statement_says_which_index_it_misses():
    scan = {"Node Type": "Seq Scan", "Relation Name": "orders", "Filter": "(phone = $1)"}
    whole = {"Node Type": "Seq Scan", "Relation Name": "regions"}
    plan = {"Node Type": "Sort", "Plans": [{"Node Type": "Hash Join", "Plans": [scan, whole]}]}
    assert ailments.whole_reads(plan) == [("orders", "(phone = $1)")]


def test_up_refuses_a_role_that_there_is_not(postrider):
    done = postrider("up", "--role", "cook")
    assert (done.returncode, "cook" in done.stderr) == (2, True)


def test_the_api_says_why_it_cannot_start(postrider, addresses):
    done = postrider("api", **addresses, POSTRIDER_TRAVEL_ENGINES="teleport")
    assert complaint_of(done).startswith("POSTRIDER_TRAVEL_ENGINES: 'teleport' is not a valid")


def test_a_worker_that_does_not_start_says_why(caplog):
    """The server is silent about its workers."""

    async def broken(_scope, _receive, _send):
        raise SettingError("POSTRIDER_X: expected something else")

    loop = asyncio.new_event_loop()
    with pytest.raises(SettingError):
        Rsgi(broken, {}).__rsgi_init__(loop)
    loop.close()
    (record,) = [record for record in caplog.records if record.message == "api did not start"]
    assert "POSTRIDER_X" in str(record.exc_info[1])
