"""
Every error as a problem (RFC 9457): one table from exception class to code, title and status.

`code` is stable and machine-readable; `type` is `/problems/<code>`, relative to the server, where
its meaning can be read.
"""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.params import FromPath
from litestar.types import ExceptionHandlersMap

from app.logs import current_trace_id
from app.web.auth import AuthenticationUnavailable, PasswordChangeRequired
from app.web.retries import COLLISIONS, note_collision
from dispatch import errors as dispatch_errors
from tracking import errors as tracking_errors
from tracking import outages

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of the table."""

    code: str
    title: str
    status: int
    retry_after_s: int | None = None


class BadInput(Exception):
    """
    What was sent cannot be used.

    `errors`: what was wrong and where: (JSON pointer, what was expected).
    """

    def __init__(self, detail: str, *errors: tuple[str, str]) -> None:
        super().__init__(detail)
        self.errors = errors


class Conflict(Exception):
    """Somebody else changed it first; read it again."""

    def __init__(self, detail: str | None = None, **facts: object) -> None:
        super().__init__(detail or self.__doc__)
        self.facts = facts


class TooManyRequests(Exception):
    """This token or address has made too many requests for now."""

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(self.__doc__)
        self.retry_after_s = retry_after_s


class UserNotFound(Exception):
    """There is no such person."""

    def __init__(self, **facts: object) -> None:
        super().__init__(self.__doc__)
        self.facts = facts


class SecondFactorRequired(Exception):
    """Name and password are right; send the code of the second factor, too, as `totp`."""


class TooMuch(Exception):
    """The request is larger than this server takes."""


class UnsupportedEncoding(Exception):
    """The body has a Content-Encoding that this server does not read; it reads gzip, deflate, br and zstd."""


class BodyTooSlow(Exception):
    """The body of the request did not come in time."""


UNAVAILABLE = Problem("unavailable", "The service cannot answer right now", 503, retry_after_s=2)

PROBLEMS: dict[type[Exception], Problem] = {
    BadInput: Problem("bad-input", "The request cannot be used", 400),
    Conflict: Problem("conflict", "It was changed meanwhile", 409),
    TooManyRequests: Problem("too-many-requests", "Too many requests", 429),
    TooMuch: Problem("too-large", "The request is too large", 413),
    UnsupportedEncoding: Problem("unsupported-media-type", "Unsupported Media Type", 415),
    BodyTooSlow: Problem("too-slow", "The request took too long to come", 408),
    AuthenticationUnavailable: UNAVAILABLE,
    UserNotFound: Problem("user-not-found", "There is no such person", 404),
    SecondFactorRequired: Problem("second-factor-required", "The second factor is missing", 401),
    PasswordChangeRequired: Problem("password-change-required", "Set a password of your own first", 403),
    tracking_errors.TrackingError: Problem("tracking", "Tracking failed", 500),
    tracking_errors.CourierNotFound: Problem("courier-not-found", "There is no such courier", 404),
    tracking_errors.PositionNotFound: Problem("position-not-found", "No position is known", 404),
    tracking_errors.GeofenceNotFound: Problem("geofence-not-found", "There is no such geofence", 404),
    tracking_errors.LeaseLost: Problem("lease-lost", "Another process does this now", 409),
    tracking_errors.LogFull: Problem("log-full", "Too many positions are waiting", 503, retry_after_s=5),
    tracking_errors.LogUnavailable: Problem("log-unavailable", "Positions cannot be stored right now", 503, 2),
    dispatch_errors.DispatchError: Problem("dispatch", "Dispatch failed", 500),
    dispatch_errors.OrderNotFound: Problem("order-not-found", "There is no such order", 404),
    dispatch_errors.OrderNotOpen: Problem("order-not-open", "Order is not open", 409),
    dispatch_errors.ProofMissing: Problem("proof-missing", "More is needed to hand it over", 409),
    dispatch_errors.CodeWrong: Problem("code-wrong", "The code is wrong", 409),
    dispatch_errors.VersionConflict: Problem("version-conflict", "It was changed meanwhile", 409),
    dispatch_errors.GoodsOnBoard: Problem("goods-on-board", "The courier has goods on board", 409),
    dispatch_errors.CourierUnsuitable: Problem("courier-unsuitable", "The courier should not have it", 409),
    dispatch_errors.OfferNotFound: Problem("offer-not-found", "There is no such offer", 404),
    dispatch_errors.OfferNotOpen: Problem("offer-not-open", "Offer is not open", 409),
    dispatch_errors.NotYours: Problem("not-yours", "That belongs to another courier", 403),
    dispatch_errors.IdempotencyKeyReused: Problem(
        "idempotency-key-reused", "The key was used for another request", 422
    ),
    dispatch_errors.ExternalIdInUse: Problem("conflict", "It was changed meanwhile", 409),
    dispatch_errors.ShiftNotFound: Problem("shift-not-found", "The courier has no such shift", 404),
    dispatch_errors.ShiftOverlaps: Problem("conflict", "It was changed meanwhile", 409),
    dispatch_errors.AreaInUse: Problem("area-in-use", "Couriers serve this area", 409),
    dispatch_errors.NotAtWork: Problem("not-at-work", "The courier is off duty", 409),
    dispatch_errors.NoBreak: Problem("no-break", "The courier has begun no break", 409),
    dispatch_errors.ShareNotFound: Problem("share-not-found", "The link is not valid any more", 404),
    dispatch_errors.AlertNotFound: Problem("alert-not-found", "There is no such alert", 404),
    dispatch_errors.AlertResolved: Problem("alert-resolved", "The alert is over", 409),
    dispatch_errors.PayRulesNotFound: Problem("pay-rules-not-found", "There are no such rules of pay", 404),
    dispatch_errors.PayEntryNotFound: Problem("pay-entry-not-found", "There is no such entry", 404),
    dispatch_errors.RegionNotFound: Problem("region-not-found", "There is no such region", 404),
    dispatch_errors.RegionExists: Problem("conflict", "It was changed meanwhile", 409),
    dispatch_errors.TooManyRegions: Problem("too-many-regions", "There are as many regions as there may be", 409),
    dispatch_errors.DayPlanNotFound: Problem("day-plan-not-found", "There is no such plan of a day", 404),
    dispatch_errors.DayPlanNotReady: Problem("day-plan-not-ready", "The plan is not ready", 409),
    dispatch_errors.DayPlanRunning: Problem("day-plan-running", "A plan of the region is being made", 409),
    dispatch_errors.ItemNotFound: Problem("item-not-found", "There are no such goods", 404),
    dispatch_errors.ItemInStock: Problem("item-in-stock", "There is still some of it", 409),
    dispatch_errors.OutOfStock: Problem("out-of-stock", "There is not as much", 409),
    dispatch_errors.QuantityUnknown: Problem("quantity-unknown", "It is not known how much of it", 400),
    dispatch_errors.MovementReused: Problem("movement-reused", "The id was used for another movement", 409),
    dispatch_errors.CountNotFound: Problem("count-not-found", "There is no such count", 404),
    dispatch_errors.CountDecided: Problem("count-decided", "The count was approved or rejected before", 409),
    dispatch_errors.PlaceNotFound: Problem("place-not-found", "There is no such place", 404),
    dispatch_errors.PlaceFull: Problem("place-full", "The place takes no more orders now", 409),
    dispatch_errors.PlaceInUse: Problem("place-in-use", "Orders are still to be collected there", 409),
    dispatch_errors.PlannerBusy: Problem("planner-busy", "The planner is busy", 503, retry_after_s=5),
    **dict.fromkeys(outages.EITHER, UNAVAILABLE),
    **dict.fromkeys(COLLISIONS, Problem("busy", "Others are changing the same thing", 503, retry_after_s=1)),
}

HTTP_CODES = {
    400: "bad-input",
    401: "not-authenticated",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    428: "precondition-required",
    429: "too-many-requests",
    500: "internal",
    503: "unavailable",
}

MEANINGS = {
    "internal": "A defect of the server; the trace id finds it in the log.",
    "not-authenticated": "The token is missing, unknown, revoked or expired.",
    "not-allowed": "The token's role may not do this.",
}


def problem_body(status: int, code: str, title: str, detail: str, **members: object) -> dict[str, object]:
    """A problem as it is answered; `members` are added."""
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "trace_id": current_trace_id(),
        **members,
    }


def part_problem(exc: Exception) -> dict[str, object] | None:
    """The problem of one part of a request whose other parts go on; None: it is not of that part alone."""
    row = find_problem(exc)
    if row is None or row.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return problem_body(row.status, row.code, row.title, str(exc), **getattr(exc, "facts", {}))


def problem_response(
    status: int, code: str, title: str, detail: str, *, headers: dict[str, str] | None = None, **members: object
) -> Response[bytes]:
    """An RFC 9457 answer; `members` become extension members."""
    body = problem_body(status, code, title, detail, **members)
    return Response(
        msgspec.json.encode(body, enc_hook=str), status_code=status, media_type=PROBLEM_JSON, headers=headers or {}
    )


def find_problem(exc: Exception) -> Problem | None:
    """The row of the nearest class in the exception's family tree."""
    return next((PROBLEMS[cls] for cls in type(exc).__mro__ if cls in PROBLEMS), None)


def handle_known(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer an exception that has a row in the table, in a request that Litestar serves."""
    note_collision(request.scope, exc)
    return answer_known(exc)


def answer_known(exc: Exception) -> Response[bytes]:
    """Answer an exception that has a row in the table."""
    row = find_problem(exc)
    assert row is not None
    # The words of a driver's error are for the log, not for the caller: they may hold hosts and statements.
    is_ours = type(exc).__module__.partition(".")[0] in {"app", "tracking", "dispatch"}
    if not is_ours:
        if not outages.is_outage(exc):
            return answer_unknown(exc)
        outages.tell(log, "dependency failed", exc, event="dependency_failed")
    members = dict(getattr(exc, "facts", {}))
    if isinstance(exc, BadInput) and exc.errors:
        members["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in exc.errors]
    retry_after_s = getattr(exc, "retry_after_s", row.retry_after_s)
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    detail = (str(exc) or type(exc).__doc__ or row.title).strip() if is_ours else row.title
    return problem_response(row.status, row.code, row.title, detail, headers=headers, **members)


def handle_http(_: Request[Any, Any, Any], exc: HTTPException) -> Response[bytes]:
    """Answer Litestar's own exceptions in a request that it serves."""
    return answer_http(exc)


def answer_http(exc: HTTPException) -> Response[bytes]:
    """Answer Litestar's own exceptions: validation, routing, authentication."""
    status = exc.status_code
    code = HTTP_CODES.get(status, "http")
    title = HTTPStatus(status).phrase
    members: dict[str, object] = {}
    detail = exc.detail
    if isinstance(exc, ValidationException):
        title, detail = "The request cannot be used", "Some of what was sent is not as expected; see errors."
        members["errors"] = [_error_of(item) for item in exc.extra or [] if isinstance(item, dict)] or [
            # Litestar ends this with the whole address, and whatever token somebody put into its query.
            {"pointer": "", "detail": exc.detail.partition(" for path ")[0]}
        ]
    elif isinstance(exc, NotFoundException):
        detail = detail if detail and detail != "Not Found" else "There is nothing at this address."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", exc_info=exc, extra={"event": "request_failed"})
    return problem_response(status, code, title, detail or title, headers=dict(exc.headers or {}), **members)


def _error_of(item: dict[str, Any]) -> dict[str, object]:
    # msgspec names no key of a mapping, only `[...]`: the pointer ends at the mapping then.
    key = str(item.get("key", "")).partition("[...]")[0].replace(".", "/").replace("[", "/").replace("]", "")
    source = item.get("source", "body")
    where = getattr(source, "value", str(source))
    error: dict[str, object] = {"pointer": f"/{key}" if key else "", "detail": item.get("message", "not as expected")}
    if where != "body":
        error["parameter"], error["in"] = key, where
    return error


def handle_unknown(_: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer a defect, in a request that Litestar serves."""
    return answer_unknown(exc)


def answer_unknown(exc: Exception) -> Response[bytes]:
    """Answer a defect: the caller gets a trace id, the log gets the rest."""
    log.error("request failed", exc_info=exc, extra={"event": "request_failed"})
    return problem_response(500, "internal", "Internal error", MEANINGS["internal"])


def exception_handlers() -> ExceptionHandlersMap:
    """What `create_app` registers."""
    return {**dict.fromkeys(PROBLEMS, handle_known), HTTPException: handle_http, Exception: handle_unknown}


def problem_types() -> dict[str, tuple[int, str]]:
    """All codes with their status and meaning, for the README and `/problems`."""
    rows = {row.code: (row.status, row.title) for row in PROBLEMS.values()}
    for status, code in HTTP_CODES.items():
        rows.setdefault(code, (status, MEANINGS.get(code, HTTPStatus(status).phrase)))
    return dict(sorted(rows.items()))


@get("/problems/{code:str}", opt={"public": True}, security=[{}], media_type=MediaType.JSON, tags=["problems"])
async def describe_problem(code: FromPath[str]) -> dict[str, object]:
    """What a problem's `type` means."""
    row = problem_types().get(code)
    if row is None:
        raise NotFoundException(detail="There is no problem of that type.")
    return {"code": code, "status": row[0], "meaning": row[1]}
