"""A stop that was made, as it is kept, and what rows of such stops teach; no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dispatch.learning.service_times import ServiceTimes, TrackedService, learn_services
from dispatch.learning.travel_model import GREAT_CIRCLE, TrackedLeg, TravelModel, default_s, learn
from dispatch.stop import StopKind
from dispatch.visits.from_track import TrackedVisit
from tracking.position import LatLon, Mode, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedStop:
    """A row of `tracked_stops` in the making; `row`: of the query `tracked_stops.to_track`."""

    row: Any
    visit: TrackedVisit | None
    engine: str | None = None
    engine_s: float | None = None

    @property
    def destination(self) -> LatLon:
        """Where it is."""
        return LatLon(self.row["lat"], self.row["lon"])

    @property
    def service_s(self) -> float | None:
        """From the arrival, or the opening of the window, to done; None when the track does not tell."""
        if self.visit is None:
            return None
        opens_at = self.row["opens_at"].timestamp() if self.row["opens_at"] else 0.0
        return max(0.0, float(self.row["done_at"].timestamp()) - max(self.visit.arrived_at, opens_at))

    def leg(self, base: str) -> TrackedLeg | None:
        """The leg on a base; None when the track or the engine does not tell."""
        visit = self.visit
        if visit is None or visit.origin is None or visit.departed_at is None:
            return None
        mode = Mode(self.row["mode"])
        base_s = {GREAT_CIRCLE: default_s(mode, visit.origin, self.destination), self.engine: self.engine_s}.get(base)
        if base_s is None:
            return None
        return TrackedLeg(
            courier_id=self.row["courier_id"],
            mode=mode,
            origin=visit.origin,
            destination=self.destination,
            departed_at=datetime.fromtimestamp(visit.departed_at, UTC),
            duration_s=visit.arrived_at - visit.departed_at,
            base_s=base_s,
        )


def teach(rows: Sequence[Any], region: Region, now: datetime) -> tuple[list[TravelModel], ServiceTimes]:
    """Models of every mode and base that the rows tell of, and the service times."""
    by_subject: dict[tuple[Mode, str], list[TrackedLeg]] = {}
    for row in rows:
        for base, leg in _legs(row):
            by_subject.setdefault((leg.mode, base), []).append(leg)
    models = [
        model
        for (mode, base), legs in sorted(by_subject.items())
        if (model := learn(legs, region=region, mode=mode, base=base, now=now)) is not None
    ]
    stays = [
        TrackedService(
            courier_id=row["courier_id"],
            kind=StopKind(row["kind"]),
            at=LatLon(row["destination_lat"], row["destination_lon"]),
            began_at=row["arrived_at"],
            duration_s=row["service_s"],
            declared_s=row["declared_s"],
            ready_at=row["ready_at"],
            was_early=row["ready_at"] is not None and row["arrived_at"] <= row["ready_at"],
        )
        for row in rows
        if row["service_s"] is not None
    ]
    return models, learn_services(stays, now=now)


def _legs(row: Any) -> Iterator[tuple[str, TrackedLeg]]:
    if row["departed_at"] is None:
        return
    mode = Mode(row["mode"])
    origin = LatLon(row["origin_lat"], row["origin_lon"])
    destination = LatLon(row["destination_lat"], row["destination_lon"])
    bases = [(GREAT_CIRCLE, default_s(mode, origin, destination), row["error_default"])]
    if row["engine"] is not None:
        bases.append((row["engine"], row["engine_s"], row["error_engine"]))
    for base, base_s, error in bases:
        yield (
            base,
            TrackedLeg(
                courier_id=row["courier_id"],
                mode=mode,
                origin=origin,
                destination=destination,
                departed_at=row["departed_at"],
                duration_s=(row["arrived_at"] - row["departed_at"]).total_seconds(),
                base_s=base_s,
                error=error,
            ),
        )
