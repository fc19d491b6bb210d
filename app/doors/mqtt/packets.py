"""
The packets of MQTT 3.1.1, as a server reads and writes them; no I/O.

Source: OASIS, "MQTT Version 3.1.1". MQTT 3.1 differs in its name only; of MQTT 5 a client is told to speak 3.1.1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

NAMES: Final = {"MQTT": 4, "MQIsdp": 3}
"""Of the protocol, with its level."""
BRIDGE: Final = 0x80
"""This bit of the level says that a broker connects (mosquitto, `try_private`)."""
LONGEST_HEAD: Final = 5


class Kind(IntEnum):
    """What a packet is: the upper half of its first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Welcome(IntEnum):
    """What a client is answered."""

    ACCEPTED = 0
    WRONG_VERSION = 1
    UNAVAILABLE = 3
    WRONG_PASSWORD = 4
    NOT_ALLOWED = 5


REFUSED: Final = 0x80
"""A subscription that is not granted."""


class Malformed(ValueError):
    """It is no packet of ours; the connection cannot go on."""


class WrongVersion(Malformed):
    """The client speaks another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """A client's first packet."""

    client_id: str
    user: str | None = None
    password: str | None = None
    keep_alive_s: int = 0
    """The client is heard of so often; 0: it promises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """A message."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """One of the steps after a message: by its kind."""

    kind: Kind
    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Filters of topics that the client wants, or with `is_over` does not want any more."""

    packet_id: int
    filters: Sequence[str]
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """A packet without content."""

    kind: Kind


Packet = Connect | Publish | Acknowledgement | Subscribe | Sign


class Decoder:
    """Packets from bytes, however these are cut."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of the largest packet."""
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are whole by now. Raises Malformed; nothing can be read after that."""
        self._held += data
        while (head := self._head()) is not None:
            start, size = head
            if len(self._held) < start + size:
                return
            first, body = self._held[0], bytes(self._held[start : start + size])
            del self._held[: start + size]
            yield _packet(first, _Cursor(body))

    def _head(self) -> tuple[int, int] | None:
        """Where the next packet's content begins and its size; None: too little has come."""
        size = 0
        for place, byte in enumerate(self._held[1:LONGEST_HEAD]):
            size |= (byte & 0x7F) << (7 * place)
            if not byte & 0x80:
                if size > self._limit:
                    raise Malformed(f"expected at most {self._limit} bytes")
                return place + 2, size
        if len(self._held) >= LONGEST_HEAD:
            raise Malformed("expected a size of at most four bytes")
        return None


class _Cursor:
    """Reads a packet's content from its beginning."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, n: int) -> bytes:
        taken = self._body[self._at : self._at + n]
        if len(taken) < n:
            raise Malformed("expected more")
        self._at += n
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(2))

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            found = self.binary().decode()
        except UnicodeDecodeError as exc:
            raise Malformed("expected UTF-8") from exc
        if "\x00" in found:
            raise Malformed("expected no U+0000")
        return found

    def packet_id(self) -> int:
        found = self.number()
        if not found:
            raise Malformed("expected a packet identifier")
        return found

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._body)

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)


def _packet(first: int, content: _Cursor) -> Packet:
    try:
        kind = Kind(first >> 4)
    except ValueError as exc:
        raise Malformed("expected a known kind") from exc
    match kind:
        case Kind.CONNECT:
            return _connect(content)
        case Kind.PUBLISH:
            return _publish(first, content)
        case Kind.PUBACK | Kind.PUBREC | Kind.PUBREL | Kind.PUBCOMP:
            return Acknowledgement(kind, content.packet_id())
        case Kind.SUBSCRIBE | Kind.UNSUBSCRIBE:
            return _subscribe(kind, content)
        case Kind.PINGREQ | Kind.DISCONNECT:
            return Sign(kind)
        case _:
            raise Malformed(f"expected nothing that a server says: {kind.name}")


def _connect(content: _Cursor) -> Connect:
    level = NAMES.get(content.text())
    if level is None:
        raise Malformed("expected MQTT")
    if content.take(1)[0] & ~BRIDGE != level:
        raise WrongVersion("expected MQTT 3.1.1")
    flags = content.take(1)[0]
    keep_alive_s = content.number()
    client_id = content.text()
    if flags & 0x04:  # what others would be told of the client's end; there are no others
        content.text()
        content.binary()
    user = content.text() if flags & 0x80 else None
    password = content.binary().decode(errors="replace") if flags & 0x40 else None
    return Connect(client_id=client_id, user=user, password=password, keep_alive_s=keep_alive_s)


def _publish(first: int, content: _Cursor) -> Publish:
    qos = first >> 1 & 0x03
    topic = content.text()
    if qos > 2 or not topic or "+" in topic or "#" in topic:
        raise Malformed("expected a topic without wildcards, and a quality of 0, 1 or 2")
    packet_id = content.packet_id() if qos else 0
    return Publish(topic=topic, payload=content.rest(), qos=qos, packet_id=packet_id)


def _subscribe(kind: Kind, content: _Cursor) -> Subscribe:
    packet_id = content.packet_id()
    filters = []
    while not content.is_over:
        filters.append(content.text())
        if kind is Kind.SUBSCRIBE:
            content.take(1)
    if not filters:
        raise Malformed("expected a filter")
    return Subscribe(packet_id, filters, is_over=kind is Kind.UNSUBSCRIBE)


def welcome(answer: Welcome) -> bytes:
    """The answer to Connect. No session is kept: whatever a client wants to be told, it is told anew."""
    return bytes((Kind.CONNACK << 4, 2, 0, answer))


def acknowledgement(kind: Kind, packet_id: int) -> bytes:
    """A step after a message, or the end of a subscription."""
    flags = 2 if kind is Kind.PUBREL else 0
    return bytes((kind << 4 | flags, 2)) + packet_id.to_bytes(2)


def granted(packet_id: int, answers: Sequence[int]) -> bytes:
    """The answer to Subscribe: the quality of each filter, or REFUSED."""
    return _framed(Kind.SUBACK << 4, packet_id.to_bytes(2) + bytes(answers))


def pong() -> bytes:
    """We are there."""
    return bytes((Kind.PINGRESP << 4, 0))


def message(topic: str, payload: bytes) -> bytes:
    """A message to a client, of quality 0."""
    name = topic.encode()
    return _framed(Kind.PUBLISH << 4, len(name).to_bytes(2) + name + payload)


def _framed(first: int, body: bytes) -> bytes:
    size, head = len(body), bytearray((first,))
    while True:
        size, low = size >> 7, size & 0x7F
        head.append(low | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


def matches(topic: str, wanted: str) -> bool:
    """Whether a topic is one that a filter wants."""
    names, parts = topic.split("/"), wanted.split("/")
    for place, part in enumerate(parts):
        if part == "#":
            return True
        if place >= len(names) or part not in {"+", names[place]}:
            return False
    return len(names) == len(parts)
