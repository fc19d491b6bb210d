"""
The world as the planner sees it at one moment, and the plan it proposes; no I/O.

Instants are whole seconds since the Unix epoch, durations whole seconds, distances whole metres: the planner works on
integers, the store converts at its edge. A time window bounds when service may START; early arrival waits.
Places are indices into the travel matrix of the snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tracking.position import CourierId, Mode, Region

OrderId = NewType("OrderId", UUID)
Instant = int
"""Seconds since the Unix epoch."""
Place = int
"""Row and column of the travel matrix."""

FOREVER: Instant = 2**40
"""Later than every instant that occurs."""


class StopKind(StrEnum):
    """The two visits of an order."""

    PICKUP = "pickup"
    DROPOFF = "dropoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Where and when one end of an order may be served."""

    place: Place
    opens_at: Instant = 0
    """Service does not start earlier; whoever arrives before waits."""
    due_at: Instant = FOREVER
    """Later than this is late, and costs (the target; the end of a soft window)."""
    closes_at: Instant = FOREVER
    """Later than this is not allowed (the end of a hard window, or `latest`)."""
    service_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An open order, as the planner sees it."""

    order_id: OrderId
    pickup: Visit
    """`opens_at` is the later of the window's start and the time the goods are ready."""
    dropoff: Visit
    placed_at: Instant
    ready_at: Instant = 0
    size: tuple[int, ...] = ()
    """One number a dimension, in the order of the couriers' capacities."""
    modes: frozenset[Mode] | None = None
    """Modes that may carry it; None: any."""
    skills: frozenset[str] = frozenset()
    priority: int = 0
    """Higher is more urgent; each step makes lateness and staying unassigned dearer."""
    onboard_of: CourierId | None = None
    """Picked up already: only the drop-off is left, and it stays with this courier."""
    pinned_to: CourierId | None = None
    """Accepted, or pinned by a dispatcher: stays with this courier, its place in the route may change."""
    refused_by: frozenset[CourierId] = frozenset()
    """Not offered to these again unless nobody else can."""


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A visit in a route."""

    order_id: OrderId
    kind: StopKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A pause the courier must have: starts within [opens_at, closes_at], lasts duration_s."""

    opens_at: Instant
    closes_at: Instant
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A courier on duty, as the planner sees one."""

    courier_id: CourierId
    mode: Mode
    start: Place
    """Where the courier is, or will be when free of the leg being driven."""
    available_at: Instant
    """When the courier can leave `start`."""
    shift_ends_at: Instant = FOREVER
    """No pickup starts later; a drop-off may, at a cost."""
    end: Place | None = None
    """Where the courier must end; None: anywhere."""
    capacity: tuple[int, ...] = ()
    skills: frozenset[str] = frozenset()
    max_orders: int = 8
    """Most orders carried or assigned at once."""
    range_m: int | None = None
    """Longest distance from `start` to a pickup; None: no limit."""
    breaks: tuple[Break, ...] = ()
    has_fresh_position: bool = True
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a decision may depend on."""

    region: Region
    now: Instant
    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    travel: TravelMatrix
    demand: Mapping[Place, float] = field(default_factory=dict)
    """Orders expected at pickup places, per hour; empty: the planner takes no thought for what is not placed yet."""


class ReasonCode(StrEnum):
    """Why a courier cannot take an order; counted over the candidates."""

    NO_COURIERS = "no_couriers"
    MODE = "mode"
    SKILLS = "skills"
    CAPACITY = "capacity"
    MAX_ORDERS = "max_orders"
    RANGE = "range"
    NO_FRESH_POSITION = "no_fresh_position"
    PICKUP_WINDOW = "pickup_window"
    DROPOFF_WINDOW = "dropoff_window"
    SHIFT_END = "shift_end"
    REJECTED = "rejected"
    PINNED = "pinned"
    """It is on board of another courier, or pinned to one."""
    NOT_YET = "not_yet"
    """Its pickup opens further ahead than the planner looks."""
    NOT_WORTH_IT = "not_worth_it"
    """Possible, but dearer than leaving it for a later cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """An order left without a courier, and the constraints that exclude each candidate, counted."""

    order_id: OrderId
    reasons: Mapping[ReasonCode, int]
    example: Mapping[ReasonCode, CourierId]
    """For each reason one courier it excludes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledStop:
    """A stop of a proposed route with its times."""

    stop: PlannedStop
    place: Place
    arrives_at: Instant
    starts_at: Instant
    """Service starts: the arrival, or the opening of the window."""
    leaves_at: Instant
    late_s: int
    """Seconds after `due_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedRoute:
    """What one courier should do, in order, and what it costs by term."""

    courier_id: CourierId
    stops: tuple[ScheduledStop, ...]
    cost: Mapping[str, int]
    """Cost by term (travel, lateness, waiting, change, …), in the planner's units; see dispatch/cost.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Why an order goes to this courier: what it adds to the courier's route, by term."""

    order_id: OrderId
    courier_id: CourierId
    cost: Mapping[str, int]
    commit: bool
    """The courier must leave for it now (or has it already): fix it. False: a good intention that may still change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An idle courier to be sent towards expected demand: advice, with nothing to collect there yet."""

    courier_id: CourierId
    place: Place
    saves_s: int
    """By how much orders expected soon would wait less, in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Routes and reasons for a snapshot. Couriers whose route does not change are included."""

    routes: tuple[ProposedRoute, ...]
    assignments: tuple[Assignment, ...]
    unassigned: tuple[Unassigned, ...]
    cost: int
    source: str
    """Which depth made it: `insertion`, `search`, or `kept` (the plan in force)."""
    moves: tuple[Move, ...] = ()
    """Where to send idle couriers; empty unless `Params.reposition_above_s` is set."""
