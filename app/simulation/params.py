"""What to simulate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tracking.position import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateParams:
    """The fleet to simulate."""

    url: str
    token: str
    """Of a dispatcher, a service or an administrator: it creates couriers, their device tokens, and orders."""
    couriers: int = 200
    interval_s: float = 5.0
    """Each courier posts so often."""
    lat: float = 41.1579
    lon: float = -8.6291
    """Centre of the town; by default Porto."""
    radius_m: float = 3000.0
    seed: int = 1
    duration_s: float | None = None
    """Ends by itself after so long; None: when interrupted."""
    orders_per_hour: float = 0.0
    ready_in_s: tuple[float, float] = (90, 420)
    """Orders are ready so long after they were placed, shortest and longest."""
    think_s: tuple[float, float] = (1, 6)
    """A courier looks at an offer for so long, shortest and longest."""
    service_s: tuple[float, float] = (20, 60)
    """A stop takes so long, shortest and longest."""
    freeze: tuple[int, ...] = ()
    """Numbers of couriers (from 1) that stop moving, though they go on posting."""
    silence: tuple[int, ...] = ()
    """Numbers of couriers that stop posting."""
    detour: tuple[int, ...] = ()
    """Numbers of couriers that drive somewhere else than their route says."""
    slow: tuple[int, ...] = ()
    """Numbers of couriers that have a flat tyre on the way to something promised soon: they go on, much slower."""
    trouble_after_s: float = 60.0
    """When those four begin; with orders, all but silence wait until the courier is on the way to a stop."""
    trouble_for_s: float = 600.0
    """How long they last; then all go on as if nothing had been."""
    region: str | None = None
    streets: Path | None = None
    """A cut-out of OpenStreetMap to work in; None: a made-up town."""
    engines: Mapping[Mode, str] = field(default_factory=dict)
    """osrm-routed by mode: couriers take its ways; a mode without one takes the town's streets."""
    shut_doors: float = 0.0
    """Share of doors that nobody opens: the goods go back."""
    on_shift: float = 0.0
    """Share of couriers who work by shifts, with a break that is planned and taken."""
    tomorrow: int = 0
    """So many orders for tomorrow, which is planned ahead for those who work by shifts."""
    cooking: int = 0
    """So many of the kitchens are places: they say what they make, and when it is ready."""
    dispatch: Mapping[str, object] = field(default_factory=dict)
    """Settings of the region's dispatch; what is not named stays. The token must be an administrator's."""
