"""What a call is over HTTP, by its google.api.http option, and its messages as JSON and back; no I/O."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.json_format import Error, MessageToDict, ParseDict
from google.protobuf.message import Message

from app.client import postrider_pb2
from app.web.problems import BadInput

SERVICES: Final[tuple[ServiceDescriptor, ...]] = tuple(postrider_pb2.DESCRIPTOR.services_by_name.values())
NAMED: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A method of a service."""

    method: str
    path: str
    """With `{names}` of the request's fields, each an id."""
    wrapped: str
    """The field of the response that the answer is; empty: the response itself."""
    request: type[Message]
    response: type[Message]

    def path_of(self, fields: Mapping[str, Any]) -> str:
        """Where to ask. Raises BadInput for what is no id, which could be any other path."""
        return NAMED.sub(lambda found: str(_id_of(found[1], fields.get(found[1], ""))), self.path)

    def fields_of(self, message: Message) -> dict[str, Any]:
        """A request as JSON. Raises BadInput for instants that JSON cannot say."""
        try:
            fields: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
        except Error as exc:
            raise BadInput("Some instants cannot be meant.", ("", str(exc))) from exc
        return fields

    def body_of(self, fields: Mapping[str, Any]) -> bytes:
        """What of a request is not in the path."""
        named = set(NAMED.findall(self.path))
        body = {name: value for name, value in fields.items() if name not in named}
        return msgspec.json.encode(body) if self.method != "GET" else b""

    def response_of(self, answer: Any) -> Message:
        """The answer's JSON as a message."""
        return message_of(self.response, {self.wrapped: answer} if self.wrapped else answer)


def call_of(method: MethodDescriptor) -> Call:
    """By what the .proto says of it."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return Call(
        method=verb.upper(),
        path=getattr(rule, verb),
        wrapped=rule.response_body,
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
    )


def message_of(kind: type[Message], answer: Any) -> Message:
    """JSON of the API as a message; what the message does not know is left out."""
    return ParseDict(answer, kind(), ignore_unknown_fields=True)


def change_of(name: str, data: bytes) -> Message | None:
    """An event of the courier's stream; None for one that this version does not know."""
    if name not in postrider_pb2.WatchRouteResponse.DESCRIPTOR.fields_by_name:
        return None
    told = msgspec.json.decode(data)
    if name == "route" and (geometry := told.get("geometry")):
        told["geometry"] = {"points": [{"lon": lon, "lat": lat} for lon, lat in geometry["coordinates"]]}
    return message_of(postrider_pb2.WatchRouteResponse, {name: told})


def fixes_of(request: Any) -> Iterator[dict[str, Any]]:
    """Fixes as `POST /v1/positions` takes them; what is odd in one stays odd, and is quarantined there."""
    for fix in request.fixes:
        fields = {field.name: value for field, value in fix.ListFields()}
        if fix.HasField("fixed_at"):
            try:
                fields["fixed_at"] = fix.fixed_at.ToJsonString()
            except ValueError:
                fields["fixed_at"] = f"{fix.fixed_at.seconds}.{fix.fixed_at.nanos}"
        yield fields


def _id_of(name: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as exc:
        raise BadInput("An id is needed.", (f"/{name}", "expected a UUID")) from exc
