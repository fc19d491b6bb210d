"""Columns of positions as PostgreSQL takes them: the binary COPY format, and arrays for unnest; pure."""

from typing import Final

import numpy as np
import numpy.typing as npt

from tracking.batch import UNKNOWN, UNKNOWN_ALTITUDE, PositionColumns
from tracking.history.neighbours import delays_s
from tracking.history.rows import POSTGRES_EPOCH_US

COPY_COLUMNS: Final = (
    "fixed_at",
    "courier_id",
    "lat_e7",
    "lon_e7",
    "cell",
    "delay_s",
    "mode",
    "marks",
    "speed_cmps",
    "course_ddeg",
    "accuracy_dm",
    "altitude_m",
    "battery_pct",
)
"""The order in which `copy_binary` writes; those that may be NULL come last."""

_NULLABLE: Final = COPY_COLUMNS[8:]
_TYPES: Final = dict(zip(COPY_COLUMNS, (">i8", "V16", ">i4", ">i4", ">i4", ">i4", *[">i2"] * 7), strict=True))
_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER: Final = b"\xff\xff"


def copy_binary(columns: PositionColumns, cells: npt.NDArray[np.int32]) -> bytes:
    """
    The rows in COPY's binary format (PostgreSQL manual, COPY, "Binary Format"), in any order.

    Rows with the same unknown columns have one layout, so they are laid out by numpy, not one by one: 20,000 rows take
    a few milliseconds.
    """
    unknown = {name: getattr(columns, name) == _stand_in(name) for name in _NULLABLE}
    pattern = sum(mask.astype(np.int16) << i for i, mask in enumerate(unknown.values()))
    values = _values(columns, cells)
    parts = [_HEADER]
    for number in np.unique(pattern):
        missing = {name for i, name in enumerate(_NULLABLE) if number >> i & 1}
        parts.append(_rows(values, pattern == number, missing))
    return b"".join([*parts, _TRAILER])


def _rows(values: dict[str, npt.NDArray[np.generic]], mask: npt.NDArray[np.bool_], missing: set[str]) -> bytes:
    layout: list[tuple[str, str]] = [("n", ">i2")]
    for name, kind in _TYPES.items():
        layout.append((f"{name}.length", ">i4"))
        if name not in missing:
            layout.append((name, kind))
    rows = np.empty(int(mask.sum()), dtype=layout)
    rows["n"] = len(COPY_COLUMNS)
    for name, kind in _TYPES.items():
        rows[f"{name}.length"] = -1 if name in missing else np.dtype(kind).itemsize
        if name not in missing:
            rows[name] = values[name][mask]
    return rows.tobytes()


def _values(columns: PositionColumns, cells: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[np.generic]]:
    ids = np.frombuffer(b"".join(courier_id.bytes for courier_id in columns.courier_ids), dtype="V16")
    return {
        "fixed_at": columns.fixed_us - POSTGRES_EPOCH_US,
        "courier_id": ids[columns.courier],
        "cell": cells,
        "delay_s": delays_s(columns),
        **{name: getattr(columns, name) for name in ("lat_e7", "lon_e7", "mode", "marks", *_NULLABLE)},
    }


def arrays(columns: PositionColumns, cells: npt.NDArray[np.int32]) -> tuple[object, ...]:
    """Arguments of the query positions.insert_many: the couriers once, then a list per column."""
    nullable = [
        [None if value == _stand_in(name) else value for value in getattr(columns, name).tolist()] for name in _NULLABLE
    ]
    return (
        list(columns.courier_ids),
        (columns.courier + 1).tolist(),
        columns.fixed_us.tolist(),
        columns.lat_e7.tolist(),
        columns.lon_e7.tolist(),
        cells.tolist(),
        delays_s(columns).tolist(),
        columns.mode.tolist(),
        columns.marks.tolist(),
        *nullable,
    )


def _stand_in(name: str) -> int:
    return UNKNOWN_ALTITUDE if name == "altitude_m" else UNKNOWN
