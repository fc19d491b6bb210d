"""Tokens: a courier's devices, staff and services. A token is shown once; afterwards only its prefix is known."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from litestar import delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, Tokens
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput
from app.web.regions import known_region
from app.web.tokens import add_token
from sql import queries
from tracking.errors import CourierNotFound


class NewDeviceToken(msgspec.Struct, kw_only=True):
    """What a device token may be given; all of it may be left out."""

    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    speed_unit: Literal["kn", "kmh", "mps"] | None = None
    """Unit of the speeds this device sends, where it differs from its format's."""
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class NewStaffToken(msgspec.Struct, kw_only=True):
    """A token for a person or a machine."""

    role: Literal["viewer", "auditor", "support", "dispatcher", "admin", "service"]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    regions: Annotated[list[str], msgspec.Meta(max_length=256)] = []
    """Those it is for; none: all."""
    partner: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """Whose orders and couriers it is for; null: everybody's."""

    def __post_init__(self) -> None:
        """Raises ValueError, which msgspec reports as bad input."""
        if self.role == "service" and (self.regions or self.partner is not None):
            raise ValueError("expected a service without regions and partner: it posts for every courier")


class IssuedToken(msgspec.Struct, kw_only=True):
    """Shown once."""

    id: UUID
    token: str
    prefix: str
    created_at: datetime


class TokenInfo(msgspec.Struct, kw_only=True):
    """What is known of a token afterwards."""

    id: UUID
    kind: str
    role: str
    courier_id: UUID | None
    name: str
    prefix: str
    speed_unit: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    regions: list[str] = []
    partner: str | None = None
    place_id: UUID | None = None


async def _issue(connection: asyncpg.Connection, role: Role, name: str, **facts: Any) -> IssuedToken:
    made, token_id, created_at = await add_token(connection, role, name, **facts)
    return IssuedToken(id=token_id, token=made.token, prefix=made.prefix, created_at=created_at)


@post("/v1/couriers/{courier_id:uuid}/tokens", guards=[requires(Role.DISPATCHER)], tags=["couriers"])
async def issue_device_token(
    courier_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, data: JSONBody[NewDeviceToken | None] = None
) -> IssuedToken:
    """A token for a courier's phone."""
    wanted = data or NewDeviceToken()
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchrow(queries["couriers.find"], courier_id) is None:
            raise CourierNotFound(courier_id=courier_id)
        token = await _issue(
            connection,
            Role.COURIER,
            wanted.name,
            courier_id=courier_id,
            speed_unit=wanted.speed_unit,
            expires_at=wanted.expires_at,
        )
        await audit(connection, caller, "token.issue", f"courier:{courier_id}", {"prefix": token.prefix})
    return token


@post("/v1/tokens", guards=[requires(Role.ADMIN)], tags=["tokens"])
async def issue_staff_token(data: JSONBody[NewStaffToken], pool: Pool, caller: CurrentCaller) -> IssuedToken:
    """A token for staff or a service."""
    async with pool.acquire() as connection, connection.transaction():
        for one in data.regions:
            await known_region(connection, one)
        token = await _issue(
            connection,
            Role(data.role),
            data.name,
            expires_at=data.expires_at,
            regions=data.regions,
            partner=data.partner,
        )
        facts = {"role": data.role, "prefix": token.prefix, "regions": data.regions, "partner": data.partner}
        await audit(connection, caller, "token.issue", f"token:{token.id}", facts)
    return token


@get("/v1/tokens", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["tokens"])
async def list_tokens(
    pool: Pool,
    courier_id: FromQuery[UUID | None] = None,
    kind: FromQuery[Literal["courier", "staff", "service", "session"] | None] = None,
    active: FromQuery[bool] = False,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[TokenInfo]:
    """Newest first; the tokens themselves are not known any more. `active`: only those that work."""
    before = key_of(cursor, tuple[datetime])
    rows = await pool.fetch(queries["tokens.list"], courier_id, before[0] if before else None, limit, kind, active)
    items = [TokenInfo(**row) for row in map(dict, rows)]
    return Page(items=items, next=cursor_of(items[-1].created_at) if len(items) == limit else None)


@delete("/v1/tokens/{token_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["tokens"])
async def revoke_token(token_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, authenticator: Tokens) -> None:
    """
    Refuse a token from now on; other API processes follow within the cache time of tokens.

    A dispatcher may revoke couriers' tokens, an administrator any but the one that is used to ask.
    """
    if token_id == caller.token_id:
        raise BadInput("A token cannot revoke itself.")
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["tokens.revoke"], token_id, caller.role is not Role.ADMIN)
        if row is None:
            raise NotFoundException(detail="There is no such token, or it was revoked before.")
        await audit(connection, caller, "token.revoke", f"token:{token_id}")
    await authenticator.forget(row["hash"])


route_handlers: list[Any] = [issue_device_token, issue_staff_token, list_tokens, revoke_token]
