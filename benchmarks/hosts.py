"""
Many hosts: python -m benchmarks.hosts --json.

On network namespaces (`tests/hosts.py`), all on this machine's processors: three API hosts behind nginx, two hosts with
every role, three Redis under Sentinels, one PostgreSQL. Told are what one API host and three take in through nginx, in
turn, a short round each, so that what neighbours on the machine do meets both alike (a ratio is the median of the
rounds'); and, with couriers of five regions and shops at work, how long regions had nobody, a phone waited, and fixes
were not stored, after each kind of fault (`tests/drill.py`), with what of its laws was broken.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.connection import Connection
from benchmarks.world import ROOT, Phone, World, engine_of, groups_s, hire, parser, report
from tests.drill import REGIONS, drill
from tests.hosts import apart, missing_namespaces
from tests.spread import APIS, ROLES, STORES, WORKERS, Spread

INSIDE: Final = "--inside"
SPREAD_OUT: Final = """
WITH made AS (INSERT INTO regions (id, name) SELECT id, id FROM unnest(%s::text[]) AS id RETURNING id),
numbered AS (SELECT id, row_number() OVER () - 1 AS n FROM made)
UPDATE couriers AS c SET region = numbered.id
FROM (SELECT id, row_number() OVER () - 1 AS n FROM couriers) AS all_of_them, numbered
WHERE c.id = all_of_them.id AND numbered.n = all_of_them.n %% %s
"""


def used_s(spread: Spread, *hosts: str) -> float:
    """Processor time that everything on these hosts has used."""
    groups = {process.pid for name in hosts for process in spread.hosts[name].processes.values()}
    return groups_s(groups)


async def post(url: str, phones: list[Phone], *, batch: int, connections: int, seconds: float) -> float:
    """Requests a second that were answered 2xx, over so many kept connections."""
    n, over = 0, float("inf")

    async def one(first: int, connection: Connection) -> None:
        nonlocal n
        turn = 0
        while time.monotonic() < over:
            phone = phones[(first + turn * connections) % len(phones)]
            turn += 1
            now = time.time()
            fixes = [
                {
                    "fixed_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - batch + k)) + f".{turn:03d}Z",
                    "lat": 41.15 + turn % 1000 * 1e-6,
                    "lon": -8.61,
                }
                for k in range(batch)
            ]
            await connection.ask("POST", "/v1/positions", phone.token, json.dumps(fixes).encode())
            n += 1

    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(Connection(url)) for _ in range(connections)]
        began = time.monotonic()
        over = began + seconds
        await asyncio.gather(*(one(first, connection) for first, connection in enumerate(made)))
        return n / (time.monotonic() - began)


def ingest(arguments: Any, folder: Path) -> tuple[dict[str, str | None], dict[str, Any]]:
    """What it was measured on, and one API host beside three."""
    with ExitStack() as stack:
        spread = Spread(folder, stack)
        for name in APIS:
            spread.play(name, "api", POSTRIDER_REDIS_REPLICAS="0")
        there = World(database_url=spread.postgres.url, redis_url=spread.redis[STORES[0]].url)
        phones = hire(there, arguments.couriers)
        with psycopg.connect(spread.postgres.url) as connection:
            connection.execute(SPREAD_OUT, (list(REGIONS), len(REGIONS)))
        spread.wait_for_apis(*APIS)
        urls = {
            "one API host": stack.enter_context(spread.proxied(APIS[0], port=8443)),
            "three API hosts": stack.enter_context(spread.proxied(*APIS, port=9443)),
        }
        results: dict[str, Any] = {}
        for batch in arguments.batches:
            options = {"batch": batch, "connections": arguments.connections}
            for url in urls.values():
                asyncio.run(post(url, phones, seconds=arguments.warm_up, **options))
            rates: dict[str, list[float]] = {title: [] for title in urls}
            costs: dict[str, list[float]] = {title: [] for title in urls}
            for _ in range(arguments.rounds):
                for title, url in urls.items():
                    before = used_s(spread, *APIS, STORES[0])
                    rate = asyncio.run(post(url, phones, seconds=arguments.seconds, **options))
                    rates[title].append(rate)
                    used = used_s(spread, *APIS, STORES[0]) - before
                    costs[title].append(used / (rate * arguments.seconds) * 1e6)
            one, three = urls
            for title in urls:
                results[f"{title}, {batch} fixes a request"] = {
                    "requests_per_s": round(statistics.median(rates[title])),
                    "spread": f"{min(rates[title]):.0f}-{max(rates[title]):.0f}",
                    "api_and_redis_cpu_us_per_request": round(statistics.median(costs[title])),
                }
            results[f"three / one, {batch} fixes a request"] = {
                "ratio": _ratio(rates[three], rates[one]),
                "ratio_of_processor_time": _ratio(costs[one], costs[three]),
            }
        return engine_of(there), results


def _ratio(some: list[float], others: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(some, others, strict=True)), 2)


def faults(folder: Path) -> dict[str, Any]:
    """The drill, once."""
    with ExitStack() as stack:
        spread = Spread(folder, stack)
        for name in APIS:
            spread.play(name, "api")
        for name in WORKERS:
            spread.play(name, *ROLES)
        spread.wait_for_apis(*APIS)
        told = asyncio.run(drill(spread, stack.enter_context(spread.proxied(*APIS))))
        return {**told["faults"], "broken": told["broken"], "counts": told["counts"]}


def main() -> None:
    options = parser("hosts", __doc__)
    options.add_argument("--couriers", type=int, default=500)
    options.add_argument("--connections", type=int, default=60, help="nginx takes 100 of an address")
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--warm-up", type=float, default=4)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--batches", type=int, nargs="+", default=[1, 20])
    options.add_argument("--only", choices=["ingest", "faults"])
    options.add_argument(INSIDE, type=Path)
    arguments = options.parse_args()
    if arguments.inside is None:
        if reason := missing_namespaces():
            sys.exit(reason)
        with tempfile.TemporaryDirectory(prefix="postrider-hosts-") as name:
            Path(name).chmod(0o755)
            inside = [sys.executable, "-m", "benchmarks.hosts", *sys.argv[1:], INSIDE, name]
            sys.exit(subprocess.run(apart(inside), cwd=ROOT, check=False).returncode)
    folder = arguments.inside
    arguments.inside = None
    results: dict[str, Any] = {}
    engines: dict[str, str | None] = {}
    if arguments.only != "faults":
        (folder / "ingest").mkdir(mode=0o755)
        engines, results = ingest(arguments, folder / "ingest")
    if arguments.only != "ingest":
        (folder / "faults").mkdir(mode=0o755)
        results |= faults(folder / "faults")
    report("hosts", arguments, engines, results)


if __name__ == "__main__":
    main()
