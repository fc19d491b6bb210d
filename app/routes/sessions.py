"""Who is signed in: `/v1/sign-in`, `/v1/sign-out`, `/v1/me`."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.params import JSONBody

from app.logs import current_address
from app.web.auth import SESSION_COOKIE, Caller, Role, is_of_session, requires_any
from app.web.cookies import session_cookie
from app.web.dependencies import CurrentCaller, Pool, RedisClient, Tokens
from app.web.rates import Kind
from app.web.sign_in import SESSION_S, end_session, redeem
from sql import queries
from tracking import outages

log = logging.getLogger(__name__)

FORGOTTEN: Final = Cookie(key=SESSION_COOKIE, value="", max_age=0, httponly=True, samesite="strict", path="/")

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Credentials(msgspec.Struct, kw_only=True):
    """A staff token, or the code of an address: one of the two."""

    token: Secret | None = None
    code: Secret | None = None

    def __post_init__(self) -> None:
        """Raises ValueError, which msgspec reports as bad input."""
        if (self.token is None) == (self.code is None):
            raise ValueError("expected either a token or a code")


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


@post("/v1/sign-in", opt={"public": True}, security=[{}], status_code=HTTPStatus.OK, tags=["sessions"])
async def sign_in(
    data: JSONBody[Credentials], request: Request[Any, Any, Any], authenticator: Tokens, pool: Pool, redis: RedisClient
) -> Response[Me]:
    """
    Put a staff token, or the session that a one-time code is good for, into a cookie that scripts cannot read.

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
    token = data.token.strip() if data.token is not None else await redeem(redis, pool, str(data.code).strip())
    if token is None:
        raise NotAuthorizedException(detail="This address was used before or has expired: ask for a new one.")
    caller = await authenticator.caller(token)
    if caller is None or not caller.is_at_least(Role.VIEWER):
        raise NotAuthorizedException(detail="This is not a valid staff token.")
    life_s = SESSION_S
    if caller.expires_at is not None:
        life_s = max(0, min(life_s, int((caller.expires_at - datetime.now(UTC)).total_seconds())))
    cookie = session_cookie(request, token, life_s)
    return Response(await _me(caller, pool), cookies=[cookie], headers={"cache-control": "no-store"})


@get("/v1/me", guards=[requires_any], tags=["sessions"])
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
    return Me(
        id=caller.token_id,
        name=caller.name,
        role=caller.role,
        courier_id=caller.courier_id,
        region=regions[0] if regions else "",
        regions=regions,
        expires_at=caller.expires_at,
    )


route_handlers: list[Any] = [
    sign_in,
    who_am_i,
    sign_out,
    sign_in_as_before,
    who_am_i_as_before,
    sign_out_as_before,
]
