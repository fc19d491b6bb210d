"""What geocoding finds, and what finds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from tracking.position import LatLon


class Kind(StrEnum):
    """How exact a find is."""

    ADDRESS = "address"
    """A house."""
    POI = "poi"
    """Something with a name: a restaurant, a school."""
    STREET = "street"
    """A street, somewhere along it."""
    PLACE = "place"
    """A town, a quarter."""


class Geocoder(StrEnum):
    """Who finds."""

    OWN = "own"
    NOMINATIM = "nominatim"
    GOOGLE = "google"
    YANDEX = "yandex"


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place with its address."""

    label: str
    lat: float
    lon: float
    kind: Kind
    source: Geocoder
    distance_m: float | None = None
    """From the point that was asked for; None where words were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that can be found; `at`: where it is, a street at several points."""

    kind: Kind
    name: str = ""
    street: str = ""
    number: str = ""
    city: str = ""
    at: tuple[LatLon, ...]

    @property
    def middle(self) -> LatLon:
        """Where a marker stands."""
        return self.at[len(self.at) // 2]


class Finder(Protocol):
    """A geocoder behind its own limits. EngineFailed: it does not answer now."""

    source: Geocoder

    async def find(self, words: str, limit: int, near: LatLon | None) -> Sequence[Found]:
        """What the words may mean, the best first; `near`: where it is more likely to be."""
        ...

    async def at(self, place: LatLon, limit: int) -> Sequence[Found]:
        """What is there, the nearest first."""
        ...
