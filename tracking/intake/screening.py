"""
From uploads to what the log takes: readings to columns, the rules applied to whole columns, a receipt each; no I/O.

The rules themselves are `tracking.quality`.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from operator import attrgetter
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from tracking import quality
from tracking.batch import LARGEST, PositionColumns
from tracking.intake.reading import Reading
from tracking.intake.redaction import redacted
from tracking.position import Mark, Region
from tracking.quality import Limits, Reason
from tracking.quarantine import Quarantined

PAYLOAD_BYTES: Final = 8_192
"""So much of what cannot be used is kept."""
N_CANDIDATES: Final = 3
"""So many of a courier's newest fixes in a batch are tried as live position: the newest may be a lone jump."""
RANGES: Final = {
    "accuracy_m": (0.0, 1e8),
    "speed_mps": (0.0, LARGEST / 100),
    "course_deg": (0.0, 360.0),
    "altitude_m": (-float(LARGEST), float(LARGEST)),
    "battery_pct": (0.0, 100.0),
}
"""What an optional value may be; outside it is unknown."""
_LOWEST, _HIGHEST = (np.array([RANGES[name][end] for name in RANGES])[:, np.newaxis] for end in (0, 1))
_TOLD: Final = tuple(attrgetter(name) for name in ("lat", "lon", "mock", *RANGES))


class Sender(msgspec.Struct, frozen=True, gc=False):
    """Whose fixes they are."""

    courier_id: UUID
    region: Region
    mode: int
    """Index into `tracking.batch.MODES`, 1 or more."""


class Unusable(msgspec.Struct, frozen=True):
    """Something that could not even be read as a fix."""

    index: int
    """Its place in the upload."""
    reason: Reason
    payload: bytes
    sender: Sender | None = None
    named: UUID | None = None
    """Whose it would be, says who sent it; we know no such courier, or not any more."""


class Upload(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # made in a third of a dataclass's time
    """What one request brought, for one region."""

    region: Region
    readings: Sequence[Reading] = ()
    senders: Sequence[Sender] = ()
    """Whose each reading is; of one length with `readings`."""
    indices: Sequence[int] = ()
    """Place of each reading in the request; empty: as they stand."""
    unusable: Sequence[Unusable] = ()
    contacts: Sequence[Sender] = ()
    """Couriers heard of without a fix (heartbeats); the senders need not be repeated."""
    source: str = "api"
    """Which door it came through."""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of an upload."""

    n_accepted: int
    quarantined: tuple[tuple[int, Reason], ...] = ()
    """Place in the request, and why."""


@dataclass(frozen=True, slots=True)
class Screened:
    """Uploads, ready for the log."""

    columns: PositionColumns
    quarantine: list[Quarantined]
    heard_of: list[bytes]
    """Ids of the couriers whose devices these uploads came from."""
    receipts: list[Receipt]
    """One per upload."""
    dropped: dict[str, int]
    """Optional values that were sent and could not be, by field."""
    week_lost: frozenset[UUID] = frozenset()
    """Couriers whose device took the week for one 1,024 weeks ago; their fixes are taken, with the time corrected."""


def reasons_of(columns: "Measured", now_s: float, limits: Limits) -> dict[int, Reason]:
    """Which rows cannot be used, and the first rule that says so."""
    rules: tuple[tuple[Reason, quality.Bools], ...] = (
        (Reason.MOCK, columns.mock),
        (Reason.OUT_OF_RANGE, quality.is_off_the_globe(columns.lat, columns.lon)),
        (Reason.NULL_ISLAND, quality.is_null_island(columns.lat, columns.lon, limits)),
        (Reason.FUTURE, quality.is_future(columns.fixed_s, now_s, limits)),
        (Reason.TOO_OLD, quality.is_too_old(columns.fixed_s, now_s, limits)),
    )
    reasons: dict[int, Reason] = {}
    for reason, broken in rules:
        if broken.any():
            for row in np.flatnonzero(broken).tolist():
                reasons.setdefault(row, reason)
    return reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Readings as columns of floats; NaN stands for unknown."""

    fixed_s: quality.Floats
    lat: quality.Floats
    lon: quality.Floats
    mock: quality.Bools
    optional: quality.Floats
    """A row for each of RANGES: together, for with few fixes it is the number of operations that costs."""

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> "Measured":
        """Columns of these readings."""
        told = np.array([list(map(told, readings)) for told in _TOLD], dtype=np.float64)
        lat, lon, mock = told[:3]
        return cls(
            fixed_s=np.array([reading.fixed_at.timestamp() for reading in readings], dtype=np.float64),
            lat=lat,
            lon=lon,
            mock=mock != 0,
            optional=told[3:],
        )

    def forget_what_cannot_be(self) -> dict[str, int]:
        """
        Make optional values that cannot be unknown, in place: they do not cost the fix.

        Returns how many there were, by field.
        """
        broken = quality.is_outside(self.optional, _LOWEST, _HIGHEST)
        if not broken.any():
            return {}
        self.optional[broken] = np.nan
        return {name: n for name, n in zip(RANGES, broken.sum(axis=1).tolist(), strict=True) if n}


def screen(uploads: Sequence[Upload], now_s: float, limits: Limits) -> Screened:
    """Turn uploads into the columns that go to the log, the quarantine, and a receipt each."""
    readings = [reading for upload in uploads for reading in upload.readings]
    senders = [sender for upload in uploads for sender in upload.senders]
    now_us = int(now_s * 1e6)
    heard_of = {sender.courier_id: None for sender in {id(sender): sender for sender in senders}.values()}
    for upload in uploads:
        heard_of.update((sender.courier_id, None) for sender in upload.contacts)
        heard_of.update((item.sender.courier_id, None) for item in upload.unusable if item.sender is not None)

    measured = Measured.of(readings)
    dropped = measured.forget_what_cannot_be() if readings else {}
    lost_s = quality.lost_epochs_s(measured.fixed_s, now_s, limits)
    week_lost = frozenset(senders[row].courier_id for row in np.flatnonzero(lost_s).tolist())
    if week_lost:
        measured = replace(measured, fixed_s=measured.fixed_s + lost_s)
    reasons = reasons_of(measured, now_s, limits) if readings else {}
    quarantine: list[Quarantined] = []
    receipts = []
    bad_rows = deque(sorted(reasons))
    start = 0
    for upload in uploads:
        end = start + len(upload.readings)
        bad = []
        while bad_rows and bad_rows[0] < end:
            row = bad_rows.popleft()
            bad.append((row - start, reasons[row]))
        if not bad and not upload.unusable:
            receipts.append(Receipt(end - start))
        else:
            for i, reason in bad:
                payload = msgspec.json.encode(upload.readings[i])
                quarantine.append(_quarantined(upload, upload.senders[i], reason, payload, now_us))
            quarantine += [
                _quarantined(upload, item.sender, item.reason, item.payload, now_us, item.named)
                for item in upload.unusable
            ]
            places = [(upload.indices[i] if upload.indices else i, reason) for i, reason in bad]
            places += [(item.index, item.reason) for item in upload.unusable]
            receipts.append(Receipt(end - start - len(bad), tuple(sorted(places))))
        start = end
    good = np.arange(len(readings))
    if reasons:
        good = np.delete(good, list(reasons))
    return Screened(
        _columns_of(measured, senders, good, now_us, limits),
        quarantine,
        [courier_id.bytes for courier_id in heard_of],
        receipts,
        dropped,
        week_lost,
    )


def _quarantined(
    upload: Upload, sender: Sender | None, reason: Reason, payload: bytes, now_us: int, named: UUID | None = None
) -> Quarantined:
    payload = redacted(payload)
    courier_id = named if sender is None else sender.courier_id
    courier = b"" if courier_id is None else courier_id.bytes
    return Quarantined(
        digest=blake2b(b"\0".join((courier, reason.encode(), payload)), digest_size=16).digest(),
        courier_id=courier_id,
        received_us=now_us,
        reason=reason,
        source=upload.source,
        payload=payload[:PAYLOAD_BYTES],
    )


def _columns_of(
    measured: Measured, senders: Sequence[Sender], rows: npt.NDArray[np.intp], now_us: int, limits: Limits
) -> PositionColumns:
    if not len(rows):
        return PositionColumns.empty()
    kept = [senders[row] for row in rows.tolist()]
    ids: dict[UUID, int] = {}
    by_object: dict[int, int] = {}  # an id is hashed in Python, and most of a batch are of one sender
    for sender in kept:
        if id(sender) not in by_object:
            by_object[id(sender)] = ids.setdefault(sender.courier_id, len(ids))
    pointers = [by_object[id(sender)] for sender in kept]
    accuracy_m, speed_mps, course_deg, altitude_m, battery_pct = measured.optional[:, rows]
    return PositionColumns.from_floats(
        courier_ids=tuple(ids),
        courier=pointers,
        fixed_us=np.rint(measured.fixed_s[rows] * 1e6).astype("<i8"),
        received_us=np.full(len(rows), now_us, dtype="<i8"),
        lat=measured.lat[rows],
        lon=measured.lon[rows],
        speed_mps=speed_mps,
        course_deg=course_deg,
        accuracy_m=accuracy_m,
        altitude_m=altitude_m,
        battery_pct=battery_pct,
        mode=np.array([sender.mode for sender in kept], dtype="<i1"),
        marks=np.where(quality.is_poor(accuracy_m, limits), int(Mark.POOR_ACCURACY), 0),
    )


def candidates(columns: PositionColumns) -> npt.NDArray[np.intp]:
    """Rows that may become live positions: each courier's newest unmarked ones, the oldest of them first."""
    good = np.flatnonzero(columns.marks == 0)
    order = good[np.lexsort((columns.fixed_us[good], columns.courier[good]))]
    courier = columns.courier[order]
    is_newest = np.ones(len(order), dtype=np.bool_)
    if len(order) > N_CANDIDATES:
        is_newest[:-N_CANDIDATES] = courier[N_CANDIDATES:] != courier[:-N_CANDIDATES]
    return order[is_newest]
