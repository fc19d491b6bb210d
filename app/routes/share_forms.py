"""
What a recipient may do behind the link, by forms without a script: a note for the courier, another window, how it was.

People are always answered a page: where something is not possible any more, the order's own says so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from app.commands.sharing import Link, Token, find_link, hash_of, look_of, may_choose, may_rate, may_write
from app.commands.windows import Span, at_door, that_can_be_kept
from app.pages.recipient import note_of, windows_for, with_note
from app.pages.writing import day_and_time, language_of, page, words, zone_of
from app.shapes.orders import OrderPatch, StopPatch, patched
from app.web.dependencies import Pool, RedisClient
from app.web.problems import BadInput, TooManyRequests
from app.web.rates import Kind
from app.wiring.whatif import Thinker, WhatIf
from dispatch.errors import OrderNotOpen
from dispatch.orders import handover
from dispatch.orders.desk import Desk, at_desk
from dispatch.orders.order import Actor, Order
from dispatch.stop import OrderId, StopKind
from sql import queries

RECIPIENT: Final = Actor(id="recipient", role="recipient")


class Note(msgspec.Struct, kw_only=True):
    """What the recipient wants the courier to know; empty: nothing any more."""

    text: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Choice(msgspec.Struct, kw_only=True):
    """The beginning of one of the windows that were shown."""

    from_: Annotated[datetime, msgspec.Meta(tz=True)] = msgspec.field(name="from")


class Rating(msgspec.Struct, kw_only=True):
    """How it was."""

    stars: Annotated[int, msgspec.Meta(ge=1, le=5)]


@get("/t/{token:str}/note", opt={"public": True}, include_in_schema=False)
async def note_form(token: Token, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """Where a recipient writes."""
    link = await find_link(pool, token)
    if link is None or not may_write(link):
        return Redirect(f"/t/{token}", status_code=303)
    order = link.order
    return page(
        "note",
        language_of(request.headers.get("accept-language")),
        path=f"/t/{token}",
        note=note_of(order.stop(order.awaited_at).instructions),
        **look_of(link.settings),
    )


@post("/t/{token:str}/note", opt={"public": True}, include_in_schema=False)
async def leave_note(token: Token, data: URLEncodedBody[Note], pool: Pool, redis: RedisClient) -> Redirect:
    """A note for the courier, in place of an earlier one: the end of what the stop says."""
    link = await find_link(pool, token)
    if link is None or not may_write(link):
        return _back(token, "late")
    async with at_desk(pool, redis, RECIPIENT) as desk:
        order = await desk.lock_order(OrderId(link.order.id))
        stop = order.stop(order.awaited_at)
        patch = StopPatch(instructions=with_note(stop.instructions, data.text[:300]))
        at_pickup = order.awaited_at is StopKind.PICKUP
        await _change(desk, order, OrderPatch(pickup=patch) if at_pickup else OrderPatch(dropoff=patch))
    return _back(token, "note")


@get("/t/{token:str}/window", opt={"public": True}, include_in_schema=False)
async def window_form(
    token: Token, request: Request[Any, Any, Any], pool: Pool, what_if: Thinker, state: State
) -> Response[Any]:
    """The windows that can be kept, by the plan as it is now."""
    link = await find_link(pool, token)
    now = datetime.now(UTC)
    if link is None or not may_choose(link, now):
        return Redirect(f"/t/{token}", status_code=303)
    zone = zone_of(link.timezone)
    kept = await _kept(token, link, windows_for(link.order, zone, now=now), what_if, state)
    if kept is None:
        return _back(token, "busy")
    language = language_of(request.headers.get("accept-language"))
    windows = _told(kept, zone, language, now)
    return page("window", language, path=f"/t/{token}", windows=windows, **look_of(link.settings))


@post("/t/{token:str}/window", opt={"public": True}, include_in_schema=False)
async def choose_window(
    token: Token, data: URLEncodedBody[Choice], pool: Pool, redis: RedisClient, what_if: Thinker, state: State
) -> Redirect:
    """One of them, if it still can be kept; the dispatcher plans anew."""
    link = await find_link(pool, token)
    now = datetime.now(UTC)
    if link is None or not may_choose(link, now):
        return _back(token, "late")
    zone = zone_of(link.timezone)
    chosen = [one for one in windows_for(link.order, zone, now=now) if one[0] == data.from_]
    kept = await _kept(token, link, chosen, what_if, state)
    if not kept:
        return _back(token, "busy" if kept is None else "taken" if chosen else "late")
    async with at_desk(pool, redis, RECIPIENT) as desk:
        order = await desk.lock_order(OrderId(link.order.id))
        if kept[0] not in windows_for(order, zone, now=now):
            return _back(token, "late")
        await _change(desk, order, at_door(kept[0]))
    return _back(token, "window")


@post("/t/{token:str}/rating", opt={"public": True}, include_in_schema=False)
async def rate(token: Token, data: URLEncodedBody[Rating], pool: Pool, redis: RedisClient) -> Redirect:
    """How it was, once; staff read it among the order's comments."""
    link = await find_link(pool, token)
    if link is None or not may_rate(link):
        return _back(token, "late")
    async with at_desk(pool, redis, RECIPIENT) as desk:
        added = await desk.connection.fetchval(queries["order_ratings.add"], link.order.id, data.stars)
        if added is not None:
            await desk.comment(OrderId(link.order.id), "★" * data.stars + "☆" * (5 - data.stars))
    return _back(token, "rating")


async def _kept(token: str, link: Link, windows: Sequence[Span], what_if: WhatIf, state: State) -> list[Span] | None:
    """Those that the planner would promise; None: it cannot be asked now, or was asked too often by this link."""
    try:
        state.rates.admit(Kind.LINK, hash_of(token).hex())
    except TooManyRequests:
        return None
    return await that_can_be_kept(what_if, link.order, windows)


def _told(windows: Sequence[Span], zone: ZoneInfo, language: str, now: datetime) -> list[tuple[str, str]]:
    option = words(language)["r_window_option"]
    return [
        (begins.isoformat(), option.format(first=f"{begins:%H:%M}", last=day_and_time(ends, zone, language, now=now)))
        for begins, ends in windows
    ]


async def _change(desk: Desk, order: Order, change: OrderPatch) -> None:
    try:
        wanted, names = patched(order, change, ())
        if names:
            await handover.change(desk, order, wanted, names)
    except (BadInput, OrderNotOpen):
        return  # it was closed, or changed by staff, a moment ago: the page says how it stands


def _back(token: str, said: str) -> Redirect:
    """To the order's page, which says what came of it."""
    return Redirect(f"/t/{token}?said={said}", status_code=303)


route_handlers: list[Any] = [note_form, leave_note, window_form, choose_window, rate]
