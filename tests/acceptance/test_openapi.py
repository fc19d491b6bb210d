"""Our own OpenAPI, fuzzed against a running API: no 5xx, and every answer is one that the description knows."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.settings import Settings
from app.web.auth import Role
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[2]
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,ignored_auth,use_after_free,ensure_resource_availability"
)
"""All but those that hold the description to be the whole truth: rules between fields are not in it."""
SETTINGS = f"""
hooks = "{Path(__file__).with_name("fuzzing.py")}"
[phases.coverage]
unexpected-methods = []
"""
"""Methods that a path does not have are left out: test_odd_requests.py sends them all."""
EXAMPLES = 6
"""Requests an operation; a night's run may take more."""
LONGEST_S = 1500
"""Of what takes two minutes alone: 7,500 requests, on a machine that may be ten times as busy."""


async def test_schema_is_public_and_openapi_3_1(admin):
    admin.headers.pop("Authorization")
    answer = await admin.get("/schema")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")


@pytest.fixture
def running(settings: Settings) -> Iterator[tuple[str, str]]:
    """Address of an API process, and an administrator's token."""
    port = free_port()
    environ = {**os.environ, "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    process = subprocess.Popen([sys.executable, "-m", "app", "api", "--port", str(port)], cwd=ROOT, env=environ)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_ready(url))
    yield url, asyncio.run(make_token(settings.database_url, Role.ADMIN, "fuzz"))
    process.terminate()
    process.wait(timeout=PATIENCE_S)


@pytest.mark.timeout(LONGEST_S + 60)
def test_no_request_makes_a_server_error(running, tmp_path):
    url, token = running
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    fuzzed = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/schema/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            # What browsers send along that other programs of the host have set.
            *("--header", 'Cookie: a(b)=1; g_state={"i_l":0}; =;; x'),
            *("--checks", CHECKS),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1"),
            # A stream does not end, the fuzzer would wait for its time-out; the description of the API is Litestar's.
            *("--exclude-path-regex", "^/schema|/v1/live|/stream$"),
            *("--request-timeout", str(PATIENCE_S), "--suppress-health-check", "all", "--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert fuzzed.returncode == 0, fuzzed.stdout[-20_000:] + fuzzed.stderr[-2000:]
