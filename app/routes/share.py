"""
The recipient's link: where is my order, when does it come. Only that order, only while it is under way.

Programs are answered JSON, and 404 when it is over; people always see a page, which then says how it ended. What a
recipient may do there is in `share_forms`.
"""

import math
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath

from app.commands.sharing import Link, Token, ends_at, find_link, hash_of, look_of, may_choose, may_rate, may_write
from app.pages import recipient
from app.pages.recipient import Expected, facts_of, headline, is_under_way, note_of
from app.pages.writing import POLICY, language_of, page, wants_page, words, zone_of
from app.pictures.pictures import PictureShape
from app.shapes.arrivals import EtaShape, eta_shape
from app.shapes.orders import StopShape, stop_shape
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import Arriving, CurrentCaller, Pool, Whereabouts
from dispatch.arrivals.answers import Arrivals
from dispatch.errors import OrderNotOpen, ShareNotFound
from dispatch.orders.desk import read_order
from dispatch.orders.order import Order, OrderKind, OrderState
from dispatch.orders.proof import code_of
from dispatch.region.whereabouts import Locator
from sql import queries

COARSE_M: Final = 500.0
M_PER_DEGREE: Final = 111_195.0
"""Of latitude, on the sphere."""
LINK_LIVES: Final = timedelta(days=2)
"""A link for an order without a promise is dead after this: it takes hours, not days."""
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
WITH_MAP: Final = f"{POLICY}; frame-src 'self'"
THANKS: Final = frozenset({"note", "window", "rating"})
SAID: Final = THANKS | {"late", "busy", "taken"}
"""What the page may be asked to say, of what the recipient did there."""


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
    stops_before: int | None = None
    """So many stops the courier makes before, once on the way."""
    code: str | None = None
    """To be named at the door."""


@post("/v1/orders/{order_id:uuid}/share", guards=[requires(Role.SUPPORT)], tags=["orders"])
async def share_order(order_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> LinkShape:
    """Make a link for the recipient of an open order."""
    token = secrets.token_urlsafe(24)
    async with pool.acquire() as connection, connection.transaction():
        order = await read_order(connection, order_id)
        if not order.is_open:
            raise OrderNotOpen(order_id=str(order_id), state=order.state.value)
        expires_at = ends_at(order, datetime.now(UTC) + LINK_LIVES)
        await connection.execute(queries["share_links.insert"], hash_of(token), order_id, expires_at, caller.actor)
        await audit(connection, caller, "order.share", f"order:{order_id}")
    return LinkShape(token=token, url=f"/t/{token}", expires_at=expires_at)


@get("/t/{token:str}", opt={"public": True}, security=[{}], tags=["recipient"], raises=[])
async def shared_order(
    token: Token,
    request: Request[Any, Any, Any],
    pool: Pool,
    locator: Whereabouts,
    arrivals: Arriving,
    state: State,
) -> Response[Any]:
    """The order behind a link: a page for people, JSON for whoever asks for it. Over as soon as it is delivered."""
    link = await find_link(pool, token)
    shape = None
    if link is not None and link.order.is_open:
        try:
            shape = await _shared(pool, locator, arrivals, link.order)
            shape.code = await code_of(pool, link.order)
        except OrderNotOpen:  # closed between two looks
            link = await find_link(pool, token)
    if not wants_page(request.headers.get("accept")):
        if shape is None:
            raise ShareNotFound
        return Response(shape, media_type="application/json", headers=HEADERS)
    if link is None:
        return _not_valid(request)
    seen = link.order.state is OrderState.DELIVERED and link.settings.may_see_proof
    pictures = await state.pictures.of_order(link.order.id, datetime.now(UTC)) if seen else []
    return _page(request, token, link, shape, pictures)


async def _shared(pool: asyncpg.Pool, locator: Locator, arrivals: Arrivals, order: Order) -> SharedShape:
    # The address is the recipient's own; names, telephone numbers and instructions stay with us.
    stop = stop_shape(order.stop(order.awaited_at))
    shape = SharedShape(
        state=order.state.value,
        text=words("en")[headline(order)],
        dropoff=StopShape(lat=stop.lat, lon=stop.lon, address=stop.address, window=stop.window),
    )
    if order.courier_id is None:
        return shape
    told = await arrivals.of_order(order.id)
    arrival = told.pickup if order.kind is OrderKind.PICKUP else told.dropoff
    shape.eta = None if arrival is None else eta_shape(arrival)
    # Where nothing is collected before, the courier is on the way once the order is accepted.
    if order.state is (OrderState.PICKED_UP if order.only is None else OrderState.ACCEPTED):
        shape.stops_before = await pool.fetchval(
            queries["routes.stops_before"], order.courier_id, str(order.id), order.awaited_at.value
        )
        seen = await locator.locate_one(order.region, order.courier_id, datetime.now(UTC))
        if seen is not None:
            is_next = shape.stops_before == 0
            lat, lon = seen.at.latlon if is_next else coarse(*seen.at.latlon)
            shape.courier = SeenAt(lat=lat, lon=lon, age_s=round(seen.age_s), accuracy_m=None if is_next else COARSE_M)
    return shape


def _page(
    request: Request[Any, Any, Any],
    token: str,
    link: Link,
    shape: SharedShape | None,
    pictures: Sequence[PictureShape],
) -> Response[Any]:
    """How it stands, in the reader's language; once it is over, how it ended, and not where."""
    language = language_of(request.headers.get("accept-language"))
    now, zone, order = datetime.now(UTC), zone_of(link.timezone), link.order
    eta = None if shape is None else shape.eta
    expected = Expected(
        p50=None if eta is None else eta.p50,
        p90=None if eta is None else eta.p90,
        stops_before=None if shape is None else shape.stops_before,
    )
    said = request.query_params.get("said", "")
    thanks = f"r_{'thanks_' if said in THANKS else ''}{said}"
    courier = None if shape is None else shape.courier
    return page(
        "recipient",
        language,
        policy=POLICY if shape is None else WITH_MAP,
        path=f"/t/{token}",
        again=is_under_way(order),
        thanks=words(language)[thanks] if said in SAID else "",
        has_map=shape is not None and is_under_way(order),
        coarse=courier is not None and courier.accuracy_m is not None,
        may_write=may_write(link),
        note=note_of(order.stop(order.awaited_at).instructions) if may_write(link) else "",
        may_choose=may_choose(link, now),
        may_rate=may_rate(link),
        code=None if shape is None or not is_under_way(order) else shape.code,
        pictures=pictures,
        zone=recipient.zone_name(zone, now),
        place=link.place,
        **facts_of(order, expected, zone, language, now=now),
        **look_of(link.settings),
    )


def _not_valid(request: Request[Any, Any, Any]) -> Response[Any]:
    language = language_of(request.headers.get("accept-language"))
    said = words(language)
    return page("over", language, status=404, title=said["r_not_valid"], text=said["r_not_valid_text"])


def coarse(lat: float, lon: float) -> tuple[float, float]:
    """The nearest corner of a grid of about COARSE_M."""
    step = COARSE_M / M_PER_DEGREE
    north = round(lat / step) * step
    wide = step / max(math.cos(math.radians(north)), 0.01)
    return round(north, 6), round(max(-180.0, min(180.0, round(lon / wide) * wide)), 6)


route_handlers: list[Any] = [share_order, shared_order]
