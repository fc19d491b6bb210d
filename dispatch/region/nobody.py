"""
What staff must be told of an order that nobody has, or whose goods are left on board; no I/O.

`judge` says of each kind of alert whether it holds. A kind it does not name stays as it is: an order that is being
offered has nobody yet, and somebody soon.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta

from dispatch.alert_kind import AlertKind
from dispatch.orders.courier import Courier
from dispatch.orders.order import Order, OrderState, size_in
from dispatch.planning.proposal import ReasonCode
from dispatch.region.zones import Areas
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

Seconds = Annotated[int, Meta(ge=0, le=7 * 86_400)]
EVERYWHERE: Final = Areas()
SETTLES_IN = timedelta(seconds=60)
"""A new order finds its courier within this time, or does not."""
BY_WAY = frozenset({ReasonCode.TOO_FAR, ReasonCode.OUT_OF_AREA, ReasonCode.MAX_ON_BOARD})
"""What is of the order's own way, whoever would go it: goods are on board too long already on the straight way."""
FOR_GOOD = BY_WAY | {ReasonCode.PARTNER, ReasonCode.MODE, ReasonCode.SKILLS, ReasonCode.CAPACITY}
"""What excludes a courier from an order whatever the routes are."""
SAYS_NOTHING = frozenset(
    {ReasonCode.NO_FRESH_POSITION, ReasonCode.NOT_AT_WORK, ReasonCode.IN_TROUBLE, ReasonCode.PAUSED}
)
"""What says nothing of whether the courier could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAlertParams:
    """When staff are told; `regions.settings -> 'alerts'` may hold any of these."""

    unassigned_after_s: Seconds = 600
    """Unassigned: without a courier so long after it was placed, and could be collected."""
    unassigned_left_s: Seconds = 900
    """Unassigned: without a courier when so much is left of the time that was promised."""
    unaccepted_after_offers: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Unaccepted: so many offers of the order ran out or were refused."""
    goods_on_board_after_s: Seconds = 300
    """Goods on board: not handed over so long after the courier's shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What some courier of the region can do, at work or not."""

    mode: Mode
    skills: frozenset[str]
    capacity: tuple[int, ...]
    partner: str | None = None
    apart: bool = False
    areas: frozenset[UUID] = frozenset()
    home: LatLon | None = None
    range_m: int | None = None

    def is_in_range(self, order: Order) -> bool:
        """Whether both ends of an order are near enough to the courier's home, if that is known."""
        if self.home is None or self.range_m is None:
            return True
        return all(distance_m(self.home, at) <= self.range_m for at in (order.pickup.at, order.dropoff.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What has become of an order that nobody has accepted."""

    n_expired: int = 0
    n_rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why the planner found nobody, by code: how many couriers."""


Verdicts = Mapping[AlertKind, Mapping[str, Any] | None]
"""By kind: what was seen where it holds, None where it does not."""


def judge(
    order: Order,
    story: Story,
    abilities: Collection[Ability],
    params: OrderAlertParams,
    now: datetime,
    areas: Areas = EVERYWHERE,
) -> Verdicts:
    """What to tell of an open order."""
    if order.state not in {OrderState.PLACED, OrderState.ASSIGNED}:
        return dict.fromkeys((AlertKind.UNASSIGNED, AlertKind.UNACCEPTED, AlertKind.IMPOSSIBLE))
    n_offers = story.n_expired + story.n_rejected
    found: dict[AlertKind, Mapping[str, Any] | None] = {AlertKind.UNACCEPTED: None, AlertKind.IMPOSSIBLE: None}
    if n_offers >= params.unaccepted_after_offers:
        found[AlertKind.UNACCEPTED] = {"expired": story.n_expired, "rejected": story.n_rejected}
    if order.state is OrderState.ASSIGNED:
        return found
    found[AlertKind.UNASSIGNED] = _unassigned(order, story, params, now)
    if reasons := sorted({*_over(order, now), *_beyond(order, abilities, areas), *_excluded(story)}):
        found[AlertKind.IMPOSSIBLE] = {"reasons": [reason.value for reason in reasons]}
    return found


def left_on_board(courier: Courier, params: OrderAlertParams, now: datetime) -> Mapping[str, Any] | None:
    """What to tell of each order that a courier has on board: the facts when the shift is over; None: nothing."""
    over_at = courier.shift_over_since(now)
    if over_at is None or now - over_at < timedelta(seconds=params.goods_on_board_after_s):
        return None
    return {"shift_ended_at": over_at.isoformat()}


def _unassigned(order: Order, story: Story, params: OrderAlertParams, now: datetime) -> Mapping[str, Any] | None:
    since = max(at for at in (order.placed_at, order.ready_at, order.pickup.window.opens_at) if at is not None)
    window = order.stop(order.awaited_at).window
    promised_at = window.due_at or window.closes_at
    facts: dict[str, Any] = {"since": since.isoformat(), "reasons": dict(story.reasons)}
    if promised_at is not None:
        facts["promised_at"] = promised_at.isoformat()
        is_short = promised_at - now < timedelta(seconds=params.unassigned_left_s)
        if is_short and now - order.placed_at >= SETTLES_IN:
            return facts
    return facts if now - since >= timedelta(seconds=params.unassigned_after_s) else None


def _over(order: Order, now: datetime) -> Iterable[ReasonCode]:
    """Windows that cannot be met any more."""
    ends = {ReasonCode.PICKUP_WINDOW: order.pickup.window, ReasonCode.DROPOFF_WINDOW: order.dropoff.window}
    return [code for code, window in ends.items() if window.closes_at is not None and window.closes_at <= now]


def _beyond(order: Order, abilities: Collection[Ability], areas: Areas) -> Iterable[ReasonCode]:
    """What nobody of the region can do, at work or not; where there is nobody at all it is not the order."""
    size = size_in(order.size)
    known: dict[frozenset[UUID], bool] = {}

    def serves(one: Ability) -> bool:
        if one.areas not in known:
            known[one.areas] = all(areas.serves(one.areas, at) for at in (order.pickup.at, order.dropoff.at))
        return known[one.areas]

    by_code: Mapping[ReasonCode, Callable[[Ability], bool]] = {
        ReasonCode.MODE: lambda one: order.modes is None or one.mode in order.modes,
        ReasonCode.SKILLS: lambda one: order.skills <= one.skills,
        ReasonCode.PARTNER: lambda one: not one.apart or one.partner == order.partner,
        ReasonCode.CAPACITY: lambda one: all(s <= c for s, c in zip(size, one.capacity, strict=False)),
        ReasonCode.OUT_OF_AREA: serves,
        ReasonCode.RANGE: lambda one: one.is_in_range(order),
    }
    if not abilities or any(all(can(one) for can in by_code.values()) for one in abilities):
        return ()
    alone = [code for code, can in by_code.items() if not any(can(one) for one in abilities)]
    return alone or [code for code, can in by_code.items() if not all(can(one) for one in abilities)]


def _excluded(story: Story) -> Iterable[ReasonCode]:
    """What is of its way, when that keeps it from everybody whom nothing else does for good."""
    codes = {ReasonCode(code) for code, n in story.reasons.items() if n and code in _CODES} - SAYS_NOTHING
    return codes if codes <= FOR_GOOD and codes & BY_WAY else ()


_CODES = frozenset(code.value for code in ReasonCode)
