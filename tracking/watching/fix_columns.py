"""Fixes of a courier in columns: 32 bytes each, where a tuple of numbers takes 170."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import isnan, nan
from typing import NamedTuple, overload

import numpy as np

from tracking.quality import Limits, jump_marks

MICROS = 1_000_000


class TrackFix(NamedTuple):
    """A fix that the device trusts (not of poor accuracy)."""

    at_us: int
    lat: float
    lon: float
    accuracy_m: float | None = None


class FixColumns(Sequence[TrackFix]):
    """In order of time, each time once; whoever inserts sees to it."""

    __slots__ = ("_accuracy_m", "_at_us", "_lat", "_lon")

    def __init__(self, fixes: Iterable[TrackFix] = ()) -> None:
        self._at_us = array("q")
        self._lat, self._lon, self._accuracy_m = array("d"), array("d"), array("d")
        for fix in fixes:
            self.insert(len(self), fix)

    def __len__(self) -> int:
        """How many."""
        return len(self._at_us)

    def __iter__(self) -> Iterator[TrackFix]:
        """In order."""
        return map(self.__getitem__, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> TrackFix: ...
    @overload
    def __getitem__(self, place: slice) -> list[TrackFix]: ...
    def __getitem__(self, place: int | slice) -> TrackFix | list[TrackFix]:
        """Equal to what was put in."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        accuracy_m = self._accuracy_m[place]
        return TrackFix(
            self._at_us[place], self._lat[place], self._lon[place], None if isnan(accuracy_m) else accuracy_m
        )

    def find(self, at_us: int) -> int:
        """Place of the first fix at an instant or later."""
        return bisect_left(self._at_us, at_us)

    def insert(self, place: int, fix: TrackFix) -> None:
        """Put a fix before the one at that place."""
        self._at_us.insert(place, fix.at_us)
        self._lat.insert(place, fix.lat)
        self._lon.insert(place, fix.lon)
        self._accuracy_m.insert(place, nan if fix.accuracy_m is None else fix.accuracy_m)

    def forget(self, n: int) -> None:
        """Drop the first n."""
        del self._at_us[:n], self._lat[:n], self._lon[:n], self._accuracy_m[:n]

    def jumps(self, limits: Limits) -> bytearray:
        """A byte for each: 1 where it is a jump, by the rule of `tracking.quality`."""
        marks = jump_marks(
            courier=np.zeros(len(self), dtype=np.int32),
            fixed_s=np.array(self._at_us, dtype=np.int64) / MICROS,
            lat=np.array(self._lat),
            lon=np.array(self._lon),
            accuracy_m=np.array(self._accuracy_m),
            limits=limits,
        )
        return bytearray(marks.tobytes())
