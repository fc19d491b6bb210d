"""The live map, the courier's page and the place's: `/`, `/courier`, `/place`, their files, and their settings."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, PathParameter

from app.settings import Settings
from app.web.dependencies import CurrentSettings
from app.web.static import ASK_AGAIN, Asset, answer, load
from app.wiring.vitals import installed_version

DIST: Final = Path(__file__).parents[1] / "console" / "dist"

STREETS: Final = "/map/style.json"
"""The style of the installation's own tiles (app/routes/streets.py)."""

WORKER: Final = "map-worker-"
"""How the name of the script begins that reads the map's tiles; app/console/maplibre.config.ts names it."""

_assets: dict[str, Asset] = {}

NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Postrider</title>
<body style="font: 16px/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The console is not built</h1>
<p>The API works. To build the live map, run <code>make setup</code> in the project's folder (it needs Node 20 or newer,
and fetches it when it is missing), then load this page again.</p>
<p>The description of the API is at <a href="/schema">/schema</a>.</p></body></html>
"""


class ConsoleConfig(msgspec.Struct, kw_only=True):
    """What the page must know before anybody is signed in; no secrets."""

    version: str
    map_style_url: str
    map_attribution: str
    online_within_s: float
    stale_within_s: float
    demo: bool
    """Something can be broken for a try."""
    sign_in_with: str
    """What the identity provider is called; empty: there is none."""


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


@get("/courier", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def courier_page(request: Request[Any, Any, Any], installation: CurrentSettings) -> Response[Any]:
    """The courier's own page."""
    return _page("courier.html", request, str(Policy.of(installation)))


@get("/place", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def place_page(request: Request[Any, Any, Any], installation: CurrentSettings) -> Response[Any]:
    """The page of a place that prepares orders."""
    return _page("place.html", request, str(Policy.of(installation)))


@get(["/courier-worker.js", "/push-worker.js"], opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def page_worker(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What keeps the courier's page without a network, or shows what is pushed; asks this server and nobody else."""
    asset = _asset(request.url.path.removeprefix("/"))
    if asset is None:
        raise NotFoundException
    return _respond(asset, request, **{"content-security-policy": "default-src 'none'; connect-src 'self'"})


@get("/t/{token:str}/map", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def recipient_map(
    token: Annotated[str, PathParameter(max_length=100)],  # noqa: ARG001 - the map's script asks with it
    request: Request[Any, Any, Any],
    installation: CurrentSettings,
) -> Response[Any]:
    """The map inside the recipient's page; it asks for what it shows by the link."""
    policy = str(Policy.of(installation)).replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    response = _page("recipient.html", request, policy)
    response.headers["x-frame-options"] = "SAMEORIGIN"
    return response


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
def file(name: FromPath[str], request: Request[Any, Any, Any], installation: CurrentSettings) -> Response[bytes]:
    """A script, a style, a shape."""
    asset = _asset(f"assets/{name}")
    if asset is None:
        raise NotFoundException
    if name.startswith(WORKER):
        # A worker lives by the policy of its own script, not by the page's; settings may change it, so it is not kept.
        policy = str(Policy.of(installation))
        return _respond(asset, request, **{"content-security-policy": policy, "cache-control": ASK_AGAIN})
    return _respond(asset, request)


@get(
    ["/favicon.svg", "/licenses.md", "/courier.webmanifest", "/courier-192.png", "/courier-512.png"],
    opt={"public": True},
    include_in_schema=False,
    sync_to_thread=False,
)
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
        version=installed_version(),
        map_style_url=installation.map_style_url or (STREETS if installation.map_tiles else ""),
        map_attribution=installation.map_attribution,
        online_within_s=installation.online_within_s,
        stale_within_s=installation.stale_within_s,
        demo=installation.demo,
        sign_in_with=installation.oidc_title or urlsplit(installation.oidc_issuer).netloc,
    )


route_handlers: list[Any] = [
    page,
    courier_page,
    place_page,
    page_worker,
    recipient_map,
    schema_page,
    file,
    fixed_file,
    config,
]
