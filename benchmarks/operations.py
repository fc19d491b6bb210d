"""
What an operator waits for: start and end of each role, a restart of all of them under load, and a restore.

    ready        from the start of a process to 200 of its `/health/ready`, on a migrated database
    stopped      from SIGTERM to the end of the process, under the load
    steady       uploads of ten fixes through nginx as deploy/nginx.conf sets it up, from when each is due to its answer
    restarting   the same while one role after the other is replaced: an API on its own port, the other roles by a
                 process that is ready before the old one is told to end
    seen         from when the writer stands still until an API tells that a second's fixes wait for it, at that load
    restored     `postrider backup` of so many fixes, and `postrider restore` into an empty database and an empty Redis
"""

import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import psycopg

from app.machine.servers import RedisServer, free_port
from app.machine.tokens import make_token
from app.web import auth
from benchmarks.world import ROOT, Phone, World, engine_of, hire, parser, report, world
from tests import proxy

ROLES: Final = ("api", "api2", "writer", "watch", "dispatch", "housekeeping", "gateway")
AT_ONCE: Final = 10
"""Fixes an upload."""
GIVE_UP_S: Final = 180.0
PLACE: Final = {"lat": 41.1496, "lon": -8.6109}
HOME: Final = {"lat": 41.1579, "lon": -8.6291}
FIXES = """
INSERT INTO positions (courier_id, fixed_at, lat_e7, lon_e7, cell, delay_s, speed_cmps, accuracy_dm)
SELECT
    c.id, %(at)s + n * interval '5 s', 411496000 + (random() * 100000)::int, -86109000 + (random() * 100000)::int,
    0, 1, 620, 45
FROM generate_series(1, %(n)s) AS n, couriers AS c
"""


@dataclass
class Role:
    """A process of the program."""

    name: str
    environ: dict[str, str]
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until it is ready."""
        self.port = free_port()
        began = time.perf_counter()
        command = [sys.executable, "-m", "app", self.name.rstrip("2")]
        environ = self.environ | {"POSTRIDER_METRICS_PORT": str(self.port)}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=5) as client:
            while (took_s := time.perf_counter() - began) < GIVE_UP_S:
                try:
                    if client.get("/health/ready").status_code == httpx.codes.OK:
                        return took_s
                except httpx.HTTPError:
                    pass
                time.sleep(0.02)
        raise SystemExit(f"{self.name} was not ready within {GIVE_UP_S:.0f} s")

    def stop(self) -> float:
        """Seconds until it has ended."""
        assert self.process is not None
        began = time.perf_counter()
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}")
        return time.perf_counter() - began

    def end(self) -> None:
        """Whatever it does."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Load:
    """Uploads and orders at a fixed pace, whoever answers; `took_s` from when each was due."""

    client: httpx.AsyncClient
    phones: list[Phone]
    uploads_per_s: float
    orders_per_h: float
    took_s: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    n_accepted: int = 0
    orders: set[str] = field(default_factory=set)

    async def run(self, over: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pace(over, 1 / self.uploads_per_s, self._upload))
            group.create_task(self._pace(over, 3600 / self.orders_per_h, self._order))

    async def _pace(self, over: asyncio.Event, every_s: float, act: Any) -> None:
        due, n = time.perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not over.is_set():
                group.create_task(act(n, due))
                due, n = due + every_s, n + 1
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def _upload(self, n: int, due: float) -> None:
        phone = self.phones[n % len(self.phones)]
        now = datetime.now(UTC).timestamp()
        at = [datetime.fromtimestamp(now - 0.05 * i, UTC).isoformat() for i in range(AT_ONCE)]
        headers = {"Authorization": f"Bearer {phone.token}"}
        answer = await self.client.post("/v1/positions", json=[{"fixed_at": a, **PLACE} for a in at], headers=headers)
        self.took_s.append(time.perf_counter() - due)
        self.answers[answer.status_code] += 1
        if answer.status_code == 202:
            self.n_accepted += answer.json()["accepted"]

    async def _order(self, n: int, _: float) -> None:
        body = {"pickup": PLACE, "dropoff": HOME}
        answer = await self.client.post("/v1/orders", json=body, headers={"Idempotency-Key": f"order-{n}"})
        self.answers[answer.status_code] += 1
        if answer.status_code == 201:
            self.orders.add(answer.json()["id"])

    def told(self) -> dict[str, Any]:
        """What has been measured since the last time."""
        took_ms = sorted(1000 * one for one in self.took_s)
        self.took_s.clear()
        cuts = statistics.quantiles(took_ms, n=100)
        told = {"uploads": len(took_ms), "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}
        return told | {"max_ms": round(took_ms[-1], 1)}


def _end(made: dict[str, Role], name: str) -> None:
    made[name].end()


@contextmanager
def roles(there: World, folder: Path, found: dict[str, Any]) -> Iterator[tuple[dict[str, Role], str]]:
    """Every role as a process, and the proxy's address."""
    with ExitStack() as stack:
        made, apis = {}, []
        for name in ROLES:
            environ = {key: value for key, value in os.environ.items() if not key.startswith("POSTRIDER_")} | {
                "DATABASE_URL": there.database_url,
                "REDIS_URL": there.redis_url,
                "POSTRIDER_LOG_LEVEL": "ERROR",
                "POSTRIDER_TRUSTED_PROXIES": "127.0.0.1",
            }
            if name.startswith("api"):
                apis.append(free_port())
                environ["POSTRIDER_PORT"] = str(apis[-1])
            made[name] = Role(name, environ)
            found["ready_s"][name] = round(made[name].start(), 2)
            stack.callback(_end, made, name)
        url = stack.enter_context(proxy.running(folder, apis, https=free_port(), http=free_port()))
        yield made, url


async def restart(there: World, folder: Path, arguments: Any, found: dict[str, Any]) -> None:
    """Steady load, then the same while everything is replaced."""
    phones = await asyncio.to_thread(hire, there, 200)
    headers = {"Authorization": f"Bearer {await make_token(there.database_url, auth.Role.ADMIN, 'bench')}"}
    with ExitStack() as stack:
        made, url = await asyncio.to_thread(stack.enter_context, roles(there, folder, found))
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=url, headers=headers, verify=False, timeout=60, limits=limits) as client:
            load, over = Load(client, phones, arguments.fixes_per_s / AT_ONCE, arguments.orders_per_h), asyncio.Event()
            running = asyncio.create_task(load.run(over))
            await asyncio.sleep(5)
            load.took_s.clear()  # warm by now
            await asyncio.sleep(arguments.seconds)
            found["steady"] = load.told()
            for name, old in list(made.items()):
                if name.startswith("api"):  # the other one serves
                    found["stopped_s"][name] = round(await asyncio.to_thread(old.stop), 2)
                    await asyncio.to_thread(old.start)
                else:
                    made[name] = Role(name, old.environ)
                    await asyncio.to_thread(made[name].start)
                    found["stopped_s"][name] = round(await asyncio.to_thread(old.stop), 2)
            found["restarting"] = load.told()
            found["restarting"]["p99_ratio"] = round(found["restarting"]["p99_ms"] / found["steady"]["p99_ms"], 2)
            found["seen"] = {"s": round(await asyncio.to_thread(seen, made, arguments.fixes_per_s), 1)}
            over.set()
            await running
        with psycopg.connect(there.database_url) as connection:
            for _ in range(600):
                [n_stored] = connection.execute("SELECT count(*) FROM positions").fetchone() or [0]
                if n_stored >= load.n_accepted:
                    break
                await asyncio.sleep(0.1)
            [n_orders] = connection.execute("SELECT count(*) FROM orders").fetchone() or [0]
        answers = {str(status): n for status, n in sorted(load.answers.items())}
        found["answers"] = answers | {"acknowledged": load.n_accepted, "stored": n_stored, "orders": n_orders}
        found["answers"]["orders_acknowledged"] = len(load.orders)


def seen(made: dict[str, Role], more_than: float) -> float:
    """Seconds from when the writer stands still until an API tells that more than so many fixes wait for it."""
    writer = made["writer"].process
    assert writer is not None
    began = time.perf_counter()
    os.kill(writer.pid, signal.SIGSTOP)
    try:
        while waiting(made["api"]) <= more_than:
            time.sleep(0.1)
        return time.perf_counter() - began
    finally:
        os.kill(writer.pid, signal.SIGCONT)


def waiting(api: Role) -> float:
    """Fixes that the writer has not stored, as this API tells."""
    text = httpx.get(f"http://127.0.0.1:{api.port}/metrics", timeout=5).text
    found = re.search(r'^postrider_log_fixes\{group="history",region="default"\} (\S+)', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@contextmanager
def empty_database(url: str) -> Iterator[str]:
    """On the same server, which may have TimescaleDB."""
    name = f"restored_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def restore(there: World, folder: Path, n_fixes: int) -> dict[str, Any]:
    """Seconds to copy that many fixes, and to have them in an empty database."""
    with psycopg.connect(there.database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE positions")
        [n_couriers] = connection.execute("SELECT count(*) FROM couriers").fetchone() or [0]
        began_at = datetime.fromtimestamp(time.time() - 5 * n_fixes / n_couriers, UTC)
        connection.execute(FIXES, {"at": began_at, "n": n_fixes // n_couriers})
    server = RedisServer(folder / "empty-redis")
    server.start()
    with ExitStack() as stack:
        stack.callback(server.stop)
        empty_url = stack.enter_context(empty_database(there.database_url))
        took = {}
        for command, urls in {
            "backup": (there.database_url, there.redis_url),
            "restore": (empty_url, server.url),
        }.items():
            environ = os.environ | {"DATABASE_URL": urls[0], "REDIS_URL": urls[1]}
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "app", command, folder / "copy"], cwd=ROOT, env=environ, check=True)
            took[f"{command}_s"] = round(time.perf_counter() - began, 1)
        with psycopg.connect(empty_url) as connection:
            [n] = connection.execute("SELECT count(*) FROM positions").fetchone() or [0]
    size = sum(path.stat().st_size for path in (folder / "copy").iterdir())
    return took | {"fixes": n, "copy_mb": round(size / 1e6), "fixes_per_s": round(n / took["restore_s"])}


def main() -> None:
    """Measure and report."""
    options = parser("operations", __doc__)
    options.add_argument("--seconds", type=int, default=20, help="of the steady load")
    options.add_argument("--fixes-per-s", type=float, default=2000)
    options.add_argument("--orders-per-h", type=float, default=600)
    options.add_argument("--restore-fixes", type=int, default=1_000_000, help="0: leave it out")
    arguments = options.parse_args()
    found: dict[str, Any] = {"ready_s": {}, "stopped_s": {}}
    with world() as there, tempfile.TemporaryDirectory(prefix="postrider-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        asyncio.run(restart(there, folder, arguments, found))
        print(json.dumps(found), file=sys.stderr)
        if arguments.restore_fixes:
            found["restored"] = restore(there, folder, arguments.restore_fixes)
        engines = engine_of(there)
    report("operations", arguments, engines, found)


if __name__ == "__main__":
    main()
