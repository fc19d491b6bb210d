"""Logging: stdlib, JSON lines with ECS names unless a terminal reads them, with the trace id; no whereabouts."""

import json
import logging
import random
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from tracking import tracing

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")
_address: ContextVar[str | None] = ContextVar("address", default=None)

TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")
"""W3C Trace Context, section 3.2."""

ECS: Final = "8.17.0"
OF_ECS: Final = {
    "event": "event.action",
    "http_method": "http.request.method",
    "http_status": "http.response.status_code",
}
"""Of `extra`, what the schema has a name for."""
FOR_PROGRAMS: Final = {"event", "settings"}
"""Of `extra`, what says nothing to who reads a terminal: `postrider settings` is for them."""
STANDARD: Final = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def current_trace_id() -> str:
    """The trace id of the request being served, or an empty string."""
    return _trace_id.get()


def current_address() -> str | None:
    """Where the request being served came from."""
    return _address.get()


def begin_address(address: str) -> None:
    """Take the address that a request came from for the current task (`app.web.address`)."""
    _address.set(address or None)


def begin_trace(traceparent: str | None) -> str:
    """Take the trace id of a `traceparent` header, or make one, for the current task; returns it."""
    match = TRACEPARENT.match(traceparent) if traceparent else None
    # An id and no secret, so it need not cost a system call.
    trace_id = match.group(1) if match and set(match.group(1)) != {"0"} else f"{random.getrandbits(128):032x}"
    _trace_id.set(trace_id)
    return trace_id


class JsonFormatter(logging.Formatter):
    """One JSON object a line, by the names of the Elastic Common Schema; what is ours alone is under `postrider.`."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, trace id and whatever came in `extra`."""
        line: dict[str, object] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": ECS,
            "service.name": "postrider",
            "log.logger": record.name,
            "process.pid": record.process,
        }
        if trace_id := current_trace_id() or tracing.trace_id():
            line["trace.id"] = trace_id
        for key, value in vars(record).items():
            if key not in STANDARD:
                line[OF_ECS.get(key, f"postrider.{key}")] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["error.type"] = record.exc_info[0].__name__
            line["error.message"] = str(record.exc_info[1])
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """One readable line, for terminals."""

    def format(self, record: logging.LogRecord) -> str:
        """`12:00:01 INFO tracking.history.writer stored n=1000`."""
        extra = " ".join(f"{k}={v}" for k, v in vars(record).items() if k not in STANDARD and k not in FOR_PROGRAMS)
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{at} {record.levelname:<7} {record.name} {record.getMessage()} {extra}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(level: str, as_json: bool | None) -> None:
    """Set up the root logger on standard error; `as_json` None: JSON unless a terminal reads it."""
    handler = logging.StreamHandler(sys.stderr)
    use_json = not sys.stderr.isatty() if as_json is None else as_json
    handler.setFormatter(JsonFormatter() if use_json else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # It works the second time, or whoever asked tells of it; each is counted (`stamina_retries_total`).
    logging.getLogger("stamina").setLevel(logging.ERROR)
    # httpx logs whole URLs at INFO, API keys included.
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Lost connections, each in many words; whoever had one tells of it.
    for noisy in ("aio_pika", "aiormq", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
