"""Thresholds of alerts, and what they need to know of a courier besides the fixes; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from dispatch.alerts.route_line import RouteLine
from dispatch.region.nobody import OrderAlertParams
from dispatch.stop import OrderId, StopKind
from tracking.position import LatLon, Mode
from tracking.watching.area import Area

MAX_SPEED_MPS: Mapping[Mode, float] = {Mode.CAR: 70.0, Mode.MOTORCYCLE: 70.0, Mode.BICYCLE: 25.0, Mode.FOOT: 25.0}
"""Nobody is faster; on foot a courier may still take a bus."""


Seconds = Annotated[int, Meta(ge=0, le=7 * 86_400)]
SomeSeconds = Annotated[int, Meta(ge=1, le=7 * 86_400)]
Metres = Annotated[float, Meta(ge=0, le=100_000)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Fixes = Annotated[int, Meta(ge=1, le=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertParams(OrderAlertParams):
    """Thresholds of a region; `regions.settings -> 'alerts'` may hold any of them."""

    stuck_after_s: SomeSeconds = 300
    """Stuck: has something to do, and has not moved for so long."""
    stuck_within_m: Metres = 50.0
    """No fix farther than this from the middle of the others: noise, not movement."""
    at_stop_m: Metres = 75.0
    """This close to an open stop a courier is at work, not stuck."""
    silent_after_s: SomeSeconds = 120
    """Silent: on duty, and the phone was not heard of for so long."""
    silent_at_most_s: Seconds = 43_200
    """Silent for longer, a courier has gone home and forgotten to go off duty: no alert any more."""
    intake_silent_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """So large a share of the couriers at work, silent together, is our outage and not theirs."""
    intake_silent_couriers: Annotated[int, Meta(ge=1, le=100_000)] = 3
    """Fewer than these are judged one by one all the same."""
    intake_grace_s: Seconds = 300
    """So long after such an outage nobody is judged by silence: phones come back one by one, with what they kept."""
    frozen_after_s: SomeSeconds = 120
    """Frozen: the phone is heard of, but its newest fix is older than this."""
    off_route_m: Metres = 150.0
    """Off route: farther than this from the way to the next stop."""
    back_on_route_m: Metres = 100.0
    """On the route again: closer than this; not more than `off_route_m`."""
    off_route_fixes: Fixes = 3
    """So many fixes one after the other must say so."""
    late_risk_s: Seconds = 0
    """Raised when the p90 of the arrival is later than promised by more than this."""
    late_risk_clear_s: Seconds = 60
    """Ends when the p90 is earlier than promised by this."""
    late_after_s: Seconds = 0
    """Late: so long after what was promised."""
    low_battery_pct: Percent = 15.0
    """Low battery: this or less."""
    battery_ok_pct: Percent = 20.0
    """Ends at this or more; not less than `low_battery_pct`."""
    outside_m: Metres = 200.0
    """Outside the region: farther than this from its boundary."""
    outside_fixes: Fixes = 3
    """So many fixes one after the other must say so."""
    jump_m: Metres = 2_000.0
    """Shorter impossible jumps are bad reception: GeoLife 001 has six of 0.5 to 1.5 km in 53 days."""
    jump_clear_s: Seconds = 300
    """An impossible jump is over when none came for so long."""

    def __post_init__(self) -> None:
        if not (self.back_on_route_m <= self.off_route_m and self.low_battery_pct <= self.battery_ok_pct):
            raise ValueError("expected back_on_route_m <= off_route_m and low_battery_pct <= battery_ok_pct")
        if min(self.stuck_after_s, self.silent_after_s, self.frozen_after_s, self.off_route_fixes) <= 0:
            raise ValueError("expected thresholds above 0")
        if not (0 < self.intake_silent_share <= 1 and self.intake_silent_couriers > 0 and self.intake_grace_s >= 0):
            raise ValueError("expected 0 < intake_silent_share <= 1, intake_silent_couriers > 0, intake_grace_s >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStop:
    """A stop the courier has not done yet."""

    order_id: OrderId
    kind: StopKind
    at: LatLon
    promised_us: int | None = None
    """Service has to begin by then (microseconds since the epoch); None: nothing was promised."""
    p90_us: int | None = None
    """When the courier will have arrived with a probability of 90 %; None: no estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierFacts:
    """What alerts need to know of a courier besides the fixes."""

    mode: Mode = Mode.CAR
    on_duty: bool = True
    on_break: bool = False
    stops: tuple[OpenStop, ...] = ()
    """Open stops of the route, in order."""
    line: RouteLine | None = None
    """Where the route leads; None: not known, or no route."""
    since_us: int = 0
    """Since when the courier has had something to do without a break or a stop; standing still before means nothing."""
    region: Area | None = None
    """The region's outline; None: none was given."""
