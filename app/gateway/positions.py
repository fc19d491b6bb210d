"""Where a courier is, as other systems are told; no I/O."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

import msgspec

from app.gateway.events import POSITION, CloudEvent, PositionData
from app.gateway.ways import Letter
from tracking.position import CourierId, Position, Region

EVENTS: Final = UUID("5f0c1f2a-8a52-4b6e-9d0f-0a4c9f6d4f61")
"""Namespace of the events' ids: of the same fix the event is the same, whoever sends it, and however often."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def letter_of(position: Position, region: Region) -> Letter:
    """The event of a position."""
    fix, courier_id = position.fix, position.courier_id
    passed = fix.fixed_at - EPOCH
    fixed_us = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    event = CloudEvent(
        id=uuid5(EVENTS, f"{courier_id} {fixed_us}"),
        source=f"/postrider/regions/{region}",
        type=POSITION,
        subject=courier_id,
        sequence=max(1, fixed_us),
        time=fix.fixed_at,
        region=region,
        data=PositionData(
            courier_id=courier_id,
            fixed_at=fix.fixed_at,
            received_at=position.received_at,
            lat=fix.at.lat,
            lon=fix.at.lon,
            accuracy_m=fix.accuracy_m,
            speed_mps=fix.speed_mps,
            course_deg=fix.course_deg,
            altitude_m=fix.altitude_m,
            battery_pct=fix.battery_pct,
        ),
    )
    row = {"id": event.id, "type": POSITION, "subject": courier_id, "region": region}
    return Letter(row=row, body=msgspec.json.encode(event))


class Newest:
    """The newest position of each courier that a receiver has not got; as many as there are couriers, at most."""

    def __init__(self) -> None:
        self._waiting: dict[CourierId, Position] = {}
        self._taken_at: dict[CourierId, datetime] = {}

    def add(self, positions: Iterable[Position], *, of: frozenset[UUID] | None) -> None:
        """What came, in any order; `of`: couriers of whom the receiver is told, None: of all."""
        for position in positions:
            courier_id, fixed_at = position.courier_id, position.fix.fixed_at
            waiting, taken_at = self._waiting.get(courier_id), self._taken_at.get(courier_id)
            is_newer = (waiting is None or fixed_at > waiting.fix.fixed_at) and (
                taken_at is None or fixed_at > taken_at
            )
            if is_newer and (of is None or courier_id in of):
                self._waiting[courier_id] = position

    def all(self) -> list[Position]:
        """The oldest first."""
        return sorted(self._waiting.values(), key=lambda position: position.fix.fixed_at)

    def is_done(self, position: Position) -> None:
        """The receiver has it, or nobody can give it to the receiver."""
        self._taken_at[position.courier_id] = position.fix.fixed_at
        if self._waiting.get(position.courier_id) is position:
            del self._waiting[position.courier_id]

    def __len__(self) -> int:
        return len(self._waiting)
