"""
The world as the planner sees it at one moment; no I/O.

Instants are whole seconds since the Unix epoch, durations whole seconds, distances whole metres: the planner works on
integers, the store converts at its edge. A time window bounds when service may START; early arrival waits.
Places are indices into the travel matrix of the snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from dispatch.rhythm import Habits
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import CourierId, LatLon, Mode, Region

UnixS = int
"""Seconds since the Unix epoch: the planner's instants are whole numbers, whatever their names end in."""
Place = int
"""Row and column of the travel matrix."""

FOREVER: UnixS = 2**40
"""Later than every instant that occurs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Where and when one end of an order may be served."""

    place: Place
    opens_at: UnixS = 0
    """Service does not start earlier; whoever arrives before waits."""
    due_at: UnixS = FOREVER
    """Later than this is late, and costs (the target; the end of a soft window)."""
    closes_at: UnixS = FOREVER
    """Later than this is not allowed (the end of a hard window, or `latest`)."""
    service_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An open order, as the planner sees it."""

    order_id: OrderId
    pickup: Visit
    """`opens_at` is the later of the window's start and the time the goods are ready."""
    dropoff: Visit
    placed_at: UnixS
    ready_at: UnixS = 0
    ready_error_s: int = 0
    """Standard deviation of when the pickup opens, where that is when the goods are expected to be ready."""
    size: tuple[int, ...] = ()
    """One number a dimension, in the order of the couriers' capacities."""
    modes: frozenset[Mode] | None = None
    """Modes that may carry it; None: any."""
    skills: frozenset[str] = frozenset()
    partner: str | None = None
    """Whose it is; None: nobody's in particular."""
    priority: int = 0
    """Higher is more urgent; each step makes lateness and staying unassigned dearer."""
    onboard_of: CourierId | None = None
    """Picked up already: only the drop-off is left, and it stays with this courier."""
    pinned_to: CourierId | None = None
    """Accepted, or pinned by a dispatcher: stays with this courier, its place in the route may change."""
    group: str | None = None
    """Those of one pickup place with the same are collected together."""
    is_awaited: bool = True
    """False: nobody waits for it at the drop-off, a depot; only the way there costs."""
    only: StopKind | None = None
    """
    Not on board, and of one stop: a drop-off of what is on board from the beginning, a visit of no size, or a pickup of
    what stays on board. Its place and times stand in `dropoff`, whatever it is; `pickup` says from when on, in no time.
    """
    max_on_board_s: int | None = None
    """At most so long from the end of the pickup to the drop-off; None: no bound. On board it is in `closes_at`."""
    refused_by: frozenset[CourierId] = frozenset()
    """Not offered to these again unless nobody else can."""

    def at(self, kind: StopKind) -> Place:
        """Where a stop of the order is."""
        return self.pickup.place if kind is StopKind.PICKUP else self.dropoff.place


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A pause the courier must have: starts within [opens_at, closes_at], lasts duration_s."""

    opens_at: UnixS
    closes_at: UnixS
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A courier on duty, as the planner sees one."""

    courier_id: CourierId
    mode: Mode
    start: Place
    """Where the courier is, or will be when free of the leg being driven."""
    available_at: UnixS
    """When the courier can leave `start`."""
    shift_ends_at: UnixS = FOREVER
    """No pickup starts later; a drop-off may, at a cost."""
    end: Place | None = None
    """Where the courier must end; None: anywhere."""
    capacity: tuple[int, ...] = ()
    skills: frozenset[str] = frozenset()
    partner: str | None = None
    apart: bool = False
    """Takes orders of that partner only; of None, nobody's."""
    max_orders: int = 8
    """Most orders carried or assigned at once."""
    takes_more: bool = True
    """False: off duty or outside the shift; stays in the picture for what was begun."""
    in_trouble: bool = False
    """Stuck or silent: gets nothing new."""
    is_paused: bool = False
    """Let offers run out, one after the other: gets nothing new for a while."""
    range_m: int | None = None
    """Longest distance from `start` to a pickup; None: no limit."""
    serves: frozenset[Place] | None = None
    """Both ends of an order are among these: the areas of the courier and of the region; None: everywhere."""
    in_range: frozenset[Place] | None = None
    """The same by the distance from the courier's home."""
    breaks: tuple[Break, ...] = ()
    """Those still to be taken, the earliest first."""
    has_fresh_position: bool = True
    pace: float = 1.0
    """What a leg takes this courier, beside what it takes others of the mode."""
    route: tuple[PlannedStop, ...] = ()
    """The stops of the plan in force that are not done yet, in order."""
    n_locked: int = 0
    """So many leading stops of `route` stay where they are (the leg being driven)."""
    shown: frozenset[OrderId] = frozenset()
    """Orders the courier has been shown; moving these to somebody else costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TravelMatrix:
    """
    Travel times between the places of a snapshot, per mode.

    `durations_s[mode][i, j]` and `distances_m[mode][i, j]`: from place i to place j, int32, >= 0, diagonal 0.
    """

    durations_s: Mapping[Mode, npt.NDArray[np.int32]]
    distances_m: Mapping[Mode, npt.NDArray[np.int32]]
    sources: Mapping[Mode, str] = field(default_factory=dict)
    """Where the times of a mode come from: the weakest source used, such as `osrm`, `learned`, `default`."""
    habits: Mapping[Mode, Habits] = field(default_factory=dict)
    """By mode: how other hours and single couriers differ from these times, as far as was learned."""

    def at_own_pace(self, worker: Worker, who: CourierId | None = None) -> Worker:
        """The worker with the pace that was learned of them; `who`: by this name."""
        habits = self.habits.get(worker.mode)
        return worker if habits is None else replace(worker, pace=habits.paces.get(who or worker.courier_id, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a decision may depend on."""

    region: Region
    now: UnixS
    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    travel: TravelMatrix
    demand: Mapping[Place, float] = field(default_factory=dict)
    """Orders expected at pickup places, per hour; empty: the planner takes no thought for what is not placed yet."""
    places: tuple[LatLon, ...] = ()
    """Where the places are, for who reads a plan: the planner itself does not look."""
