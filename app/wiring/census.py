"""
Orders, couriers and events as the database has them, for the metrics: told by who is not stuck.

A dispatcher or a gateway that has died tells nothing, and just then it must be seen that orders wait: so every API
process counts, and housekeeping too.
"""

import asyncio
import logging
from typing import Final

import asyncpg
from prometheus_client import Gauge

from dispatch.orders.order import ON_BOARD_STATES, OPEN_STATES
from sql import queries
from tracking import periodic

log = logging.getLogger(__name__)

ORDERS: Final = Gauge("postrider_orders", "Open orders.", ["region", "state"], multiprocess_mode="mostrecent")
OLDEST_ORDER: Final = Gauge(
    "postrider_orders_oldest_unassigned_seconds",
    "How long the oldest order that nobody has waits; an order for later begins to wait an hour before.",
    ["region"],
    multiprocess_mode="mostrecent",
)
COURIERS: Final = Gauge("postrider_couriers_on_duty", "Couriers on duty.", ["region"], multiprocess_mode="mostrecent")
WAITING: Final = Gauge("postrider_events_waiting", "Events that wait to be sent out.", multiprocess_mode="mostrecent")
OLDEST_EVENT: Final = Gauge(
    "postrider_events_oldest_seconds", "Age of the oldest of them.", multiprocess_mode="mostrecent"
)

EVERY_S: Final = 10.0
STATES: Final = OPEN_STATES | ON_BOARD_STATES


class Census:
    """Counts again and again; each query reads open rows only."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`; without the database the numbers stay, and what is away is told by others."""
        await periodic.run(
            self.once, stop, every_s=EVERY_S, log=log, message="not counted", event="census_postponed", name="census"
        )

    async def once(self) -> None:
        """Set the gauges. Raises what asyncpg raises."""
        couriers = await self._pool.fetch(queries["census.couriers"])
        orders = await self._pool.fetch(queries["census.orders"])
        events = await self._pool.fetchrow(queries["outbox.waiting"])
        n_of = {(row["region"], row["state"]): row["n"] for row in orders}
        oldest_s = {row["region"]: row["oldest_s"] for row in orders if row["state"] == "placed"}
        for row in couriers:
            COURIERS.labels(row["region"]).set(row["n"])
        for region in {row["region"] for row in couriers} | {region for region, _ in n_of}:
            OLDEST_ORDER.labels(region).set(oldest_s.get(region, 0.0))
            for state in STATES:
                ORDERS.labels(region, state.value).set(n_of.get((region, state.value), 0))
        WAITING.set(events["n"])
        OLDEST_EVENT.set(max(0.0, events["oldest_s"]))
