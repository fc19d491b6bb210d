"""
Legs whose true duration is known, for benchmarks/eta.py.

(1) A road engine's legs between random places of a map extract. (2) Legs of a recorded GPS track, cut at stays and
gaps. (3) Road-engine legs driven by simulated couriers who differ from the engine systematically.
"""

import csv
import gzip
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from math import exp
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import h3.api.basic_int as h3
import numpy as np

from dispatch.learning.travel_model import TrackedLeg, default_s, hour_of_week
from tracking.geo import distance_m
from tracking.position import CourierId, LatLon, Mode

NOBODY = CourierId(UUID(int=0))
NOMINAL_KMH = {Mode.CAR: 30.0, Mode.MOTORCYCLE: 32.0, Mode.BICYCLE: 15.0, Mode.FOOT: 5.0}
"""The nominal speeds of the naive opponent: great circle, no detour."""
NEAREST_M = 200.0
"""Legs shorter than this are not counted: both ends lie in one street, and a percentage says little."""


def nominal_s(leg: TrackedLeg) -> float:
    """Great circle at nominal speed."""
    return distance_m(leg.origin, leg.destination) / (NOMINAL_KMH[leg.mode] / 3.6)


# -- (1) road engine


def bounds(extract: Path) -> tuple[LatLon, LatLon]:
    """
    South-west and north-east corner of an `.osm.pbf` extract, from its header.

    Raises ValueError when the header does not tell. Format: wiki.openstreetmap.org/wiki/PBF_Format, HeaderBlock.bbox.
    """
    with extract.open("rb") as file:
        (length,) = struct.unpack(">I", file.read(4))
        blob_header = dict(_fields(file.read(length)))
        blob = dict(_fields(file.read(int.from_bytes(_bytes_of(blob_header[3]), "little"))))
    header = dict(_fields(zlib.decompress(_bytes_of(blob[3])) if 3 in blob else _bytes_of(blob[1])))
    if 1 not in header:
        raise ValueError(f"{extract.name} does not say what it covers")
    box = {
        key: _zigzag(int.from_bytes(_bytes_of(value), "little")) / 1e9 for key, value in _fields(_bytes_of(header[1]))
    }
    return LatLon(box[4], box[1]), LatLon(box[3], box[2])


def _bytes_of(value: bytes) -> bytes:
    return value


def _zigzag(n: int) -> int:
    return (n >> 1) ^ -(n & 1)


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Fields of a protocol buffer: number and content; whole numbers as little-endian bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            number, at = _varint(data, at)
            yield key >> 3, number.to_bytes(8, "little")
        elif key & 7 == 2:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            at += 8 if key & 7 == 1 else 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, at


class Osrm:
    """The durations of an OSRM server; reconnects when it closes the connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)

    def duration_s(self, origin: LatLon, destination: LatLon) -> float | None:
        """None when there is no way."""
        ends = f"{origin.lon:.6f},{origin.lat:.6f};{destination.lon:.6f},{destination.lat:.6f}"
        for attempt in range(3):
            try:
                self._connection.request("GET", f"/route/v1/any/{ends}?overview=false")
                answer = json.loads(self._connection.getresponse().read())
            except (HTTPException, OSError):
                self._connection.close()
                if attempt == 2:
                    raise
            else:
                return float(answer["routes"][0]["duration"]) if answer["code"] == "Ok" else None
        return None

    def close(self) -> None:
        self._connection.close()


def road_legs(url: str, mode: Mode, corners: tuple[LatLon, LatLon], *, n: int, seed: int) -> list[TrackedLeg]:
    """`n` legs between places drawn evenly from the extract, as the engine drives them; base: the default times."""
    rng = np.random.default_rng(seed)
    low, high = corners
    engine = Osrm(url)
    legs: list[TrackedLeg] = []
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    while len(legs) < n:
        lats, lons = rng.uniform(low.lat, high.lat, 2), rng.uniform(low.lon, high.lon, 2)
        origin, destination = LatLon(float(lats[0]), float(lons[0])), LatLon(float(lats[1]), float(lons[1]))
        if distance_m(origin, destination) < NEAREST_M:
            continue
        duration_s = engine.duration_s(origin, destination)
        if not duration_s or duration_s < 1:
            continue
        legs.append(
            TrackedLeg(
                courier_id=NOBODY,
                mode=mode,
                origin=origin,
                destination=destination,
                departed_at=start,
                duration_s=duration_s,
                base_s=default_s(mode, origin, destination),
            )
        )
    engine.close()
    return legs


# -- (2) recorded track


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """A fix of a recorded track."""

    at: LatLon
    unix_s: float


def read_track(path: Path) -> list[TrackPoint]:
    """Fixes of a GeoLife CSV (`lat,lng,datetime,uid`, UTC) in order of time, each time once."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    points: dict[float, TrackPoint] = {}
    for row in csv.DictReader(text.splitlines()):
        unix_s = datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp()
        points.setdefault(unix_s, TrackPoint(LatLon(float(row["lat"]), float(row["lng"])), unix_s))
    return [points[key] for key in sorted(points)]


GAP_S = 120.0
"""A pause in the recording that ends a leg: nobody knows what happened in it."""
STAY_S = 120.0
STAY_M = 50.0
"""Two minutes within 50 m end a leg, as a stop does."""
LEAST_M = 300.0
LEAST_S = 60.0
"""Shorter legs are wandering about a place."""


def track_legs(points: Sequence[TrackPoint]) -> list[list[TrackPoint]]:
    """The fixes of each leg: from the end of a stay or gap to the begin of the next."""
    runs: list[list[TrackPoint]] = [[]]
    for before, point in pairwise(points):
        runs[-1].append(before)
        if point.unix_s - before.unix_s > GAP_S:
            runs.append([])
    runs[-1].extend(points[-1:])
    legs = [leg for run in runs for leg in _between_stays(run)]
    return [
        leg
        for leg in legs
        if len(leg) > 5 and leg[-1].unix_s - leg[0].unix_s >= LEAST_S and distance_m(leg[0].at, leg[-1].at) >= LEAST_M
    ]


def _between_stays(run: Sequence[TrackPoint]) -> Iterator[list[TrackPoint]]:
    start = at = 0
    while at < len(run):
        after = at
        while after < len(run) and distance_m(run[at].at, run[after].at) <= STAY_M:
            after += 1
        if run[after - 1].unix_s - run[at].unix_s >= STAY_S:
            yield list(run[start : at + 1])
            start = after - 1
            at = after
        else:
            at += 1
    yield list(run[start:])


def tracked(points: Sequence[TrackPoint], mode: Mode) -> TrackedLeg:
    """A leg of a track as the learner takes it."""
    return TrackedLeg(
        courier_id=NOBODY,
        mode=mode,
        origin=points[0].at,
        destination=points[-1].at,
        departed_at=datetime.fromtimestamp(points[0].unix_s, UTC),
        duration_s=points[-1].unix_s - points[0].unix_s,
        base_s=default_s(mode, points[0].at, points[-1].at),
    )


# -- (3) drivers who differ from the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """How simulated couriers differ from the engine; logs of real / engine time."""

    level: float = 0.08
    rush: float = 0.25
    """Added from 7 to 9 and 16 to 19 on weekdays."""
    cell_sd: float = 0.2
    """Of each H3 cell (resolution 8), drawn once, at either end."""
    cell_rush_sd: float = 0.1
    courier_sd: float = 0.08
    noise_sd: float = 0.15
    n_couriers: int = 40


def driven(
    legs: Sequence[TrackedLeg], drivers: Drivers, *, n_a_day: int, first_day: datetime, seed: int
) -> list[TrackedLeg]:
    """
    Engine legs as couriers drive them, `n_a_day` each day between 7 and 22 local time; base: the engine's time.

    The same seed means the same city: what a cell or courier does to a leg does not depend on the other legs.
    """
    rng = np.random.default_rng([seed, first_day.toordinal()])
    result = []
    for number, leg in enumerate(legs):
        courier = int(rng.integers(drivers.n_couriers))
        lon = leg.origin.lon
        local_h = float(rng.uniform(7.0, 22.0))
        departed_at = first_day + timedelta(days=number // n_a_day, hours=local_h - lon / 15.0)
        log_factor = drivers.level + _drawn(seed, courier, 0) * drivers.courier_sd
        log_factor += float(rng.normal(0.0, drivers.noise_sd))
        hour = hour_of_week(departed_at, lon)
        rush = hour < 120 and (7 <= hour % 24 < 9 or 16 <= hour % 24 < 19)
        log_factor += drivers.rush if rush else 0.0
        for kind, place in ((1, leg.origin), (2, leg.destination)):
            cell = h3.latlng_to_cell(place.lat, place.lon, 8)
            log_factor += _drawn(seed, cell, kind) * drivers.cell_sd
            log_factor += _drawn(seed, cell, kind + 2) * drivers.cell_rush_sd if rush else 0.0
        result.append(
            replace(
                leg,
                courier_id=CourierId(uuid5(UUID(int=seed), str(courier))),
                departed_at=departed_at,
                duration_s=leg.duration_s * exp(log_factor),
                base_s=leg.duration_s,
            )
        )
    return result


def _drawn(seed: int, of: int, kind: int) -> float:
    """A standard normal that belongs to a cell or courier."""
    return float(np.random.default_rng([seed, kind, of]).normal())
