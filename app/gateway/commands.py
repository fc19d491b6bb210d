"""
What other systems may tell us over a queue: CloudEvents 1.0 in JSON, read and checked; no I/O.

`subject` is the order's or courier's external id, or our id. `id` makes an event that comes again harmless, `sequence`
(from 1, without gaps, by source and subject) one that comes too late.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Self
from zlib import crc32

import msgspec

from app.shapes.orders import Instant, NewOrderShape, OrderPatch, Reference, Text
from app.web.instants import check_instants
from app.web.problems import BadInput

MOST_BYTES: Final = 1_000_000
PREFIX: Final = "postrider.command."
Reason = Annotated[str, msgspec.Meta(max_length=500)]
_Digits = Annotated[str, msgspec.Meta(pattern=r"^0*[1-9]\d{0,17}$", max_length=40)]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**62)] | _Digits
"""The CloudEvents extension has it as text."""


class Cancel(msgspec.Struct, kw_only=True):
    """Why an order is cancelled."""

    reason: Reason | None = None


class Ready(msgspec.Struct, kw_only=True):
    """The goods can be collected, since then; none: since the event's time."""

    ready_at: Instant | None = None


class Done(msgspec.Struct, kw_only=True):
    """A step that a courier made; none: at the event's time."""

    at: Instant | None = None
    note: Text | None = None


class Failed(msgspec.Struct, kw_only=True):
    """Why it could not be collected or handed over."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    at: Instant | None = None


class Nothing(msgspec.Struct, kw_only=True):
    """The type says it all."""


Data = NewOrderShape | OrderPatch | Cancel | Ready | Done | Failed | Nothing

SHAPES: Final[Mapping[str, type[msgspec.Struct]]] = {
    f"{PREFIX}order.create": NewOrderShape,
    f"{PREFIX}order.change": OrderPatch,
    f"{PREFIX}order.cancel": Cancel,
    f"{PREFIX}order.ready": Ready,
    f"{PREFIX}order.picked_up": Done,
    f"{PREFIX}order.delivered": Done,
    f"{PREFIX}order.failed": Failed,
    f"{PREFIX}courier.on_duty": Nothing,
    f"{PREFIX}courier.off_duty": Nothing,
}
"""Every type that is understood, with the shape of its `data`: that of the HTTP API."""


class CommandEvent(msgspec.Struct, kw_only=True):
    """An event as another system sends it. Source: CloudEvents 1.0.2, JSON event format."""

    specversion: Annotated[str, msgspec.Meta(pattern=r"^1\.0$")]
    id: Reference
    """Unique within `source`: one that comes again has the same."""
    source: Reference
    type: Annotated[str, msgspec.Meta(max_length=100)]
    subject: Reference
    """The external id of the order or courier, or our id."""
    sequence: Sequence | None = None
    """Counts the events of a subject from 1, without gaps; none: they are taken as they come."""
    time: Instant | None = None
    """When it happened."""
    traceparent: Any = None
    """W3C Trace Context (the extension Distributed Tracing): that trace goes on here; odd ones are as none."""
    data: Any = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An event that can be read."""

    event_id: str
    source: str
    type: str
    subject: str
    sequence: int | None
    time: datetime | None
    data: Data
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What can be told of any message, so that it can be kept under its name: a command, or what is wrong with it."""

    event_id: str
    source: str
    type: str
    subject: str
    command: Command | None
    wrong: str | None

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Of whatever bytes came."""
        try:
            command = command_of(body)
        except Exception as exc:  # noqa: BLE001 - whatever is odd about a message is this one's, and no other's
            errors = exc.errors if isinstance(exc, BadInput) else ()
            wrong = "; ".join([str(exc), *(f"{pointer}: {detail}" for pointer, detail in errors)])
            return cls(command=None, wrong=wrong, **_names_of(body))
        names = {"event_id": command.event_id, "source": command.source, "type": command.type}
        return cls(command=command, wrong=None, subject=command.subject, **names)


def command_of(body: bytes) -> Command:
    """The command in a message; raises BadInput, with pointers."""
    if len(body) > MOST_BYTES:
        raise BadInput(f"It has more than {MOST_BYTES} bytes.")
    event = _read(lambda: msgspec.json.decode(body, type=CommandEvent), "")
    if "\0" in f"{event.id}{event.source}{event.subject}":
        raise BadInput("Its names cannot be kept.", ("", "expected no NUL"))
    shape = SHAPES.get(event.type)
    if shape is None:
        raise BadInput("There is no such command.", ("/type", f"expected one of: {', '.join(SHAPES)}"))
    data = _read(lambda: msgspec.convert(event.data, shape), "/data")
    check_instants(event)
    check_instants(data)
    return Command(
        event_id=event.id,
        source=event.source,
        type=event.type,
        subject=event.subject,
        sequence=None if event.sequence is None else int(event.sequence),
        time=event.time,
        data=data,
        traceparent=event.traceparent if isinstance(event.traceparent, str) else None,
    )


def _read(read: Callable[[], Any], where: str) -> Any:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        message, _, path = str(exc).partition(" - at `$")
        pointer = path.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        raise BadInput("The event cannot be read.", (f"{where}{pointer}", message)) from exc


def _names_of(body: bytes) -> dict[str, str]:
    """As much of the names as can be read; what has none is known by its bytes."""
    found: Any = None
    if len(body) <= MOST_BYTES:
        try:
            found = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = None
    given = found if isinstance(found, dict) else {}
    names = {name: str(given.get(name, ""))[:200].replace("\0", "") for name in ("source", "type", "subject")}
    return {"event_id": f"sha256:{sha256(body).hexdigest()}", **names}


for _shape in (CommandEvent, *SHAPES.values()):
    msgspec.json.Decoder(_shape)  # a shape that cannot be read is a defect of ours, told at once


class _Subject(msgspec.Struct):
    subject: str = ""


def lane_of(body: bytes, n: int) -> int:
    """In which of `n` lanes a message goes: those of one subject in the same."""
    try:
        subject = msgspec.json.decode(body, type=_Subject).subject
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        subject = ""
    return crc32(subject.encode(errors="replace")) % n
