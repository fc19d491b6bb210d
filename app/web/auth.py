"""
Who calls: couriers' device tokens, staff tokens and service tokens.

A token is 32 random bytes; the database holds its SHA-256, so a stolen database gives nobody access.
What a token means is cached in the process and, for the hour in which PostgreSQL is down, in Redis: ingest asks no
database per fix.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import logging
import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as aioredis
from litestar.connection import ASGIConnection, Request
from litestar.enums import ScopeType
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from sql import queries
from tracking import outages
from tracking.memo import Memo
from tracking.pause import pause
from tracking.position import CourierId

log = logging.getLogger(__name__)

SESSION_COOKIE: Final = "postrider_session"
SESSION_LETTER: Final = "x"
"""No role begins with it."""
CACHE_SIZE: Final = 100_000
"""Tokens one process remembers; the least recently used goes first."""
UNKNOWN_TTL_S: Final = 5.0
"""How long an unknown token is remembered as unknown: short, for a token may just have been made elsewhere."""
CHECK_CHUNK: Final = 1_000
"""Tokens that one query looks up or checks: some milliseconds, in which the process answers nobody."""
LOOK_UP_S: Final = 2.0
"""So long a request waits for the database to say whose its token is; then Redis may know."""
CHECK_S: Final = 5.0
OUTAGE_TTL_S: Final = 24 * 3600
"""How long Redis remembers a token, to bridge an outage of the database."""


class Role(StrEnum):
    """What a caller may do. Each staff role may do what the roles before it may."""

    COURIER = "courier"
    PLACE = "place"
    """Where orders are prepared: sees and says what is made there, and nothing else."""
    VIEWER = "viewer"
    AUDITOR = "auditor"
    """Sees what a viewer sees, and who did what; changes nothing."""
    SUPPORT = "support"
    DISPATCHER = "dispatcher"
    ADMIN = "admin"
    SERVICE = "service"
    """A machine: posts positions of any courier and does what a dispatcher may."""


ROLES: Final = {role.value: role for role in Role}
PEOPLE: Final = (Role.VIEWER, Role.AUDITOR, Role.SUPPORT, Role.DISPATCHER, Role.ADMIN)
"""What a person may be."""
STAFF_RANK: Final = {
    Role.VIEWER: 1,
    Role.AUDITOR: 1,
    Role.SUPPORT: 2,
    Role.DISPATCHER: 3,
    Role.SERVICE: 3,
    Role.ADMIN: 4,
}


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever sent the request."""

    token_id: UUID
    role: Role
    name: str
    courier_id: CourierId | None = None
    """Set for a device token."""
    place_id: UUID | None = None
    """Set for a place's token."""
    region: str | None = None
    """The courier's region, for a device token."""
    mode: str | None = None
    """The courier's mode, for a device token."""
    external_id: str | None = None
    """The courier's external id, for a device token: a phone may send it as its device identifier."""
    speed_unit: str | None = None
    """Unit of speeds this device sends, where it differs from its format's (phones.md)."""
    expires_at: datetime | None = None
    user_id: UUID | None = None
    """Of a person who signed in."""
    regions: tuple[str, ...] = ()
    """Those the caller sees and handles; empty: all."""
    partner: str | None = None
    """Whose orders and couriers the caller sees and handles; None: everybody's."""
    has_password: bool = False
    must_change_password: bool = False
    """Until then nothing else is allowed."""
    version: int | None = None
    """Of all this in the database; None: not known."""

    @property
    def actor(self) -> str:
        """How the audit log names the caller; a courier by id, for the token's name may be the person's."""
        if self.courier_id is not None:
            return f"{self.role}:{self.courier_id}"
        if self.place_id is not None:
            return f"{self.role}:{self.place_id}"
        return f"{self.role}:{self.name or self.token_id}"

    def is_at_least(self, role: Role) -> bool:
        """Whether the caller is staff (or a service) of that rank or a higher one."""
        return STAFF_RANK.get(self.role, 0) >= STAFF_RANK[role]

    @property
    def may_post_for_any_courier(self) -> bool:
        """Whether fixes may carry a `courier_id` of the sender's choice."""
        return self.role in {Role.SERVICE, Role.ADMIN} and not self.regions and self.partner is None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is shown once."""

    token: str
    prefix: str
    hash: bytes


def new_token(role: Role, *, is_session: bool = False) -> NewToken:
    """Make a token; that of a session on a page can be told from others, for it ends with the session."""
    token = new_secret(SESSION_LETTER if is_session else role.value[0])
    return NewToken(token, token[:10], hash_of(token))


def new_secret(letter: str) -> str:
    """`pr_`, the letter, `_`, 43 characters of 256 random bits: so secrets are found and taken out of what is kept."""
    return f"pr_{letter}_{secrets.token_urlsafe(32)}"


def is_of_session(token: str | None) -> bool:
    """Whether the token was made for a session on a page."""
    return token is not None and token.startswith(f"pr_{SESSION_LETTER}_")


def hash_of(token: str) -> bytes:
    """SHA-256; no salt is needed, for a token is 256 random bits and cannot be guessed from a table."""
    return hashlib.sha256(token.encode()).digest()


class Authenticator:
    """Turns a token into a Caller; knows the usual ones by heart."""

    def __init__(self, pool: asyncpg.Pool, redis: aioredis.Redis, *, ttl_s: float) -> None:
        self._pool = pool
        self._redis = redis
        self._ttl_s = ttl_s
        self._known: Memo[bytes, Caller] = Memo(CACHE_SIZE)
        self._asked: dict[bytes, asyncio.Future[bool]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._seen: set[UUID] = set()

    def note_seen(self, caller: Caller) -> None:
        """Somebody asked for something in a session: it is not idle. At most as many as there are sessions."""
        self._seen.add(caller.token_id)

    def remembered(self, token: str) -> Caller | None:
        """The caller, if this process knows the token and still trusts that; never waits."""
        known = self._known.get(hash_of(token))
        return known[0] if known is not None and known[1] > monotonic() else None

    async def caller(self, token: str) -> Caller | None:
        """The caller, or None for a token that is unknown, revoked or expired."""
        digest = hash_of(token)
        known = self._known.get(digest)
        if known is not None and known[1] > monotonic():
            return known[0]
        answer = self._asked.get(digest)
        if answer is None:
            answer = self._asked[digest] = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask(), name="tokens asked for")
        # Others may wait for the same answer: one of them going away must not take it from them.
        if not await asyncio.shield(answer):
            return await self._during_outage(digest, None if known is None else known[0])
        found = self._known.get(digest)
        return None if found is None else found[0]

    async def _ask(self) -> None:
        """
        Look up the tokens that are asked for, together: thousands of phones come back at once after a restart.

        Ends when nothing is asked any more. The answer to each is whether the database could be asked.
        """
        asked: list[bytes] = []
        try:
            await asyncio.sleep(0)  # the requests that are here already join the first query
            while asked := list(self._asked)[:CHECK_CHUNK]:
                found: dict[bytes, Caller] | None
                try:
                    rows = await self._changed(asked, [None] * len(asked), timeout_s=LOOK_UP_S)
                except outages.DRIVERS as exc:
                    outages.tell(log, "tokens not looked up", exc, event="tokens_not_found")
                    found = None
                else:
                    found = {digest: _caller_of(row) for digest, row in rows.items()}
                for digest in asked:
                    if found is not None:
                        caller = found.get(digest)
                        self._known.put(digest, caller, self._until(caller))
                    answer = self._asked.pop(digest)
                    if not answer.done():
                        answer.set_result(found is not None)
                await self._remember_in_redis(found or {})
        finally:
            self._asking = None
            for answer in self._asked.values():  # only where this task was cancelled or hit a defect
                if not answer.done():
                    answer.set_exception(AuthenticationUnavailable())
            self._asked.clear()

    async def keep_fresh(self, stop: asyncio.Event) -> None:
        """
        Check everything that is remembered, again and again until `stop`, a thousand tokens a query.

        So a phone that goes on sending costs no query of its own, and a revoked token still works no longer than the
        cache time. While the database is down, what is known is trusted.
        """
        while not stop.is_set():
            await pause(stop, self._ttl_s / 3)
            await self._tell_seen()
            await self._check_all()

    async def _tell_seen(self) -> None:
        seen, self._seen = self._seen, set()
        if not seen:
            return
        try:
            await self._pool.execute(queries["tokens.seen"], list(seen), timeout=CHECK_S)
        except outages.DRIVERS as exc:
            outages.tell(log, "sessions not seen", exc, event="sessions_not_seen")
            self._seen |= seen

    async def _check_all(self) -> None:
        known = list(self._known.known())
        for start in range(0, len(known), CHECK_CHUNK):
            chunk = dict(known[start : start + CHECK_CHUNK])
            began = monotonic()
            changed: dict[bytes, Any] = {}
            try:
                changed = await self._changed(
                    list(chunk), [caller.version for caller in chunk.values()], timeout_s=CHECK_S
                )
            except outages.DRIVERS as exc:
                outages.tell(log, "tokens not checked", exc, event="tokens_not_checked")
            for digest, caller in chunk.items():
                row = changed.get(digest)
                if row is not None and row["id"] is None:
                    self._known.forget(digest)
                    continue
                as_it_is = caller if row is None else _caller_of(row)
                self._known.renew(digest, as_it_is, self._until(as_it_is, began))

    async def _changed(self, digests: list[bytes], versions: list[int | None], *, timeout_s: float) -> dict[bytes, Any]:
        """Rows of those that have another version; `id` is None for what was known and is nobody's any more."""
        rows = await self._pool.fetch(queries["tokens.find_changed"], digests, versions, timeout=timeout_s)
        return {bytes(row["asked"]): row for row in rows}

    async def forget(self, digest: bytes) -> None:
        """Distrust a token at once in this process and in Redis; other processes follow within their cache time."""
        self._known.forget(digest)
        try:
            await self._redis.delete(redis_key(digest))
        except outages.REDIS:
            # The entry expires by itself, and is asked for only while PostgreSQL is down.
            return

    def forget_user(self, user_id: UUID) -> None:
        """Look up the sessions of a person who was changed again."""
        for digest, caller in self._known.known():
            if caller.user_id == user_id:
                self._known.forget(digest)

    def forget_courier(self, courier_id: UUID) -> None:
        """Look up the tokens of a courier that was changed or deleted again."""
        for digest, caller in self._known.known():
            if caller.courier_id == courier_id:
                self._known.forget(digest)

    def _until(self, caller: Caller | None, began: float | None = None) -> float:
        """Until when what was learned at `began` (now) is trusted; a token never longer than it lasts."""
        now = monotonic() if began is None else began
        if caller is None:
            return now + UNKNOWN_TTL_S
        if caller.expires_at is None:
            return now + self._ttl_s
        return now + min(self._ttl_s, _lasts_s(caller))

    async def _remember_in_redis(self, callers: dict[bytes, Caller]) -> None:
        if not callers:
            return
        # Only a help for a later outage of the database: nobody waits for it long, or fails with it.
        with contextlib.suppress(*outages.REDIS):
            async with asyncio.timeout(1), self._redis.pipeline(transaction=False) as pipe:
                for digest, caller in callers.items():
                    pipe.set(redis_key(digest), msgspec.msgpack.encode(caller), ex=OUTAGE_TTL_S)
                await pipe.execute()

    async def _during_outage(self, digest: bytes, caller: Caller | None) -> Caller | None:
        """Who it was when the database was last asked; None when the token has expired since."""
        if caller is None:
            try:
                stored = await self._redis.get(redis_key(digest))
            except outages.REDIS as exc:
                raise AuthenticationUnavailable from exc
            if stored is None:
                raise AuthenticationUnavailable
            assert isinstance(stored, bytes)  # the client does not decode answers
            caller = msgspec.msgpack.decode(stored, type=Caller)
        if _lasts_s(caller) <= 0:
            return None
        self._known.put(digest, caller, self._until(caller))
        return caller


def _lasts_s(caller: Caller) -> float:
    if caller.expires_at is None:
        return math.inf
    return (caller.expires_at - datetime.now(UTC)).total_seconds()


def _caller_of(row: Any) -> Caller:
    return Caller(
        token_id=row["id"],
        role=ROLES[row["role"]],
        name=row["name"],
        courier_id=row["courier_id"],
        place_id=row["place_id"],
        region=row["region"],
        mode=row["mode"],
        external_id=row["external_id"],
        speed_unit=row["speed_unit"],
        expires_at=row["expires_at"],
        user_id=row["user_id"],
        regions=tuple(row["regions"]),
        partner=row["partner"],
        has_password=row["has_password"],
        must_change_password=row["must_change_password"],
        version=row["version"],
    )


class PasswordChangeRequired(Exception):
    """Set a password of your own first."""


class AuthenticationUnavailable(Exception):
    """Neither the database nor Redis can say whose token this is; try again later."""


def redis_key(digest: bytes) -> str:
    """Where Redis remembers the caller with that token."""
    return f"pr:token:{digest.hex()}"


def token_of(headers: Any) -> str | None:
    """
    The token in an `Authorization` header: Bearer, or the password (or else the user name) of Basic.

    `headers` is anything with `get(lower-case name)`.
    """
    scheme, _, value = (headers.get("authorization") or "").partition(" ")
    if scheme == "Bearer":
        return value.strip() or None
    match scheme.lower():
        case "bearer":
            return value.strip() or None
        case "basic":
            try:
                user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return password or user or None
        case _:
            return None


def session_token(method: str, headers: Any) -> str | None:
    """The token in the console's cookie; for what changes something, only when our own page sent it (CSRF)."""
    token = cookie_of(headers.get("cookie") or "", SESSION_COOKIE)
    if token is None or (method not in {"GET", "HEAD"} and not _is_same_origin(headers)):
        return None
    return token


def cookie_of(header: str, name: str) -> str | None:
    """
    The cookie of that name, or None.

    A browser sends every cookie of the host, also what another program there has set and no parser reads: `a(b)=1`,
    JSON. Nothing is asked of those but the semicolon between two (RFC 6265, section 5.4).
    """
    for pair in header.split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            return value.strip().strip('"') or None
    return None


def _is_same_origin(headers: Any) -> bool:
    if site := headers.get("sec-fetch-site"):
        return bool(site == "same-origin")
    origin = headers.get("origin")
    return bool(origin and urlsplit(origin).netloc == headers.get("host"))


class AuthenticationMiddleware:
    """Puts the Caller into `scope["user"]`; a route that is not marked `public=True` refuses strangers with 401."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, then pass on."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        headers = connection.headers
        token = token_of(headers) or session_token(scope["method"], headers)
        authenticator: Authenticator = connection.app.state.authenticator
        handler: BaseRouteHandler = scope["route_handler"]
        is_public = handler.opt.get("public", False)
        caller = None
        if token is not None:
            try:
                caller = await authenticator.caller(token)
            except AuthenticationUnavailable:
                # What strangers may see needs nobody to say who asks: health tells of this very outage.
                if not is_public:
                    raise
        if caller is None and not is_public:
            raise NotAuthorizedException(
                detail="A valid token is required: send it as 'Authorization: Bearer <token>'.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not handler.opt.get("never_limited", False):
            connection.app.state.rates.admit_caller(caller)
        if caller is not None and is_of_session(token):
            authenticator.note_seen(caller)
        if caller is not None and caller.must_change_password and not (is_public or handler.opt.get("before_password")):
            raise PasswordChangeRequired
        scope["user"] = caller
        scope["auth"] = token
        await self.app(scope, receive, send)


def requires(
    role: Role, *also: Role
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    """
    A guard: staff of that rank or a higher one (a service counts as a dispatcher), and the roles named beside.

    Guards are coroutines, for Litestar runs plain functions in a thread: a hop for every request, in the queue of all.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        caller = connection.user
        if caller is None or not (caller.is_at_least(role) or caller.role in also):
            higher = "" if role is Role.ADMIN else " or a higher one"  # of which there is none
            raise PermissionDeniedException(detail=f"This needs the role {role}{higher}.")

    guard.postrider_role = role  # type: ignore[attr-defined]  # read by the permission matrix test
    guard.postrider_also = also  # type: ignore[attr-defined]
    return guard


async def requires_courier(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: a courier's device."""
    if connection.user is None or connection.user.courier_id is None:
        raise PermissionDeniedException(detail="This needs a courier's device token.")


async def requires_any(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: staff, services and couriers; the handler itself looks at who it is."""
    if connection.user is None or connection.user.role is Role.PLACE:
        raise PermissionDeniedException(detail="This needs a token of staff or of a courier.")


def provide_caller(request: Request[Any, Any, Any]) -> Caller | None:
    """Dependency `caller`: who sent the request; None only on public routes."""
    caller: Caller | None = request.user
    return caller
