"""
The recipient's link: where is my order, when does it come. Only that order, only while it is under way.

Programs are answered JSON, and 404 when it is over; people always see a page, which then says how it ended.
"""

import hashlib
import html
import math
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, PathParameter

from app.shapes.arrivals import EtaShape, eta_shape
from app.shapes.orders import StopShape, stop_shape
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import Arriving, CurrentCaller, Pool, Whereabouts
from dispatch.arrivals.answers import Arrivals
from dispatch.errors import OrderNotOpen, ShareNotFound
from dispatch.orders.desk import read_order
from dispatch.orders.order import Order, OrderKind, OrderState
from dispatch.region.whereabouts import Locator
from sql import queries

COARSE_M: Final = 500.0
M_PER_DEGREE: Final = 111_195.0
"""Of latitude, on the sphere."""
LINK_LIVES: Final = timedelta(days=2)
"""A link for an order without a promise is dead after this: it takes hours, not days."""
AFTER_PROMISE: Final = timedelta(days=1)
"""One with a promise lives so long after it."""
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
POLICY: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
OTHER_WORDS: Final = {
    (OrderKind.DROPOFF, OrderState.ACCEPTED): "Your order is on its way.",
    (OrderKind.PICKUP, OrderState.PICKED_UP): "Your order has been collected.",
    (OrderKind.PICKUP, OrderState.DELIVERED): "Your order has been collected.",
    (OrderKind.SERVICE, OrderState.ACCEPTED): "We are on our way to you.",
    (OrderKind.SERVICE, OrderState.DELIVERED): "We have been with you.",
    (OrderKind.SERVICE, OrderState.FAILED): "We could not visit you.",
}
NOT_VALID: Final = "This link is not valid any more."

PAGE: Final = Template((Path(__file__).parent / "share.html").read_text(encoding="utf-8"))

WORDS: Final = {
    OrderState.PLACED: "We are looking for a courier.",
    OrderState.ASSIGNED: "We are looking for a courier.",
    OrderState.ACCEPTED: "A courier is on the way to collect your order.",
    OrderState.PICKED_UP: "Your order is on its way.",
    OrderState.DELIVERED: "Your order has been delivered.",
    OrderState.CANCELLED: "Your order was cancelled.",
    OrderState.FAILED: "Your order could not be delivered.",
    OrderState.RETURNING: "Your order could not be delivered.",
    OrderState.RETURNED: "Your order could not be delivered.",
}


class LinkShape(msgspec.Struct, kw_only=True):
    """A link for the recipient; its token is shown once."""

    token: str
    url: str
    expires_at: datetime


class SeenAt(msgspec.Struct, kw_only=True):
    """Where the courier is."""

    lat: float
    lon: float
    age_s: float
    accuracy_m: float | None = None
    """How far off it may be: coarse while the courier goes to others, whose doors are nobody's business."""


class SharedShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a recipient may know."""

    state: str
    text: str
    dropoff: StopShape
    """Where the courier is expected, also where the order is only collected."""
    eta: EtaShape | None = None
    courier: SeenAt | None = None
    """Only while the order is on board, and exactly only while its door is the next stop."""


@post("/v1/orders/{order_id:uuid}/share", guards=[requires(Role.SUPPORT)], tags=["orders"])
async def share_order(order_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> LinkShape:
    """Make a link for the recipient of an open order."""
    token = secrets.token_urlsafe(24)
    async with pool.acquire() as connection, connection.transaction():
        order = await read_order(connection, order_id)
        if not order.is_open:
            raise OrderNotOpen(order_id=str(order_id), state=order.state.value)
        expires_at = _ends_at(order, datetime.now(UTC) + LINK_LIVES)
        await connection.execute(queries["share_links.insert"], _hash(token), order_id, expires_at, caller.actor)
        await audit(connection, caller, "order.share", f"order:{order_id}")
    return LinkShape(token=token, url=f"/t/{token}", expires_at=expires_at)


@get("/t/{token:str}", opt={"public": True}, security=[{}], tags=["recipient"], raises=[])
async def shared_order(
    token: Annotated[str, PathParameter(max_length=100)],
    request: Request[Any, Any, Any],
    pool: Pool,
    locator: Whereabouts,
    arrivals: Arriving,
) -> Response[Any]:
    """The order behind a link: a page for people, JSON for whoever asks for it. Over as soon as it is delivered."""
    is_page = "text/html" in request.headers.get("accept", "")
    row = await pool.fetchrow(queries["share_links.get"], _hash(token))
    order = None if row is None else await read_order(pool, row["order_id"])
    if order is not None and _ends_at(order, row["expires_at"]) <= datetime.now(UTC):
        order = None
    shape = None
    if order is not None and order.is_open:
        try:
            shape = await _shared(pool, locator, arrivals, order)
        except OrderNotOpen:  # closed between two looks
            order = await read_order(pool, order.id)
    if not is_page:
        if shape is None:
            raise ShareNotFound
        return Response(shape, media_type="application/json", headers=HEADERS)
    page = _ended(order, row) if shape is None else _page(shape, row["timezone"])
    status = 404 if order is None else 200
    return Response(page, media_type="text/html", status_code=status, headers=HEADERS | POLICY)


def _ends_at(order: Order, at: datetime) -> datetime:
    """When a link to an order ends that was made to end at `at`: not before a day after what is promised."""
    window = order.stop(order.awaited_at).window
    named = (window.closes_at, window.due_at, window.opens_at, order.ready_at)
    promised_at = max((one for one in named if one is not None), default=at - AFTER_PROMISE)
    return max(at, promised_at + AFTER_PROMISE)


async def _shared(pool: asyncpg.Pool, locator: Locator, arrivals: Arrivals, order: Order) -> SharedShape:
    # The address is the recipient's own; names, telephone numbers and instructions stay with us.
    stop = stop_shape(order.stop(order.awaited_at))
    shape = SharedShape(
        state=order.state.value,
        text=_words(order),
        dropoff=StopShape(lat=stop.lat, lon=stop.lon, address=stop.address, window=stop.window),
    )
    if order.courier_id is None:
        return shape
    told = await arrivals.of_order(order.id)
    arrival = told.pickup if order.kind is OrderKind.PICKUP else told.dropoff
    shape.eta = None if arrival is None else eta_shape(arrival)
    # Where nothing is collected before, the courier is on the way once the order is accepted.
    if order.state is (OrderState.PICKED_UP if order.only is None else OrderState.ACCEPTED):
        seen = await locator.locate_one(order.region, order.courier_id, datetime.now(UTC))
        is_next = await pool.fetchval(queries["routes.is_next"], order.courier_id, str(order.id))
        if seen is not None:
            lat, lon = seen.at.latlon if is_next else coarse(*seen.at.latlon)
            shape.courier = SeenAt(lat=lat, lon=lon, age_s=round(seen.age_s), accuracy_m=None if is_next else COARSE_M)
    return shape


def _page(shape: SharedShape, timezone: str | None) -> str:
    when = "" if shape.eta is None else f"Expected at {_local(shape.eta.p50, timezone)}."
    return _filled(shape.text, when, shape.dropoff.address or "", again=True)


def _words(order: Order) -> str:
    return OTHER_WORDS.get((order.kind, order.state), WORDS[order.state])


def _ended(order: Order | None, row: Any) -> str:
    """How it ended; where is nobody's business any more."""
    if order is None:
        return _filled(NOT_VALID)
    delivered_at = order.delivered_at
    return _filled(_words(order), "" if delivered_at is None else f"At {_local(delivered_at, row['timezone'])}.")


def _filled(text: str, when: str = "", address: str = "", *, again: bool = False) -> str:
    refresh = '<meta http-equiv="refresh" content="20">' if again else ""
    return PAGE.substitute(
        refresh=refresh, text=html.escape(text), arrival=html.escape(when), address=html.escape(address)
    )


def _local(at: datetime, timezone: str | None) -> str:
    """The time on the clocks of the region, with the day when that is not today."""
    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ValueError, KeyError, OSError):  # written by other means; an unknown zone is a KeyError
        zone = ZoneInfo("UTC")
    local = at.astimezone(zone)
    is_today = local.date() == datetime.now(zone).date()
    return f"{local:%H:%M %Z}" if is_today else f"{local:%H:%M %Z on %d %B}"


def coarse(lat: float, lon: float) -> tuple[float, float]:
    """The nearest corner of a grid of about COARSE_M."""
    step = COARSE_M / M_PER_DEGREE
    north = round(lat / step) * step
    wide = step / max(math.cos(math.radians(north)), 0.01)
    return round(north, 6), round(max(-180.0, min(180.0, round(lon / wide) * wide)), 6)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


route_handlers: list[Any] = [share_order, shared_order]
