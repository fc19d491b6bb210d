"""A recipient's link: what is behind it, what may be done there, and how its page looks."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import asyncpg
from litestar.params import PathParameter

from app.pages.recipient import is_under_way, windows_for
from app.pages.writing import zone_of
from dispatch.orders.desk import read_order
from dispatch.orders.order import Order, OrderState
from dispatch.orders.rows import from_json
from dispatch.regions import RecipientSettings, recipient_settings
from sql import queries

AFTER_PROMISE: Final = timedelta(days=1)
"""A link for an order with a promise lives so long after it."""

Token = Annotated[str, PathParameter(max_length=100)]
"""Of a link, in its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An order behind a link that is valid, and how its region speaks to recipients."""

    order: Order
    timezone: str | None
    place: str
    settings: RecipientSettings
    is_rated: bool


async def find_link(pool: asyncpg.Pool, token: str) -> Link | None:
    """What is behind it; None: nothing, or nothing any more."""
    row = await pool.fetchrow(queries["share_links.get"], hash_of(token))
    if row is None:
        return None
    order = await read_order(pool, row["order_id"])
    if ends_at(order, row["expires_at"]) <= datetime.now(UTC):
        return None
    return Link(
        order=order,
        timezone=row["timezone"],
        place=row["region_title"] or order.region,
        settings=recipient_settings(from_json(row["settings"] or "{}")),
        is_rated=row["is_rated"],
    )


def ends_at(order: Order, at: datetime) -> datetime:
    """When a link to an order ends that was made to end at `at`: not before a day after what is promised."""
    window = order.stop(order.awaited_at).window
    named = (window.closes_at, window.due_at, window.opens_at, order.ready_at)
    promised_at = max((one for one in named if one is not None), default=at - AFTER_PROMISE)
    return max(at, promised_at + AFTER_PROMISE)


def may_write(link: Link) -> bool:
    """Whether a note for the courier can be left."""
    return link.settings.may_write and is_under_way(link.order)


def may_choose(link: Link, now: datetime) -> bool:
    """Whether there are windows of which the planner may be asked."""
    return link.settings.may_choose_window and bool(windows_for(link.order, zone_of(link.timezone), now=now))


def may_rate(link: Link) -> bool:
    """Whether it can be said how it was."""
    return link.settings.may_rate and link.order.state is OrderState.DELIVERED and not link.is_rated


def look_of(settings: RecipientSettings) -> dict[str, Any]:
    """The sender's name and colour, with a colour of text that can be read on it."""
    red, green, blue = (int(settings.colour[i : i + 2], 16) for i in (1, 3, 5))
    is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    return {"sender": settings.sender, "colour": settings.colour, "on_colour": "#fff" if is_dark else "#000"}


def hash_of(token: str) -> bytes:
    """By what a link is known here; the token itself is not kept."""
    return hashlib.sha256(token.encode()).digest()
