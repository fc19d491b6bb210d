"""What was learned, in this process: read from the database, refreshed from time to time, always ready to answer."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import numpy as np
import numpy.typing as npt

from dispatch.learning.factors import LearnedFactors
from dispatch.learning.model_bytes import SERVICES, model_from_bytes, services_from_bytes
from dispatch.learning.service_times import ServiceTimes
from dispatch.learning.travel_model import TravelModel
from dispatch.rhythm import Habits
from dispatch.stop import StopKind
from dispatch.travel.times import Source
from sql import queries
from tracking import outages
from tracking.pause import pause
from tracking.position import CourierId, LatLon, Mode, Region

log = logging.getLogger(__name__)

NOTHING = ServiceTimes()


class Knowledge:
    """
    The models in force (`SpeedFactors`) and the service times by region.

    Knows nothing until `refresh` has been called, which is an answer too: the defaults hold. What is there is replaced
    as a whole, so that readers need no lock.
    """

    def __init__(self, *, n_least: int = 20) -> None:
        """`n_least`: legs of a mode that are needed before the great circle is corrected."""
        self._n_least = n_least
        self._models: dict[tuple[str, str], TravelModel] = {}
        self._services: dict[str, ServiceTimes] = {}
        self._newest = datetime.min.replace(tzinfo=UTC)
        self.factors_in_force = LearnedFactors(n_least=n_least)
        self.version = 0
        """Grows with every change."""

    def services(self, region: Region) -> ServiceTimes:
        """How long stays take there."""
        return self._services.get(region, NOTHING)

    def model(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None:
        """The model that knows most about a place; None when there is none."""
        return self.factors_in_force.model(mode, base, at)

    def factors(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        at: datetime,
        *,
        engine: Source | None = None,
    ) -> npt.NDArray[np.float64]:
        """See SpeedFactors."""
        return self.factors_in_force.factors(mode, origins, destinations, at, engine=engine)

    def habits(self, mode: Mode, near: LatLon, at: datetime, *, engine: Source | None = None) -> Habits:
        """See SpeedFactors."""
        return self.factors_in_force.habits(mode, near, at, engine=engine)

    def stay_s(
        self, region: Region, kind: StopKind, at: LatLon, courier_id: CourierId | None, declared_s: int
    ) -> float:
        """What a stay at a stop takes in a plan, from what arrivals know of it."""
        return self.services(region).mean_s(kind, at, courier_id, declared_s=declared_s)

    def ready_error_s(self, region: Region, at: LatLon, ready_at: datetime) -> float:
        """How far off the time is at which goods of a place are to be ready, as arrivals have it."""
        return self.services(region).ready.expect(at, ready_at)

    async def refresh(self, pool: asyncpg.Pool) -> bool:
        """Take over what was learned since the last time; whether that was anything. Raises what asyncpg raises."""
        rows = await pool.fetch(queries["learned_models.changed_since"], self._newest)
        for row in rows:
            try:
                if row["subject"] == SERVICES:
                    self._services[row["region"]] = services_from_bytes(row["body"])
                else:
                    self._models[row["region"], row["subject"]] = model_from_bytes(row["body"], row["region"])
            except ValueError as exc:
                log.warning(
                    "learned model not read",
                    extra={"event": "learned_model_not_read", "subject": row["subject"], "error": str(exc)},
                )
            self._newest = max(self._newest, row["learned_at"])
        if rows:
            self.factors_in_force = LearnedFactors(self._models.values(), n_least=self._n_least)
            self.version += 1
        return bool(rows)

    async def run(self, stop: asyncio.Event, pool: asyncpg.Pool, *, every_s: float = 30.0) -> None:
        """Refresh until `stop` is set; a database that is away changes nothing."""
        while not stop.is_set():
            try:
                await self.refresh(pool)
            except outages.DRIVERS as exc:
                outages.tell(log, "learned models not refreshed", exc, event="learned_models_not_refreshed")
            await pause(stop, every_s)
