"""
How soon regions have somebody again: python -m benchmarks.leases --json.

Processes that work by leases as watchers and dispatchers do (`tracking.lanes` with the program's own times, turns of
half a second), on PostgreSQL. Told are how long it takes until the regions are shared out evenly after the last of them
has started; after one more has come, from when it said that it is there; and after one was killed (kill -9), which is
how long its regions had nobody. Besides, how many regions changed hands that need not have.
"""

import asyncio
import signal
import statistics
import sys
import time
from collections import Counter
from math import ceil
from typing import Any

import asyncpg

from benchmarks.world import ROOT, engine_of, parser, report, world
from tracking.lanes import LaneParams, Lanes
from tracking.lease import Lease
from tracking.pause import pause
from tracking.position import Region

JOB = "bench"
TURN_S = 0.5
LOOK_EVERY_S = 0.05
HELD = "SELECT region, holder FROM leases WHERE job = $1 AND expires_at > clock_timestamp()"
LIVING = "SELECT count(*) FROM lease_holders WHERE job = $1 AND expires_at > clock_timestamp()"
Held = dict[str, int]


async def work(url: str, n_regions: int) -> None:
    """Hold leases until SIGTERM."""

    async def regions() -> list[Region]:
        return [Region(f"region-{n}") for n in range(n_regions)]

    async def turns(lease: Lease, stop: asyncio.Event) -> None:  # noqa: ARG001 - as lanes call it
        while not stop.is_set():
            await asyncio.sleep(TURN_S)
            await pause(stop, 0)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncpg.create_pool(url, min_size=0, max_size=4) as pool:
        await Lanes(pool, job=JOB, regions=regions, work=turns, params=LaneParams()).run(stop)


class Fleet:
    """The processes, and what the table of leases says of them."""

    def __init__(self, pool: Any, url: str, n_regions: int) -> None:
        self._pool = pool
        self._command = [sys.executable, "-m", "benchmarks.leases", "--work", url, str(n_regions)]
        self._n_regions = n_regions
        self.processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        process = await asyncio.create_subprocess_exec(*self._command, cwd=ROOT)
        self.processes.append(process)

    async def held(self) -> Held:
        """Process id by region, of leases in force."""
        return {row["region"]: int(row["holder"].split(":")[1]) for row in await self._pool.fetch(HELD, JOB)}

    async def until_living(self, n: int) -> float:
        while await self._pool.fetchval(LIVING, JOB) != n:  # noqa: ASYNC110 - other processes bring it about
            await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic()

    async def until_even(self) -> tuple[float, Held]:
        """When each region has a process that runs, and none has more than its part."""
        pids = {process.pid for process in self.processes}
        while True:
            held = await self.held()
            counts = Counter(held.values())
            if (
                len(held) == self._n_regions
                and counts.keys() == pids
                and max(counts.values()) <= ceil(self._n_regions / len(pids))
            ):
                return time.monotonic(), held
            await asyncio.sleep(LOOK_EVERY_S)

    async def kill(self) -> float:
        victim = self.processes.pop()
        victim.send_signal(signal.SIGKILL)
        at = time.monotonic()
        await victim.wait()
        return at

    async def end(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            await process.wait()
        await self._pool.execute("DELETE FROM leases")
        await self._pool.execute("DELETE FROM lease_holders")


async def measure(url: str, n: int, n_regions: int, rounds: int) -> dict[str, Any]:
    """`n` processes, one more, and one less."""
    told: dict[str, list[float]] = {
        "shared out s": [],
        "handed over s": [],
        "taken over s": [],
        "moved beyond need": [],
    }
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        for _ in range(rounds):
            fleet = Fleet(pool, url, n_regions)
            for _ in range(n):
                await fleet.start()
            began = await fleet.until_living(n)
            at, before = await fleet.until_even()
            told["shared out s"].append(at - began)
            await fleet.start()
            came = await fleet.until_living(n + 1)
            at, after = await fleet.until_even()
            told["handed over s"].append(at - came)
            newcomer = fleet.processes[-1].pid
            told["moved beyond need"].append(sum(after[r] not in {before[r], newcomer} for r in before))
            killed = await fleet.kill()
            at, _ = await fleet.until_even()
            told["taken over s"].append(at - killed)
            await fleet.end()
    return {what: f"{statistics.median(values):.3g} (at most {max(values):.3g})" for what, values in told.items()}


def main() -> None:
    options = parser("leases", __doc__)
    options.add_argument("--regions", type=int, default=64)
    options.add_argument("--processes", type=int, nargs="+", default=[2, 4, 8])
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    with world() as servers:
        engines = engine_of(servers)
        results = {
            f"{n} processes": asyncio.run(measure(servers.database_url, n, arguments.regions, arguments.rounds))
            for n in arguments.processes
        }
    report("leases", arguments, engines, results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        asyncio.run(work(sys.argv[2], int(sys.argv[3])))
    else:
        main()
