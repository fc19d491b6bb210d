"""Writes alerts and tells that they were raised or resolved, for every part of the program that finds any."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from prometheus_client import Counter
from redis.asyncio import Redis

from dispatch.alert_kind import AlertKind
from dispatch.stop import OrderId
from sql import queries
from tracking import events
from tracking import lease as leases
from tracking.batch import instant
from tracking.lease import Lease
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

RAISED = Counter("postrider_alerts_raised_total", "Alerts raised, by kind.", ["kind"])
RESOLVED = Counter("postrider_alerts_resolved_total", "Alerts resolved by themselves, by kind.", ["kind"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """An alert to raise or to resolve; about a courier, an order, both, or with neither the region as a whole."""

    kind: AlertKind
    courier_id: CourierId | None = None
    order_id: OrderId | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was seen; JSON values."""
    expected: Mapping[str, Any] = field(default_factory=dict)
    """What would have been in order."""


async def write(
    pool: asyncpg.Pool,
    redis: Redis,
    region: Region,
    *,
    source: str = "",
    raised: Sequence[AlertChange],
    resolved: Sequence[AlertChange],
    now: datetime,
    lease: Lease | None = None,
) -> None:
    """
    Resolve and raise; what is so already stays as it is and is not told again.

    With `lease` only its holder can: `LeaseLost`.
    """
    if not resolved and not raised:
        return
    found: list[tuple[str, Any]] = []
    async with pool.acquire() if lease is None else leases.held(pool, lease) as connection:
        if resolved:
            rows = await connection.fetch(queries["alerts.resolve_many"], region, now, source, *_columns(resolved))
            found += [("alert.resolved", row) for row in rows]
        if raised:
            expected = [_text(change.expected) for change in raised]
            rows = await connection.fetch(
                queries["alerts.raise_many"], region, now, source, *_columns(raised), expected
            )
            found += [("alert.raised", row) for row in rows]
    for name, row in found:
        (RAISED if name == "alert.raised" else RESOLVED).labels(row["kind"]).inc()
        log.info(name.replace(".", " "), extra={"event": name.replace(".", "_"), **told_of(row)})
    await events.tell(redis, [(region, name, told_of(row)) for name, row in found], at=now)


def told_of(row: Mapping[str, Any]) -> dict[str, str]:
    """What an event says of an alert."""
    facts = {"alert_id": row["id"], "kind": row["kind"], "courier_id": row["courier_id"], "order_id": row["order_id"]}
    return {name: str(value) for name, value in facts.items() if value is not None}


def readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with instants as people read them."""
    return {
        f"{name.removesuffix('_us')}_at" if name.endswith("_us") and name != "at_us" else name.removesuffix("_us"): (
            instant(value).isoformat() if name.endswith("_us") and value is not None else value
        )
        for name, value in facts.items()
        if value is not None
    }


def _columns(changes: Sequence[AlertChange]) -> tuple[list[Any], ...]:
    return (
        [change.kind.value for change in changes],
        [change.courier_id for change in changes],
        [change.order_id for change in changes],
        [_text(change.facts) for change in changes],
    )


def _text(facts: Mapping[str, Any]) -> str:
    return msgspec.json.encode(facts).decode()
