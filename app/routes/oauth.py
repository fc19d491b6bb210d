"""
OAuth 2.0 for companies' own programs: client credentials (RFC 6749), and the device flow (RFC 8628) for couriers' apps.

Clients are our own tokens: a service token is a client's id and secret. Errors are those of OAuth, not ours.
"""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote_plus
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, RawBody

from app.logs import current_address
from app.web.audit import audit
from app.web.auth import Caller, Role, requires, requires_courier
from app.web.cookies import own_address
from app.web.dependencies import CurrentCaller, Pool, RedisClient, Tokens
from app.web.device_codes import INTERVAL_S, LIVES_S, DeviceCodes, Refusal
from app.web.rates import Kind
from app.web.tokens import add_token
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId

SERVICE_LIVES: Final = timedelta(hours=1)
DEVICE_LIVES: Final = timedelta(days=90)
"""A courier's phone is the courier's; staff end it sooner by revoking its token."""
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


class UserCode(msgspec.Struct, kw_only=True):
    """What a program shows, such as `BCDF-GHJK`."""

    user_code: Annotated[str, msgspec.Meta(min_length=8, max_length=40)]


@get("/.well-known/oauth-authorization-server", opt={"public": True}, include_in_schema=False)
async def describe_oauth(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What there is (RFC 8414)."""
    here = own_address(request)
    return {
        "issuer": here,
        "token_endpoint": f"{here}/oauth/token",
        "device_authorization_endpoint": f"{here}/oauth/device_authorization",
        "grant_types_supported": ["client_credentials", DEVICE_GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "service_documentation": f"{here}/schema/swagger",
    }


@post("/oauth/device_authorization", opt={"public": True}, include_in_schema=False, status_code=200)
async def ask_for_device(request: Request[Any, Any, Any], redis: RedisClient) -> Response[Any]:
    """A code for a program to show, and one for it to come back with."""
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    asked = await DeviceCodes(redis).ask()
    where = f"{own_address(request)}/courier"
    return _answer(
        {
            "device_code": asked.device_code,
            "user_code": asked.user_code,
            "verification_uri": where,
            "verification_uri_complete": f"{where}?connect={asked.user_code}",
            "expires_in": LIVES_S,
            "interval": INTERVAL_S,
        }
    )


@post("/oauth/token", opt={"public": True}, include_in_schema=False, status_code=200)
async def give_token(
    request: Request[Any, Any, Any], pool: Pool, redis: RedisClient, authenticator: Tokens, body: RawBody
) -> Response[Any]:
    """An access token, used as `Authorization: Bearer`."""
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    try:
        form = dict(parse_qsl(bytes(body).decode(), max_num_fields=20))
    except ValueError:  # not UTF-8, or too many
        return _refuse("invalid_request")
    match form.get("grant_type"):
        case "client_credentials":
            return await _of_client(form, request.headers.get("authorization", ""), pool, authenticator)
        case grant if grant == DEVICE_GRANT:
            return await _of_device(form.get("device_code", ""), pool, redis)
        case None:
            return _refuse("invalid_request")
        case _:
            return _refuse("unsupported_grant_type")


@post("/v1/me/devices", guards=[requires_courier], status_code=204, tags=["courier"])
async def connect_own_device(
    data: JSONBody[UserCode], request: Request[Any, Any, Any], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> None:
    """The program that shows this code is the courier's own: it gets a token."""
    assert caller.courier_id is not None  # the guard has seen to it
    await _confirm(data, request, pool, redis, caller, caller.courier_id)


@post("/v1/couriers/{courier_id:uuid}/devices", guards=[requires(Role.SUPPORT)], status_code=204, tags=["couriers"])
async def connect_device(
    courier_id: FromPath[UUID],
    data: JSONBody[UserCode],
    request: Request[Any, Any, Any],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
) -> None:
    """The program that shows this code is that courier's: it gets a token."""
    if await pool.fetchrow(queries["couriers.find"], courier_id) is None:
        raise CourierNotFound(courier_id=courier_id)
    await _confirm(data, request, pool, redis, caller, courier_id)


async def _confirm(
    data: UserCode, request: Request[Any, Any, Any], pool: Any, redis: Any, caller: Caller, courier_id: UUID
) -> None:
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    if not await DeviceCodes(redis).confirm(data.user_code, courier_id):
        raise NotFoundException(detail="There is no such code, or it has expired: ask the program for another.")
    await audit(pool, caller, "device.connect", f"courier:{courier_id}")


async def _of_client(form: dict[str, str], header: str, pool: Any, authenticator: Any) -> Response[Any]:
    client_id, secret = _basic(header) or (form.get("client_id", ""), form.get("client_secret", ""))
    caller: Caller | None = await authenticator.caller(secret) if secret else None
    if caller is None or caller.role is not Role.SERVICE or client_id not in {str(caller.token_id), caller.name}:
        return _refuse("invalid_client", 401)
    now = datetime.now(UTC)
    ends_at = min(now + SERVICE_LIVES, caller.expires_at or now + SERVICE_LIVES)
    async with pool.acquire() as connection, connection.transaction():
        made, token_id, _ = await add_token(
            connection,
            Role.SERVICE,
            caller.name,
            expires_at=ends_at,
            regions=caller.regions,
            partner=caller.partner,
        )
        await audit(connection, caller, "token.issue", f"token:{token_id}", {"prefix": made.prefix, "by": "oauth"})
    return _token(made.token, int((ends_at - now).total_seconds()))


async def _of_device(device_code: str, pool: Any, redis: Any) -> Response[Any]:
    found = await DeviceCodes(redis).take(device_code[:200])
    if isinstance(found, Refusal):
        return _refuse(found.value)
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchrow(queries["couriers.find"], found) is None:
            return _refuse(Refusal.EXPIRED.value)
        ends_at = datetime.now(UTC) + DEVICE_LIVES
        made, token_id, _ = await add_token(
            connection, Role.COURIER, "connected app", courier_id=found, expires_at=ends_at
        )
        courier = Caller(token_id=token_id, role=Role.COURIER, name="", courier_id=CourierId(found))
        await audit(connection, courier, "token.issue", f"courier:{found}", {"prefix": made.prefix, "by": "oauth"})
    return _token(made.token, int(DEVICE_LIVES.total_seconds()))


def _basic(header: str) -> tuple[str, str] | None:
    """Client and secret of HTTP Basic, each encoded as a form is. Source: RFC 6749, section 2.3.1."""
    if not header.lower().startswith("basic "):
        return None
    try:
        name, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return unquote_plus(name), unquote_plus(secret)


def _token(token: str, lives_s: int) -> Response[Any]:
    return _answer({"access_token": token, "token_type": "Bearer", "expires_in": lives_s})


def _refuse(error: str, status: int = 400) -> Response[Any]:
    headers = {"www-authenticate": "Basic"} if status == 401 else {}
    return Response({"error": error}, status_code=status, headers=NO_STORE | headers)


def _answer(body: dict[str, Any]) -> Response[Any]:
    return Response(body, headers=NO_STORE)


route_handlers: list[Any] = [describe_oauth, ask_for_device, give_token, connect_own_device, connect_device]
