"""
Invitations: a link with which a courier's phone becomes the courier's, `/join/{code}`, or a place's tablet the place's.

Opening it uses nothing: messengers look at what is sent through them. Each of its two buttons works once: one signs
this browser in as the courier, the other makes a device token and shows the settings of the phone apps with it. A
place's has the first one only.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath, PathParameter
from litestar.response import Redirect

from app.logs import current_address
from app.pages.phone_apps import phone_apps, qr_code
from app.pages.writing import day_and_time, language_of, page, wants_page, words, zone_of
from app.web.audit import audit
from app.web.auth import Caller, Role, new_secret, requires
from app.web.cookies import own_address, session_cookie
from app.web.dependencies import CurrentCaller, Pool
from app.web.rates import Kind
from app.web.tokens import add_token
from dispatch.errors import PlaceNotFound
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId

INVITATION_LIVES: Final = timedelta(days=3)
"""A weekend, between being hired and the first shift."""
SESSION_LIVES: Final = timedelta(days=90)
"""A courier's phone is the courier's; staff end it sooner by revoking its token."""

Code = Annotated[str, PathParameter(max_length=100)]


class InvitationShape(msgspec.Struct, kw_only=True):
    """A link for a courier's phone; shown once."""

    url: str
    expires_at: datetime


@post("/v1/couriers/{courier_id:uuid}/invitations", guards=[requires(Role.SUPPORT)], tags=["couriers"])
async def invite_courier(courier_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> InvitationShape:
    """Make a link that opens the courier page on the courier's phone, or shows a phone app's settings; each once."""
    code = new_secret("i")
    expires_at = datetime.now(UTC) + INVITATION_LIVES
    async with pool.acquire() as connection, connection.transaction():
        invited = await connection.fetchval(
            queries["invitations.add"], _hash(code), courier_id, caller.actor, expires_at
        )
        if invited is None:
            raise CourierNotFound(courier_id=courier_id)
        await audit(connection, caller, "courier.invite", f"courier:{courier_id}")
    return InvitationShape(url=f"/join/{code}", expires_at=expires_at)


@get("/join/{code:str}", opt={"public": True}, include_in_schema=False)
async def show_invitation(code: Code, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """What the invitation is good for; uses nothing."""
    now = datetime.now(UTC)
    row = await pool.fetchrow(queries["invitations.find"], _hash(code), now)
    if row is None:
        return _over(request)
    language = language_of(request.headers.get("accept-language"))
    who: Caller | None = request.user
    return page(
        "join",
        language,
        name=row["name"],
        until=day_and_time(row["expires_at"], zone_of(row["timezone"]), language, now=now),
        code=code,
        may_join=row["joined_at"] is None,
        may_connect=row["connected_at"] is None,
        signed_in="" if who is None or who.courier_id == row["courier_id"] else who.name,
        qr=qr_code(f"{own_address(request)}/join/{code}"),
    )


@post("/join/{code:str}", opt={"public": True}, include_in_schema=False)
async def join(code: Code, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """Sign this browser in as the courier, once, and open the courier page."""
    _check_ours(request)
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        courier_id = await connection.fetchval(queries["invitations.join"], _hash(code), now)
        if courier_id is None:
            return _over(request)
        made, token_id, _ = await add_token(
            connection,
            Role.COURIER,
            "courier page",
            courier_id=courier_id,
            expires_at=now + SESSION_LIVES,
            is_session=True,
        )
        await audit(connection, _courier(courier_id, token_id), "session.begin", f"courier:{courier_id}")
    cookie = session_cookie(request, made.token, int(SESSION_LIVES.total_seconds()))
    return Redirect("/courier", status_code=303, cookies=[cookie])


@post("/join/{code:str}/app", opt={"public": True}, include_in_schema=False, status_code=HTTPStatus.OK)
async def connect_app(code: Code, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """Make a device token, once, and show the settings of the phone apps with it."""
    _check_ours(request)
    async with pool.acquire() as connection, connection.transaction():
        courier_id = await connection.fetchval(queries["invitations.connect"], _hash(code), datetime.now(UTC))
        if courier_id is None:
            return _over(request)
        made, token_id, _ = await add_token(connection, Role.COURIER, "phone app", courier_id=courier_id)
        facts = {"prefix": made.prefix}
        await audit(connection, _courier(courier_id, token_id), "token.issue", f"courier:{courier_id}", facts)
    language = language_of(request.headers.get("accept-language"))
    return page("phone_apps", language, apps=phone_apps(own_address(request), made.token))


@post("/v1/places/{place_id:uuid}/invitations", guards=[requires(Role.SUPPORT)], tags=["places"])
async def invite_place(place_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> InvitationShape:
    """Make a link that opens the place's page on its tablet, once."""
    code = new_secret("i")
    expires_at = datetime.now(UTC) + INVITATION_LIVES
    async with pool.acquire() as connection, connection.transaction():
        invited = await connection.fetchval(
            queries["invitations.add_place"], _hash(code), place_id, caller.actor, expires_at
        )
        if invited is None:
            raise PlaceNotFound(place_id=str(place_id))
        await audit(connection, caller, "place.invite", f"place:{place_id}")
    return InvitationShape(url=f"/join/{code}/place", expires_at=expires_at)


@get("/join/{code:str}/place", opt={"public": True}, include_in_schema=False)
async def show_place_invitation(code: Code, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """What the invitation is good for; uses nothing."""
    now = datetime.now(UTC)
    row = await pool.fetchrow(queries["invitations.find_place"], _hash(code), now)
    if row is None:
        return _over(request)
    language = language_of(request.headers.get("accept-language"))
    who: Caller | None = request.user
    return page(
        "join_place",
        language,
        name=row["name"],
        until=day_and_time(row["expires_at"], zone_of(row["timezone"]), language, now=now),
        code=code,
        may_join=row["joined_at"] is None,
        signed_in="" if who is None or who.place_id == row["place_id"] else who.name,
        qr=qr_code(f"{own_address(request)}/join/{code}/place"),
    )


@post("/join/{code:str}/place", opt={"public": True}, include_in_schema=False)
async def join_as_place(code: Code, request: Request[Any, Any, Any], pool: Pool) -> Response[Any]:
    """Sign this browser in as the place, once, and open its page."""
    _check_ours(request)
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["invitations.join_place"], _hash(code), now)
        if row is None:
            return _over(request)
        made, token_id, _ = await add_token(
            connection,
            Role.PLACE,
            row["name"],
            place_id=row["place_id"],
            expires_at=now + SESSION_LIVES,
            is_session=True,
        )
        place = Caller(token_id=token_id, role=Role.PLACE, name=row["name"], place_id=row["place_id"])
        await audit(connection, place, "session.begin", f"place:{row['place_id']}")
    cookie = session_cookie(request, made.token, int(SESSION_LIVES.total_seconds()))
    return Redirect("/place", status_code=303, cookies=[cookie])


def _courier(courier_id: UUID, token_id: UUID) -> Caller:
    return Caller(token_id=token_id, role=Role.COURIER, name="", courier_id=CourierId(courier_id))


def _check_ours(request: Request[Any, Any, Any]) -> None:
    """Only our own page signs somebody in, and nobody tries codes without end."""
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise PermissionDeniedException(detail="Open the invitation itself.")


def _over(request: Request[Any, Any, Any]) -> Response[Any]:
    if not wants_page(request.headers.get("accept")):
        raise NotFoundException(detail="This invitation was used, has expired, or never was.")
    language = language_of(request.headers.get("accept-language"))
    said = words(language)
    return page("over", language, status=404, title=said["over_title"], text=said["over_text"])


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


route_handlers: list[Any] = [
    invite_courier,
    show_invitation,
    join,
    connect_app,
    invite_place,
    show_place_invitation,
    join_as_place,
]
