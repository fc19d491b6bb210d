"""An API that is told to stop while somebody watches."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.web.auth import Role
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[2]
PATIENT = """
from app.machine import api

api.KILL_WORKERS_AFTER_S = 600
from app.__main__ import main

main()
"""
"""An API whose worker is not killed while it waits: one that ends has ended by itself."""


@pytest.fixture
def api_process(database_url, redis_url):
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
    environ |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "POSTRIDER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-c", PATIENT, "api"], cwd=ROOT, env=environ)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_ready(url))
    yield process, url
    if process.poll() is None:
        process.kill()
        process.wait()


def test_open_streams_do_not_hold_up_the_end(api_process, database_url):
    process, url = api_process
    staff = {"Authorization": f"Bearer {asyncio.run(make_token(database_url, Role.ADMIN, 'staff'))}"}
    with httpx.Client(base_url=url, headers=staff, timeout=PATIENCE_S) as client:
        courier = client.post("/v1/couriers", json={"name": "Ana", "mode": "car"}).json()["id"]
        with (
            client.stream("GET", "/v1/live") as live,
            client.stream("GET", f"/v1/couriers/{courier}/route/stream") as route,
        ):
            all_lines = {"snapshot": live.iter_lines(), "route": route.iter_lines()}
            for first, lines in all_lines.items():
                assert any(line == f"event: {first}" for line in lines)
            process.terminate()
            for lines in all_lines.values():
                # The server may close the connection without the last chunk.
                with suppress(httpx.RemoteProtocolError):
                    for _ in lines:
                        pass
    assert process.wait(timeout=PATIENCE_S) == 0
