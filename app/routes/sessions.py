"""Who is signed in: `/v1/sign-in`, `/v1/sign-out`, `/v1/me`, and the sessions that go on."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath, JSONBody

from app.logs import current_address
from app.shapes.sessions import SessionShape, session_shape
from app.web.accounts import admit_name, let_in
from app.web.audit import audit
from app.web.auth import SESSION_COOKIE, Caller, Role, is_of_session, requires, requires_any
from app.web.cookies import session_cookie
from app.web.dependencies import CurrentCaller, Pool, RedisClient, Tokens
from app.web.pages import Page
from app.web.rates import Kind
from app.web.reach import reach_of
from app.web.sign_in import Lives, end_session, redeem
from sql import queries
from tracking import outages

log = logging.getLogger(__name__)

FORGOTTEN: Final = Cookie(key=SESSION_COOKIE, value="", max_age=0, httponly=True, samesite="strict", path="/")

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Credentials(msgspec.Struct, kw_only=True):
    """A name and its password, a staff token, or the code of an address: one of the three."""

    name: Secret | None = None
    password: Secret | None = None
    totp: Secret | None = None
    """With a name: the code that the second factor's app shows, or a recovery code."""
    token: Secret | None = None
    code: Secret | None = None

    def __post_init__(self) -> None:
        """Raises ValueError, which msgspec reports as bad input."""
        if (self.name is None) != (self.password is None):
            raise ValueError("expected a name with its password")
        if [self.name, self.token, self.code].count(None) != 2:
            raise ValueError("expected a name with its password, a token or a code")


class Me(msgspec.Struct, kw_only=True):
    """Who a token or a session is."""

    id: UUID
    """Of the token."""
    name: str
    role: Role
    courier_id: UUID | None
    """Set for a courier's device."""
    region: str
    """The courier's region; for others the first one."""
    regions: list[str]
    """Those that can be looked at."""
    expires_at: datetime | None
    user_id: UUID | None
    """Of a person who signed in."""
    partner: str | None
    """Whose orders and couriers can be looked at; null: everybody's."""
    bounded: bool
    """Only to some regions or a partner: what concerns everybody is closed."""
    by_provider: bool
    """A person whom the identity provider knows: signing out there is another step."""
    has_password: bool
    must_change_password: bool
    """Until then nothing else is allowed."""


@post("/v1/sign-in", opt={"public": True}, security=[{}], status_code=HTTPStatus.OK, tags=["sessions"])
async def sign_in(
    data: JSONBody[Credentials], request: Request[Any, Any, Any], authenticator: Tokens, pool: Pool, redis: RedisClient
) -> Response[Me]:
    """
    Begin a session, by a name and its password or a one-time code, in a cookie that scripts cannot read.

    A staff token may be put there as well. A person with a second factor is asked for its code, too
    (`second-factor-required`).

    The cookie is sent by our own pages only (SameSite=Strict), and this request is answered to our own pages only, so
    that nobody can sign a visitor in as somebody else.
    """
    return await _sign_in(data, request, authenticator, pool, redis)


async def _sign_in(
    data: Credentials, request: Request[Any, Any, Any], authenticator: Any, pool: Any, redis: Any
) -> Response[Me]:
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise PermissionDeniedException(detail="Sign in on Postrider's own page.")
    settings = request.app.state.settings
    lives = Lives(
        session_s=settings.session_s, idle_s=settings.session_idle_s, agent=request.headers.get("user-agent", "")
    )
    if data.name is not None:
        admit_name(request.app.state.rates, data.name)
        passwords, now = request.app.state.passwords, datetime.now(UTC)
        token = await let_in(pool, passwords, data.name.strip(), data.password or "", data.totp, lives, now)
        if token is None:
            raise NotAuthorizedException(detail="The name, the password or the code is not right.")
    elif data.code is not None:
        token = await redeem(redis, pool, data.code.strip(), lives)
        if token is None:
            raise NotAuthorizedException(detail="This address was used before or has expired: ask for a new one.")
    else:
        token = str(data.token).strip()
    caller = await authenticator.caller(token)
    if caller is None or not caller.is_at_least(Role.VIEWER):
        raise NotAuthorizedException(detail="This is not a valid staff token.")
    life_s = int(settings.session_s)
    if caller.expires_at is not None:
        life_s = max(0, min(life_s, int((caller.expires_at - datetime.now(UTC)).total_seconds())))
    cookie = session_cookie(request, token, life_s)
    return Response(await _me(caller, pool), cookies=[cookie], headers={"cache-control": "no-store"})


@get("/v1/me", opt={"before_password": True}, guards=[requires_any], tags=["sessions"])
async def who_am_i(caller: CurrentCaller, pool: Pool) -> Response[Me]:
    """Whose token or session this is."""
    return Response(await _me(caller, pool), headers={"cache-control": "no-store"})


@post(
    "/v1/sign-out",
    opt={"public": True},
    security=[{}],
    status_code=HTTPStatus.NO_CONTENT,
    response_cookies=[FORGOTTEN],
    tags=["sessions"],
)
async def sign_out(request: Request[Any, Any, Any], authenticator: Tokens, pool: Pool) -> None:
    """Forget the cookie. A session that began with a code is over; a token that was pasted goes on elsewhere."""
    if request.user is not None and is_of_session(request.auth):
        try:
            if (digest := await end_session(pool, request.user)) is not None:
                await authenticator.forget(digest)
        except outages.DRIVERS as exc:
            outages.tell(log, "session not revoked", exc, event="session_not_revoked")


@get("/v1/sessions", guards=[requires(Role.VIEWER)], tags=["sessions"])
async def list_sessions(caller: CurrentCaller, pool: Pool) -> Page[SessionShape]:
    """The sessions of who asks, the newest first."""
    rows = await pool.fetch(queries["tokens.sessions"], caller.user_id, caller.token_id)
    return Page(items=[session_shape(row, caller) for row in rows])


@delete("/v1/sessions/{session_id:uuid}", guards=[requires(Role.VIEWER)], tags=["sessions"])
async def end_one_session(session_id: FromPath[UUID], caller: CurrentCaller, pool: Pool, authenticator: Tokens) -> None:
    """End a session: one of one's own, an administrator anybody's."""
    if caller.role is not Role.ADMIN and caller.user_id is None:
        raise NotFoundException(detail="There is no such session.")
    async with pool.acquire() as connection, connection.transaction():
        whose = None if caller.role is Role.ADMIN else caller.user_id
        digest = await connection.fetchval(queries["tokens.end_session"], session_id, whose)
        if digest is None:
            raise NotFoundException(detail="There is no such session.")
        await audit(connection, caller, "session.end", f"token:{session_id}")
    await authenticator.forget(bytes(digest))


# A page of the version before, which is open while this one is put in its place, asks here.
@post("/ui/session", opt={"public": True}, include_in_schema=False, status_code=HTTPStatus.OK)
async def sign_in_as_before(
    data: JSONBody[Credentials], request: Request[Any, Any, Any], authenticator: Tokens, pool: Pool, redis: RedisClient
) -> Response[Me]:
    """As `/v1/sign-in`."""
    return await _sign_in(data, request, authenticator, pool, redis)


@get("/ui/session", opt={"public": True}, include_in_schema=False)
async def who_am_i_as_before(request: Request[Any, Any, Any], pool: Pool) -> Response[Me]:
    """As `/v1/me`, for staff."""
    caller = request.user
    if caller is None or not caller.is_at_least(Role.VIEWER):
        raise NotAuthorizedException(detail="Nobody is signed in.")
    return Response(await _me(caller, pool), headers={"cache-control": "no-store"})


@delete(
    "/ui/session",
    opt={"public": True},
    include_in_schema=False,
    status_code=HTTPStatus.NO_CONTENT,
    response_cookies=[FORGOTTEN],
)
async def sign_out_as_before() -> None:
    """Forget the cookie."""


async def _me(caller: Caller, pool: Any) -> Me:
    if caller.courier_id is not None:
        regions = [caller.region] if caller.region is not None else []
    else:
        regions = [row["id"] for row in await pool.fetch(queries["couriers.regions"])]
        regions = [one for one in regions if not caller.regions or one in caller.regions]
    return Me(
        id=caller.token_id,
        name=caller.name,
        role=caller.role,
        courier_id=caller.courier_id,
        region=regions[0] if regions else "",
        regions=regions,
        expires_at=caller.expires_at,
        user_id=caller.user_id,
        partner=caller.partner,
        by_provider=caller.user_id is not None
        and await pool.fetchval(queries["user_identities.is_linked"], caller.user_id),
        bounded=reach_of(caller) is not None,
        has_password=caller.has_password,
        must_change_password=caller.must_change_password,
    )


route_handlers: list[Any] = [
    sign_in,
    who_am_i,
    sign_out,
    list_sessions,
    end_one_session,
    sign_in_as_before,
    who_am_i_as_before,
    sign_out_as_before,
]
