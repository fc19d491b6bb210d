"""The program with PgBouncer in transaction mode before its database, and fewer sessions than clients."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from app import roles
from app.machine.servers import free_port
from app.settings import Settings
from tests.acceptance.test_orders import HOME, dispatcher, town
from tests.waiting import until

__all__ = ["dispatcher", "town"]

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SESSIONS = 4
"""For an API, a dispatcher, a writer and a watcher: whoever asks twice meets another session."""


@pytest.fixture
def pooled_url(database_url, servers_folder):
    """The same database through a pooler."""
    if PGBOUNCER is None:
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is not installed, though CI could have installed it")
        pytest.skip("pgbouncer is not installed")
    there, port = urlsplit(database_url), free_port()
    folder = servers_folder / f"pgbouncer-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o755)
    (folder / "pgbouncer.ini").write_text(
        f"""[databases]
* = host={there.hostname} port={there.port} user={there.username} password={there.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SESSIONS}
max_client_conn = 1000
"""
    )
    whose = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PGBOUNCER, str(folder / "pgbouncer.ini")], stdout=log, stderr=subprocess.STDOUT, **whose
        )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.02)
        yield there._replace(netloc=f"{there.username}:x@127.0.0.1:{port}").geturl()
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def settings(pooled_url, redis_url) -> Settings:
    return Settings(database_url=pooled_url, redis_url=redis_url, database_pooler=True)


@pytest.fixture
async def others(settings):
    """Every other role, for as long as the test lasts."""
    stop = asyncio.Event()
    hurried = replace(settings, watch_tick_s=0.5)
    tasks = [asyncio.create_task(roles.run(name, hurried, stop)) for name in ("writer", "watch", "housekeeping")]
    yield
    stop.set()
    await asyncio.gather(*tasks)


async def test_everything_works_behind_a_pooler_in_transaction_mode(town, dispatcher, others, admin):
    courier, phone = await town.hire("Ana")
    now = datetime.now(UTC)
    fixes = [
        {"fixed_at": (now - timedelta(seconds=5 * n)).isoformat(), "lat": 41.1496 + n * 1e-5, "lon": -8.6109}
        for n in range(60)
    ]
    assert (await phone.post("/v1/positions", json=fixes)).json()["accepted"] == 60
    order = await town.accepted(phone)
    placed = [town.place(dropoff=HOME) for _ in range(20)]
    asked = [admin.get(path) for path in ("/v1/couriers", "/v1/orders", "/v1/alerts", "/v1/audit") for _ in range(20)]
    answers = (await asyncio.gather(*asked, *placed))[: len(asked)]
    assert {answer.status_code for answer in answers} == {200}
    for step in ("picked-up", "delivered"):
        assert (await phone.post(f"/v1/orders/{order['id']}/{step}")).status_code == 200

    async def stored():
        span = {"from": (now - timedelta(minutes=10)).isoformat(), "to": (now + timedelta(minutes=1)).isoformat()}
        track = await admin.get(f"/v1/couriers/{courier}/track", params=span | {"resolution": "raw"})
        assert track.status_code == 200
        return len((track.json()["properties"]["fixed_at"]) or []) == 60

    await until(stored)
    assert (await town.order(order["id"]))["state"] == "delivered"
    assert (await admin.get("/health/ready")).json()["status"] == "ok"
