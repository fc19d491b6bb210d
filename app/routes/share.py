"""
The recipient's link: where is my order, when does it come. Only that order, only while it is under way.

Programs are answered JSON, and 404 when it is over; people always see a page, which then says how it ended. What a
recipient may do there is a form: a note for the courier, another window, how it was.
"""

import hashlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, PathParameter, URLEncodedBody
from litestar.response import Redirect

from app.pages import recipient
from app.pages.recipient import Expected, facts_of, headline, is_under_way, note_of, windows_for, with_note
from app.pages.writing import POLICY, day_and_time, language_of, page, wants_page, words, zone_of
from app.pictures.pictures import PictureShape
from app.shapes.arrivals import EtaShape, eta_shape
from app.shapes.orders import OrderPatch, StopPatch, StopShape, WindowShape, patched, stop_shape
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import Arriving, CurrentCaller, Pool, RedisClient, Whereabouts
from app.web.problems import BadInput
from dispatch.arrivals.answers import Arrivals
from dispatch.errors import OrderNotOpen, ShareNotFound
from dispatch.orders import handover
from dispatch.orders.desk import Desk, at_desk, read_order
from dispatch.orders.order import Actor, Order, OrderKind, OrderState
from dispatch.orders.proof import code_of
from dispatch.orders.rows import from_json
from dispatch.region.whereabouts import Locator
from dispatch.regions import RecipientSettings, recipient_settings
from dispatch.stop import OrderId, StopKind
from sql import queries

COARSE_M: Final = 500.0
M_PER_DEGREE: Final = 111_195.0
"""Of latitude, on the sphere."""
LINK_LIVES: Final = timedelta(days=2)
"""A link for an order without a promise is dead after this: it takes hours, not days."""
AFTER_PROMISE: Final = timedelta(days=1)
"""One with a promise lives so long after it."""
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
WITH_MAP: Final = f"{POLICY}; frame-src 'self'"
RECIPIENT: Final = Actor(id="recipient", role="recipient")

Token = Annotated[str, PathParameter(max_length=100)]


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


class Note(msgspec.Struct, kw_only=True):
    """What the recipient wants the courier to know; empty: nothing any more."""

    text: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Choice(msgspec.Struct, kw_only=True):
    """The beginning of one of the windows that were shown."""

    from_: Annotated[datetime, msgspec.Meta(tz=True)] = msgspec.field(name="from")


class Rating(msgspec.Struct, kw_only=True):
    """How it was."""

    stars: Annotated[int, msgspec.Meta(ge=1, le=5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """An order behind a link that is valid, and how its region speaks to recipients."""

    order: Order
    timezone: str | None
    place: str
    settings: RecipientSettings
    is_rated: bool


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
    token: Token,
    request: Request[Any, Any, Any],
    pool: Pool,
    locator: Whereabouts,
    arrivals: Arriving,
    state: State,
) -> Response[Any]:
    """The order behind a link: a page for people, JSON for whoever asks for it. Over as soon as it is delivered."""
    link = await _find(pool, token)
    shape = None
    if link is not None and link.order.is_open:
        try:
            shape = await _shared(pool, locator, arrivals, link.order)
            shape.code = await code_of(pool, link.order)
        except OrderNotOpen:  # closed between two looks
            link = await _find(pool, token)
    if not wants_page(request.headers.get("accept")):
        if shape is None:
            raise ShareNotFound
        return Response(shape, media_type="application/json", headers=HEADERS)
    if link is None:
        return _not_valid(request)
    seen = link.order.state is OrderState.DELIVERED and link.settings.may_see_proof
    pictures = await state.pictures.of_order(link.order.id, datetime.now(UTC)) if seen else []
    return _page(request, token, link, shape, pictures)


@get("/t/{token:str}/note", opt={"public": True}, include_in_schema=False)
async def note_form(token: Token, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """Where a recipient writes."""
    link = await _find(pool, token)
    if link is None or not _may_write(link):
        return Redirect(f"/t/{token}", status_code=303)
    order = link.order
    return page(
        "note",
        language_of(request.headers.get("accept-language")),
        path=f"/t/{token}",
        note=note_of(order.stop(order.awaited_at).instructions),
        **_look(link.settings),
    )


@post("/t/{token:str}/note", opt={"public": True}, include_in_schema=False)
async def leave_note(token: Token, data: URLEncodedBody[Note], pool: Pool, redis: RedisClient) -> Redirect:
    """A note for the courier, in place of an earlier one: the end of what the stop says."""
    link = await _find(pool, token)
    if link is None or not _may_write(link):
        return Redirect(f"/t/{token}?said=late", status_code=303)
    async with at_desk(pool, redis, RECIPIENT) as desk:
        order = await desk.lock_order(OrderId(link.order.id))
        stop = order.stop(order.awaited_at)
        patch = StopPatch(instructions=with_note(stop.instructions, data.text[:300]))
        await _change(desk, order, patch)
    return Redirect(f"/t/{token}?said=note", status_code=303)


@post("/t/{token:str}/window", opt={"public": True}, include_in_schema=False)
async def choose_window(token: Token, data: URLEncodedBody[Choice], pool: Pool, redis: RedisClient) -> Redirect:
    """Another window, of those that were shown; the dispatcher plans anew."""
    link = await _find(pool, token)
    now = datetime.now(UTC)
    if link is None or not link.settings.may_choose_window:
        return Redirect(f"/t/{token}?said=late", status_code=303)
    async with at_desk(pool, redis, RECIPIENT) as desk:
        order = await desk.lock_order(OrderId(link.order.id))
        chosen = [one for one in windows_for(order, zone_of(link.timezone), now=now) if one[0] == data.from_]
        if not chosen:
            return Redirect(f"/t/{token}?said=late", status_code=303)
        begins, ends = (one.astimezone(UTC) for one in chosen[0])
        await _change(desk, order, StopPatch(window=WindowShape(from_=begins, to=ends), latest=None))
    return Redirect(f"/t/{token}?said=window", status_code=303)


@post("/t/{token:str}/rating", opt={"public": True}, include_in_schema=False)
async def rate(token: Token, data: URLEncodedBody[Rating], pool: Pool, redis: RedisClient) -> Redirect:
    """How it was, once; staff read it among the order's comments."""
    link = await _find(pool, token)
    if link is None or not _may_rate(link):
        return Redirect(f"/t/{token}?said=late", status_code=303)
    async with at_desk(pool, redis, RECIPIENT) as desk:
        added = await desk.connection.fetchval(queries["order_ratings.add"], link.order.id, data.stars)
        if added is not None:
            await desk.comment(OrderId(link.order.id), "★" * data.stars + "☆" * (5 - data.stars))
    return Redirect(f"/t/{token}?said=rating", status_code=303)


async def _change(desk: Desk, order: Order, patch: StopPatch) -> None:
    change = OrderPatch(pickup=patch) if order.awaited_at is StopKind.PICKUP else OrderPatch(dropoff=patch)
    try:
        wanted, names = patched(order, change, ())
        if names:
            await handover.change(desk, order, wanted, names)
    except (BadInput, OrderNotOpen):
        return  # it was closed, or changed by staff, a moment ago: the page says how it stands


async def _find(pool: asyncpg.Pool, token: str) -> _Link | None:
    row = await pool.fetchrow(queries["share_links.get"], _hash(token))
    if row is None:
        return None
    order = await read_order(pool, row["order_id"])
    if _ends_at(order, row["expires_at"]) <= datetime.now(UTC):
        return None
    return _Link(
        order=order,
        timezone=row["timezone"],
        place=row["region_title"] or order.region,
        settings=recipient_settings(from_json(row["settings"] or "{}")),
        is_rated=row["is_rated"],
    )


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
    link: _Link,
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
    thanks = f"r_{'' if said == 'late' else 'thanks_'}{said}"
    courier = None if shape is None else shape.courier
    return page(
        "recipient",
        language,
        policy=POLICY if shape is None else WITH_MAP,
        path=f"/t/{token}",
        again=is_under_way(order),
        thanks=words(language)[thanks] if said in {"note", "window", "rating", "late"} else "",
        has_map=shape is not None and is_under_way(order),
        coarse=courier is not None and courier.accuracy_m is not None,
        may_write=_may_write(link),
        note=note_of(order.stop(order.awaited_at).instructions) if _may_write(link) else "",
        windows=_windows(link, language, now),
        may_rate=_may_rate(link),
        code=None if shape is None or not is_under_way(order) else shape.code,
        pictures=pictures,
        zone=recipient.zone_name(zone, now),
        place=link.place,
        **facts_of(order, expected, zone, language, now=now),
        **_look(link.settings),
    )


def _look(settings: RecipientSettings) -> dict[str, Any]:
    """The sender's name and colour, with a colour of text that can be read on it."""
    red, green, blue = (int(settings.colour[i : i + 2], 16) for i in (1, 3, 5))
    is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    return {"sender": settings.sender, "colour": settings.colour, "on_colour": "#fff" if is_dark else "#000"}


def _windows(link: _Link, language: str, now: datetime) -> list[tuple[str, str]]:
    if not link.settings.may_choose_window:
        return []
    zone, option = zone_of(link.timezone), words(language)["r_window_option"]
    return [
        (begins.isoformat(), option.format(first=f"{begins:%H:%M}", last=day_and_time(ends, zone, language, now=now)))
        for begins, ends in windows_for(link.order, zone, now=now)
    ]


def _may_write(link: _Link) -> bool:
    return link.settings.may_write and is_under_way(link.order)


def _may_rate(link: _Link) -> bool:
    return link.settings.may_rate and link.order.state is OrderState.DELIVERED and not link.is_rated


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


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


route_handlers: list[Any] = [share_order, shared_order, note_form, leave_note, choose_window, rate]
