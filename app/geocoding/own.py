"""The installation's own addresses: one SQLite file beside the tiles, made by `postrider map`."""

import asyncio
import logging
import math
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Final

from app.geocoding.found import Entry, Found, Geocoder, Kind
from dispatch.travel.times import EngineFailed
from tracking.geo import distance_m
from tracking.position import LatLon

log = logging.getLogger(__name__)

SUFFIX: Final = ".addresses"
SCHEMA: Final = """
CREATE TABLE entries (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, street TEXT, number TEXT, city TEXT, lat, lon);
CREATE VIRTUAL TABLE words USING fts5 (
  name, street, number, city, content = '', prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE points USING rtree (id, south, north, west, east, +entry INTEGER);
"""
FIND: Final = """
SELECT e.kind, e.name, e.street, e.number, e.city, e.lat, e.lon FROM words JOIN entries e ON e.id = words.rowid
WHERE words MATCH ? ORDER BY bm25(words, 4, 4, 8, 1) LIMIT ?
"""
NEAR: Final = """
SELECT kind, name, street, number, city, south, west FROM points JOIN entries ON entries.id = points.entry
WHERE south <= ? AND north >= ? AND west <= ? AND east >= ?
"""
MOST_WORDS: Final = 12
LOOKED_AT: Final = 60
"""Finds that are put in order for one question."""
REACH_M: Final[dict[str, float]] = {Kind.ADDRESS: 60.0, Kind.POI: 25.0, Kind.STREET: 150.0}
"""A point has the address of a house, of something with a name, or of a street within so far; of a house first."""
METRES_PER_DEGREE: Final = 111_195.0

Row = tuple[str, str, str, str, str, float, float]


def write(target: Path, entries: Iterable[Entry]) -> int:
    """Write the file; replaced once it is whole. How many entries it has."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    n = 0
    with closing(sqlite3.connect(partial)) as base, base:
        base.executescript(SCHEMA)
        n_points = 0
        for n, entry in enumerate(entries, 1):
            told = (entry.name, entry.street, entry.number, entry.city)
            middle = entry.middle
            base.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (n, entry.kind, *told, *middle.latlon))
            base.execute("INSERT INTO words (rowid, name, street, number, city) VALUES (?, ?, ?, ?, ?)", (n, *told))
            for at in entry.at if entry.kind in REACH_M else ():
                n_points += 1
                box = (at.lat, at.lat, at.lon, at.lon)
                base.execute("INSERT INTO points VALUES (?, ?, ?, ?, ?, ?)", (n_points, *box, n))
    partial.replace(target)
    return n


class Own:
    """A Finder over the file; another file in its place is used at once."""

    source = Geocoder.OWN

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._version: tuple[int, int] | None = None
        self._base: sqlite3.Connection | None = None

    async def find(self, words: str, limit: int, near: LatLon | None) -> Sequence[Found]:
        """See Finder."""
        return await asyncio.to_thread(self._find, words, limit, near)

    async def at(self, place: LatLon, limit: int) -> Sequence[Found]:
        """See Finder."""
        return await asyncio.to_thread(self._at, place, limit)

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._forget()

    def _find(self, words: str, limit: int, near: LatLon | None) -> list[Found]:
        asked = re.findall(r"\w+", words.casefold())[:MOST_WORDS]
        rows = self._rows(FIND, (_match(asked), LOOKED_AT)) if asked else []
        if not rows and (named := [word for word in asked if not word.isdigit()]) and len(named) < len(asked):
            # The house is not known: its street may be.
            rows = [row for row in self._rows(FIND, (_match(named), LOOKED_AT)) if row[0] == Kind.STREET]
        numbers = {word for word in asked if word[0].isdigit()}

        def order(row: Row) -> tuple[bool, int, float]:
            first = (Kind.ADDRESS, Kind.POI) if numbers else (Kind.PLACE, Kind.STREET, Kind.POI)
            rank = first.index(Kind(row[0])) if row[0] in first else len(first)
            is_it = bool(numbers) and row[3].casefold() in numbers
            return not is_it, rank, distance_m(near, LatLon(row[5], row[6])) if near else 0.0

        found: dict[str, Found] = {}
        for row in sorted(rows, key=order):
            found.setdefault((one := _found(row)).label, one)
        return list(found.values())[:limit]

    def _at(self, place: LatLon, limit: int) -> list[Found]:
        reach = max(REACH_M.values()) / METRES_PER_DEGREE
        wide = reach / max(0.01, math.cos(math.radians(place.lat)))
        box = (place.lat + reach, place.lat - reach, place.lon + wide, place.lon - wide)
        found: dict[str, Found] = {}
        order = list(REACH_M)
        nearest = sorted((distance_m(place, LatLon(row[5], row[6])), row) for row in self._rows(NEAR, box))
        # A house within reach tells more than a nearer street.
        for far_m, row in sorted(nearest, key=lambda one: order.index(Kind(one[1][0]))):
            if far_m <= REACH_M[row[0]]:
                found.setdefault((one := _found(row, far_m)).label, one)
        return list(found.values())[:limit]

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[Row]:
        with self._lock:
            try:
                return self._opened().execute(statement, values).fetchall()
            except (OSError, sqlite3.Error) as exc:
                self._forget()
                raise EngineFailed(f"the file of addresses: {exc}") from exc

    def _opened(self) -> sqlite3.Connection:
        found = self._path.stat()
        version = (found.st_ino, found.st_mtime_ns)
        if self._base is None or version != self._version:
            self._forget()
            self._base = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            self._version = version
        return self._base

    def _forget(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None


def _match(words: Sequence[str]) -> str:
    return " ".join(f'"{word}"*' for word in words)


def _found(row: Row, far_m: float | None = None) -> Found:
    kind, name, street, number, city, lat, lon = row
    label = ", ".join(part for part in (name, f"{street} {number}".strip(), city) if part)
    distance = None if far_m is None else round(far_m, 1)
    return Found(
        label=label,
        lat=round(lat, 7),
        lon=round(lon, 7),
        kind=Kind(kind),
        source=Geocoder.OWN,
        distance_m=distance,
    )
