"""The live stream as a partner's people get it: that partner's couriers and orders, and nothing of anybody else."""

from dataclasses import replace
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from sql import queries
from tracking.feed.view import Message

FRESH_S: Final = 5.0
"""A courier who is new or has changed hands is shown, or hidden, so much later."""
MOST_ORDERS: Final = 10_000
"""Orders whose partner one stream remembers."""


class PartnerFeed:
    """Takes out of a viewer's messages what is not the partner's. One per stream."""

    def __init__(self, pool: asyncpg.Pool, partner: str) -> None:
        self._pool = pool
        self._partner = partner
        self._couriers: frozenset[str] = frozenset()
        self._fresh_until = 0.0
        self._orders: dict[str, bool] = {}

    async def kept(self, messages: list[Message]) -> list[Message]:
        """What of them the viewer may have."""
        if not messages:
            return messages
        if monotonic() >= self._fresh_until:
            rows = await self._pool.fetch(queries["reach.couriers_of_partner"], self._partner)
            self._couriers = frozenset(str(row["id"]) for row in rows)
            self._fresh_until = monotonic() + FRESH_S
        return [kept for message in messages if (kept := await self._kept(message)) is not None]

    async def _kept(self, message: Message) -> Message | None:
        if message.event == "reset":
            return message
        body = msgspec.json.decode(message.data)
        if message.event == "orders":
            body["items"] = [one for one in body["items"] if one.get("partner") == self._partner]
            return replace(message, data=msgspec.json.encode(body)) if body["items"] else None
        if message.event in {"snapshot", "delta"}:
            body["positions"] = [one for one in body["positions"] if one["courier_id"] in self._couriers]
            if "gone" in body:
                body["gone"] = [one for one in body["gone"] if one in self._couriers]
            return replace(message, data=msgspec.json.encode(body))
        return message if await self._is_theirs(body) else None

    async def _is_theirs(self, facts: dict[str, Any]) -> bool:
        """Of an order that is told of; else of the courier. What is about neither concerns everybody."""
        order_id, courier_id = facts.get("order_id"), facts.get("courier_id")
        if order_id is None:
            return courier_id in self._couriers
        if order_id not in self._orders:
            if len(self._orders) >= MOST_ORDERS:
                self._orders.clear()
            row = await self._pool.fetchrow(queries["reach.order_id"], UUID(order_id))
            self._orders[order_id] = row is not None and row["partner"] == self._partner
        return self._orders[order_id]
