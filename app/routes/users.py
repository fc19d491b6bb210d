"""People who may come in: `/v1/users`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from app.commands import staff
from app.shapes.sessions import SessionShape, session_shape
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient, Tokens
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.passwords import LONGEST, check
from app.web.problems import BadInput, Conflict, UserNotFound
from app.web.sign_in import INVITED_S, make_code
from app.web.versions import IfMatch, version_of
from sql import queries

LINES: Final = "application/x-ndjson"
UserName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
UserRole = Literal["viewer", "support", "dispatcher", "admin", "auditor"]
RegionNames = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=256)]
Partner = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class NewUser(msgspec.Struct, kw_only=True):
    """A person to be."""

    name: UserName
    """What they sign in with; upper and lower case are the same."""
    role: UserRole
    regions: RegionNames = []
    """Those they see and handle; none: all."""
    partner: Partner | None = None
    """Whose orders and couriers they see and handle; null: everybody's."""
    password: Annotated[str, msgspec.Meta(max_length=LONGEST)] | None = None
    """Without one they set it themselves, by the address in the answer."""
    must_change_password: bool = False


class UserPatch(msgspec.Struct, kw_only=True):
    """What shall change; `version` (or If-Match) refuses the change when somebody else was first."""

    role: UserRole | msgspec.UnsetType = msgspec.UNSET
    regions: RegionNames | msgspec.UnsetType = msgspec.UNSET
    partner: Partner | msgspec.UnsetType | None = msgspec.UNSET
    disabled: bool | msgspec.UnsetType = msgspec.UNSET
    """Who is does not come in; sessions end at once."""
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | msgspec.UnsetType = msgspec.UNSET


class User(msgspec.Struct, kw_only=True):
    """A person who may come in."""

    id: UUID
    name: str
    role: UserRole
    regions: list[str]
    partner: str | None
    has_password: bool
    has_second_factor: bool
    must_change_password: bool
    disabled: bool
    by_provider: bool
    """Signs in by the identity provider, which says at each time what they may."""
    version: int
    created_at: datetime
    updated_at: datetime
    signed_in_at: datetime | None
    address: str | None = None
    """Shown once, to who was just invited or lost the password: signs in once, and lets them set one."""
    address_expires_at: datetime | None = None


class Reset(msgspec.Struct, kw_only=True):
    """What a person lost."""

    second_factor: bool = False
    """Also the second factor."""


async def _check_regions(connection: Any, regions: list[str]) -> None:
    known = {row["id"] for row in await connection.fetch(queries["couriers.regions"])}
    wrong = [(f"/regions/{i}", "expected a region that there is") for i, one in enumerate(regions) if one not in known]
    if wrong:
        raise BadInput("There is no such region.", *wrong)


async def _with_address(request: Request[Any, Any, Any], redis: Any, user: User) -> User:
    code = await make_code(redis, Role(user.role), user.name, user.id)
    expires_at = datetime.now(UTC) + timedelta(seconds=INVITED_S)
    base = str(request.base_url).rstrip("/")
    return msgspec.structs.replace(user, address=f"{base}/#code={code}", address_expires_at=expires_at)


@post("/v1/users", guards=[requires(Role.ADMIN)], tags=["users"])
async def add_user(
    data: JSONBody[NewUser], request: Request[Any, Any, Any], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[User]:
    """
    Add a person; a name that is in use answers 409.

    Without a password the answer has an address, once, that signs the person in and asks for one.
    """
    hashed = None
    if data.password is not None:
        check(data.password, data.name, "/password")
        hashed = await request.app.state.passwords.hash(data.password)
    async with pool.acquire() as connection, connection.transaction():
        await _check_regions(connection, data.regions)
        must_change = hashed is None or data.must_change_password
        row = await connection.fetchrow(
            queries["users.add"], data.name, data.role, data.regions, data.partner, hashed, must_change
        )
        if row is None:
            raise Conflict("A person of this name exists.", name=data.name)
        user = User(**dict(row))
        facts = {"name": user.name, "role": user.role, "regions": user.regions, "partner": user.partner}
        await audit(connection, caller, "user.add", f"user:{user.id}", facts)
    return _answer(user if hashed is not None else await _with_address(request, redis, user))


@get("/v1/users", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["users"])
async def list_users(
    pool: Pool,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[User]:
    """By name."""
    after = key_of(cursor, tuple[Literal["name"], str])
    rows = await pool.fetch(queries["users.list"], after[1] if after else None, limit)
    items = [User(**dict(row)) for row in rows]
    return Page(items=items, next=cursor_of("name", items[-1].name.lower()) if len(items) == limit else None)


@get("/v1/users/{user_id:uuid}", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["users"])
async def get_user(user_id: FromPath[UUID], pool: Pool) -> Response[User]:
    """One person."""
    return _answer(await _get(pool, user_id))


@patch("/v1/users/{user_id:uuid}", guards=[requires(Role.ADMIN)], tags=["users"])
async def change_user(
    user_id: FromPath[UUID],
    data: JSONBody[UserPatch],
    pool: Pool,
    caller: CurrentCaller,
    authenticator: Tokens,
    if_match: IfMatch = None,
) -> Response[User]:
    """
    Change what is given; sessions go on, with what the person may do now, and end for who is disabled.

    The last administrator, be it a person or a token, stays one.
    """
    expected = version_of(if_match, None if data.version is msgspec.UNSET else data.version)
    given = {name: getattr(data, name) for name in ("role", "regions", "partner", "disabled")}
    wanted = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    async with pool.acquire() as connection, connection.transaction():
        before = await _get(connection, user_id)
        after = msgspec.structs.replace(before, **wanted)
        await _check_regions(connection, after.regions)
        if _is_administrator(before) and not _is_administrator(after):
            await _keep_an_administrator(connection, user_id)
        row = await connection.fetchrow(
            queries["users.change"],
            user_id,
            expected or before.version,
            *(after.role, after.regions, after.partner, after.disabled),
        )
        if row is None:
            raise Conflict(user_id=user_id, version=before.version)
        ended = await connection.fetch(queries["users.end_sessions"], user_id, None) if after.disabled else []
        facts = {"before": {name: getattr(before, name) for name in wanted}, "after": wanted}
        await audit(connection, caller, "user.change", f"user:{user_id}", facts)
    authenticator.forget_user(user_id)
    for one in ended:
        await authenticator.forget(one["hash"])
    return _answer(User(**dict(row)))


@delete("/v1/users/{user_id:uuid}", guards=[requires(Role.ADMIN)], tags=["users"])
async def remove_user(
    user_id: FromPath[UUID],
    pool: Pool,
    caller: CurrentCaller,
    authenticator: Tokens,
    erase: FromQuery[bool] = False,
) -> None:
    """
    Remove a person and end their sessions. The last administrator, be it a person or a token, stays.

    `erase`, also of one removed before: addresses and browsers, the provider's name for them, regions and partner go;
    the name stays in the audit log, as long as that is kept.
    """
    ended = []
    async with pool.acquire() as connection, connection.transaction():
        known = await connection.fetchrow(queries["users.even_removed"], user_id)
        if known is None or not (known["deleted_at"] is None or erase):
            raise UserNotFound(user_id=user_id)
        if known["deleted_at"] is None:
            user = await _get(connection, user_id)
            if _is_administrator(user):
                await _keep_an_administrator(connection, user_id)
            await connection.execute(queries["users.remove"], user_id)
            ended = await connection.fetch(queries["users.end_sessions"], user_id, None)
            await audit(connection, caller, "user.remove", f"user:{user_id}", {"name": user.name})
        if erase:
            await staff.erase(connection, user_id, known["name"])
            await audit(connection, caller, "user.erase", f"user:{user_id}")
    for row in ended:
        await authenticator.forget(row["hash"])


@get(
    "/v1/users/{user_id:uuid}/export",
    guards=[requires(Role.ADMIN)],
    tags=["users"],
    media_type=LINES,
    response_description="Lines of JSON",
)
async def export_user(user_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> Stream:
    """All that is held of a person of the staff, for the person to have, and what they did; also of one removed."""
    known = await pool.fetchrow(queries["users.even_removed"], user_id)
    if known is None:
        raise UserNotFound(user_id=user_id)
    await audit(pool, caller, "user.export", f"user:{user_id}")
    headers = {
        "Content-Disposition": f'attachment; filename="person-{user_id}.ndjson"',
        "cache-control": "no-store",
    }
    return Stream(staff.exported(pool, user_id, known["name"]), media_type=LINES, headers=headers)


@post("/v1/users/{user_id:uuid}/reset-password", guards=[requires(Role.ADMIN)], status_code=200, tags=["users"])
async def reset_password(
    user_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    authenticator: Tokens,
    data: JSONBody[Reset | None] = None,
) -> Response[User]:
    """The old password works no more and all sessions end; the answer has an address to set a new one, once."""
    reset = data or Reset()
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(queries["users.reset"], user_id, reset.second_factor) is None:
            raise UserNotFound(user_id=user_id)
        user = await _get(connection, user_id)
        ended = await connection.fetch(queries["users.end_sessions"], user_id, None)
        facts = {"second_factor": reset.second_factor}
        await audit(connection, caller, "user.reset_password", f"user:{user_id}", facts)
    for row in ended:
        await authenticator.forget(row["hash"])
    return _answer(await _with_address(request, redis, user))


@get("/v1/users/{user_id:uuid}/sessions", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["users"])
async def list_user_sessions(user_id: FromPath[UUID], caller: CurrentCaller, pool: Pool) -> Page[SessionShape]:
    """Where a person is signed in, the newest first."""
    await _get(pool, user_id)
    rows = await pool.fetch(queries["tokens.sessions"], user_id, None)
    return Page(items=[session_shape(row, caller) for row in rows])


@delete("/v1/users/{user_id:uuid}/sessions", guards=[requires(Role.ADMIN)], tags=["users"])
async def end_user_sessions(user_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, authenticator: Tokens) -> None:
    """End all sessions of a person, but the one that asks."""
    async with pool.acquire() as connection, connection.transaction():
        await _get(connection, user_id)
        ended = await connection.fetch(queries["users.end_sessions"], user_id, caller.token_id)
        await audit(connection, caller, "user.end_sessions", f"user:{user_id}", {"n": len(ended)})
    for row in ended:
        await authenticator.forget(row["hash"])


async def _get(connection: Any, user_id: UUID) -> User:
    row = await connection.fetchrow(queries["users.get"], user_id)
    if row is None:
        raise UserNotFound(user_id=user_id)
    return User(**dict(row))


def _is_administrator(user: User) -> bool:
    return user.role == "admin" and not user.disabled


async def _keep_an_administrator(connection: Any, user_id: UUID) -> None:
    others = await connection.fetch(queries["users.admins_beside"], user_id)
    if not others and not await connection.fetchval(queries["tokens.count_admins"]):
        raise Conflict("This is the last administrator: make another one first.", user_id=user_id)


def _answer(user: User) -> Response[User]:
    return Response(user, headers={"ETag": f'"{user.version}"', "cache-control": "no-store"})


route_handlers: list[Any] = [
    add_user,
    list_users,
    get_user,
    change_user,
    remove_user,
    export_user,
    reset_password,
    list_user_sessions,
    end_user_sessions,
]
