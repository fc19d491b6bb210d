"""Thresholds of alerts, and what they need to know of a courier besides the fixes; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

from dispatch.alerts.route_line import RouteLine
from dispatch.stop import OrderId, StopKind
from tracking.position import LatLon, Mode
from tracking.watching.area import Area

MAX_SPEED_MPS: Mapping[Mode, float] = {Mode.CAR: 70.0, Mode.MOTORCYCLE: 70.0, Mode.BICYCLE: 25.0, Mode.FOOT: 25.0}
"""Nobody is faster; on foot a courier may still take a bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertParams:
    """Thresholds of a region; `regions.settings -> 'alerts'` may hold any of them."""

    stuck_after_s: int = 300
    stuck_within_m: float = 50.0
    """No fix farther than this from the middle of the others: noise, not movement."""
    at_stop_m: float = 75.0
    """This close to an open stop a courier is at work, not stuck."""
    silent_after_s: int = 120
    silent_at_most_s: int = 43_200
    """Silent for longer, a courier has gone home and forgotten to go off duty: no alert any more."""
    intake_silent_share: float = 0.5
    """So large a share of the couriers at work, silent together, is our outage and not theirs."""
    intake_silent_couriers: int = 3
    """Fewer than these are judged one by one all the same."""
    intake_grace_s: int = 300
    """So long after such an outage nobody is judged by silence: phones come back one by one, with what they kept."""
    frozen_after_s: int = 120
    off_route_m: float = 150.0
    back_on_route_m: float = 100.0
    off_route_fixes: int = 3
    late_risk_s: int = 0
    """Raised when the p90 of the arrival is later than promised by more than this."""
    late_risk_clear_s: int = 60
    """Ends when the p90 is earlier than promised by this."""
    late_after_s: int = 0
    low_battery_pct: float = 15.0
    battery_ok_pct: float = 20.0
    outside_m: float = 200.0
    outside_fixes: int = 3
    jump_m: float = 2_000.0
    """Shorter impossible jumps are bad reception: GeoLife 001 has six of 0.5 to 1.5 km in 53 days."""
    jump_clear_s: int = 300
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
    """Since when the courier has had something to do without a break; standing still before that means nothing."""
    region: Area | None = None
    """The region's outline; None: none was given."""
