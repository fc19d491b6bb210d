"""
The parts of a region's log: a stream each, and every courier in one of them.

A log of one part is the stream `log`; one of n parts is the streams `log:n:0` to `log:n:n-1`. How many there are stands
beside them in Redis (`layout`), and every append says which layout it goes by: one that goes by another changes nothing
and learns the new one (`lua/commit.lua`). So a change is one instant for all processes. From then on nothing more comes
to the parts before; they stay until every group has read them to the end, and no group reads on in the new ones before
that. A courier's fixes are thus read in the order of the log whatever changes meanwhile.

All parts lie with the live state of their region in one slot: an append moves live state and log as one.
"""

from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from tracking.position import Region

MOST: Final = 32
"""Parts of a log: watchers of one region side by side."""
PARTED: Final = b"parted"
"""The field of the last entry of a part that says what layout follows."""


def place_of(courier_id: UUID, n: int) -> int:
    """In which of n parts a courier's fixes are: by the last two bytes of the id, as `recounts.due` has it in SQL."""
    return (courier_id.int & 0xFFFF) % n


@dataclass(frozen=True, slots=True)
class Part:
    """One of `n` parts of a region's log, and the couriers whose fixes are in it."""

    region: Region
    k: int = 0
    n: int = 1

    @property
    def name(self) -> Region:
        """What a lease for it is called: as the region where it is the only one. No region has a slash in its name."""
        return self.region if self.n == 1 else Region(f"{self.region}/{self.k}of{self.n}")

    @classmethod
    def named(cls, name: str) -> Self:
        """From its name. Raises ValueError."""
        region, slash, place = name.partition("/")
        if not slash:
            return cls(Region(region))
        k, _, n = place.partition("of")
        return cls(Region(region), int(k), int(n))

    def has(self, courier_id: UUID) -> bool:
        """Whether a courier's fixes are in it."""
        return self.n == 1 or place_of(courier_id, self.n) == self.k

    @property
    def log(self) -> str:
        """The stream."""
        return f"pr:{{{self.region}}}:log" if self.n == 1 else f"pr:{{{self.region}}}:log:{self.n}:{self.k}"

    @property
    def appended(self) -> str:
        """Fixes ever appended."""
        return f"{self.log}:appended"

    @property
    def settled(self) -> str:
        """Fixes that every group has acknowledged."""
        return f"{self.log}:settled"


def part_of(where: Region | Part) -> Part:
    """A region stands for its log where that has one part."""
    return Part(where) if isinstance(where, str) else where


@dataclass(frozen=True, slots=True)
class Layout:
    """How many parts a region's log has now, and how many it had before where those are not all read."""

    n: int = 1
    before: int | None = None

    @classmethod
    def parse(cls, text: bytes | str | None) -> Self:
        """As it stands in Redis; nothing there: one part."""
        if not text:
            return cls()
        before, comma, n = (text.decode() if isinstance(text, bytes) else text).rpartition(",")
        return cls(int(n), int(before) if comma else None)

    def __str__(self) -> str:
        """As it stands in Redis; empty: no key is needed."""
        if self.before is not None:
            return f"{self.before},{self.n}"
        return "" if self.n == 1 else str(self.n)

    def now(self, region: Region) -> list[Part]:
        """What is appended to."""
        return parts_of(region, self.n)

    def older(self, region: Region) -> list[Part]:
        """What is only read to the end."""
        return [] if self.before is None else parts_of(region, self.before)

    def all(self, region: Region) -> list[Part]:
        """Both, older ones first."""
        return [*self.older(region), *self.now(region)]


def parts_of(region: Region, n: int) -> list[Part]:
    """All parts of a log of n."""
    return [Part(region, k, n) for k in range(n)]


def layout_key(region: Region) -> str:
    """Where a region's layout stands."""
    return f"pr:{{{region}}}:log:layout"
