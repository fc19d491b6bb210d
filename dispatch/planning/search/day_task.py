"""A day to be planned ahead, as its search sees it: orders, vehicles, and what is known of a route; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dispatch.planning.problem import StopNo, Stops

UNBOUNDED = 1 << 40
"""A time or a load that is never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Vehicles that are all alike."""

    count: int
    """At most so many."""
    distance: list[list[int]]
    """Between all stops and places of vehicles; also the travel time, in the same unit."""
    start: StopNo
    end: StopNo
    opens: int
    closes: int
    """Vehicles leave and return within."""
    capacity: tuple[int, ...]
    may: frozenset[int] | None = None
    """The orders it may take; None: all."""
    fleet: int | None = None
    """Kinds with the same have the same vehicles: so many are used of all these at most; None: it has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    Orders j with the stops 2j and 2j + 1; the places where vehicles begin and end have the numbers after these.

    Whole numbers; lists by stop, those by order where said.
    """

    opens: list[int]
    closes: list[int]
    """Service may start within."""
    service: list[int]
    size: list[tuple[int, ...]]
    """By order, a number a dimension."""
    kinds: Sequence[Kind]
    loaded: frozenset[int] = frozenset()
    """Orders of one stop, 2j + 1: on board from the vehicle's start on, unless they are kept."""
    kept: frozenset[int] = frozenset()
    """Of these, those taken up there, which stay on board until the vehicle's end."""
    weight: list[int] = field(default_factory=list)
    """By order: how much leaving it out counts; empty: 1 each."""

    @property
    def n_orders(self) -> int:
        """How many orders there are."""
        return len(self.size)

    @property
    def n_vehicles(self) -> int:
        """At most so many."""
        return sum(kind.count for kind in self.kinds)

    def stops_of(self, order: int) -> Stops:
        """The stops of an order."""
        return (2 * order + 1,) if order in self.loaded else (2 * order, 2 * order + 1)


class Timing:
    """What insertion must know about a route from a vehicle's start to its end; lists by position."""

    __slots__ = ("latest", "leaves", "length", "loads", "stops")

    def __init__(self, task: Task, kind: Kind, route: Stops) -> None:
        distance, opens, closes, service = kind.distance, task.opens, task.closes, task.service
        self.stops = stops = [kind.start, *route, kind.end]
        self.leaves = leaves = [kind.opens]
        self.length = 0
        for a, b in pairwise(stops[:-1]):
            self.length += distance[a][b]
            leaves.append(max(leaves[-1] + distance[a][b], opens[b]) + service[b])
        last = distance[stops[-2]][kind.end]
        self.length += last
        leaves.append(leaves[-1] + last)
        self.loads = [loads_in(task, route, dimension) for dimension in range(len(kind.capacity))]
        """By dimension, when leaving each position."""
        self.latest = latest = [kind.closes] * len(stops)
        """Service must start by then, or some later stop is late."""
        for i in range(len(stops) - 2, 0, -1):
            a = stops[i]
            latest[i] = min(closes[a], latest[i + 1] - distance[a][stops[i + 1]] - service[a])
        latest[0] = latest[1] - distance[stops[0]][stops[1]]


def loads_in(task: Task, route: Stops, dimension: int) -> list[int]:
    """The load in a dimension when leaving the start, each stop, and at the end."""
    size, loaded, kept = task.size, task.loaded - task.kept, task.kept
    load = sum(_amount(size[stop >> 1], dimension) for stop in route if stop >> 1 in loaded)
    loads = [load]
    for stop in route:
        amount = _amount(size[stop >> 1], dimension)
        load += -amount if stop & 1 and stop >> 1 not in kept else amount
        loads.append(load)
    return [*loads, load]


def _amount(size: tuple[int, ...], dimension: int) -> int:
    return size[dimension] if dimension < len(size) else 0
