"""A problem of the API as the status of a call; no I/O."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
import msgspec
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from app.doors.inside import Answer

DOMAIN: Final = "postrider"
DETAILS: Final = "grpc-status-details-bin"
"""Where clients look for a google.rpc.Status. Source: gRPC, "Richer error model"."""
CODES: Final[Mapping[int, grpc.StatusCode]] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""All others are INTERNAL. Source: google/rpc/code.proto, but for 409, which trying again would not help."""


class Status(msgspec.Struct, frozen=True):
    """How a call ended."""

    code: grpc.StatusCode
    words: str
    trailing: tuple[tuple[str, bytes], ...]


def status_of(answer: Answer, **facts: object) -> Status:
    """The status for a refusal; `facts` are added to what the problem tells."""
    problem = _problem_of(answer)
    code = CODES.get(answer.status, grpc.StatusCode.INTERNAL)
    words = str(problem.get("detail") or problem.get("title") or "")
    told = status_pb2.Status(code=code.value[0], message=words)
    told.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason=str(problem.get("code", "http")),
            domain=DOMAIN,
            metadata={name: _text(value) for name, value in {**problem, **facts}.items() if name not in _ELSEWHERE},
        )
    )
    errors = problem.get("errors") or []
    if errors:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=str(error.get("pointer", "")).strip("/").replace("/", "."), description=str(error.get("detail"))
            )
            for error in errors
        ]
        told.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    retry_after = answer.headers.get("retry-after", "")
    if retry_after.isdecimal():
        told.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=int(retry_after))))
    return Status(code, words, ((DETAILS, told.SerializeToString()),))


_ELSEWHERE: Final = {"type", "title", "status", "detail", "code", "errors"}


def _problem_of(answer: Answer) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
