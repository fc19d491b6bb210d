"""Rows of the table positions as columns, and its H3 cells; pure."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt

from tracking.batch import E7, UNKNOWN, UNKNOWN_ALTITUDE, PositionColumns, microseconds

CELL_RESOLUTION: Final = 8
"""H3 cells of about 0.7 km²: a few streets, and enough fixes in each to say how fast they are."""
POSTGRES_EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01, where PostgreSQL counts its microseconds from."""

_CELL_SHIFT: Final = 3 * (15 - CELL_RESOLUTION)
_CELL_MASK: Final = 2 ** (7 + 3 * CELL_RESOLUTION) - 1
_CELL_FRAME: Final = (1 << 59) | (CELL_RESOLUTION << 52) | (2**_CELL_SHIFT - 1)

_MEASURED: Final = ("speed_cmps", "course_ddeg", "accuracy_dm", "altitude_m", "battery_pct")
_COPIED: Final = (("fixed_at", ">i8"), ("lat_e7", ">i4"), ("lon_e7", ">i4"), ("delay_s", ">i4"),
                  *((name, ">i2") for name in (*_MEASURED, "mode", "marks")))  # fmt: skip
_COPY_HEADER: Final = 19
_COPY_TRAILER: Final = 2


def unpack_cell(packed: int) -> int:
    """The H3 index of what `cells` made of it."""
    return packed << _CELL_SHIFT | _CELL_FRAME


def cells(columns: PositionColumns) -> npt.NDArray[np.int32]:
    """The table's cell of every fix: 31 bits, base cell and digits, without what is the same for all."""
    lat, lon = (columns.lat_e7 / E7).tolist(), (columns.lon_e7 / E7).tolist()
    full = [h3.latlng_to_cell(a, b, CELL_RESOLUTION) for a, b in zip(lat, lon, strict=True)]
    return (np.array(full, dtype=np.int64) >> _CELL_SHIFT & _CELL_MASK).astype(np.int32)


def from_records(records: Sequence[Any], courier_ids: Sequence[UUID]) -> PositionColumns:
    """
    Database records as columns; what a query does not give is unknown.

    Whose a record is: its `i`, a place in `courier_ids` (which may name a courier twice), or its `courier_id`, or the
    only one of `courier_ids`.
    """
    ids: dict[UUID, int] = {}
    places = [ids.setdefault(courier_id, len(ids)) for courier_id in courier_ids]
    given = set(records[0].keys()) if records else set()
    if "i" in given:
        courier = [places[record["i"]] for record in records]
    elif "courier_id" in given:
        courier = [ids[record["courier_id"]] for record in records]
    else:
        courier = [0] * len(records)

    def column(name: str, unknown: int, kind: str) -> Any:
        if name not in given:
            return np.full(len(records), unknown, dtype=kind)
        return np.array([unknown if record[name] is None else record[name] for record in records], dtype=kind)

    fixed_us = np.array([microseconds(record["fixed_at"]) for record in records], dtype="<i8")
    return PositionColumns(
        courier_ids=tuple(ids),
        courier=np.array(courier, dtype="<i4"),
        fixed_us=fixed_us,
        received_us=fixed_us + column("delay_s", 0, "<i8") * 1_000_000,
        lat_e7=column("lat_e7", 0, "<i4"),
        lon_e7=column("lon_e7", 0, "<i4"),
        **{name: column(name, _stand_in(name), "<i2") for name in _MEASURED},
        mode=column("mode", 0, "<i1"),
        marks=column("marks", 0, "<i1"),
    )


def from_copy(data: bytes, courier_id: UUID) -> PositionColumns:
    """
    What COPY of the query positions.track_copy sends in binary: rows of one layout, all of one courier.

    Layout: PostgreSQL manual, COPY, "Binary Format".
    """
    layout: list[tuple[str, str]] = [("n", ">i2")]
    for name, kind in _COPIED:
        layout += [(f"{name}.length", ">i4"), (name, kind)]
    rows = np.frombuffer(data[_COPY_HEADER:-_COPY_TRAILER], dtype=layout)
    fixed_us = rows["fixed_at"].astype("<i8") + POSTGRES_EPOCH_US
    return PositionColumns(
        courier_ids=(courier_id,),
        courier=np.zeros(len(rows), dtype="<i4"),
        fixed_us=fixed_us,
        received_us=fixed_us + rows["delay_s"].astype("<i8") * 1_000_000,
        lat_e7=rows["lat_e7"].astype("<i4"),
        lon_e7=rows["lon_e7"].astype("<i4"),
        **{name: rows[name].astype("<i2") for name in _MEASURED},
        mode=rows["mode"].astype("<i1"),
        marks=rows["marks"].astype("<i1"),
    )


def _stand_in(name: str) -> int:
    return UNKNOWN_ALTITUDE if name == "altitude_m" else UNKNOWN
