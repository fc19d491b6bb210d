"""What a person does about their own account: password and second factor."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import segno
from litestar import Request, Response, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import JSONBody

from app.web import second_factor
from app.web.accounts import admit_name
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, Tokens
from app.web.passwords import LONGEST, check
from app.web.problems import BadInput, Conflict, UserNotFound
from sql import queries

Secret = Annotated[str, msgspec.Meta(max_length=LONGEST)]


class NewPassword(msgspec.Struct, kw_only=True):
    """The password there is, where there is one, and the one to be."""

    new: Secret
    current: Secret | None = None


class Confirmation(msgspec.Struct, kw_only=True):
    """The code that the app shows."""

    totp: Annotated[str, msgspec.Meta(max_length=20)]


class Proof(msgspec.Struct, kw_only=True):
    """The password, for what makes an account weaker."""

    password: Secret


class SecondFactorState(msgspec.Struct, kw_only=True):
    """Whether there is one."""

    is_set: bool


class SecondFactorSetup(msgspec.Struct, kw_only=True):
    """Shown until it is confirmed."""

    secret: str
    address: str
    """`otpauth://…`, what an app reads as a QR code."""
    qr: str
    """That code, as the address of a picture."""


class RecoveryCodes(msgspec.Struct, kw_only=True):
    """Shown once; each stands in for the second factor, once."""

    codes: list[str]


@post(
    "/v1/me/password",
    opt={"before_password": True},
    guards=[requires(Role.VIEWER)],
    status_code=204,
    tags=["sessions"],
)
async def set_password(
    data: JSONBody[NewPassword],
    request: Request[Any, Any, Any],
    pool: Pool,
    caller: CurrentCaller,
    authenticator: Tokens,
) -> None:
    """Set one's own password; all other sessions end. Who has one must know it."""
    user_id = _person(caller)
    passwords = request.app.state.passwords
    check(data.new, caller.name, "/new")
    kept = await _proven(request, pool, caller, data.current, "/current")
    hashed = await passwords.hash(data.new)
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(queries["users.set_password"], user_id, hashed, kept) is None:
            raise Conflict("The password was changed meanwhile.")
        ended = await connection.fetch(queries["users.end_sessions"], user_id, caller.token_id)
        await audit(connection, caller, "user.set_password", f"user:{user_id}")
    for row in ended:
        await authenticator.forget(row["hash"])
    authenticator.forget_user(user_id)


@get("/v1/me/second-factor", guards=[requires(Role.VIEWER)], tags=["sessions"])
async def get_second_factor(pool: Pool, caller: CurrentCaller) -> SecondFactorState:
    """Whether one's own account has a second factor."""
    row = await pool.fetchrow(queries["users.totp"], _person(caller))
    return SecondFactorState(is_set=row is not None and row["totp_since"] is not None)


@post("/v1/me/second-factor", guards=[requires(Role.VIEWER)], status_code=200, tags=["sessions"])
async def begin_second_factor(pool: Pool, caller: CurrentCaller) -> Response[SecondFactorSetup]:
    """A secret for an authenticator app; it counts when a code of it is confirmed."""
    secret = second_factor.new_secret()
    if await pool.fetchval(queries["users.begin_totp"], _person(caller), secret) is None:
        raise Conflict("There is a second factor: remove it first.")
    address = second_factor.address_of(secret, caller.name)
    picture = segno.make(address, error="m", micro=False).svg_data_uri(scale=4, border=4, light="white")
    setup = SecondFactorSetup(secret=secret, address=address, qr=picture)
    return Response(setup, headers={"cache-control": "no-store"})


@post("/v1/me/second-factor/confirm", guards=[requires(Role.VIEWER)], status_code=200, tags=["sessions"])
async def confirm_second_factor(
    data: JSONBody[Confirmation], request: Request[Any, Any, Any], pool: Pool, caller: CurrentCaller
) -> Response[RecoveryCodes]:
    """The app has the secret: from now on its code is asked for, or one of the recovery codes, shown here once."""
    user_id = _person(caller)
    admit_name(request.app.state.rates, caller.name)
    codes = second_factor.new_recovery_codes()
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["users.totp"], user_id)
        if row is None or row["totp_secret"] is None or row["totp_since"] is not None:
            raise Conflict("No second factor is being set up.")
        step = second_factor.step_of(row["totp_secret"], data.totp, datetime.now(UTC))
        if step is None:
            raise BadInput("The code is not right.", ("/totp", "expected the code that the app shows now"))
        hashes = [second_factor.hash_of(code) for code in codes]
        if await connection.fetchval(queries["users.confirm_totp"], user_id, row["totp_secret"], step, hashes) is None:
            raise Conflict("No second factor is being set up.")
        await audit(connection, caller, "user.set_second_factor", f"user:{user_id}")
    return Response(RecoveryCodes(codes=codes), headers={"cache-control": "no-store"})


@post("/v1/me/second-factor/remove", guards=[requires(Role.VIEWER)], status_code=204, tags=["sessions"])
async def remove_second_factor(
    data: JSONBody[Proof], request: Request[Any, Any, Any], pool: Pool, caller: CurrentCaller
) -> None:
    """Go on with the password alone."""
    user_id = _person(caller)
    await _proven(request, pool, caller, data.password, "/password")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(queries["users.remove_totp"], user_id)
        await audit(connection, caller, "user.remove_second_factor", f"user:{user_id}")


async def _proven(
    request: Request[Any, Any, Any], pool: Any, caller: Caller, password: str | None, pointer: str
) -> str | None:
    """The hash of the password there is, when that was given; None: there is none."""
    person = await pool.fetchrow(queries["users.secrets_of"], caller.user_id)
    if person is None:
        raise UserNotFound(user_id=caller.user_id)
    kept: str | None = person["password_hash"]
    if kept is not None:
        admit_name(request.app.state.rates, caller.name)
        if not await request.app.state.passwords.is_right(kept, password or ""):
            raise BadInput("The password is not right.", (pointer, "expected the password that is in force"))
    return kept


def _person(caller: Caller) -> UUID:
    if caller.user_id is None:
        raise PermissionDeniedException(detail="This session is a token's, and no person's.")
    return caller.user_id


route_handlers: list[Any] = [
    set_password,
    get_second_factor,
    begin_second_factor,
    confirm_second_factor,
    remove_second_factor,
]
