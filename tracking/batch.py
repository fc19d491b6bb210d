"""
Many positions as columns, in the scaled integers of the table: what the log carries and the history stores; no I/O.

Nothing between the phone and the table builds an object per fix: a batch of 10,000 fixes is a dozen numpy arrays.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from tracking.position import CourierId, Fix, LatLon, Mark, Mode, Position

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Int16s = npt.NDArray[np.int16]
Int8s = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]

MODES: Final = (None, Mode.CAR, Mode.MOTORCYCLE, Mode.BICYCLE, Mode.FOOT)
"""The table's number of a mode is its place here; 0 is unknown."""
UNKNOWN: Final = -1
"""Stands for unknown in every column but the altitude's, whose values may be negative."""
UNKNOWN_ALTITUDE: Final = -32_768
LARGEST: Final = 32_767
"""Larger speeds (cm/s), radii (dm) and altitudes (m) are stored as this."""
E7: Final = 10_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

_DTYPES: Final = {
    "courier": "<i4",
    "fixed_us": "<i8",
    "received_us": "<i8",
    "lat_e7": "<i4",
    "lon_e7": "<i4",
    "speed_cmps": "<i2",
    "course_ddeg": "<i2",
    "accuracy_dm": "<i2",
    "altitude_m": "<i2",
    "battery_pct": "<i2",
    "mode": "<i1",
    "marks": "<i1",
}
# By row: speed, course, accuracy, altitude, battery.
_SCALES, _LOWEST, _UNKNOWN = (
    np.array(values, dtype=np.float64)[:, np.newaxis]
    for values in (
        (100, 10, 10, 1, 1),
        (0, 0, 0, UNKNOWN_ALTITUDE + 1, 0),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN_ALTITUDE, UNKNOWN),
    )
)
_FORMAT: Final = 1
_decoder: Final = msgspec.msgpack.Decoder(tuple[int, bytes, *[bytes] * len(_DTYPES)])  # type: ignore[misc]


@lru_cache(maxsize=100_000)
def _uuid_of(raw: bytes) -> UUID:
    """The same couriers come again with every batch; making an id takes ten times as long as finding it."""
    return UUID(bytes=raw)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PositionColumns:
    """Positions as columns of one length; row i of every column is one fix."""

    courier_ids: tuple[UUID, ...]
    """The couriers that occur, each once; `courier` points into it."""
    courier: Int32s
    fixed_us: Int64s
    """The device's clock, microseconds since the Unix epoch."""
    received_us: Int64s
    """Our clock, microseconds since the Unix epoch."""
    lat_e7: Int32s
    """WGS 84 degrees north × 10^7."""
    lon_e7: Int32s
    speed_cmps: Int16s
    """cm/s, or UNKNOWN."""
    course_ddeg: Int16s
    """Tenths of a degree clockwise from true north, 0 to 3599, or UNKNOWN."""
    accuracy_dm: Int16s
    """Radius in decimetres, or UNKNOWN."""
    altitude_m: Int16s
    """Metres, or UNKNOWN_ALTITUDE."""
    battery_pct: Int16s
    """0 to 100, or UNKNOWN."""
    mode: Int8s
    """How the courier travelled: index into MODES."""
    marks: Int8s
    """`tracking.position.Mark` bits."""

    def __len__(self) -> int:
        """How many fixes."""
        return len(self.courier)

    @classmethod
    def empty(cls) -> Self:
        """No fixes at all."""
        return cls(courier_ids=(), **{name: np.empty(0, dtype=dtype) for name, dtype in _DTYPES.items()})

    @classmethod
    def from_floats(
        cls,
        *,
        courier_ids: tuple[UUID, ...],
        courier: Sequence[int] | npt.NDArray[np.integer],
        fixed_us: Int64s,
        received_us: Int64s,
        lat: Floats,
        lon: Floats,
        speed_mps: Floats,
        course_deg: Floats,
        accuracy_m: Floats,
        altitude_m: Floats,
        battery_pct: Floats,
        mode: npt.NDArray[np.integer],
        marks: npt.NDArray[np.integer],
    ) -> Self:
        """Scale measured values (degrees, metres, m/s; NaN where unknown) to the table's integers."""
        # In one go: with few fixes it is the number of operations that costs.
        scaled = np.rint(np.array([speed_mps, course_deg % 360.0, accuracy_m, altitude_m, battery_pct]) * _SCALES)
        scaled = np.minimum(np.maximum(scaled, _LOWEST), LARGEST)
        scaled = np.where(np.isnan(scaled), _UNKNOWN, scaled).astype("<i2")
        speed_cmps, course_ddeg, accuracy_dm, whole_altitude_m, whole_battery_pct = scaled
        course_ddeg[course_ddeg == 3600] = 0  # 359.96 and more rounds to north
        return cls(
            courier_ids=courier_ids,
            courier=np.asarray(courier, dtype="<i4"),
            fixed_us=fixed_us.astype("<i8", copy=False),
            received_us=received_us.astype("<i8", copy=False),
            lat_e7=np.rint(lat * E7).astype("<i4"),
            lon_e7=np.rint(lon * E7).astype("<i4"),
            speed_cmps=speed_cmps,
            course_ddeg=course_ddeg,
            accuracy_dm=accuracy_dm,
            altitude_m=whole_altitude_m,
            battery_pct=whole_battery_pct,
            mode=mode.astype("<i1", copy=False),
            marks=marks.astype("<i1", copy=False),
        )

    @classmethod
    def from_positions(cls, positions: Iterable[Position], mode: Mode | None = None) -> Self:
        """Columns of these positions, all travelled by `mode`."""
        rows = list(positions)
        ids = {courier_id: i for i, courier_id in enumerate(dict.fromkeys(row.courier_id for row in rows))}

        def floats(name: str) -> Floats:
            return np.array([getattr(row.fix, name) for row in rows], dtype=np.float64)

        return cls.from_floats(
            courier_ids=tuple(ids),
            courier=np.array([ids[row.courier_id] for row in rows], dtype="<i4"),
            fixed_us=np.array([microseconds(row.fix.fixed_at) for row in rows], dtype="<i8"),
            received_us=np.array([microseconds(row.received_at) for row in rows], dtype="<i8"),
            lat=np.array([row.fix.at.lat for row in rows], dtype=np.float64),
            lon=np.array([row.fix.at.lon for row in rows], dtype=np.float64),
            speed_mps=floats("speed_mps"),
            course_deg=floats("course_deg"),
            accuracy_m=floats("accuracy_m"),
            altitude_m=floats("altitude_m"),
            battery_pct=floats("battery_pct"),
            mode=np.full(len(rows), MODES.index(mode), dtype="<i1"),
            marks=np.array([int(row.mark) for row in rows], dtype="<i1"),
        )

    def to_positions(self) -> tuple[Position, ...]:
        """The same as objects, for tests and for readers of a few; not for hot paths."""
        return tuple(self.position(i) for i in range(len(self)))

    def position(self, i: int) -> Position:
        """Row `i` as an object."""
        return Position(
            courier_id=CourierId(self.courier_ids[self.courier[i]]),
            fix=Fix(
                at=LatLon(int(self.lat_e7[i]) / E7, int(self.lon_e7[i]) / E7),
                fixed_at=instant(int(self.fixed_us[i])),
                accuracy_m=_known(self.accuracy_dm[i], 10),
                speed_mps=_known(self.speed_cmps[i], 100),
                course_deg=_known(self.course_ddeg[i], 10),
                altitude_m=None if self.altitude_m[i] == UNKNOWN_ALTITUDE else float(self.altitude_m[i]),
                battery_pct=_known(self.battery_pct[i], 1),
            ),
            received_at=instant(int(self.received_us[i])),
            mark=Mark(int(self.marks[i])),
        )

    def take(self, rows: npt.NDArray[Any] | slice) -> Self:
        """The rows that a mask, an index array or a slice picks; `courier_ids` stays as it is."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _DTYPES})

    def parted(self, place: Callable[[UUID], int]) -> dict[int, Self]:
        """Rows by the place of their courier, in the order they have; each with its own couriers only."""
        places = np.array([place(courier_id) for courier_id in self.courier_ids], dtype="<i4")
        found: dict[int, Self] = {}
        for at in np.unique(places).tolist():
            mine = places == at
            rows = self.take(mine[self.courier])
            if len(rows):
                found[at] = replace(
                    rows,
                    courier_ids=tuple(self.courier_ids[i] for i in np.flatnonzero(mine)),
                    courier=(np.cumsum(mine) - 1).astype("<i4")[rows.courier],
                )
        return found

    @classmethod
    def concat(cls, batches: Sequence[Self]) -> Self:
        """All rows of several batches, in that order; each courier occurs once in `courier_ids`."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return cls.empty()
        rest = {name: np.concatenate([getattr(b, name) for b in batches]) for name in _DTYPES}
        if all(batch.courier_ids is batches[0].courier_ids for batch in batches):
            return cls(courier_ids=batches[0].courier_ids, **rest)
        ids: dict[UUID, int] = {}
        pointers = []
        for batch in batches:
            places = np.array([ids.setdefault(courier_id, len(ids)) for courier_id in batch.courier_ids], dtype="<i4")
            pointers.append(places[batch.courier] if len(batch) else batch.courier)
        return cls(courier_ids=tuple(ids), **{**rest, "courier": np.concatenate(pointers)})

    def pack(self) -> bytes:
        """As bytes for the log: MessagePack of the courier ids and the raw little-endian columns, 40 bytes a fix."""
        ids = b"".join(courier_id.bytes for courier_id in self.courier_ids)
        columns = [np.ascontiguousarray(getattr(self, name)).tobytes() for name in _DTYPES]
        return msgspec.msgpack.encode([_FORMAT, ids, *columns])

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """
        Back from bytes.

        Raises ValueError when they are not what `pack` makes (a poisoned log entry).
        """
        try:
            form, ids, *columns = _decoder.decode(packed)
        except msgspec.DecodeError as exc:
            raise ValueError("expected packed columns") from exc
        if form != _FORMAT:
            raise ValueError(f"expected columns of format {_FORMAT}, got {form}")
        rows = {
            name: np.frombuffer(raw, dtype=dtype) for (name, dtype), raw in zip(_DTYPES.items(), columns, strict=True)
        }
        courier_ids = tuple(_uuid_of(ids[i : i + 16]) for i in range(0, len(ids), 16))
        n = len(rows["courier"])
        if any(len(column) != n for column in rows.values()):
            raise ValueError("expected columns of one length")
        if n and not (rows["courier"].min() >= 0 and rows["courier"].max() < len(courier_ids)):
            raise ValueError("expected every row to belong to a courier of the batch")
        return cls(courier_ids=courier_ids, **rows)


def microseconds(instant: datetime) -> int:
    """Microseconds since the Unix epoch, exactly."""
    return (instant - EPOCH) // MICROSECOND


def instant(us: int) -> datetime:
    """The instant so many microseconds after the Unix epoch."""
    return EPOCH + timedelta(microseconds=us)


def _known(value: np.int16, scale: int) -> float | None:
    return None if value == UNKNOWN else int(value) / scale


assert [field.name for field in fields(PositionColumns)][1:] == list(_DTYPES), "pack and unpack follow the fields"
