"""The fleet's day as queues, an ordinary one and such on which something breaks at the worst time; no I/O."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from benchmarks.capacity_fleet import HOUR_S, LOG_FIXES, LOG_KEEP_S, OUTAGE_S, Costs, Terms, share_at
from benchmarks.capacity_plan import Plan, dispatched, fix_redis_us, pages_s, upload_us
from benchmarks.queues import Flow, Round, Span, Station, flow, rounds

STEP_S: Final = 10.0
RUSH: Final = (8.0, 9.5)
"""Hours whose orders are followed closely."""
ORDER_STEP_S: Final = 0.5
OUTAGE_AT_S: Final = 8.5 * HOUR_S
FAILOVER_S: Final = 30.0
"""Until Sentinel has made a replica the primary, and all have found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that happens at the worst time."""

    database_away_s: float = 0.0
    redis_away_s: float = 0.0


TROUBLES: Final = {
    "an ordinary day": Trouble(),
    "the database is away": Trouble(database_away_s=OUTAGE_S),
    "Redis fails over": Trouble(redis_away_s=FAILOVER_S),
}


def fixes_of_a_day(costs: Costs, plan: Plan, terms: Terms, trouble: Trouble) -> Flow:
    """Of the largest installation."""
    fleet, couriers = plan.fleet, plan.couriers
    came = [couriers * share_at(n * STEP_S) / fleet.every_s * STEP_S for n in range(round(24 * HOUR_S / STEP_S))]
    stored_per_s = min(plan.writers * 1e6 / costs.writer_us, plan.postgres_cores * 1e6 / costs.postgres_us)
    # The fullest process sets the pace: all regions are alike.
    alike = plan.regions / ceil(plan.regions / plan.watchers)
    database, redis = _away(trouble.database_away_s), _away(trouble.redis_away_s)
    memory = terms.memory_gb * 1e9 / 2 - couriers * costs.courier_bytes
    room = min(LOG_FIXES * plan.regions, memory / costs.log_bytes - couriers / fleet.every_s * LOG_KEEP_S)
    uploads = (plan.api - pages_s(costs, fleet, couriers)) * 1e6 / upload_us(costs, fleet)
    return flow(
        came,
        Station(per_s=min(uploads, 1e6 / fix_redis_us(costs, fleet)), away=(redis,)),
        {
            "history": Station(per_s=stored_per_s, away=(database, redis)),
            "watch": Station(per_s=alike * 1e6 / costs.watch_us, away=(database, redis)),
        },
        room=room,
        step_s=STEP_S,
    )


def orders_of_a_rush(costs: Costs, plan: Plan, trouble: Trouble) -> list[Round]:
    """Of the fullest dispatcher, in the morning; its orders wait while the database is away."""
    region, each_has = dispatched(costs, plan.fleet), ceil(plan.regions / plan.dispatchers)
    began_s, n_steps = RUSH[0] * HOUR_S, round((RUSH[1] - RUSH[0]) * HOUR_S / ORDER_STEP_S)
    since, until = _away(trouble.database_away_s)
    return rounds(
        [each_has * region.orders_per_s * ORDER_STEP_S] * n_steps,
        lambda n: region.cost_s(each_has, n),
        away=(since - began_s, until - began_s),
        step_s=ORDER_STEP_S,
    )


def _away(seconds: float) -> Span:
    return OUTAGE_AT_S, OUTAGE_AT_S + seconds
