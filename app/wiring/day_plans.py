"""Makes plans of days ahead, one at a time in each API process; what is asked for, and what comes of it, is in rows."""

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from litestar.di import NamedDependency

from dispatch.aside import Aside
from dispatch.errors import DayPlanRunning, PlannerBusy
from dispatch.orders.rows import to_json
from dispatch.planning.day import DayProgress
from dispatch.planning.profiles import DAYS, WAVES
from dispatch.planning.wave import WavePlan
from dispatch.region import day_plans
from dispatch.region.day_process import DayFailed, Question, plan_in_process
from dispatch.region.day_world import snapshot_of
from dispatch.region.params import CycleParams
from dispatch.region.settings import params_of
from dispatch.region.world import Stays
from dispatch.travel.times import TravelTimes
from sql import queries
from tracking import outages
from tracking.pause import pause
from tracking.position import Region

log = logging.getLogger(__name__)

WAITING_AT_MOST: Final = 4
"""Plans that wait in a process for their turn; more are turned away, for each takes minutes."""
BEAT_S: Final = 1.0
LOST_AFTER: Final = timedelta(seconds=60)
"""Whoever makes a plan writes every second; not heard of for so long, it is gone."""
FORGOTTEN_AFTER: Final = timedelta(days=30)
MAP_BUDGET_S: Final = 20.0
"""Longest wait for travel times; the great circle answers for the rest."""


class DayPlans:
    """Plans asked of this process."""

    def __init__(self, *, pool: asyncpg.Pool, travel: TravelTimes, params: CycleParams, stays: Stays) -> None:
        self._pool = pool
        self._travel = travel
        self._params = params
        self._stays = stays
        self._waiting: deque[UUID] = deque()
        self._making: UUID | None = None
        self._wanted = True
        self._progress = "{}"
        self._news = asyncio.Event()

    async def ask(
        self,
        connection: Any,
        region: Region,
        starts_at: datetime,
        ends_at: datetime,
        *,
        seconds: float,
        by: str,
        wave_depot: str | None = None,
    ) -> UUID:
        """
        Write down what is asked for, within the caller's transaction; `begin` it after that.

        `wave_depot`: of a depot's next wave only. Raises PlannerBusy, and DayPlanRunning where a plan of the region is
        being made.
        """
        if len(self._waiting) >= WAITING_AT_MOST:
            raise PlannerBusy
        now = datetime.now(UTC)
        await connection.execute(queries["day_plans.lose"], now - LOST_AFTER, now)
        await connection.execute(queries["day_plans.forget"], now - FORGOTTEN_AFTER)
        plan_id: UUID | None = await connection.fetchval(
            queries["day_plans.insert"], region, starts_at, ends_at, seconds, by, now, wave_depot
        )
        if plan_id is None:
            raise DayPlanRunning(region=region)
        return plan_id

    def begin(self, plan_id: UUID) -> None:
        """Make it when its turn comes."""
        self._waiting.append(plan_id)
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Make what is asked for until `stop` is set; then whatever is being made is given up, and that is told."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(stop))
            group.create_task(self._wake(stop))
            while not stop.is_set():
                if not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                    continue
                self._making, self._wanted, self._progress = self._waiting.popleft(), True, "{}"
                try:
                    await self._make(self._making, stop)
                finally:
                    self._making = None

    async def _wake(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _beat(self, stop: asyncio.Event) -> None:
        """Say that the plans of this process go on, and hear which are not wanted any more."""
        while not stop.is_set():
            await pause(stop, BEAT_S)
            mine = [*self._waiting, *([] if self._making is None else [self._making])]
            if not mine:
                continue
            try:
                rows = await self._pool.fetch(
                    queries["day_plans.beat"], mine, datetime.now(UTC), self._making, self._progress
                )
            except outages.DATABASE as exc:
                outages.tell(log, "day plan not told of", exc, event="day_plan_not_told")
                continue
            wanted = {row["id"] for row in rows}
            if self._making in mine:
                self._wanted = self._making in wanted

    async def _make(self, plan_id: UUID, stop: asyncio.Event) -> None:
        row = await self._pool.fetchrow(queries["day_plans.begin"], plan_id, datetime.now(UTC))
        if row is None:  # cancelled while it waited
            return
        plan, reason = None, "it was given up: the server is stopping"
        try:
            plan = await self._plan(row, stop)
        except DayFailed as exc:
            reason = str(exc)
        except Exception:
            log.exception("day not planned", extra={"event": "day_not_planned", "plan_id": str(plan_id)})
            reason = "a defect of the server; the log has it"
        await self._pool.execute(
            queries["day_plans.finish"],
            plan_id,
            "failed" if plan is None else "ready",
            None if plan is None else to_json(plan),
            reason if plan is None else None,
            self._progress,
            datetime.now(UTC),
        )

    async def _plan(self, row: Any, stop: asyncio.Event) -> day_plans.DayPlan | None:
        region, aside = Region(row["region"]), Aside()
        params = await params_of(self._pool, region, self._params, aside)
        patience = WAVES[params.profile]
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            day = await day_plans.load(
                connection,
                region,
                row["starts_at"],
                row["ends_at"],
                aside,
                shifts_at_depots=params.shifts_at_depots,
                wave_depot=row["wave_depot"],
                ahead=patience.ahead,
            )
        snapshot = await snapshot_of(day, self._travel, budget_s=MAP_BUDGET_S, aside=aside, stays=self._stays)
        question = Question(
            snapshot=snapshot,
            params=params.plan,
            cooling=DAYS[params.profile],
            patience=patience,
            seconds=row["seconds"],
            coming=day.coming,
        )
        made = await plan_in_process(
            question, heard=self._heard, is_cancelled=lambda: stop.is_set() or not self._wanted
        )
        if made is None:
            return None
        plan = made.plan if isinstance(made, WavePlan) else made
        n_left = len(plan.unassigned)
        travel_s = sum(route.cost["travel"] for route in plan.routes) // max(1, params.plan.weights.travel)
        self._heard(DayProgress(share=1.0, n_orders=len(day.known), n_unassigned=n_left, travel_s=travel_s))
        return day_plans.kept(made, day, snapshot, aside, depot=row["wave_depot"])

    def _heard(self, progress: DayProgress) -> None:
        self._progress = msgspec.json.encode(progress).decode()


DayPlanner = NamedDependency[DayPlans]
"""Parameter `day_plans` of a handler."""
