"""A default stands in two places at most, and there it is the same."""

import inspect

import pytest

from app.settings import Settings
from app.wiring import params
from dispatch.arrivals.keeper import KeeperParams
from dispatch.region.loop import LoopParams
from dispatch.region.params import CycleParams
from dispatch.travel.client import EngineClient
from dispatch.travel.guards import CircuitBreaker
from tracking.feed.feed import FeedParams
from tracking.history.housekeeping import Keep
from tracking.history.writer import Pace
from tracking.intake.ingest import Bounds
from tracking.lanes import LaneParams
from tracking.log import PositionLog
from tracking.quality import Limits
from tracking.watching.watch import WatchParams


@pytest.mark.parametrize(
    ("made_of", "default"),
    [
        (params.limits_of, Limits),
        (params.bounds_of, Bounds),
        (params.pace_of, Pace),
        (params.keep_of, Keep),
        (params.feed_of, FeedParams),
        (params.watch_of, WatchParams),
        (params.loop_of, LoopParams),
        (params.cycle_of, CycleParams),
    ],
)
def test_a_part_runs_by_default_as_the_settings_do(made_of, default):
    assert made_of(Settings()) == default()


TAKEOVER_S = 10.0


@pytest.mark.parametrize("lease_s", [Settings().watch_lease_s, Settings().dispatch_lease_s, KeeperParams().lease_s])
def test_what_died_is_taken_over_within_ten_seconds(lease_s):
    """It may have renewed its lease just before; the next one looks at its own beat, and takes a moment to take it."""
    assert lease_s + min(LaneParams().beat_s, lease_s / 3) <= TAKEOVER_S - 1


@pytest.mark.parametrize(
    ("setting", "part", "argument"),
    [
        ("log_keep_s", PositionLog, "keep_s"),
        ("travel_timeout_s", EngineClient, "timeout_s"),
        ("travel_recovery_s", CircuitBreaker, "recovery_s"),
    ],
)
def test_an_argument_defaults_to_its_setting(setting, part, argument):
    assert inspect.signature(part).parameters[argument].default == getattr(Settings(), setting)
