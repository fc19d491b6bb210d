"""
A track as a file: GeoJSON, CSV, GPX and OGC Moving Features JSON, written page by page; no I/O.

Each format is a class with `head`, `rows` (a page of fixes) and `tail`, whose texts in a row are the file.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, Protocol
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from tracking.batch import E7, UNKNOWN, UNKNOWN_ALTITUDE, PositionColumns
from tracking.history.tracks import Rollup
from tracking.position import CourierId, Fix, Position

ROWS_AT_ONCE: Final = 2_000
"""Formatted in one go: a few milliseconds, in which the process does nothing else."""
NEW_SEGMENT_AFTER: Final = timedelta(minutes=10)
"""A longer gap begins a new segment in GPX: nobody knows the way between."""

_json = msgspec.json.Encoder()


class TrackFormat(StrEnum):
    """What a track can be had as."""

    GEOJSON = "geojson"
    CSV = "csv"
    GPX = "gpx"
    MF_JSON = "mfjson"


class Export(Protocol):
    """A file in the making."""

    media_type: ClassVar[str]

    def head(self) -> bytes:
        """Before the first row."""
        ...

    def rows(self, page: PositionColumns) -> bytes:
        """The next fixes."""
        ...

    def tail(self) -> bytes:
        """After the last row."""
        ...


def export_of(
    file_format: TrackFormat, courier_id: UUID, *, with_marks: bool, facts: Mapping[str, Any] | None = None
) -> Export:
    """`with_marks`: say which fixes are marked; `facts`: of the track as a whole, for formats that can hold them."""
    match file_format:
        case TrackFormat.GEOJSON:
            return GeoJson(courier_id, with_marks=with_marks, facts=facts or {})
        case TrackFormat.CSV:
            return Csv(with_marks=with_marks)
        case TrackFormat.GPX:
            return Gpx(courier_id)
        case TrackFormat.MF_JSON:
            return MovingFeatures(courier_id)


async def write(export: Export, pages: AsyncIterator[PositionColumns]) -> AsyncIterator[bytes]:
    """The file in pieces."""
    yield export.head()
    async for page in pages:
        for start in range(0, len(page), ROWS_AT_ONCE):
            yield export.rows(page.take(slice(start, start + ROWS_AT_ONCE)))
    yield export.tail()


def columns_of(courier_id: UUID, rollups: tuple[Rollup, ...]) -> PositionColumns:
    """Buckets as fixes: where the courier was at the end of each, with the mean speed in it."""
    return PositionColumns.from_positions(
        Position(
            courier_id=CourierId(courier_id),
            fix=Fix(at=row.last, fixed_at=row.last_at, speed_mps=row.mean_speed_mps),
            received_at=row.last_at,
        )
        for row in rollups
    )


def times_of(page: PositionColumns) -> list[str]:
    """Fix times in RFC 3339, as fine as they are."""
    unit: Literal["s", "ms", "us"] = (
        "s" if not (page.fixed_us % 1_000_000).any() else "ms" if not (page.fixed_us % 1000).any() else "us"
    )
    moments: npt.NDArray[np.datetime64] = page.fixed_us.astype("datetime64[us]")
    texts: list[str] = np.datetime_as_string(moments, unit=unit).tolist()
    return [f"{text}Z" for text in texts]


def _known(column: npt.NDArray[np.int16], scale: int, unknown: int = UNKNOWN) -> list[float | None]:
    return [None if value == unknown else value / scale for value in column.tolist()]


def _values(page: PositionColumns) -> dict[str, list[Any]]:
    """What is known beside place and time, in the order of the CSV."""
    return {
        "speed_mps": _known(page.speed_cmps, 100),
        "course_deg": _known(page.course_ddeg, 10),
        "accuracy_m": _known(page.accuracy_dm, 10),
        "altitude_m": _known(page.altitude_m, 1, UNKNOWN_ALTITUDE),
        "battery_pct": _known(page.battery_pct, 1),
    }


def _coordinates(page: PositionColumns) -> bytes:
    """`[lon, lat], [lon, lat]` without the outer brackets."""
    return _json.encode(list(zip((page.lon_e7 / E7).tolist(), (page.lat_e7 / E7).tolist(), strict=True)))[1:-1]


class _Joined:
    """Pieces of one JSON array."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, piece: bytes) -> bytes:
        if not piece or self._is_first:
            self._is_first = self._is_first and not piece
            return piece
        return b"," + piece


class GeoJson:
    """
    A Feature with a LineString; its properties hold the times and values of the points, as lists.

    The line is streamed; the columns of the values (40 bytes a fix) wait for the end of it.
    """

    media_type: ClassVar[str] = "application/geo+json"

    def __init__(self, courier_id: UUID, *, with_marks: bool, facts: Mapping[str, Any]) -> None:
        self._courier_id = courier_id
        self._with_marks = with_marks
        self._facts = facts
        self._pages: list[PositionColumns] = []
        self._join = _Joined()

    def head(self) -> bytes:
        """Up to the first point."""
        return b'{"type":"Feature","geometry":{"type":"LineString","coordinates":['

    def rows(self, page: PositionColumns) -> bytes:
        """The next points."""
        self._pages.append(page)
        return self._join(_coordinates(page))

    def tail(self) -> bytes:
        """The properties."""
        whole = PositionColumns.concat(self._pages)
        properties: dict[str, Any] = {"courier_id": self._courier_id, "fixed_at": times_of(whole), **_values(whole)}
        if self._with_marks:
            properties["marks"] = whole.marks.tolist()
        return b']},"properties":' + _json.encode(properties | dict(self._facts)) + b"}"


class Csv:
    """Comma-separated values with a header, RFC 4180."""

    media_type: ClassVar[str] = "text/csv; charset=utf-8"

    def __init__(self, *, with_marks: bool) -> None:
        self._with_marks = with_marks

    def head(self) -> bytes:
        """The names."""
        names = "fixed_at,lat,lon,speed_mps,course_deg,accuracy_m,altitude_m,battery_pct"
        return f"{names}{',marks' if self._with_marks else ''}\r\n".encode()

    def rows(self, page: PositionColumns) -> bytes:
        """A line a fix; unknown values are empty."""
        columns = [times_of(page), (page.lat_e7 / E7).tolist(), (page.lon_e7 / E7).tolist(), *_values(page).values()]
        if self._with_marks:
            columns.append(page.marks.tolist())
        return "".join(
            ",".join("" if value is None else str(value) for value in row) + "\r\n"
            for row in zip(*columns, strict=True)
        ).encode()

    def tail(self) -> bytes:
        """Nothing."""
        return b""


class JsonLines:
    """An object a line."""

    media_type: ClassVar[str] = "application/x-ndjson"

    def __init__(self, kind: str) -> None:
        """`kind`: what each line says that it is."""
        self._kind = kind

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def rows(self, page: PositionColumns) -> bytes:
        """A line a fix; what is unknown is null."""
        columns = {
            "fixed_at": times_of(page),
            "lat": (page.lat_e7 / E7).tolist(),
            "lon": (page.lon_e7 / E7).tolist(),
            **_values(page),
            "marks": page.marks.tolist(),
        }
        lines = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return b"".join(_json.encode({"record": self._kind, **line}) + b"\n" for line in lines)

    def tail(self) -> bytes:
        """Nothing."""
        return b""


class Gpx:
    """GPX 1.1: a track with a segment for each stretch without a long gap."""

    media_type: ClassVar[str] = "application/gpx+xml"

    def __init__(self, courier_id: UUID) -> None:
        self._courier_id = courier_id
        self._last_us: int | None = None

    def head(self) -> bytes:
        """Up to the first segment."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<gpx version="1.1" creator="Postrider" xmlns="http://www.topografix.com/GPX/1/1">'
            f"<trk><name>{self._courier_id}</name>"
        ).encode()

    def rows(self, page: PositionColumns) -> bytes:
        """The next points."""
        pieces = []
        gap_us = NEW_SEGMENT_AFTER // timedelta(microseconds=1)
        altitudes = _known(page.altitude_m, 1, UNKNOWN_ALTITUDE)
        places = zip((page.lat_e7 / E7).tolist(), (page.lon_e7 / E7).tolist(), strict=True)
        for us, text, (lat, lon), altitude in zip(
            page.fixed_us.tolist(), times_of(page), places, altitudes, strict=True
        ):
            if self._last_us is None:
                pieces.append("<trkseg>")
            elif us - self._last_us > gap_us:
                pieces.append("</trkseg><trkseg>")
            self._last_us = us
            elevation = "" if altitude is None else f"<ele>{altitude}</ele>"
            pieces.append(f'<trkpt lat="{lat:.7f}" lon="{lon:.7f}">{elevation}<time>{text}</time></trkpt>')
        return "".join(pieces).encode()

    def tail(self) -> bytes:
        """Close what is open."""
        return (b"" if self._last_us is None else b"</trkseg>") + b"</trk></gpx>\n"


class MovingFeatures:
    """
    OGC Moving Features JSON (19-045r3): a Feature that is a Trajectory (`properties.datetimes`) and, for readers of the
    newer Prism encoding, a MovingPoint (`temporalGeometry`) as well.
    """

    media_type: ClassVar[str] = "application/geo+json"

    def __init__(self, courier_id: UUID) -> None:
        self._courier_id = courier_id
        self._pages: list[PositionColumns] = []
        self._join = _Joined()

    def head(self) -> bytes:
        """Up to the first point."""
        return b'{"type":"Feature","geometry":{"type":"LineString","coordinates":['

    def rows(self, page: PositionColumns) -> bytes:
        """The next points."""
        self._pages.append(page)
        return self._join(_coordinates(page))

    def tail(self) -> bytes:
        """Times, and the same line as a moving point."""
        whole = PositionColumns.concat(self._pages)
        times = _json.encode(times_of(whole))
        return (
            b']},"properties":{"courier_id":%b,"datetimes":%b},' % (_json.encode(self._courier_id), times)
            + b'"temporalGeometry":{"type":"MovingPoint","interpolation":"Linear","datetimes":%b,' % times
            + b'"coordinates":[%b]},' % _coordinates(whole)
            + b'"crs":{"type":"Name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},'
            + b'"trs":{"type":"Name","properties":{"name":"urn:ogc:data:time:iso8601"}}}'
        )
