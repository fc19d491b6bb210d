"""
Recorded tracks from files: GeoLife CSV, GPX, NDJSON, each also with gzip; and how they are moved in time for a replay.

A recording is the fixes of one courier. Its name becomes the courier's external id.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, cast
from xml.etree.ElementTree import ParseError, XMLParser, iterparse

import msgspec

from tracking import instants

LONGEST_GAP: Final = timedelta(minutes=1)
"""Pauses of a recording are shortened to this for a replay."""


MOST_TOLD: Final = 5
"""So many of a file's points that were left out are remembered with their reason."""
XML_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding=["']([\w.-]+)["']""")
PARSER_KNOWS: Final = {"utf-8", "utf-16", "us-ascii", "iso-8859-1"}


class UnreadableRecording(ValueError):
    """A file cannot be read as a recording; the message says why."""


@dataclass(frozen=True, slots=True)
class RecordedFix:
    """One fix, in the API's own words; what is not known is left out."""

    fixed_at: datetime
    values: dict[str, Any]
    """`lat`, `lon` and whatever else the recording has."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The fixes of one courier, oldest first."""

    name: str
    fixes: tuple[RecordedFix, ...]

    def without_gaps(self, longest: timedelta = LONGEST_GAP) -> "Recording":
        """Pauses longer than `longest` made as long as that; the time of the last fix stays."""
        shifted: list[RecordedFix] = []
        cut = timedelta()
        later: RecordedFix | None = None
        for fix in reversed(self.fixes):
            if later is not None:
                cut += max(timedelta(), later.fixed_at - fix.fixed_at - longest)
            shifted.append(replace(fix, fixed_at=fix.fixed_at + cut))
            later = fix
        return Recording(self.name, tuple(reversed(shifted)))

    def ending_at(self, end: datetime) -> "Recording":
        """Moved in time so that the last fix is at `end`."""
        if not self.fixes:
            return self
        shift = end - self.fixes[-1].fixed_at
        return Recording(self.name, tuple(replace(fix, fixed_at=fix.fixed_at + shift) for fix in self.fixes))

    @property
    def duration(self) -> timedelta:
        """From the first fix to the last."""
        return self.fixes[-1].fixed_at - self.fixes[0].fixed_at if self.fixes else timedelta()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A point of a file that is no fix."""

    place: str
    why: str


@dataclass(slots=True)
class FileRead:
    """What was found in a file."""

    path: Path
    n_fixes: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    """The first few; `n_left_out` counts them all."""
    n_left_out: int = 0
    ended_by: str | None = None
    """What kept the rest from being read; None: all was read."""

    def __str__(self) -> str:
        """One line: how many fixes, and what was left out and why."""
        told = [f"{self.n_fixes} fixes" if self.n_fixes else "nothing to send"]
        if self.n_left_out:
            first = self.left_out[0]
            told.append(f"{self.n_left_out} left out, the first at {first.place}: {first.why}")
        if self.ended_by is not None:
            told.append(f"read no further: {self.ended_by}" if self.n_fixes else self.ended_by)
        elif not self.n_fixes and not self.n_left_out:
            told.append("it holds no fixes")
        return f"{self.path}: {'; '.join(told)}"


def read_all(paths: Iterable[Path]) -> tuple[list[Recording], list[FileRead]]:
    """
    Recordings of all files, one per courier, couriers in order of appearance, and what became of each file.

    What cannot be read hinders nothing else: a point is left out, a file is read as far as it goes.
    """
    tracks: dict[str, list[RecordedFix]] = {}
    files = []
    for path in paths:
        files.append(found := FileRead(path))
        try:
            for name, fix in _read(path):
                if isinstance(fix, LeftOut):
                    found.n_left_out += 1
                    if len(found.left_out) < MOST_TOLD:
                        found.left_out.append(fix)
                else:
                    found.n_fixes += 1
                    tracks.setdefault(name, []).append(fix)
        except (OSError, EOFError, zlib.error, ParseError, UnicodeError, csv.Error, UnreadableRecording) as exc:
            found.ended_by = str(exc) or type(exc).__name__
    recordings = [Recording(name, tuple(sorted(fixes, key=lambda fix: fix.fixed_at))) for name, fixes in tracks.items()]
    return recordings, files


Points = Iterator[tuple[str, RecordedFix | LeftOut]]
"""Points of a file with the courier's name."""


def _read(path: Path) -> Points:
    suffixes = [suffix.lower() for suffix in path.suffixes] or [""]
    kind = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    reader = READERS.get(kind)
    if reader is None:
        raise UnreadableRecording(f"expected a name that ends in {', '.join(READERS)}, or one of them and .gz")
    stem = path.name.split(".")[0] or path.name
    with cast("IO[bytes]", gzip.open(path) if suffixes[-1] == ".gz" else path.open("rb")) as file:
        yield from reader(file, stem)


def _read_csv(file: IO[bytes], stem: str) -> Points:
    """GeoLife as scikit-mobility writes it: lat,lng,datetime,uid; times are UTC."""
    rows = csv.DictReader(codecs.getreader("utf-8-sig")(file))
    missing = {"lat", "lng", "datetime"} - set(rows.fieldnames or ())
    if missing:
        raise UnreadableRecording(f"expected the columns lat, lng, datetime, uid; {', '.join(sorted(missing))} missing")
    for row in rows:
        try:
            fix = RecordedFix(_instant(row["datetime"]), {"lat": float(row["lat"]), "lon": float(row["lng"])})
        except (AttributeError, TypeError, ValueError) as exc:
            yield stem, LeftOut(f"line {rows.line_num}", str(exc))
        else:
            yield (row.get("uid") or "").strip() or stem, fix


def _read_gpx(file: IO[bytes], stem: str) -> Points:
    """GPX 1.0 and 1.1: every track point with a time; a track is a courier, by its name or else the file's."""
    track, n_points = stem, 0
    open_tags: list[str] = []
    source, parser = _in_utf8(file)
    for event, element in iterparse(source, ("start", "end"), parser):  # noqa: S314 - files that the operator names
        tag = _local(element.tag)
        if event == "start":
            track = stem if tag == "trk" else track
            open_tags.append(tag)
            continue
        open_tags.pop()
        parent = open_tags[-1] if open_tags else ""
        if (parent, tag) == ("trk", "name"):
            track = (element.text or "").strip() or stem
        elif tag == "trkpt":
            n_points += 1
            yield track, _gpx_fix(element, n_points)
            element.clear()


def _in_utf8(file: IO[bytes]) -> "tuple[Any, XMLParser[Any]]":
    """What `iterparse` needs: the XML parser knows four encodings, Python some hundred."""
    head = file.read(200)
    declared = XML_ENCODING.match(head)
    name = declared[1].decode() if declared else "utf-8"
    whole = _Joined(head, file)
    if name.lower() in PARSER_KNOWS:
        return whole, XMLParser()  # noqa: S314 - files that the operator names
    try:
        reader = codecs.getreader(name)(whole)
        reader.read(0)
    except LookupError as exc:
        raise UnreadableRecording(f"unknown encoding {name}") from exc
    return _Encoded(reader), XMLParser(encoding="utf-8")  # noqa: S314


class _Joined(io.RawIOBase):
    """What was read already, then the rest of the file."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self._head, self._file = head, file

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)


class _Encoded:
    """A text reader's text as UTF-8."""

    def __init__(self, reader: codecs.StreamReader) -> None:
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        return self._reader.read(size).encode()


def _gpx_fix(element: Any, number: int) -> RecordedFix | LeftOut:
    own = {_local(child.tag): (child.text or "").strip() for child in element}
    beside = {_local(child.tag): (child.text or "").strip() for part in element for child in part.iter()}
    if not own.get("time"):
        return LeftOut(f"point {number}", "no time")
    try:
        values = {"lat": float(element.attrib["lat"]), "lon": float(element.attrib["lon"])}
        fixed_at = _instant(own["time"])
    except (KeyError, ValueError) as exc:
        return LeftOut(f"point {number}", f"no lat or lon: {exc}" if isinstance(exc, KeyError) else str(exc))
    # Speed and course are children of the point in GPX 1.0, and in an extension of everybody's own since.
    for ours, text in (
        ("altitude_m", own.get("ele")),
        ("speed_mps", own.get("speed") or beside.get("speed")),
        ("course_deg", own.get("course") or beside.get("course")),
    ):
        with suppress(ValueError):
            if text:
                values[ours] = float(text)
    return RecordedFix(fixed_at, values)


def _read_ndjson(file: IO[bytes], stem: str) -> Points:
    """One fix a line, in the API's shape; `courier_id` (or `courier`, or `uid`) names the courier."""
    for number, line in enumerate(file, 1):
        text = line.removeprefix(codecs.BOM_UTF8).strip()
        if not text:
            continue
        try:
            values = msgspec.json.decode(text, type=dict[str, Any])
            fixed_at = _instant(values.pop("fixed_at"))
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as exc:
            yield stem, LeftOut(f"line {number}", f"expected a fix with fixed_at, lat, lon ({exc})")
            continue
        names = [values.pop(name, None) for name in ("courier_id", "courier", "uid")]
        named = next((str(name).strip() for name in names if name is not None), "")
        yield named or stem, RecordedFix(fixed_at, values)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _instant(text: str) -> datetime:
    return instants.parse(text, needs_zone=False)


READERS: Final[dict[str, Callable[[IO[bytes], str], Points]]] = {
    ".csv": _read_csv,
    ".gpx": _read_gpx,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
}
