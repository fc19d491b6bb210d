"""
Fixes a second that the API accepts, one per request and in batches: python -m benchmarks.ingest --json.

Server, Redis (append-only file, fsync at every append) and the load generator share the machine. Each answer is sent
after the append. Beside each figure, the limit: a bare function on the same store in the same run, on Granian's own
interface (RSGI), which the API uses for this address too, and on ASGI. With `--workers 1 2 4` the API has so many
processes on its port; their figures stand beside those of the first number.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis

from app.machine.servers import free_port
from benchmarks.load import post
from benchmarks.world import ROOT, World, engine_of, hire, parser, report, world
from tracking.log import RegionKeys
from tracking.position import Region

GRANIAN = ("--loop", "uvloop", "--no-ws", "--backlog", "2048", "--no-log")


def cpu_s(url: str) -> float:
    """Processor time that the server behind an address of ours has used (Linux; 0 elsewhere)."""
    group = _groups[url]
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


_groups: dict[str, int] = {}
"""Address of a server → its process group."""


@contextmanager
def serving(world: World, *command: str, workers: int = 1) -> Iterator[str]:
    """A server; gives its address once it answers. `workers`: processes of the API."""
    port = free_port()
    environ = {
        **os.environ,
        "DATABASE_URL": world.database_url,
        "REDIS_URL": world.redis_url,
        "POSTRIDER_LOG_LEVEL": "WARNING",
        "POSTRIDER_API_WORKERS": str(workers),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)], cwd=ROOT, env=environ, start_new_session=True
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _groups[url] = process.pid
        for _ in range(600):
            try:
                httpx.post(f"{url}/v1/positions", content=b"[]", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def appended(world: World, region: str) -> int:
    with redis.Redis.from_url(world.redis_url) as client:
        return int(client.get(RegionKeys(Region(region)).appended) or 0)


def measure(arguments: Any, world: World, url: str, phones: Any, batch: int, region: str) -> dict[str, Any]:
    # Warm-up: every token is looked up once, scripts and sockets are made.
    post(url, phones, batch=batch, connections=arguments.connections, seconds=arguments.warm_up)
    rounds = []
    for _ in range(arguments.rounds):
        before, used_s = appended(world, region), cpu_s(url)
        found = post(url, phones, batch=batch, connections=arguments.connections, seconds=arguments.seconds)
        # What was answered is in the log; a little more may be, whose answers the generator did not wait for.
        logged = appended(world, region) - before
        assert logged >= found["fixes_per_s"] * arguments.seconds * 0.98, (logged, found)
        # What a neighbour on the machine cannot change: the server's own processor time.
        requests = found["requests_per_s"] * arguments.seconds
        found["server_cpu_us_per_request"] = round((cpu_s(url) - used_s) / requests * 1e6, 1)
        rounds.append(found)
        with redis.Redis.from_url(world.redis_url) as client:
            keys = RegionKeys(Region(region))
            client.delete(keys.log, keys.appended, keys.settled)
    median = sorted(rounds, key=lambda found: found["requests_per_s"])[len(rounds) // 2]
    spread = [found["requests_per_s"] for found in rounds]
    return {**median, "spread": f"{min(spread)}-{max(spread)}", "errors": sum(found["errors"] for found in rounds)}


def main() -> None:
    options = parser("ingest", __doc__)
    options.add_argument("--couriers", type=int, default=5000)
    options.add_argument("--connections", type=int, default=256)
    options.add_argument("--seconds", type=int, default=8)
    options.add_argument("--warm-up", type=int, default=6)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--batch", type=int, default=50)
    options.add_argument("--batch-connections", type=int, default=32)
    options.add_argument("--workers", type=int, nargs="+", default=[1], help="processes of the API")
    arguments = options.parse_args()
    results: dict[str, Any] = {}
    api = {n: "api" if n == arguments.workers[0] else f"api, {n} workers" for n in arguments.workers}
    sizes = {"single": 1, f"batches of {arguments.batch}": arguments.batch}
    with world() as servers:
        engines = engine_of(servers)
        phones = hire(servers, arguments.couriers)
        for title, region, command, workers in (
            *((title, "default", ("app", "api"), n) for n, title in api.items()),
            ("bare RSGI", "bare", ("granian", "benchmarks.bare:app", "--interface", "rsgi", *GRANIAN), 1),
            ("bare ASGI", "bare", ("granian", "benchmarks.bare:app", "--interface", "asgi", *GRANIAN), 1),
        ):
            with serving(servers, *command, workers=workers) as url:
                for kind, batch in sizes.items():
                    results[f"{title}, {kind}"] = measure(arguments, servers, url, phones, batch, region)
    for kind in sizes:
        rate = {title: results[f"{title}, {kind}"]["requests_per_s"] for title in ("bare RSGI", *api.values())}
        results[f"api / bare RSGI, {kind}"] = {"ratio": round(rate["api"] / rate["bare RSGI"], 2)}
        for title in list(api.values())[1:]:
            results[f"{title} / api, {kind}"] = {"ratio": round(rate[title] / rate["api"], 2)}
    report("ingest", arguments, engines, results)


if __name__ == "__main__":
    main()
