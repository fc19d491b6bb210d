"""
A lane for every region: whoever holds the region's lease does the job there, and nothing in one lane ends another.

    regions ──▶ shares of the living processes ──▶ take ──▶ lane: work(lease, stop) ──▶ release
                          every beat: renew all that is held, in one statement

Leases are renewed by a task of its own while the lanes work, so a turn may take longer than a lease. A lane whose lease
has passed to another is cancelled; should it write before it hears of that, the token refuses it (`tracking.lease`).
A lane that fails is told, counted and begun again alone, with growing pauses. When processes come or go, regions change
hands after the turn that runs. A process that fails at a region again and again rests from it for a while, and another
takes the lease, if there is another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import asyncpg
from prometheus_client import Counter, Gauge

from sql import queries
from tracking import lease as leases
from tracking import outages
from tracking.errors import LeaseLost
from tracking.lease import Lease
from tracking.pause import pause
from tracking.position import Region

log = logging.getLogger(__name__)

LEASES = Gauge("postrider_leases", "Regions this process holds, by job.", ["lane"], multiprocess_mode="livesum")
FAILURES = Counter("postrider_lane_failures_total", "Turns of a region that ended with an error.", ["lane", "region"])
GIVEN_UP = Counter(
    "postrider_lanes_given_up_total", "Regions left to another process after failures in a row.", ["lane"]
)
LOST = Counter("postrider_leases_lost_total", "Leases that passed to another process while they were held.", ["lane"])


class Work(Protocol):
    """Does the job for a region until `stop` is set, or there is nothing to do; cancelled when the lease is lost."""

    async def __call__(self, lease: Lease, stop: asyncio.Event) -> None:
        """
        Raises LeaseLost when a write was refused; whatever else is raised, it is called again.

        When it ends before `stop` the regions are listed anew; it is called again where this one is still among them.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParams:
    """How lanes are kept."""

    lease_s: float = 8.0
    """So long after a crash another process may take over."""
    beat_s: float = 1.0
    """Leases are renewed and looked at so often, or three times in the life of a lease."""
    regions_every_s: float = 15.0
    """How soon a new region is noticed."""
    backoff_s: float = 0.2
    backoff_at_most_s: float = 5.0
    steady_after_s: float = 60.0
    """A lane that went well for so long begins again at once when it fails."""
    give_up_after: int = 5
    """After so many failures in a row the region is left to another process, if one lives..."""
    outage_s: float = 30.0
    """... and after so long, where it is a server that is away: most likely it is away for all, and comes back."""
    rest_s: float = 120.0
    """So long the region is not taken again here, and kept there; unless nobody takes it."""


@dataclass(slots=True, eq=False)
class _Lane:
    lease: Lease
    stop: asyncio.Event
    task: asyncio.Task[None]
    is_lost: bool = False


class Lanes:
    """The lanes of one job in this process."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        job: str,
        regions: Callable[[], Awaitable[Iterable[Region]]],
        work: Work,
        params: LaneParams,
        crew: str | None = None,
    ) -> None:
        """`regions`: lists the regions there are, now; `crew`: the processes that share them, if not all of the job."""
        self._pool = pool
        self._job = job
        self._crew = crew or job
        self._list_regions = regions
        self._work = work
        self._params = params
        self._lanes: dict[Region, _Lane] = {}
        self._regions: frozenset[Region] = frozenset()
        self._listed_at = float("-inf")
        self._living: frozenset[str] = frozenset()
        self._resting: dict[Region, float] = {}
        """Regions we failed at, and until when others may try."""
        self._adopted: dict[Region, float] = {}
        """Regions whose due holder does not take them, and until when they are ours."""
        self._free_since: dict[Region, float] = {}
        self.holder = leases.new_holder()

    async def run(self, stop: asyncio.Event) -> None:
        """Hold and work until `stop` is set, then let the turns end and give the leases back."""
        beat_s = min(self._params.beat_s, self._params.lease_s / 3)
        try:
            async with asyncio.TaskGroup() as group:
                while not stop.is_set():
                    try:
                        async with asyncio.timeout(self._params.lease_s):
                            await self._beat(group)
                    except outages.DRIVERS as exc:
                        # The lanes go on: without the database nobody can take their leases, or write.
                        outages.tell(log, "leases not renewed", exc, event="leases_not_renewed", job=self._job)
                    except Exception:
                        log.exception("leases not renewed", extra={"event": "leases_not_renewed", "job": self._job})
                    await pause(stop, beat_s)
                await self._end()
        finally:
            LEASES.labels(self._job).set(0)

    async def _end(self) -> None:
        """Let all turns end; they are still renewed meanwhile."""
        for lane in self._lanes.values():
            lane.stop.set()
        while self._lanes:
            try:
                async with asyncio.timeout(self._params.lease_s):
                    await self._renew()
            except outages.DRIVERS as exc:
                outages.tell(log, "leases not renewed", exc, event="leases_not_renewed", job=self._job)
            if tasks := [lane.task for lane in self._lanes.values()]:
                await asyncio.wait(tasks, timeout=self._params.lease_s / 3, return_when=asyncio.FIRST_COMPLETED)
        try:
            await self._pool.execute(queries["leases.leave"], self._crew, self.holder)
        except outages.DRIVERS as exc:
            outages.tell(log, "lease not given back", exc, event="lease_not_released", job=self._job)

    async def _beat(self, group: asyncio.TaskGroup) -> None:
        """Say that we live, renew what is held, let go of what others should do, take what we should do and is free."""
        await self._pool.execute(queries["leases.join"], self._crew, self.holder, self._params.lease_s)
        await self._renew()
        if monotonic() - self._listed_at > self._params.regions_every_s:
            self._regions = frozenset(await self._list_regions())
            self._listed_at = monotonic()
        self._living = frozenset(row["holder"] for row in await self._pool.fetch(queries["leases.living"], self._crew))
        rows = await self._pool.fetch(queries["leases.in_force"], self._job)
        mine = self._due({row["region"] for row in rows}, monotonic())
        for region, lane in self._lanes.items():
            if region not in mine:
                lane.stop.set()
        for region in sorted(mine - self._lanes.keys() - {r["region"] for r in rows if r["holder"] != self.holder}):
            lease = await leases.take(self._pool, self._job, region, self.holder, ttl_s=self._params.lease_s)
            if lease is not None:
                self._begin(group, lease)

    def _due(self, in_force: set[Region], now_s: float) -> set[Region]:
        """Our regions: our share but for what we rest from, and what its due holder leaves lying."""
        self._resting = {region: until for region, until in self._resting.items() if until > now_s and self._others}
        self._adopted = {region: until for region, until in self._adopted.items() if until > now_s}
        free = self._regions - in_force
        self._free_since = {region: self._free_since.get(region, now_s) for region in free}
        for region, since in self._free_since.items():
            if now_s - since > 2 * self._params.lease_s:
                self._resting.pop(region, None)  # whoever else would take it has left it as well
        due = leases.shares(self._regions, self._living)
        mine = {region for region, holder in due.items() if holder == self.holder} - self._resting.keys()
        for region in free - mine - self._resting.keys():
            if now_s - self._free_since[region] > self._params.lease_s:
                self._adopted[region] = now_s + self._params.rest_s
        return mine | self._adopted.keys()

    @property
    def _others(self) -> frozenset[str]:
        return self._living - {self.holder}

    async def _renew(self) -> None:
        held = [lane.lease for lane in self._lanes.values()]
        if not held:
            return
        rows = await self._pool.fetch(
            queries["leases.renew"],
            self._job,
            [lease.region for lease in held],
            [lease.token for lease in held],
            self._params.lease_s,
        )
        kept = {row["region"] for row in rows}
        for lease in held:
            lane = self._lanes.get(lease.region)
            if lease.region not in kept and lane is not None and lane.lease is lease:
                lane.is_lost = True
                lane.task.cancel()

    def _begin(self, group: asyncio.TaskGroup, lease: Lease) -> None:
        log.info("lease taken", extra={"event": "lease_taken", "job": self._job, "region": lease.region})
        stop = asyncio.Event()
        task = group.create_task(self._run(lease, stop), name=f"{self._job} {lease.region}")
        self._lanes[lease.region] = _Lane(lease, stop, task)
        LEASES.labels(self._job).set(len(self._lanes))

    async def _run(self, lease: Lease, stop: asyncio.Event) -> None:
        """A lane until it is stopped or its lease is lost, then give the lease back."""
        try:
            await self._work_on(lease, stop)
        finally:
            if self._lanes.pop(lease.region).is_lost:
                _tell_lost(lease)
            LEASES.labels(self._job).set(len(self._lanes))
        try:
            await leases.release(self._pool, lease)
        except outages.DRIVERS as exc:
            outages.tell(log, "lease not given back", exc, event="lease_not_released", job=self._job)

    async def _work_on(self, lease: Lease, stop: asyncio.Event) -> None:
        backoff_s, n_failures, failing_since, give_up_s = self._params.backoff_s, 0, monotonic(), 0.0
        while not stop.is_set():
            began = monotonic()
            try:
                await self._work(lease, stop)
                n_failures = 0
                self._listed_at = float("-inf")  # it had nothing to do any more
            except LeaseLost:
                _tell_lost(lease)
                return
            except outages.DRIVERS as exc:
                n_failures += 1
                give_up_s = self._params.outage_s if outages.is_outage(exc) else 0.0
                FAILURES.labels(lease.job, lease.region).inc()
                outages.tell(log, "lane interrupted", exc, event="lane_interrupted", job=lease.job, region=lease.region)
            except Exception:
                # Whatever it is, the other regions go on.
                n_failures += 1
                give_up_s = 0.0
                FAILURES.labels(lease.job, lease.region).inc()
                facts = {"job": lease.job, "region": lease.region, "again_in_s": backoff_s}
                log.exception("lane died", extra={"event": "lane_died", **facts})
            now = monotonic()
            if now - began > self._params.steady_after_s:
                backoff_s, n_failures = self._params.backoff_s, min(n_failures, 1)
            if n_failures <= 1 or now - began > self._params.lease_s:
                failing_since = now  # it worked for a while: what fails now is not what failed before
            if n_failures >= self._params.give_up_after and now - failing_since >= give_up_s and self._others:
                self._give_up(lease)
                return
            await pause(stop, backoff_s)
            backoff_s = min(2 * backoff_s, self._params.backoff_at_most_s)

    def _give_up(self, lease: Lease) -> None:
        self._adopted.pop(lease.region, None)
        self._resting[lease.region] = monotonic() + self._params.rest_s
        GIVEN_UP.labels(lease.job).inc()
        facts = {"job": lease.job, "region": lease.region, "for_s": self._params.rest_s}
        log.error("region left to another process", extra={"event": "lane_given_up", **facts})


def _tell_lost(lease: Lease) -> None:
    LOST.labels(lease.job).inc()
    log.warning("lease lost", extra={"event": "lease_lost", "job": lease.job, "region": lease.region})
