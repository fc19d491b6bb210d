"""
The doors for phone apps that are installed as they are: `/ingest/osmand`, `/ingest/owntracks`, `/ingest/gpslogger`.

The token comes in the path, in `?token=`, as the password of HTTP Basic, or as Bearer. With a known token the answer is
2xx whatever was sent: a phone that is refused tries the same again for ever, or stops for good.
In production `app.routes.phones_fast` serves GET and POST at these addresses without Litestar, in the same way.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from litestar import Request, Response, route
from litestar.datastructures import State
from litestar.enums import HttpMethod, ScopeType
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Send

from app.wiring.phones import GPSLOGGER, OSMAND, OWNTRACKS, PhoneCall, PhoneDoor, media_type_of, take

METHODS: Final = [
    HttpMethod.GET,
    HttpMethod.POST,
    HttpMethod.PUT,
    HttpMethod.PATCH,
    HttpMethod.DELETE,
    HttpMethod.HEAD,
]
"""Apps let their users choose; see also AnyMethod."""

PhoneRequest = Request[Any, Any, Any]


@dataclass
class PhoneOperation(Operation):
    """The body is whatever the app sends, the token wherever it can put it, and the answer empty."""

    answer: ClassVar[dict[str, OpenAPIMediaType]] = {
        "text/plain": OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
    }

    def __post_init__(self) -> None:
        """Describe it no further."""
        anything = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
        self.security = [{"token": []}, {}]
        self.responses = {"200": OpenAPIResponse(description="Taken", content=self.answer)}
        self.request_body = RequestBody(
            required=False, content={"application/x-www-form-urlencoded": anything, "application/json": anything}
        )


@dataclass
class OwnTracksOperation(PhoneOperation):
    """The answer is a list of commands, and we have none."""

    answer: ClassVar[dict[str, OpenAPIMediaType]] = {
        "application/json": OpenAPIMediaType(schema=Schema(type=OpenAPIType.ARRAY, items=Schema()))
    }


@route(
    ["/ingest/osmand", "/ingest/osmand/{token:str}"],
    http_method=METHODS,
    status_code=200,
    opt={"public": True, "keeps_anything": True, "never_limited": True},
    tags=["phones"],
    operation_class=PhoneOperation,
)
async def take_osmand(request: PhoneRequest, state: State, token: FromPath[str | None] = None) -> Response[bytes]:
    """
    Take a position from Traccar Client, the OsmAnd app, or whatever speaks their format.

    Speeds are in knots unless `?speed_unit=kn|kmh|mph|mps` or the token says otherwise.
    """
    return await _take(request, state, token, OSMAND)


@route(
    ["/ingest/owntracks", "/ingest/owntracks/{token:str}"],
    http_method=METHODS,
    status_code=200,
    opt={"public": True, "keeps_anything": True, "never_limited": True},
    tags=["phones"],
    operation_class=OwnTracksOperation,
)
async def take_owntracks(request: PhoneRequest, state: State, token: FromPath[str | None] = None) -> Response[bytes]:
    """Take a message from OwnTracks in HTTP mode; the answer is `[]`, for there is nothing to tell the phone."""
    return await _take(request, state, token, OWNTRACKS)


@route(
    ["/ingest/gpslogger", "/ingest/gpslogger/{token:str}"],
    http_method=METHODS,
    status_code=200,
    opt={"public": True, "keeps_anything": True, "never_limited": True},
    tags=["phones"],
    operation_class=PhoneOperation,
)
async def take_gpslogger(request: PhoneRequest, state: State, token: FromPath[str | None] = None) -> Response[bytes]:
    """Take a position from GPSLogger's custom URL; speeds are in m/s unless `?speed_unit=` says otherwise."""
    return await _take(request, state, token, GPSLOGGER)


class AnyMethod:
    """In front of the API: a phone's method is a setting like any other; an odd one at these doors counts as POST."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass on."""
        is_a_phone = scope["type"] == ScopeType.HTTP and scope["path"].startswith("/ingest/")
        if is_a_phone and scope["method"] not in METHODS:
            scope["method"] = HttpMethod.POST.value
        await self._app(scope, receive, send)


async def _take(request: PhoneRequest, state: State, token: str | None, door: PhoneDoor) -> Response[bytes]:
    query = request.scope["query_string"].decode("latin-1")
    answer = await take(state.intake, PhoneCall(door, token, query, request.headers, request.body))
    return Response(answer, status_code=200, media_type=media_type_of(answer))


route_handlers: list[Any] = [take_osmand, take_owntracks, take_gpslogger]
