"""
Many hosts: python -m benchmarks.hosts --json.

On network namespaces (`tests/hosts.py`), all on this machine's processors. What is taken in through nginx, by one API
host before one Redis, by three before the same Redis, and by three before a cluster of three primaries, over which five
regions are spread: in turn, a short round each, so that what neighbours on the machine do meets all alike (a ratio is
the median of the rounds'). And, with three API hosts behind nginx, two hosts with every role, three Redis under
Sentinels, one PostgreSQL, couriers of five regions and shops at work: how long regions had nobody, a phone waited, and
fixes were not stored, after each kind of fault (`tests/drill.py`), with what of its laws was broken.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from itertools import count, product
from pathlib import Path
from typing import Any, Final

import psycopg
import redis
from redis.crc import key_slot

from app.machine import privileges
from benchmarks.connection import Connection
from benchmarks.world import ROOT, Phone, World, engine_of, groups_s, hire, parser, report
from tests.drill import REGIONS, drill
from tests.hosts import BRIDGE, SUBNET, Host, apart, missing_namespaces
from tests.spread import APIS, ROLES, WORKERS, HostedRedis, Machines, Spread
from tests.waiting import wait_until
from tracking.log import RegionKeys
from tracking.position import Region

INSIDE: Final = "--inside"
ALONE: Final = "redis"
PRIMARIES: Final = ("primary1", "primary2", "primary3")
CLUSTERED: Final = ("api4", "api5", "api6")
"""API hosts that know the three primaries."""
SLOTS: Final = 16_384
AN_ADDRESS: Final = 60
"""Connections from one address of ours; nginx takes 100."""
FIRST_SOURCE: Final = 200
SPREAD_OUT: Final = """
WITH made AS (INSERT INTO regions (id, name) SELECT id, id FROM unnest(%s::text[]) AS id RETURNING id),
numbered AS (SELECT id, row_number() OVER () - 1 AS n FROM made)
UPDATE couriers AS c SET region = numbered.id
FROM (SELECT id, row_number() OVER () - 1 AS n FROM couriers) AS all_of_them, numbered
WHERE c.id = all_of_them.id AND numbered.n = all_of_them.n %% %s
"""


class Store(HostedRedis):
    """A Redis that nobody replicates; with a place it is a primary of a cluster of PRIMARIES."""

    def __init__(self, folder: Path, host: Host, password: str, *, place: int | None = None) -> None:
        super().__init__(folder, host, password, host)
        self.place = place

    def _prepare(self) -> None:
        super()._prepare()
        if self.place is not None:
            file = self.folder / "redis.conf"
            privileges.own_file(file, file.read_text() + "cluster-enabled yes\n")

    def join(self, first: "Store") -> None:
        """Take this primary's part of the slots, and meet the others through the first."""
        assert self.place is not None
        with redis.Redis.from_url(self.url) as client:
            ends = [SLOTS * (self.place + n) // len(PRIMARIES) for n in (0, 1)]
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", ends[0], ends[1] - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", self.place + 1)
            if first is not self:
                client.execute_command("CLUSTER", "MEET", first.host.address, first.port)

    def knows_all(self) -> bool:
        """Whether it is a cluster for it, too."""
        with redis.Redis.from_url(self.url) as client:
            told = client.execute_command("CLUSTER", "INFO")
        return b"cluster_state:ok" in told and f"cluster_size:{len(PRIMARIES)}".encode() in told


class Compared(Machines):
    """A Redis alone and three primaries; one API before the one, three before it, three before the three."""

    def __init__(self, folder: Path, stack: ExitStack, regions: Sequence[str]) -> None:
        """All are ready when this returns."""
        super().__init__(folder, stack, (ALONE, *PRIMARIES, *APIS, *CLUSTERED))
        word = os.urandom(16).hex()
        self.stores = {
            name: Store(folder / name, self.hosts[name], word, place=place)
            for place, name in [(None, ALONE), *enumerate(PRIMARIES)]
        }
        for store in self.stores.values():
            self.start(store, "redis")
        primaries = [self.stores[name] for name in PRIMARIES]
        for store in primaries:
            store.join(primaries[0])
        wait_until(lambda: all(store.knows_all() for store in primaries))
        addresses = ",".join(f"{store.host.address}:{store.port}" for store in primaries)
        cluster = f"redis+cluster://:{word}@{addresses}"
        for names, url in ((APIS, self.stores[ALONE].url), (CLUSTERED, cluster)):
            for name in names:
                self.play(name, "api", REDIS_URL=url, POSTRIDER_REDIS_REPLICAS="0")
        self.sides = {
            "one API host, one Redis": (APIS[:1], (ALONE,)),
            "three, one Redis": (APIS, (ALONE,)),
            "three, three primaries": (CLUSTERED, PRIMARIES),
        }
        self.keys = [RegionKeys(Region(region)).log for region in regions]

    def used_s(self, *hosts: str) -> float:
        """Processor time that everything on these hosts has used."""
        return groups_s({process.pid for name in hosts for process in self.hosts[name].processes.values()})

    def n_groups(self, *stores: str) -> int:
        """How often something was appended."""
        found = 0
        for name in stores:
            store = self.stores[name]
            with redis.Redis.from_url(store.url) as client:
                here = [key for key in self.keys if store.place in {None, place_of(key)} and client.exists(key)]
                found += sum(client.xinfo_stream(key)["entries-added"] for key in here)
        return found


def place_of(key: str) -> int:
    """Which primary has it."""
    slot = key_slot(key.encode())
    return max(place for place in range(len(PRIMARIES)) if slot >= SLOTS * place // len(PRIMARIES))


def spread_over_primaries(n: int) -> list[str]:
    """So many names of regions, which fall on the primaries in turn."""
    names = (f"city-{number}" for number in count())
    return [next(name for name in names if place_of(f"{{{name}}}") == place % len(PRIMARIES)) for place in range(n)]


async def post(
    url: str, phones: list[Phone], *, batch: int, connections: int, sources: Sequence[str], seconds: float
) -> float:
    """Requests a second that were answered 2xx, over so many kept connections from these addresses of ours."""
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
        made = [
            await stack.enter_async_context(Connection(url, source=sources[i % len(sources)]))
            for i in range(connections)
        ]
        began = time.monotonic()
        over = began + seconds
        await asyncio.gather(*(one(first, connection) for first, connection in enumerate(made)))
        return n / (time.monotonic() - began)


def ingest(arguments: Any, folder: Path) -> tuple[dict[str, str | None], dict[str, Any]]:
    """What it was measured on, and what each side takes in."""
    with ExitStack() as stack:
        regions = spread_over_primaries(len(REGIONS))
        compared = Compared(folder, stack, regions)
        there = World(database_url=compared.postgres.url, redis_url=compared.stores[ALONE].url)
        phones = hire(there, arguments.couriers)
        with psycopg.connect(compared.postgres.url) as connection:
            connection.execute(SPREAD_OUT, (regions, len(regions)))
        compared.wait_for_apis(*APIS, *CLUSTERED)
        sources = [f"{SUBNET}.{FIRST_SOURCE + n}" for n in range(-(-max(arguments.connections) // AN_ADDRESS))]
        compared.network.run(*(f"addr add {address}/24 dev {BRIDGE}" for address in sources))
        urls = {
            title: stack.enter_context(compared.proxied(*apis, port=8443 + 1000 * n))
            for n, (title, (apis, _)) in enumerate(compared.sides.items())
        }
        results: dict[str, Any] = {}
        for batch, connections in product(arguments.batches, arguments.connections):
            options = {"batch": batch, "connections": connections, "sources": sources}
            for url in urls.values():
                asyncio.run(post(url, phones, seconds=arguments.warm_up, **options))
            rates: dict[str, list[float]] = {title: [] for title in urls}
            costs: dict[str, list[tuple[float, float]]] = {title: [] for title in urls}
            groups: dict[str, list[float]] = {title: [] for title in urls}
            for _ in range(arguments.rounds):
                for title, url in urls.items():
                    apis, stores = compared.sides[title]
                    apis_s, stores_s = compared.used_s(*apis), compared.used_s(*stores)
                    n_before = compared.n_groups(*stores)
                    rate = asyncio.run(post(url, phones, seconds=arguments.seconds, **options))
                    n = rate * arguments.seconds
                    rates[title].append(rate)
                    used_s = compared.used_s(*apis) - apis_s, compared.used_s(*stores) - stores_s
                    costs[title].append((used_s[0] / n * 1e6, used_s[1] / n * 1e6))
                    groups[title].append(n / (compared.n_groups(*stores) - n_before))
            case = f"{batch} fixes a request, {connections} connections"
            alone = next(iter(urls))
            for title in urls:
                results[f"{title}, {case}"] = {
                    "requests_per_s": round(statistics.median(rates[title])),
                    "spread": f"{min(rates[title]):.0f}-{max(rates[title]):.0f}",
                    "api_cpu_us_per_request": round(statistics.median(api for api, _ in costs[title])),
                    "redis_cpu_us_per_request": round(statistics.median(store for _, store in costs[title])),
                    "requests_stored_at_once": round(statistics.median(groups[title]), 1),
                    "ratio": _ratio(rates[title], rates[alone]),
                    "ratio_of_processor_time": _ratio([sum(c) for c in costs[alone]], [sum(c) for c in costs[title]]),
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
    options.add_argument("--connections", type=int, nargs="+", default=[60, 480], help="from an address for each 60")
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
