"""Signing in by an identity provider: there and back, `/v1/sign-in/oidc`."""

import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal

import httpx
from litestar import Request, get
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.params import QueryParameter
from litestar.response import Redirect

from app.logs import current_address
from app.settings import Settings
from app.web.audit import audit
from app.web.auth import Caller, cookie_of
from app.web.claims import Claimed, ClaimsRefused, claimed
from app.web.cookies import is_https, own_address, session_cookie
from app.web.dependencies import CurrentSettings, Pool, Tokens
from app.web.oidc import TIMEOUT_S, Attempt, ProofRefused, Provider, ProviderUnavailable
from app.web.rates import Kind
from app.web.sign_in import Lives, begin_session
from sql import queries

log = logging.getLogger(__name__)

PATH: Final = "/v1/sign-in/oidc"
COOKIE: Final = "postrider_oidc"
ATTEMPT_S: Final = 600
"""So long somebody may take at the provider."""

Failed = Literal["unavailable", "refused", "expired"]
Answered = Annotated[str | None, QueryParameter(max_length=4000)]


@asynccontextmanager
async def open_provider(settings: Settings) -> AsyncIterator[Provider | None]:
    """The provider that is set, or None; nothing is asked of it before somebody signs in."""
    if not settings.oidc_issuer:
        yield None
        return
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=2)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, follow_redirects=False) as client:
        yield Provider(settings, client)


@get(PATH, opt={"public": True}, security=[{}], tags=["sessions"], status_code=303)
async def leave_for_provider(request: Request[Any, Any, Any]) -> Redirect:
    """Leads a browser to the identity provider; it comes back to `/v1/sign-in/oidc/callback`."""
    provider = _provider(request)
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    attempt = Attempt.new()
    try:
        address = await provider.address(attempt, _back(request))
    except ProviderUnavailable as exc:
        return _failed(request, "unavailable", exc)
    return _led(address, _attempt_cookie(request, attempt.cookie, ATTEMPT_S))


@get(f"{PATH}/callback", opt={"public": True}, security=[{}], tags=["sessions"], status_code=303)
async def come_back(
    request: Request[Any, Any, Any],
    installation: CurrentSettings,
    pool: Pool,
    authenticator: Tokens,
    code: Answered = None,
    answered_state: Annotated[str | None, QueryParameter(name="state", max_length=200)] = None,
) -> Redirect:
    """Where the identity provider sends a browser back: begins a session, and leads to the page."""
    provider = _provider(request)
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    attempt = Attempt.of_cookie(cookie_of(request.headers.get("cookie", ""), COOKIE))
    if attempt is None or not hmac.compare_digest(attempt.state.encode(), (answered_state or "").encode()):
        return _failed(request, "expired", "it did not begin in this browser")
    if not code:
        return _failed(request, "refused", "the provider sent no code")
    try:
        claims = await provider.claims(attempt, code, _back(request))
        regions = frozenset(row["id"] for row in await pool.fetch(queries["couriers.regions"]))
        token = await _begin(request, pool, claimed(claims, installation, regions), authenticator)
    except ProviderUnavailable as exc:
        return _failed(request, "unavailable", exc)
    except (ProofRefused, ClaimsRefused) as exc:
        return _failed(request, "refused", exc)
    session = session_cookie(request, token, int(installation.session_s))
    return _led("/", session, _attempt_cookie(request, "", 0))


@get(f"{PATH}/out", opt={"public": True}, security=[{}], tags=["sessions"], status_code=303)
async def leave_provider(request: Request[Any, Any, Any]) -> Redirect:
    """Leads a browser to where the identity provider ends its own session, when ours has ended."""
    request.app.state.rates.admit(Kind.SIGN_IN, current_address())
    try:
        address = await _provider(request).way_out(f"{own_address(request)}/")
    except ProviderUnavailable as exc:
        log.warning("provider not left", extra={"event": "oidc_not_left", "reason": str(exc)})
        address = None
    return _led(address or "/")


async def _begin(request: Request[Any, Any, Any], pool: Any, person: Claimed, authenticator: Any) -> str:
    """The token of a new session of the person, who is as the provider says; raises ClaimsRefused."""
    settings: Settings = request.app.state.settings
    lives = Lives(
        session_s=settings.session_s, idle_s=settings.session_idle_s, agent=request.headers.get("user-agent", "")
    )
    facts = {"role": person.role.value, "regions": list(person.regions), "partner": person.partner}
    async with pool.acquire() as connection, connection.transaction():
        known = await connection.fetchrow(queries["user_identities.find"], settings.oidc_issuer, person.subject)
        if known is not None and known["disabled"]:
            raise ClaimsRefused("disabled here")
        if known is None:
            known = await connection.fetchrow(queries["users.add"], person.name, *facts.values(), None, False)
            if known is None:
                raise ClaimsRefused("somebody else here has that name")
            await connection.execute(queries["user_identities.link"], settings.oidc_issuer, person.subject, known["id"])
            await audit(connection, _self(person, known), "user.add", f"user:{known['id']}", facts)
        elif {name: known[name] for name in facts} != facts:
            await connection.execute(queries["users.change"], known["id"], None, *facts.values(), False)
            told = {"before": {name: known[name] for name in facts}, "after": facts}
            await audit(connection, _self(person, known), "user.change", f"user:{known['id']}", told)
        token = await begin_session(connection, person.role, known["name"], lives, user_id=known["id"], how="provider")
    authenticator.forget_user(known["id"])
    return token


def _self(person: Claimed, known: Any) -> Caller:
    return Caller(token_id=known["id"], role=person.role, name=known["name"], user_id=known["id"])


def _provider(request: Request[Any, Any, Any]) -> Provider:
    provider: Provider | None = request.app.state.oidc
    if provider is None:
        raise NotFoundException(detail="There is no identity provider.")
    return provider


def _back(request: Request[Any, Any, Any]) -> str:
    return f"{own_address(request)}{PATH}/callback"


def _attempt_cookie(request: Request[Any, Any, Any], value: str, life_s: int) -> Cookie:
    """Lax: the provider sends the browser back from another site."""
    return Cookie(
        key=COOKIE,
        value=value,
        max_age=life_s,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path=f"{PATH}/callback",
    )


def _led(address: str, *cookies: Cookie) -> Redirect:
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Redirect(address, status_code=303, cookies=list(cookies), headers=headers)


def _failed(request: Request[Any, Any, Any], how: Failed, why: object) -> Redirect:
    log.warning("provider signed nobody in", extra={"event": "oidc_failed", "how": how, "reason": str(why)[:300]})
    return _led(f"/?sign-in={how}", _attempt_cookie(request, "", 0))


route_handlers: list[Any] = [leave_for_provider, come_back, leave_provider]
