"""Clients that connect and say nothing, or half of it, with a real server: they end, and the others do not notice."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.web.auth import Role
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[2]


@contextmanager
def api(database_url, redis_url, log=None, **settings):
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
    environ |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **settings}
    command = [sys.executable, "-m", "app", "api", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=log)
    try:
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}") or process.poll() is not None)
        assert process.poll() is None
        yield port
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def head(method, path, token, length):
    return (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def said_until_closed(port, words):
    """What the server says to these words, until it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    return answer


@asynccontextmanager
async def connections(port, n, words=b""):
    opened = []
    try:
        for _ in range(n):
            opened.append(await asyncio.open_connection("127.0.0.1", port))
            opened[-1][1].write(words)
        yield
    finally:
        for _, writer in opened:
            writer.close()


async def test_silent_and_half_sent_requests_end(database_url, redis_url):
    token = await make_token(database_url, Role.ADMIN, "slow")
    with api(database_url, redis_url, POSTRIDER_REQUEST_HEAD_S="4", POSTRIDER_REQUEST_BODY_S="1") as port:
        silent, half_head, *half_bodies = await asyncio.gather(
            said_until_closed(port, b""),
            said_until_closed(port, b"GET / HTTP/1.1\r\nHos"),
            *(
                said_until_closed(port, head("POST", path, token, 100) + b"[1,")
                for path in ("/v1/positions", "/v1/orders", "/ingest/owntracks", "/v1/orders/import")
            ),
        )
        assert (silent, half_head) == (b"", b"")
        for said in half_bodies:
            assert said.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"too-slow"' in said


async def test_health_answers_on_a_port_of_its_own_when_every_connection_is_taken(database_url, redis_url):
    probe_port = free_port()
    settings = {"POSTRIDER_API_CONNECTIONS": "8", "POSTRIDER_METRICS_PORT": str(probe_port)}
    with api(database_url, redis_url, **settings) as port:
        async with (
            connections(port, 20),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{probe_port}", timeout=PATIENCE_S) as probe,
        ):
            with pytest.raises(httpx.TimeoutException):
                await probe.get(f"http://127.0.0.1:{port}/health/live", timeout=2)
            assert (await probe.get("/health/live")).json() == {"status": "ok"}
            assert (await probe.get("/health/ready")).json()["redis"] == {"status": "ok"}
            assert "postrider_http_request_seconds" in (await probe.get("/metrics")).text
            assert (await probe.get("/v1/orders")).status_code == 404


async def test_a_streamed_answer_ends(database_url, redis_url):
    """With no collector of circles to help: what the server waits for is let go by hand."""
    token = await make_token(database_url, Role.ADMIN, "reader")
    with api(database_url, redis_url) as port:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S
        ) as client:
            courier = (await client.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
            for file_format in ("geojson", "csv", "gpx", "mfjson"):
                answer = await client.get(
                    f"/v1/couriers/{courier}/track", params={"format": file_format, "resolution": "raw"}
                )
                assert answer.status_code == 200
