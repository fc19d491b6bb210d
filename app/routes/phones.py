"""
The doors for phone apps that are installed as they are: `/ingest/osmand`, `/ingest/owntracks`, `/ingest/gpslogger`.

The token comes in the path, in `?token=`, as the password of HTTP Basic, or as Bearer. With a known token the answer is
2xx whatever was sent: a phone that is refused tries the same again for ever, or stops for good.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response, route
from litestar.datastructures import State
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Send

from app.web.auth import Caller, token_of
from app.web.encoding import BrokenEncoding, plain_body
from app.web.problems import TooMuch, UnsupportedEncoding
from app.wiring.intake import Intake, sender_of
from tracking.intake.phones import doors
from tracking.intake.phones.heard import Heard, SpeedUnit
from tracking.intake.phones.shapes import Habits
from tracking.intake.screening import Sender, Unusable, Upload
from tracking.quality import Reason

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
    return await _take(request, state, token, "osmand", doors.OSMAND, b"")


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
    return await _take(request, state, token, "owntracks", doors.OWNTRACKS, b"[]")


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
    return await _take(request, state, token, "gpslogger", doors.GPSLOGGER, b"")


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


async def _take(
    request: PhoneRequest, state: State, token: str | None, source: str, habits: Habits, answer: bytes
) -> Response[bytes]:
    intake: Intake = state.intake
    caller = await _caller(request, state, token)
    body, broken = await _body(request, state)
    heard = doors.read(
        habits,
        request.scope["query_string"].decode("latin-1"),
        body,
        now=datetime.now(UTC),
        unit=_unit(request, caller),
        user=request.headers.get("x-limit-u") or request.query_params.get("u"),
        device=request.headers.get("x-limit-d") or request.query_params.get("d"),
        limit=intake.settings.batch_limit_fixes,
    )
    if broken is not None:
        heard = replace(heard, unusable=[*heard.unusable, (Reason.UNREADABLE, broken)])
    return await _accept(state, caller, heard, source, answer if heard.reply is None else heard.reply)


async def _caller(request: PhoneRequest, state: State, token: str | None) -> Caller:
    """Whose token it is, wherever the app put it; the first place that holds one counts."""
    intake: Intake = state.intake
    for found in (token, request.query_params.get("token"), token_of(request.headers)):
        if found:
            caller = await intake.authenticator.caller(found)
            if caller is not None:
                return caller
    raise NotAuthorizedException(
        detail="Put the courier's token into the path, into ?token=, or as the password.",
        headers={"WWW-Authenticate": 'Basic realm="postrider"'},
    )


async def _body(request: PhoneRequest, state: State) -> tuple[bytes, bytes | None]:
    """
    The body as it was before compression, and what to keep of one that cannot be read.

    One that is too large is not refused: the phone would send it again for ever.
    """
    intake: Intake = state.intake
    body = b""
    try:
        body = await request.body()
        encoding = request.headers.get("content-encoding")
        return plain_body(body, encoding, intake.settings.request_body_limit_bytes), None
    except UnsupportedEncoding:
        return body, None  # perhaps it is not encoded at all; if it is, no reader will know it
    except BrokenEncoding as exc:
        return b"", exc.text
    except (RequestEntityTooLarge, TooMuch):
        return b"", body


def _unit(request: PhoneRequest, caller: Caller) -> SpeedUnit | None:
    """The unit of speeds, where the URL or the token names one; what is no unit is as if it were not there."""
    asked = parse_qs(request.scope["query_string"].decode("latin-1")).get("speed_unit", [""])[0]
    try:
        return SpeedUnit(asked or caller.speed_unit or "")
    except ValueError:
        return None


async def _accept(state: State, caller: Caller, heard: Heard, source: str, answer: bytes) -> Response[bytes]:
    intake: Intake = state.intake
    sender = sender_of(caller)
    if sender is None:
        sender = await _sender_by_device(intake, caller, heard)
        is_own = True
    else:
        is_own = await _is_own(intake, caller, heard)
    unusable = [Unusable(i, reason, payload, sender) for i, (reason, payload) in enumerate(heard.unusable)]
    readings = heard.readings
    if not is_own:
        # Somebody typed in another courier's identifier, or swapped two phones: nobody knows whose way this is.
        unusable += [
            Unusable(len(unusable) + i, Reason.WRONG_DEVICE, msgspec.json.encode(reading), sender)
            for i, reading in enumerate(readings)
        ]
        readings = ()
    await intake.ingest.accept(
        Upload(
            region=sender.region,
            readings=readings,
            senders=[sender] * len(readings),
            unusable=unusable,
            contacts=(sender,),
            source=source,
        )
    )
    media_type = "application/json" if answer else "text/plain"
    return Response(answer, status_code=200, media_type=media_type)


async def _is_own(intake: Intake, caller: Caller, heard: Heard) -> bool:
    """
    False when the payload names another courier.

    An identifier that is nobody's is fine: apps make one up, and the token says whose phone it is.
    """
    own = {caller.external_id, str(caller.courier_id)}
    if heard.devices & own:
        return True
    owners = await intake.roster.owners_of(heard.devices)
    return set(owners.values()) <= {caller.courier_id}


async def _sender_by_device(intake: Intake, caller: Caller, heard: Heard) -> Sender:
    """The courier a service's request names by id or external id (a gateway that collects from phones)."""
    if not caller.may_post_for_any_courier:
        raise PermissionDeniedException(detail="This needs a courier's device token or a service token.")
    owners = await intake.roster.owners_of(heard.devices)
    senders = await intake.roster.find_many(set(owners.values())) if owners else {}
    for device in sorted(owners):
        if (sender := senders[owners[device]]) is not None:
            return sender
    raise PermissionDeniedException(detail="A service token must name a courier by its id or external id.")


route_handlers: list[Any] = [take_osmand, take_owntracks, take_gpslogger]
