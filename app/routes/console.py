"""The live map: `/`, its files, its settings, and the session of whoever looks at it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from litestar import MediaType, Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath, JSONBody

from app.settings import Settings
from app.web.auth import SESSION_COOKIE, Role
from app.web.dependencies import CurrentSettings, Pool, Tokens
from app.web.rates import Kind
from app.web.static import Asset, answer, load
from sql import queries

DIST: Final = Path(__file__).parents[1] / "console" / "dist"
SESSION_S: Final = 12 * 3600
"""A working day; then the token is pasted again."""

_assets: dict[str, Asset] = {}

NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Postrider</title>
<body style="font: 16px/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The console is not built</h1>
<p>The API works. To build the live map, run <code>make setup</code> in the project's folder (it needs Node 20 or newer,
and fetches it when it is missing), then load this page again.</p>
<p>The description of the API is at <a href="/schema">/schema</a>.</p></body></html>
"""


class Credentials(msgspec.Struct, kw_only=True):
    """What a person pastes once."""

    token: str


class Session(msgspec.Struct, kw_only=True):
    """Who is signed in, and where."""

    name: str
    role: Role
    region: str
    regions: list[str]


class ConsoleConfig(msgspec.Struct, kw_only=True):
    """What the page must know before anybody is signed in; no secrets."""

    version: str
    map_style_url: str
    map_attribution: str
    online_within_s: float
    stale_within_s: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The content security policy of the page: our own server, and the hosts of the map where one is set."""

    hosts: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """The host of the map's style, and the further ones that are set."""
        style = urlsplit(settings.map_style_url)
        own = [f"{style.scheme}://{style.netloc}"] if style.scheme in {"http", "https"} and style.netloc else []
        return cls(tuple(dict.fromkeys([*own, *re.findall(r"[^\s;,']+", settings.map_hosts)])))

    def __str__(self) -> str:
        hosts = "".join(f" {host}" for host in self.hosts)
        return "; ".join(
            (
                "default-src 'self'",
                "style-src 'self' 'unsafe-inline'",  # MapLibre places its controls with inline styles
                f"img-src 'self' data: blob:{hosts}",
                f"connect-src 'self'{hosts}",
                "worker-src 'self'",
                "object-src 'none'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        )


def _asset(name: str) -> Asset | None:
    """A file of the console; read at the first request, and again until it is built."""
    if not _assets:
        _assets.update(load(DIST))
    return _assets.get(name)


def _respond(asset: Asset, request: Request[Any, Any, Any], **headers: str) -> Response[bytes]:
    found = answer(asset, request.headers)
    return Response(found.body, status_code=found.status, headers={**found.headers, **headers}, media_type=None)


@get("/", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def page(request: Request[Any, Any, Any], installation: CurrentSettings) -> Response[Any]:
    """The live map."""
    return _page("index.html", request, str(Policy.of(installation)))


@get("/schema/swagger", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def schema_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """The description of the API, for people."""
    return _page("schema.html", request, str(Policy(())))


def _page(name: str, request: Request[Any, Any, Any], policy: str) -> Response[Any]:
    asset = _asset(name)
    if asset is None:
        return Response(NOT_BUILT, status_code=503, media_type=MediaType.HTML, headers={"cache-control": "no-store"})
    return _respond(
        asset,
        request,
        **{"content-security-policy": policy, "referrer-policy": "no-referrer", "x-frame-options": "DENY"},
    )


@get("/assets/{name:str}", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def file(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """A script, a style, a shape."""
    asset = _asset(f"assets/{name}")
    if asset is None:
        raise NotFoundException
    return _respond(asset, request)


@get(["/favicon.svg", "/licenses.md"], opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def fixed_file(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Files whose names have no hash."""
    asset = _asset(request.url.path.removeprefix("/"))
    if asset is None:
        raise NotFoundException
    return _respond(asset, request)


@get("/ui/config.json", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def config(installation: CurrentSettings) -> ConsoleConfig:
    """How the page shall behave."""
    return ConsoleConfig(
        version=_version(),
        map_style_url=installation.map_style_url,
        map_attribution=installation.map_attribution,
        online_within_s=installation.online_within_s,
        stale_within_s=installation.stale_within_s,
    )


@post("/ui/session", opt={"public": True}, include_in_schema=False, status_code=HTTPStatus.OK)
async def sign_in(
    data: JSONBody[Credentials], request: Request[Any, Any, Any], authenticator: Tokens, pool: Pool
) -> Response[Session]:
    """
    Put a staff token into a cookie that scripts cannot read.

    The cookie is sent by our own pages only (SameSite=Strict), and this request is answered to our own pages only, so
    that nobody can sign a visitor in as somebody else.
    """
    state = request.app.state
    state.rates.admit(Kind.SIGN_IN, state.address_of(request.scope["client"], request.headers.get("x-forwarded-for")))
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise PermissionDeniedException(detail="Sign in on Postrider's own page.")
    caller = await authenticator.caller(data.token.strip())
    if caller is None or not caller.is_at_least(Role.VIEWER):
        raise NotAuthorizedException(detail="This is not a valid staff token.")
    life_s = SESSION_S
    if caller.expires_at is not None:
        life_s = max(0, min(life_s, int((caller.expires_at - datetime.now(UTC)).total_seconds())))
    cookie = Cookie(
        key=SESSION_COOKIE,
        value=data.token.strip(),
        max_age=life_s,
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
        path="/",
    )
    return Response(await _session(caller, pool), cookies=[cookie], headers={"cache-control": "no-store"})


@get("/ui/session", opt={"public": True}, include_in_schema=False)
async def who_am_i(request: Request[Any, Any, Any], pool: Pool) -> Response[Session]:
    """Who is signed in; 401 when nobody is."""
    caller = request.user
    if caller is None or not caller.is_at_least(Role.VIEWER):
        raise NotAuthorizedException(detail="Nobody is signed in.")
    return Response(await _session(caller, pool), headers={"cache-control": "no-store"})


@delete("/ui/session", opt={"public": True}, include_in_schema=False, status_code=HTTPStatus.NO_CONTENT)
async def sign_out(request: Request[Any, Any, Any]) -> Response[None]:
    """Forget the cookie."""
    gone = Cookie(
        key=SESSION_COOKIE, value="", max_age=0, httponly=True, samesite="strict", secure=_is_https(request), path="/"
    )
    return Response(None, status_code=HTTPStatus.NO_CONTENT, cookies=[gone])


async def _session(caller: Any, pool: Any) -> Session:
    regions = [row["id"] for row in await pool.fetch(queries["couriers.regions"])]
    return Session(name=caller.name, role=caller.role, region=regions[0] if regions else "", regions=regions)


def _is_https(request: Request[Any, Any, Any]) -> bool:
    """Directly, or at the proxy in front of us (which can only make the cookie stricter by saying so)."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"


def _version() -> str:
    try:
        return version("postrider")
    except PackageNotFoundError:
        return "development"


route_handlers: list[Any] = [page, schema_page, file, fixed_file, config, sign_in, who_am_i, sign_out]
