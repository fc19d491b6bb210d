"""`/metrics` whichever of the API's processes answers, and whoever else is away."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.machine.tokens import make_token
from app.settings import Settings
from app.web.auth import Role
from tests.acceptance.test_slow_clients import api
from tests.processes import command_of, descendants_of, is_alive, parent_of
from tests.unit.deploy.test_logs import misfits
from tests.waiting import PATIENCE_S, is_ready, until, wait_until
from tracking.history import lag

N = 40


def samples(text, name):
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def scraped(url, name):
    # A connection of its own each time: another worker may answer.
    return samples(httpx.get(f"{url}/metrics", timeout=PATIENCE_S).text, name)


def test_any_worker_tells_of_all_of_them_and_nothing_of_the_killed(database_url, redis_url, tmp_path):
    token = asyncio.run(make_token(database_url, Role.ADMIN, "many"))
    headers = {"Authorization": f"Bearer {token}"}
    key = (("method", "GET"), ("route", "/v1/alerts"), ("status", "200"))

    def answered():
        return scraped(url, "postrider_http_request_seconds_count").get(key, 0)

    def logged(action):
        return [line for line in lines(tmp_path / "log") if line.get("event.action") == action]

    with (
        (tmp_path / "log").open("w") as log,
        api(database_url, redis_url, log=log, POSTRIDER_API_WORKERS="3", POSTRIDER_LOG_REQUESTS="1") as port,
    ):
        url = f"http://127.0.0.1:{port}"
        for _ in range(N):
            assert httpx.get(f"{url}/v1/alerts", headers=headers, timeout=PATIENCE_S).status_code == 200
        wait_until(lambda: answered() == N)  # each worker hands on what it counted a few times a second
        assert [answered() for _ in range(12)] == [N] * 12
        assert not [name for name in scraped(url, "postrider_live_viewers") if name]  # no label `pid`
        workers = workers_on(port)
        assert len(workers) == 3
        with (
            httpx.Client(headers=headers, timeout=PATIENCE_S) as viewer,
            viewer.stream("GET", f"{url}/v1/live") as stream,
        ):
            assert any(line == "event: snapshot" for line in stream.iter_lines())
            wait_until(lambda: scraped(url, "postrider_live_viewers") == {(): 1.0})
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not any(map(is_alive, workers)))
            wait_until(lambda: len(logged("worker_died")) >= 3)
        wait_until(lambda: is_ready(url))
        assert [answered() for _ in range(12)] == [N] * 12
        assert set(scraped(url, "postrider_live_viewers").values()) <= {0.0}
        wait_until(lambda: len(logged("started")) >= 6)  # each of the three, and who came in its place
        asked = [line for line in logged("request_answered") if line["postrider.route"] == "/v1/alerts"]
        told = [(line["http.request.method"], line["http.response.status_code"]) for line in asked]
        assert told == [("GET", 200)] * N
        assert {name for line in lines(tmp_path / "log") for name in misfits(json.dumps(line))} == set()


def lines(path):
    """Of a log; the last one may not be whole yet, and Python itself may have said something."""
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line) for line in whole if line.startswith("{")]


def workers_on(port):
    """Processes that serve there: children of that API's first process, with the same command line."""
    return [pid for pid in descendants_of(os.getpid()) if _was_started_for(port, pid)]


def _was_started_for(port, pid):
    parent = parent_of(pid)
    words = f"\0--port\0{port}\0".encode()
    return parent != os.getpid() and all(words in command_of(one) for one in (pid, parent))


@pytest.fixture
def postgres(own_postgres):
    return own_postgres()


@pytest.fixture
def settings(postgres, redis_url, monkeypatch):
    monkeypatch.setattr(lag, "EVERY_S", 0.05)
    return Settings(database_url=postgres.url, redis_url=redis_url)


async def test_lag_is_told_without_a_writer_and_without_the_database(admin, postgres):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    fix = {"courier_id": courier, "fixed_at": datetime.now(UTC).isoformat(), "lat": 41.1, "lon": -8.6}
    assert (await admin.post("/v1/positions", json=[fix, fix])).json()["accepted"] == 2
    key = (("group", "history"), ("region", "default"))

    async def told():
        text = (await admin.get("/metrics")).text
        return samples(text, "postrider_log_fixes").get(key, 0), samples(text, "postrider_log_lag_seconds").get(key, 0)

    async def n_fixes():
        return (await told())[0] == 2

    async def has_grown():
        return (await told())[1] >= before_s + 0.5  # it is no value of before

    await until(n_fixes)
    postgres.kill()
    _, before_s = await told()
    await until(has_grown)
    assert (await told())[0] == 2
