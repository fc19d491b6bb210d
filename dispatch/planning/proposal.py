"""What the planner proposes for a snapshot: routes, and a reason for every order left out; no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dispatch.planning.snapshot import Place, UnixS
from dispatch.stop import OrderId, PlannedStop
from tracking.position import CourierId


class ReasonCode(StrEnum):
    """Why a courier cannot take an order; counted over the candidates."""

    NO_COURIERS = "no_couriers"
    MODE = "mode"
    SKILLS = "skills"
    PARTNER = "partner"
    """It is of another partner than the courier, and the region keeps them apart."""
    CAPACITY = "capacity"
    MAX_ORDERS = "max_orders"
    RANGE = "range"
    NO_FRESH_POSITION = "no_fresh_position"
    PICKUP_WINDOW = "pickup_window"
    DROPOFF_WINDOW = "dropoff_window"
    MAX_ON_BOARD = "max_on_board"
    """It would be on board for longer than it may."""
    SHIFT_END = "shift_end"
    REJECTED = "rejected"
    PINNED = "pinned"
    """It is on board of another courier, or pinned to one."""
    NOT_YET = "not_yet"
    """Its pickup opens further ahead than the planner looks."""
    NOT_WORTH_IT = "not_worth_it"
    """Possible, but dearer than leaving it for a later cycle."""
    OUT_OF_AREA = "out_of_area"
    """The pickup or the drop-off is outside the area that the courier serves."""
    TOO_FAR = "too_far"
    """The way to the pickup, or from there to the drop-off, is longer than anybody is sent."""
    NOT_AT_WORK = "not_at_work"
    """Off duty or outside the shift, and still busy with something."""
    IN_TROUBLE = "in_trouble"
    """Stuck or silent: gets nothing new."""
    PAUSED = "paused"
    """Let offers run out, one after the other: gets nothing new for a while."""
    OUT_OF_TIME = "out_of_time"
    """The planner had no time left to look at the pair."""
    SET_ASIDE = "set_aside"
    """Something about the order cannot be used; an alert says what."""


FOR_NOW = frozenset(
    {
        ReasonCode.NO_FRESH_POSITION,
        ReasonCode.PICKUP_WINDOW,
        ReasonCode.DROPOFF_WINDOW,
        ReasonCode.SHIFT_END,
        ReasonCode.REJECTED,
        ReasonCode.NOT_YET,
        ReasonCode.NOT_WORTH_IT,
        ReasonCode.IN_TROUBLE,
        ReasonCode.PAUSED,
        ReasonCode.OUT_OF_TIME,
    }
)
"""What a dispatcher may know better, by a call for example: told as a warning. The others need to be overruled."""


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
    arrives_at: UnixS
    starts_at: UnixS
    """Service starts: the arrival, or the opening of the window."""
    leaves_at: UnixS
    late_s: int
    """Seconds after `due_at`."""
    leg_s: int = 0
    """Driven to be there; 0 where the stay goes on."""
    break_at: UnixS | None = None
    """A break is taken before the way there, and begins then."""
    break_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedRoute:
    """What one courier should do, in order, and what it costs by term."""

    courier_id: CourierId
    stops: tuple[ScheduledStop, ...]
    cost: Mapping[str, int]
    """Cost by term (travel, lateness, waiting, change, …), in the planner's units; see cost.py."""


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
    also: Mapping[OrderId, tuple[CourierId, ...]] = field(default_factory=dict)
    """Who else is to be asked for what is fixed now, whoever accepts first; see `others.py`."""
    moves: tuple[Move, ...] = ()
    """Where to send idle couriers; empty unless `Params.reposition_above_s` is set."""


def joined(plans: Sequence[Plan]) -> Plan | None:
    """The plans of a region's parts as one; None when there is none."""
    if len(plans) <= 1:
        return plans[0] if plans else None
    made = {plan.source for plan in plans} - {"kept"}
    return Plan(
        routes=tuple(route for plan in plans for route in plan.routes),
        assignments=tuple(given for plan in plans for given in plan.assignments),
        unassigned=tuple(left for plan in plans for left in plan.unassigned),
        cost=sum(plan.cost for plan in plans),
        source=max(made, default="kept"),
        also={order_id: others for plan in plans for order_id, others in plan.also.items()},
        moves=tuple(move for plan in plans for move in plan.moves),
    )
