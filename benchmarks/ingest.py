"""
Fixes a second that the API accepts, one per request and in batches: python -m benchmarks.ingest --json.

Server, Redis (append-only file, fsync at every append) and the load generator share the machine. Each answer is sent
after the append. Beside each figure, the limit: a bare function on the same store in the same run, on Granian's own
interface (RSGI), which the API uses for this address too, and on ASGI. With `--workers 1 2 4` the API has so many
processes on its port; their figures stand beside those of the first number. With `--before DIR` the API of another
checkout of this project stands beside them too.

All servers are up at once and asked in turn, a short round each, so that what neighbours on the machine do meets all
alike; a ratio is the median over the rounds, each round's against the same round's.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis

from app.machine.servers import free_port
from benchmarks.load import post
from benchmarks.world import ROOT, World, commit_of, engine_of, groups_s, hire, parser, report, world
from tracking.log import RegionKeys
from tracking.position import Region

GRANIAN = ("--loop", "uvloop", "--no-ws", "--backlog", "2048", "--no-log")


def cpu_s(url: str) -> float:
    """Processor time that the server behind an address of ours has used (Linux; 0 elsewhere)."""
    return groups_s({_groups[url]})


_groups: dict[str, int] = {}
"""Address of a server → its process group."""


@contextmanager
def serving(world: World, *command: str, workers: int = 1, code: Path = ROOT) -> Iterator[str]:
    """A server; gives its address once it answers. `workers`: processes of the API; `code`: the checkout it runs."""
    port = free_port()
    environ = {
        **os.environ,
        "DATABASE_URL": world.database_url,
        "REDIS_URL": world.redis_url,
        "POSTRIDER_LOG_LEVEL": "WARNING",
        "POSTRIDER_API_WORKERS": str(workers),
        "PYTHONPATH": str(code),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)], cwd=code, env=environ, start_new_session=True
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


def one_round(arguments: Any, world: World, url: str, phones: Any, batch: int, region: str) -> dict[str, Any]:
    before, used_s = appended(world, region), cpu_s(url)
    found = post(url, phones, batch=batch, connections=arguments.connections, seconds=arguments.seconds)
    # What was answered is in the log; a little more may be, whose answers the generator did not wait for.
    logged = appended(world, region) - before
    assert logged >= found["fixes_per_s"] * arguments.seconds * 0.98, (logged, found)
    # What a neighbour on the machine cannot change: the server's own processor time.
    requests = found["requests_per_s"] * arguments.seconds
    found["server_cpu_us_per_request"] = round((cpu_s(url) - used_s) / requests * 1e6, 1)
    with redis.Redis.from_url(world.redis_url) as client:
        keys = RegionKeys(Region(region))
        client.delete(keys.log, keys.appended, keys.settled)
    return found


def told(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The round in the middle, with the spread, and the processor time in the middle of all."""
    median = sorted(rounds, key=lambda found: found["requests_per_s"])[len(rounds) // 2]
    spread = [found["requests_per_s"] for found in rounds]
    used = [found["server_cpu_us_per_request"] for found in rounds]
    return {
        **median,
        "server_cpu_us_per_request": statistics.median(used),
        "spread": f"{min(spread)}-{max(spread)}",
        "cpu_spread": f"{min(used)}-{max(used)}",
        "errors": sum(found["errors"] for found in rounds),
    }


def ratio(rounds: list[dict[str, Any]], beside: list[dict[str, Any]]) -> dict[str, float]:
    """Its requests a second, and the other's processor time a request, as parts of the other's and its own."""

    def median(name: str, *, of_time: bool) -> float:
        pairs = [(float(one[name]), float(other[name])) for one, other in zip(rounds, beside, strict=True)]
        return round(statistics.median(b / a if of_time else a / b for a, b in pairs), 2)

    return {
        "ratio": median("requests_per_s", of_time=False),
        "ratio_of_processor_time": median("server_cpu_us_per_request", of_time=True),
    }


def main() -> None:
    options = parser("ingest", __doc__)
    options.add_argument("--couriers", type=int, default=5000)
    options.add_argument("--connections", type=int, default=256)
    options.add_argument("--seconds", type=int, default=8)
    options.add_argument("--warm-up", type=int, default=6)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--batch", type=int, default=50)
    options.add_argument("--workers", type=int, nargs="+", default=[1], help="processes of the API")
    options.add_argument("--before", help="another checkout, whose API is measured beside this one's")
    arguments = options.parse_args()
    code_before = None if arguments.before is None else Path(arguments.before).resolve()
    if code_before is not None:
        arguments.before = commit_of(code_before)
    results: dict[str, Any] = {}
    bare = ("granian", "benchmarks.bare:app", *GRANIAN, "--interface")
    with world() as servers, ExitStack() as stack:
        engines = engine_of(servers)
        phones = hire(servers, arguments.couriers)
        urls = {}
        for n in arguments.workers:
            title = "api" if n == arguments.workers[0] else f"api, {n} workers"
            urls[title] = stack.enter_context(serving(servers, "app", "api", workers=n)), "default"
        if code_before is not None:
            before = serving(servers, "app", "api", workers=arguments.workers[0], code=code_before)
            urls["api before"] = stack.enter_context(before), "default"
        urls["bare RSGI"] = stack.enter_context(serving(servers, *bare, "rsgi")), "bare"
        urls["bare ASGI"] = stack.enter_context(serving(servers, *bare, "asgi")), "bare"
        for kind, batch in {"single": 1, f"batches of {arguments.batch}": arguments.batch}.items():
            for url, _ in urls.values():
                # Warm-up: every token is looked up once, scripts and sockets are made.
                post(url, phones, batch=batch, connections=arguments.connections, seconds=arguments.warm_up)
            rounds: dict[str, list[dict[str, Any]]] = {title: [] for title in urls}
            for _ in range(arguments.rounds):
                for title, (url, region) in urls.items():
                    rounds[title].append(one_round(arguments, servers, url, phones, batch, region))
            results |= {f"{title}, {kind}": told(found) for title, found in rounds.items()}
            for title in urls:
                if title != "api":
                    results[f"api / {title}, {kind}"] = ratio(rounds["api"], rounds[title])
    report("ingest", arguments, engines, results)


if __name__ == "__main__":
    main()
