"""A courier's route as arrivals see it: the stops to be made and what is promised there; no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import CourierId, LatLon, Mode, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A stop to be made. Instants are seconds since the Unix epoch."""

    stop: PlannedStop
    at: LatLon
    opens_at: float = 0.0
    opens_when_ready: bool = False
    """It opens when the goods are to be ready ..."""
    ready_error_s: float | None = None
    """... give or take this; None: nobody said."""
    promised_at: float | None = None
    declared_s: float | None = None
    """What the order says the service takes."""
    scheduled_at: float | None = None
    """Arrival that the plan was made for."""
    is_assigned: bool = True
    """False: the planner only intends it."""
    break_at: float = 0.0
    """A break before the way there begins no sooner."""
    break_s: float = 0.0
    """How long that break lasts; 0: none is planned there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Itinerary:
    """Everything a courier is to do, in order."""

    courier_id: CourierId
    region: Region
    mode: Mode
    version: int
    calls: tuple[Call, ...]
    rests_until: float | None = None
    """The courier is on a break, which is meant to end then."""

    @property
    def sequence(self) -> tuple[PlannedStop, ...]:
        """The stops alone."""
        return tuple(call.stop for call in self.calls)

    @property
    def places(self) -> tuple[tuple[PlannedStop, LatLon], ...]:
        """The stops and where they are: an order that comes back is dropped off elsewhere."""
        return tuple((call.stop, call.at) for call in self.calls)


def continues(before: Itinerary, after: Itinerary) -> bool:
    """
    Whether a route goes on as it was: some first stops done, some added at the end, the rest untouched.

    Then what was said of the rest still answers the same question.
    """
    old, new = before.places, after.places
    for n_done in range(len(old) + 1):
        done, rest = old[:n_done], old[n_done:]
        if rest == new[: len(rest)] and (rest or not new) and not set(done) & set(new):
            return True
    return False


def windows_changed(before: Itinerary, after: Itinerary) -> bool:
    """Whether a stop that stays opens at another time."""
    old = {call.stop: call.opens_at for call in before.calls}
    return any(old.get(call.stop, call.opens_at) != call.opens_at for call in after.calls)


def breaks_changed(before: Itinerary, after: Itinerary) -> bool:
    """Whether a break began or ended, or is planned elsewhere."""
    old = {call.stop: call.break_s for call in before.calls}
    moved = any(old.get(call.stop, call.break_s) != call.break_s for call in after.calls)
    return moved or before.rests_until != after.rests_until


def itineraries(rows: Iterable[Mapping[str, Any]], region: Region) -> dict[CourierId, Itinerary]:
    """Routes from rows of the query `arrivals.stops`."""
    found: dict[CourierId, Itinerary] = {}
    for courier_id, of_courier in groupby(rows, key=lambda row: row["courier_id"]):
        mine = list(of_courier)
        found[CourierId(courier_id)] = Itinerary(
            courier_id=CourierId(courier_id),
            region=region,
            mode=Mode(mine[0]["mode"]),
            version=mine[0]["version"],
            calls=tuple(_call(row) for row in mine),
            rests_until=None if mine[0]["rests_until"] is None else mine[0]["rests_until"].timestamp(),
        )
    return found


def _call(row: Mapping[str, Any]) -> Call:
    kind = StopKind(row["kind"])
    opens_at, promised_at = row[f"{kind}_opens_at"], row[f"{kind}_promised_at"]
    return Call(
        stop=PlannedStop(OrderId(row["order_id"]), kind),
        at=LatLon(row[f"{kind}_lat"], row[f"{kind}_lon"]),
        opens_at=opens_at.timestamp() if opens_at is not None else 0.0,
        opens_when_ready=kind is StopKind.PICKUP and bool(row["pickup_opens_when_ready"]),
        ready_error_s=row["ready_error_s"] if kind is StopKind.PICKUP else None,
        promised_at=promised_at.timestamp() if promised_at is not None else None,
        declared_s=row[f"{kind}_service_s"],
        scheduled_at=_number(row["scheduled_at"]),
        is_assigned=row["is_assigned"],
        break_at=_number(row["break_at"]) or 0.0,
        break_s=_number(row["break_s"]) or 0.0,
    )


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
