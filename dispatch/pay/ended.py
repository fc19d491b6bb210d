"""How an order ended for a courier, from the rows that tell of it; no I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from dispatch.pay.facts import FARTHEST_M, Facts, Outcome, local, seconds, waiting_s
from dispatch.pay.rules import Rules
from tracking.geo import distance_m
from tracking.instants import is_believable, parse
from tracking.position import LatLon, Mode

Row = Mapping[str, Any]
LARGEST: Final = 2**31 - 1


def facts_of(event: Row, steps: Sequence[Row], zone: ZoneInfo) -> tuple[datetime, Facts]:
    """
    When it ended, and the facts of that.

    `event`: a row of the query `pay.ended`; `steps`: what was done to the order until then, the first first. Whatever
    is odd in the rows counts as nothing.
    """
    at = done_at(event)
    mine = [step for step in steps if step["courier_id"] == event["courier_id"]]
    accepted = [step for step in mine if step["to_state"] == "accepted" or step["action"] == "transfer"]
    collected = [step for step in mine if step["action"] == "picked_up"]
    due_at = event["dropoff_due_at"] or event["dropoff_closes_at"]
    left_at = event["departed_at"] or (done_at(collected[-1]) if collected else None)
    facts = Facts(
        outcome=Outcome(event["action"]),
        mode=Mode(event["mode"]),
        **local(at, zone),
        distance_m=between(event),
        duration_s=seconds(done_at(accepted[-1]) if accepted else None, at),
        waiting_s=waiting_s(event["arrived_at"], event["ready_at"], left_at),
        late_s=seconds(due_at, at) if event["action"] == Outcome.DELIVERED else 0,
        units=units_of(event["size"]),
        priority=event["priority"],
        attempt=1 + sum(step["action"] == "retry" for step in steps),
        partner=event["partner"],
    )
    return at, facts


def done_at(event: Row) -> datetime:
    """When it was done, by the phone where that was believed; else when it was told."""
    told: datetime = event["at"]
    facts = _decoded(event["facts"])
    said = facts.get("happened_at") if isinstance(facts, dict) else None
    if not isinstance(said, str):
        return told
    try:
        at = parse(said)
    except ValueError:
        return told
    return min(at, told) if is_believable(at) else told


def between(row: Row) -> int:
    """Metres from where it is collected to where it is brought, along the great circle."""
    return metres(LatLon(row["pickup_lat"], row["pickup_lon"]), LatLon(row["dropoff_lat"], row["dropoff_lon"]))


def metres(pickup: LatLon, dropoff: LatLon) -> int:
    """Along the great circle, whole."""
    return min(round(distance_m(pickup, dropoff)), FARTHEST_M)


def units_of(size: Any) -> int:
    """Of an order's size; one where it does not say."""
    size = _decoded(size)
    n = size.get("units", 1) if isinstance(size, dict) else 1
    return min(max(0, n), LARGEST) if isinstance(n, int) else 1


def flagged(facts: Facts, rules: Rules, at: datetime) -> Facts:
    """With the flags that the rules have up then."""
    return replace(facts, flags=rules.flags_at(facts.day, at)) if rules.flags else facts


def _decoded(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
