"""
Learns travel and service times from history: stops that were done ─▶ legs and stays in the tracks ─▶ models.

Stops wait SETTLE before they are looked at, so that late fixes are in. A stop is tracked once: its row is the mark, so
that a crash or a second learner repeats nothing. Models are functions of the rows; they are made again when enough is
new.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Histogram

from dispatch import aside as set_aside
from dispatch.aside import REGION, Aside
from dispatch.asides import Asides
from dispatch.learning.knowledge import Knowledge
from dispatch.learning.model_bytes import SERVICES, model_to_bytes, services_to_bytes, subject_of
from dispatch.learning.tracked_stop import TrackedStop, teach
from dispatch.learning.travel_model import GREAT_CIRCLE
from dispatch.travel.times import Source, TravelTimes
from dispatch.visits.from_track import TrackPoint, find_visit
from sql import queries
from tracking import outages
from tracking.batch import PositionColumns
from tracking.pause import pause
from tracking.position import LatLon, Mode, Region

log = logging.getLogger(__name__)

TRACKED = Counter("postrider_tracked_stops_total", "Stops looked up in the tracks.", ["found"])
LEARN_SECONDS = Histogram("postrider_learn_seconds", "Time to learn the models of a region.")
ENGINE_ERROR = Histogram(
    "postrider_leg_error_ratio",
    "Real / predicted duration of tracked legs, predicted before they were driven.",
    ["base"],
    buckets=(0.5, 0.67, 0.8, 0.9, 1.0, 1.11, 1.25, 1.5, 2.0, 3.0),
)

BATCH = 200
"""Stops tracked at a time; what is left comes in the next round."""
CORRECTED = frozenset({Source.OSRM, Source.VALHALLA, Source.GOOGLE, Source.YANDEX})
"""Engines whose times are corrected by what couriers really need."""


class Tracks(Protocol):
    """The part of `tracking.history.History` that is needed."""

    async def fixes(self, courier_id: UUID, since: datetime, until: datetime) -> PositionColumns: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerParams:
    """When the learner does things."""

    every_s: float = 60.0
    """Looks for stops that were done so often."""
    settle_s: float = 180.0
    """Looks at a stop so long after it was done: the phone's queue has emptied by then."""
    look_back_s: float = 86_400.0
    """Stops done earlier and not tracked by now never are."""
    keep_days: float = 90.0
    """Tracked stops are forgotten after so long: four half-lives of a leg."""
    n_a_mode: int = 20_000
    """Newest stops of a mode that models are made of."""
    n_new: int = 25
    """Models are made again when so many stops are new ..."""
    at_least_every_s: float = 3600.0
    """... or after this time when any is."""


class Learner:
    """
    Tracks stops and makes models, for all regions; its `run` is a background task.

    Safe to run twice at the same time: a stop is tracked once, and of two models the newer one stays.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        tracks: Tracks,
        travel: TravelTimes,
        regions: Callable[[], Awaitable[Iterable[Region]]],
        knowledge: Knowledge,
        *,
        asides: Asides,
        params: LearnerParams | None = None,
    ) -> None:
        """`knowledge`: what predictions are judged by; refreshed here."""
        self._pool = pool
        self._tracks = tracks
        self._travel = travel
        self._regions = regions
        self._knowledge = knowledge
        self._asides = asides
        self._params = params or LearnerParams()
        self._learned_at: dict[Region, datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Learn until `stop` is set; a failure in one region does not keep others from learning."""
        while not stop.is_set():
            try:
                for region in await self._regions():
                    aside = Aside()
                    with aside.bearing(REGION, doing="learn"):
                        await self.learn_region(region, datetime.now(UTC), aside)
                    await self._asides.tell(region, aside)
            except outages.DRIVERS as exc:
                outages.tell(log, "not learned", exc, event="not_learned")
            await pause(stop, self._params.every_s)

    async def learn_region(self, region: Region, now: datetime, aside: Aside | None = None) -> bool:
        """One round: track what was done, make models when enough is new; whether models were made."""
        aside = Aside() if aside is None else aside
        await self._knowledge.refresh(self._pool)
        while await self.track_stops(region, now, aside) == BATCH:
            pass
        never = datetime.min.replace(tzinfo=UTC)
        theirs = await self._pool.fetchval(queries["learned_models.newest"], region)
        since = max(self._learned_at.get(region, never), theirs or never)
        n_new = await self._pool.fetchval(queries["tracked_stops.count_since"], region, since)
        overdue = (now - since).total_seconds() > self._params.at_least_every_s
        is_erased = await self._pool.fetchval(queries["erasing.any_since"], since)
        if not is_erased and (not n_new or (n_new < self._params.n_new and not overdue)):
            return False
        await self.make_models(region, now)
        self._learned_at[region] = now
        return True

    async def track_stops(self, region: Region, now: datetime, aside: Aside | None = None) -> int:
        """
        Find the legs and stays of stops that were done; how many stops were looked at.

        A stop that cannot be looked up counts as one that was not found: else it would be tried for a day.
        """
        aside = Aside() if aside is None else aside
        params = self._params
        rows = await self._pool.fetch(
            queries["tracked_stops.to_track"],
            region,
            now - timedelta(seconds=params.look_back_s),
            now - timedelta(seconds=params.settle_s),
            BATCH,
        )
        stops: list[TrackedStop] = []
        for row in rows:
            n_before = len(stops)
            with aside.bearing(set_aside.order(row["order_id"]), doing="track a stop"):
                stops.append(await self._track(row))
            if len(stops) == n_before:
                TRACKED.labels("failed").inc()
                stops.append(TrackedStop(row=row, visit=None))
        if stops:
            await self._pool.execute(queries["tracked_stops.insert_many"], *self._columns(region, stops), now)
        return len(stops)

    async def _track(self, row: Any) -> TrackedStop:
        """The track is read from a minute before: the last fix before leaving counts."""
        fixes = await self._tracks.fixes(
            row["courier_id"], row["since"] - timedelta(minutes=1), row["done_at"] + timedelta(seconds=1)
        )
        since = row["since"].timestamp()
        points = [TrackPoint(position.fix.at, position.fix.fixed_at.timestamp()) for position in fixes.to_positions()]
        late = [point for point in points if point.unix_s >= since]
        visit = find_visit(late, LatLon(row["lat"], row["lon"]), row["done_at"].timestamp())
        TRACKED.labels("nothing" if visit is None else "leg" if visit.origin else "stay").inc()
        stop = TrackedStop(row=row, visit=visit)
        if visit is None or visit.origin is None or visit.departed_at is None:
            return stop
        departed_at = datetime.fromtimestamp(visit.departed_at, UTC)
        matrix = await self._travel.matrix(Mode(row["mode"]), [visit.origin], [stop.destination], departed_at)
        source = matrix.source(0, 0)
        if source not in CORRECTED or matrix.durations_s[0, 0] <= 0:
            return stop
        return TrackedStop(row=row, visit=visit, engine=source.value, engine_s=float(matrix.durations_s[0, 0]))

    def _columns(self, region: Region, stops: Sequence[TrackedStop]) -> list[list[Any]]:
        """The parameters of `tracked_stops.insert_many`."""
        rows = []
        for stop in stops:
            row, visit = stop.row, stop.visit
            origin = visit.origin if visit else None
            arrived_at = datetime.fromtimestamp(visit.arrived_at, UTC) if visit else None
            departed_at = datetime.fromtimestamp(visit.departed_at, UTC) if visit and visit.departed_at else None
            rows.append(
                (
                    row["order_id"],
                    row["kind"],
                    row["courier_id"],
                    region,
                    row["mode"],
                    row["lat"],
                    row["lon"],
                    origin.lat if origin else None,
                    origin.lon if origin else None,
                    departed_at,
                    arrived_at,
                    row["done_at"],
                    stop.service_s,
                    stop.engine,
                    stop.engine_s,
                    self._error(stop, GREAT_CIRCLE),
                    self._error(stop, stop.engine) if stop.engine else None,
                )
            )
        return [list(column) for column in zip(*rows, strict=True)]

    def _error(self, stop: TrackedStop, base: str) -> float | None:
        """Of the prediction that the models in force make for the leg: they do not know it yet."""
        leg = stop.leg(base)
        model = self._knowledge.model(leg.mode, base, leg.origin) if leg else None
        if leg is None or model is None:
            return None
        (judged,) = model.judged([leg])
        if judged.error is not None:
            ENGINE_ERROR.labels(base).observe(exp(judged.error))
        return judged.error

    async def make_models(self, region: Region, now: datetime) -> None:
        """Learn from the tracked stops of a region and tell all processes."""
        params = self._params
        oldest = now - timedelta(days=params.keep_days)
        await self._pool.execute(queries["tracked_stops.forget"], region, oldest)
        rows = await self._pool.fetch(queries["tracked_stops.newest"], region, oldest, params.n_a_mode)
        with LEARN_SECONDS.time():
            models, services = await asyncio.to_thread(teach, rows, region, now)
        for model in models:
            body = model_to_bytes(model)
            await self._pool.execute(queries["learned_models.put"], region, subject_of(model), now, model.n_legs, body)
        n_stays = sum(services.counts.values())
        if n_stays:
            body = services_to_bytes(services)
            await self._pool.execute(queries["learned_models.put"], region, SERVICES, now, n_stays, body)
        # What nobody's stops bear out any more goes: a courier may have been erased.
        await self._pool.execute(queries["learned_models.forget"], region, now)
        log.info(
            "learned",
            extra={"event": "learned", "region": region, "n_models": len(models), "n_stays": n_stays},
        )
        await self._knowledge.refresh(self._pool)
