"""
Recorded tracks from files: GeoLife CSV, GPX, NDJSON, each also with gzip; and how they are moved in time for a replay.

A recording is the fixes of one courier. Its name becomes the courier's external id.
"""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, cast
from xml.etree.ElementTree import ParseError, iterparse

import msgspec

LONGEST_GAP: Final = timedelta(minutes=1)
"""Pauses of a recording are shortened to this for a replay."""


class UnreadableRecording(ValueError):
    """A file cannot be read as a recording; the message says which and where."""


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


def read_all(paths: Iterable[Path]) -> list[Recording]:
    """Recordings of all files, one per courier, couriers in order of appearance; raises UnreadableRecording."""
    tracks: dict[str, list[RecordedFix]] = {}
    for path in paths:
        for name, fix in _read(path):
            tracks.setdefault(name, []).append(fix)
    return [Recording(name, tuple(sorted(fixes, key=lambda fix: fix.fixed_at))) for name, fixes in tracks.items()]


def _read(path: Path) -> Iterator[tuple[str, RecordedFix]]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    reader = READERS.get(kind)
    if reader is None:
        raise UnreadableRecording(f"{path}: expected a name that ends in {', '.join(READERS)}, or one of them and .gz")
    stem = path.name.split(".")[0]
    try:
        with cast("IO[bytes]", gzip.open(path) if suffixes[-1] == ".gz" else path.open("rb")) as file:
            yield from reader(file, stem)
    except (OSError, EOFError, ParseError, UnicodeDecodeError) as exc:
        raise UnreadableRecording(f"{path}: {exc}") from exc
    except UnreadableRecording as exc:
        raise UnreadableRecording(f"{path}: {exc}") from exc


def _read_csv(file: IO[bytes], stem: str) -> Iterator[tuple[str, RecordedFix]]:
    """GeoLife as scikit-mobility writes it: lat,lng,datetime,uid; times are UTC."""
    rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
    missing = {"lat", "lng", "datetime"} - set(rows.fieldnames or ())
    if missing:
        raise UnreadableRecording(f"expected the columns lat, lng, datetime, uid; {', '.join(sorted(missing))} missing")
    for row in rows:
        try:
            fix = RecordedFix(_instant(row["datetime"]), {"lat": float(row["lat"]), "lon": float(row["lng"])})
        except (TypeError, ValueError) as exc:
            raise UnreadableRecording(f"line {rows.line_num}: {exc}") from exc
        yield row.get("uid") or stem, fix


def _read_gpx(file: IO[bytes], stem: str) -> Iterator[tuple[str, RecordedFix]]:
    """GPX 1.0 and 1.1: every track point with a time; a track is a courier, by its name or else the file's."""
    track = stem
    for event, element in iterparse(file, ("start", "end")):  # noqa: S314 - files that the operator names
        tag = _local(element.tag)
        if event == "start":
            track = stem if tag == "trk" else track
            continue
        if tag == "name" and element.text:
            track = element.text.strip()
        elif tag == "trkpt":
            if (found := _gpx_fix(element)) is not None:
                yield track, found
            element.clear()


def _gpx_fix(element: Any) -> RecordedFix | None:
    texts = {_local(child.tag): (child.text or "").strip() for child in element.iter()}
    if not texts.get("time"):
        return None
    try:
        values = {"lat": float(element.attrib["lat"]), "lon": float(element.attrib["lon"])}
        for ours, theirs in (("altitude_m", "ele"), ("speed_mps", "speed"), ("course_deg", "course")):
            if texts.get(theirs):
                values[ours] = float(texts[theirs])
        return RecordedFix(_instant(texts["time"]), values)
    except (KeyError, ValueError) as exc:
        raise UnreadableRecording(f"track point at {texts['time']}: {exc}") from exc


def _read_ndjson(file: IO[bytes], stem: str) -> Iterator[tuple[str, RecordedFix]]:
    """One fix a line, in the API's shape; `courier_id` (or `courier`, or `uid`) names the courier."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            values = msgspec.json.decode(line, type=dict[str, Any])
            fixed_at = _instant(values.pop("fixed_at"))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as exc:
            raise UnreadableRecording(f"line {number}: expected a fix with fixed_at, lat, lon ({exc})") from exc
        names = [values.pop(name, None) for name in ("courier_id", "courier", "uid")]
        yield next((str(name) for name in names if name is not None), stem), RecordedFix(fixed_at, values)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


READERS: Final[dict[str, Callable[[IO[bytes], str], Iterator[tuple[str, RecordedFix]]]]] = {
    ".csv": _read_csv,
    ".gpx": _read_gpx,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
}
