"""The recipient's link: where is my order, when does it come. Only that order, only while it is under way."""

import hashlib
import html
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Annotated, Any, Final
from uuid import UUID

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
from dispatch.orders.order import Order, OrderState
from dispatch.region.whereabouts import Locator
from sql import queries

LINK_LIVES: Final = timedelta(days=2)
"""A link that nobody ended is dead after this: an order takes hours, not days."""

PAGE: Final = Template((Path(__file__).parent / "share.html").read_text(encoding="utf-8"))

WORDS: Final = {
    OrderState.PLACED: "We are looking for a courier.",
    OrderState.ASSIGNED: "We are looking for a courier.",
    OrderState.ACCEPTED: "A courier is on the way to collect your order.",
    OrderState.PICKED_UP: "Your order is on its way.",
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


class SharedShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a recipient may know."""

    state: str
    text: str
    dropoff: StopShape
    eta: EtaShape | None = None
    courier: SeenAt | None = None
    """Only while the order is on board: before that the courier is on somebody else's errand."""


@post("/v1/orders/{order_id:uuid}/share", guards=[requires(Role.SUPPORT)], tags=["orders"])
async def share_order(order_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> LinkShape:
    """Make a link for the recipient of an open order."""
    token = secrets.token_urlsafe(24)
    expires_at = datetime.now(UTC) + LINK_LIVES
    async with pool.acquire() as connection, connection.transaction():
        order = await read_order(connection, order_id)
        if not order.is_open:
            raise OrderNotOpen(order_id=str(order_id), state=order.state.value)
        await connection.execute(queries["share_links.insert"], _hash(token), order_id, expires_at, caller.actor)
        await audit(connection, caller, "order.share", f"order:{order_id}")
    return LinkShape(token=token, url=f"/t/{token}", expires_at=expires_at)


@get("/t/{token:str}", opt={"public": True}, tags=["recipient"], raises=[])
async def shared_order(
    token: Annotated[str, PathParameter(max_length=100)],
    request: Request[Any, Any, Any],
    pool: Pool,
    locator: Whereabouts,
    arrivals: Arriving,
) -> Response[Any]:
    """The order behind a link: a page for people, JSON for whoever asks for it. Over as soon as it is delivered."""
    row = await pool.fetchrow(queries["share_links.get"], _hash(token))
    if row is None or row["expires_at"] <= datetime.now(UTC):
        raise ShareNotFound
    order = await read_order(pool, row["order_id"])
    if not order.is_open:
        raise ShareNotFound
    shape = await _shared(locator, arrivals, order)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    if "text/html" in request.headers.get("accept", ""):
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return Response(_page(shape), media_type="text/html", headers=headers | {"Content-Security-Policy": policy})
    return Response(shape, media_type="application/json", headers=headers)


async def _shared(locator: Locator, arrivals: Arrivals, order: Order) -> SharedShape:
    # The address is the recipient's own; names, telephone numbers and instructions stay with us.
    stop = stop_shape(order.dropoff)
    shape = SharedShape(
        state=order.state.value,
        text=WORDS[order.state],
        dropoff=StopShape(lat=stop.lat, lon=stop.lon, address=stop.address, window=stop.window),
    )
    if order.courier_id is None:
        return shape
    dropoff = (await arrivals.of_order(order.id)).dropoff
    shape.eta = None if dropoff is None else eta_shape(dropoff)
    if order.state is OrderState.PICKED_UP:
        seen = await locator.locate_one(order.region, order.courier_id, datetime.now(UTC))
        shape.courier = None if seen is None else SeenAt(lat=seen.at.lat, lon=seen.at.lon, age_s=round(seen.age_s))
    return shape


def _page(shape: SharedShape) -> str:
    arrival = "" if shape.eta is None else f"Expected at {shape.eta.p50:%H:%M} UTC."
    return PAGE.substitute(
        text=html.escape(shape.text), arrival=html.escape(arrival), address=html.escape(shape.dropoff.address or "")
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


route_handlers: list[Any] = [share_order, shared_order]
