"""What a message says, and where it is put: as a phone's request over HTTP."""

import logging
from datetime import datetime
from typing import Final

from litestar.exceptions import PermissionDeniedException
from prometheus_client import Counter

from app.web.auth import AuthenticationUnavailable, Caller
from app.wiring.intake import Intake, sender_of
from app.wiring.phones import OWNTRACKS, accept, unit_of
from tracking.errors import LogFull, LogUnavailable
from tracking.intake.phones import doors
from tracking.intake.screening import Unusable, Upload
from tracking.quality import Reason

log = logging.getLogger(__name__)

SOURCE: Final = "mqtt"
MESSAGES: Final = Counter(
    "postrider_mqtt_messages", "Messages that are in the log, by what became of them.", ["result"]
)
AGAIN: Final = (LogFull, LogUnavailable, AuthenticationUnavailable)
"""Nothing is wrong with the message: it must come again."""


def names_of(topic: str) -> tuple[str | None, str | None]:
    """User and device in `owntracks/<user>/<device>`, and in what lies below."""
    parts = topic.split("/")
    return (parts[1] or None, parts[2] or None) if len(parts) > 2 else (None, None)


async def store(intake: Intake, caller: Caller, topic: str, payload: bytes, now: datetime) -> None:
    """
    Put a message into the log; what cannot be used of it is set aside there, so that it is never sent again.

    Raises those of AGAIN.
    """
    if topic.startswith("$"):  # a broker speaks of itself
        return
    user, device = names_of(topic)
    try:
        heard = doors.read(
            OWNTRACKS.habits,
            "",
            payload,
            now=now,
            unit=unit_of(caller.speed_unit),
            user=user,
            device=device,
            limit=intake.settings.batch_limit_fixes,
        )
        await accept(intake, caller, heard, SOURCE)
        MESSAGES.labels("taken").inc()
    except AGAIN:
        raise
    except PermissionDeniedException:  # a broker's message of a phone that nobody knows
        await _set_aside(intake, caller, Reason.UNKNOWN_COURIER, payload)
    except Exception:
        log.exception("message not stored", extra={"event": "mqtt_message_failed"})
        await _set_aside(intake, caller, Reason.UNREADABLE, payload)


async def _set_aside(intake: Intake, caller: Caller, reason: Reason, payload: bytes) -> None:
    MESSAGES.labels(reason.value).inc()
    sender = sender_of(caller)
    region = await intake.some_region() if sender is None else sender.region
    unusable = (Unusable(0, reason, payload, sender),)
    await intake.ingest.accept(Upload(region=region, readings=(), senders=(), unusable=unusable, source=SOURCE))
