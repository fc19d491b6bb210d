"""What a phone app's request goes through, whichever way it came in: whose it is, what it says, and where it is put."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import MediaType
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from app.web.auth import Caller, token_of
from app.web.encoding import BrokenEncoding, plain_body
from app.web.problems import TooMuch, UnsupportedEncoding
from app.wiring.intake import Intake, sender_of
from tracking.intake.phones import doors
from tracking.intake.phones.heard import Heard, SpeedUnit
from tracking.intake.phones.shapes import Habits
from tracking.intake.screening import Sender, Unusable, Upload
from tracking.quality import Reason


@dataclass(frozen=True, slots=True)
class PhoneDoor:
    """An address for one kind of app."""

    source: str
    habits: Habits
    answer: bytes
    """What the app is told, unless what it sent asks for something else."""


OSMAND: Final = PhoneDoor("osmand", doors.OSMAND, b"")
OWNTRACKS: Final = PhoneDoor("owntracks", doors.OWNTRACKS, b"[]")
GPSLOGGER: Final = PhoneDoor("gpslogger", doors.GPSLOGGER, b"")
DOORS: Final = (OSMAND, OWNTRACKS, GPSLOGGER)


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """A phone's request."""

    door: PhoneDoor
    token: str | None
    """The one in the path."""
    query: str
    headers: Any
    """Anything with `get(lower-case name)`."""
    read: Callable[[], Awaitable[bytes]]
    """The body as it was sent; raises TooMuch or RequestEntityTooLarge."""


async def take(intake: Intake, call: PhoneCall) -> bytes:
    """
    Store what the phone says; the answer to give it, with 200.

    Raises NotAuthorizedException, PermissionDeniedException, AuthenticationUnavailable, LogFull, LogUnavailable, and
    what `call.read` raises.
    """
    asked = dict(reversed(parse_qsl(call.query)))  # of a name that comes twice the first counts
    caller = await _caller(intake, call, asked)
    body, broken = await _body(intake, call)
    heard = doors.read(
        call.door.habits,
        call.query,
        body,
        now=datetime.now(UTC),
        unit=unit_of(asked.get("speed_unit") or caller.speed_unit),
        user=call.headers.get("x-limit-u") or asked.get("u"),
        device=call.headers.get("x-limit-d") or asked.get("d"),
        limit=intake.settings.batch_limit_fixes,
    )
    if broken is not None:
        heard = replace(heard, unusable=[*heard.unusable, (Reason.UNREADABLE, broken)])
    await accept(intake, caller, heard, call.door.source)
    return call.door.answer if heard.reply is None else heard.reply


def media_type_of(answer: bytes) -> MediaType:
    """What an answer is to a phone."""
    return MediaType.JSON if answer else MediaType.TEXT


async def _caller(intake: Intake, call: PhoneCall, asked: dict[str, str]) -> Caller:
    """Whose token it is, wherever the app put it; the first place that holds one counts."""
    for found in (call.token, asked.get("token"), token_of(call.headers)):
        if found:
            caller = intake.authenticator.remembered(found) or await intake.authenticator.caller(found)
            if caller is not None:
                return caller
    raise NotAuthorizedException(
        detail="Put the courier's token into the path, into ?token=, or as the password.",
        headers={"WWW-Authenticate": 'Basic realm="postrider"'},
    )


async def _body(intake: Intake, call: PhoneCall) -> tuple[bytes, bytes | None]:
    """
    The body as it was before compression, and what to keep of one that cannot be read.

    One that is too large is not refused: the phone would send it again for ever.
    """
    body = b""
    try:
        body = await call.read()
        return plain_body(body, call.headers.get("content-encoding"), intake.settings.request_body_limit_bytes), None
    except UnsupportedEncoding:
        return body, None  # perhaps it is not encoded at all; if it is, no reader will know it
    except BrokenEncoding as exc:
        return b"", exc.text
    except (RequestEntityTooLarge, TooMuch):
        return b"", body


def unit_of(name: str | None) -> SpeedUnit | None:
    """The unit of speeds, where the URL or the token names one; what is no unit is as if it were not there."""
    try:
        return SpeedUnit(name) if name else None
    except ValueError:
        return None


async def accept(intake: Intake, caller: Caller, heard: Heard, source: str) -> None:
    """
    Store what was heard of a phone, or of one that a service names.

    Raises PermissionDeniedException where it names nobody, LogFull and LogUnavailable.
    """
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


async def _is_own(intake: Intake, caller: Caller, heard: Heard) -> bool:
    """
    False when the payload names another courier.

    An identifier that is nobody's is fine: apps make one up, and the token says whose phone it is.
    """
    if not heard.devices or heard.devices & {caller.external_id, str(caller.courier_id)}:
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
