"""Retention of what is neither a fix nor made of fixes: each kind of row as long as its setting says, then it goes."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import asyncpg

from app.settings import Settings
from sql import queries
from tracking import outages, periodic
from tracking.pause import pause

log = logging.getLogger(__name__)

BATCH: Final = 2_000
"""Rows of one statement, so that no lock and no burst of WAL lasts long."""
EVERY_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the rows of each block of sql/queries/retention.sql are kept; what others refer to comes last."""

    share_links: timedelta
    invitations: timedelta
    outbox: timedelta
    outbox_heads: timedelta
    inbox: timedelta
    inbox_letters: timedelta
    inbox_heads: timedelta
    messages: timedelta
    order_contacts: timedelta
    order_pictures: timedelta
    order_codes: timedelta
    order_comments: timedelta
    courier_messages: timedelta
    stays: timedelta
    fence_events: timedelta
    stop_visits: timedelta
    alerts: timedelta
    shifts: timedelta
    courier_hours: timedelta
    breaks: timedelta
    order_hours: timedelta
    order_days: timedelta
    order_days_addresses: timedelta
    orders: timedelta
    audit_log: timedelta
    tokens: timedelta
    users: timedelta
    pay_due: timedelta
    pay_facts: timedelta
    pay_entries: timedelta
    stock_movements: timedelta
    stock_batches: timedelta
    stock_counts: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """From the settings."""
        contacts, findings = settings.retention_contacts_days, settings.retention_findings_days
        orders, audit = settings.retention_orders_days, settings.retention_audit_days
        days = {
            **dict.fromkeys(("share_links", "invitations"), 1),
            **dict.fromkeys(("outbox", "inbox", "messages"), min(settings.retention_events_days, contacts)),
            "inbox_letters": contacts,
            "courier_messages": contacts,
            **dict.fromkeys(
                ("order_contacts", "order_pictures", "order_codes", "order_comments", "order_days_addresses"), contacts
            ),
            **dict.fromkeys(("stays", "fence_events", "stop_visits", "alerts", "shifts", "breaks"), findings),
            "courier_hours": settings.retention_1h_days,
            **dict.fromkeys(("order_hours", "order_days", "orders", "outbox_heads", "inbox_heads"), orders),
            **dict.fromkeys(("stock_movements", "stock_batches", "stock_counts"), orders),
            **dict.fromkeys(("audit_log", "tokens", "users"), audit),
            "pay_due": orders,
            **dict.fromkeys(("pay_facts", "pay_entries"), settings.retention_pay_days),
        }
        return cls(**{name: timedelta(days=n) for name, n in days.items()})


class Forgetting:
    """Applies `Retention`; several may run at once."""

    def __init__(
        self, pool: asyncpg.Pool, retention: Retention, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._retention = retention
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Forget every hour, until `stop`."""
        while not stop.is_set():
            await self.once()
            await pause(stop, EVERY_S)

    async def once(self) -> None:
        """Everything that is due; a kind that cannot be forgotten now keeps no other."""
        is_done = True
        for kind in Retention.__slots__:
            try:
                await self._forget(kind, self._now() - getattr(self._retention, kind))
            except Exception as exc:  # noqa: BLE001 - told, as an outage or as a defect, and tried again
                outages.tell(log, "retention postponed", exc, event="retention_postponed", kind=kind)
                is_done = False
        if is_done:
            periodic.succeeded("retention")

    async def _forget(self, kind: str, before: datetime) -> None:
        n = BATCH
        while n == BATCH:
            status = await self._pool.execute(queries[f"retention.{kind}"], before, BATCH)
            n = int(status.rpartition(" ")[2])
