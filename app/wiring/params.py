"""
What the settings mean to each part.

The parts have defaults of their own, for tests and benchmarks; a test holds that these are what the program runs with.
"""

from datetime import timedelta
from typing import Final

from app.settings import Settings
from dispatch.planning.profiles import Profile
from dispatch.region.loop import LoopParams
from dispatch.region.params import CycleParams
from dispatch.reports.courier_hours import Reach
from tracking.feed.feed import FeedParams
from tracking.feed.view import Freshness
from tracking.history.housekeeping import Keep
from tracking.history.writer import Pace
from tracking.intake.ingest import Bounds
from tracking.quality import Limits
from tracking.watching.lookout import WatchParams

BEHIND: Final = 0.8
"""A watcher further behind than this part of what the log may hold loses its place, before phones are turned away."""


def limits_of(settings: Settings) -> Limits:
    """The screening rules' thresholds."""
    return Limits(
        ahead_s=settings.fix_ahead_s,
        oldest_s=settings.fix_oldest_s,
        poor_accuracy_m=settings.poor_accuracy_m,
        jump_speed_mps=settings.jump_speed_mps,
        jump_slack_m=settings.jump_slack_m,
    )


def bounds_of(settings: Settings) -> Bounds:
    """How much may wait on its way in."""
    return Bounds(
        log_fixes=settings.log_limit_fixes,
        waiting_fixes=settings.waiting_limit_fixes,
        indexed_for_s=indexed_for_s(settings),
        quarantine_courier_bytes=settings.quarantine_courier_bytes,
        quarantine_bytes=settings.quarantine_bytes,
        replicas=settings.redis_replicas,
        replicas_within_s=settings.redis_replicas_within_s if settings.redis_replicas else 0.0,
    )


def indexed_for_s(settings: Settings) -> float:
    """How long a courier stays in the geo indices after a fix: as long as one is worth something, and a minute."""
    return settings.stale_within_s + 60.0


def pace_of(settings: Settings) -> Pace:
    """How the writer paces itself."""
    takeover_s = settings.writer_takeover_s
    return Pace(
        claim_idle_ms=int(takeover_s * 1000),
        claim_every_s=takeover_s / 3,
        reader_absent_s=settings.log_reader_absent_s,
    )


def keep_of(settings: Settings) -> Keep:
    """How long what is kept. ValueError where one does not fit the other."""
    return Keep(
        raw=timedelta(days=settings.retention_raw_days),
        by_minute=timedelta(days=settings.retention_1m_days),
        by_hour=timedelta(days=settings.retention_1h_days),
        uncompressed=timedelta(days=settings.compress_after_days),
        oldest_fix=timedelta(seconds=settings.fix_oldest_s),
    )


def reach_of(settings: Settings) -> Reach:
    """How far back couriers' hours are summed."""
    return Reach(
        oldest_fix=timedelta(seconds=settings.fix_oldest_s), by_hour=timedelta(days=settings.retention_1h_days)
    )


def feed_of(settings: Settings) -> FeedParams:
    """How the live feed paces itself, and what it calls online."""
    freshness = Freshness(online_within_s=settings.online_within_s, stale_within_s=settings.stale_within_s)
    return FeedParams(tick_s=settings.live_tick_s, freshness=freshness)


def watch_of(settings: Settings) -> WatchParams:
    """How the watcher works."""
    return WatchParams(
        limits=limits_of(settings),
        lease_s=settings.watch_lease_s,
        tick_s=settings.watch_tick_s,
        behind_fixes=int(BEHIND * settings.log_limit_fixes),
    )


def loop_of(settings: Settings) -> LoopParams:
    """When the dispatcher does things."""
    return LoopParams(tick_s=settings.dispatch_tick_s, lease_s=settings.dispatch_lease_s)


def cycle_of(settings: Settings) -> CycleParams:
    """How regions are planned."""
    params = CycleParams(
        offer_for_s=settings.offer_for_s,
        ask_again_after_s=settings.ask_again_after_s,
        search_s=settings.dispatch_search_s,
    )
    return params.by(Profile(settings.dispatch_profile.lower()))
