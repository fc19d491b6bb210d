"""
Traces: what became of an upload or an order, through every process that it goes through.

    with tracing.span("GET /v1/orders"):                 of what is under way here, or a new one
        entry["trace"] = tracing.carried()               ... goes along in the log, the outbox
    with tracing.going_on("store", traces):              ... and goes on in another process

Off unless `begin` is called: then a span is nothing, and costs a call. OpenTelemetry keeps the spans that are over in a
queue of bounded length, from which a thread sends them; what does not fit, or what nobody takes, is dropped.

The log imports this, so nothing of prometheus_client is imported here: app/web/together.py says why.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span

QUEUE: Final = 4_096
"""Spans that wait at most; further ones are dropped."""
SEND_WITHIN_S: Final = 3.0
END_WITHIN_S: Final = 2.0
"""A process that ends waits no longer for a collector."""
MOST_CARRIED: Final = 8
"""Traces that one entry of the log carries: it holds uploads of many."""

_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_tracer: Any = None
"""OpenTelemetry's; None: off."""


class NotInstalled(Exception):
    """OpenTelemetry is missing: pip install 'postrider[trace]'."""


def begin(
    role: str,
    *,
    url: str,
    share: float,
    version: str,
    trace_id: Callable[[], str],
    count: Callable[[str, int], None],
) -> Callable[[], None]:
    """
    Send spans to the collector at `url` (OTLP over HTTP) until the returned function is called.

    `share`: of the traces, chosen by their id, so that every process with the same share keeps the same ones.
    `trace_id`: that of what is under way, 32 hexadecimal digits, or nothing; a new trace takes it.
    `count`: called with `taken` or `dropped`, and so many spans, from another thread. Does nothing where somebody has
    begun already. Raises NotInstalled.
    """
    global _tracer  # noqa: PLW0603 - a process has one, as it has one log
    if not url or _tracer is not None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import TraceIdRatioBased  # noqa: PLC0415
    except ImportError as missing:
        raise NotInstalled("POSTRIDER_OTLP_URL needs OpenTelemetry: pip install 'postrider[trace]'") from missing

    class OurIds(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return int(trace_id() or "0", 16) or super().generate_trace_id()

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # counted instead: it tells each batch's failure
    provider = TracerProvider(
        sampler=TraceIdRatioBased(share),
        resource=Resource({"service.name": "postrider", "service.version": version, "postrider.role": role}),
        id_generator=OurIds(),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=SEND_WITHIN_S)
    provider.add_span_processor(BatchSpanProcessor(_counted(exporter, count), max_queue_size=QUEUE))
    _tracer = provider.get_tracer("postrider", version)

    def end() -> None:
        global _tracer  # noqa: PLW0603 - as above
        _tracer = None
        last = Thread(target=provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(END_WITHIN_S)

    return end


def _counted(exporter: "SpanExporter", count: Callable[[str, int], None]) -> "SpanExporter":
    send = exporter.export

    def export(spans: Any) -> "SpanExportResult":
        outcome = "dropped"
        try:
            result = send(spans)
            outcome = "taken" if result.name == "SUCCESS" else "dropped"
        finally:
            count(outcome, len(spans))
        return result

    exporter.export = export  # type: ignore[method-assign]  # the one place that every batch goes through
    return exporter


def is_on() -> bool:
    """Whether anybody wants spans."""
    return _tracer is not None


def span(name: str, *, parent: str | None = None, **facts: str | float) -> AbstractContextManager["Span | None"]:
    """
    A span of what is under way here; None where traces are off.

    `parent`: the `traceparent` that a request came with. `facts`: nothing that says where or who somebody is.
    """
    if _tracer is None:
        return _NOTHING
    return _span(name, context=_context_of(parent), facts=facts)


def going_on(
    name: str, traces: Sequence[str], *, began_at: datetime | None = None, **facts: str | float
) -> AbstractContextManager["Span | None"]:
    """
    A span that goes on with what another task or process carried here: of the first trace, and linked to the others.

    Nothing where nothing was carried.
    """
    if _tracer is None or not traces:
        return _NOTHING
    return _span(name, context=_context_of(traces[0]), links=traces[1:MOST_CARRIED], began_at=began_at, facts=facts)


@contextmanager
def _span(
    name: str,
    *,
    context: Any,
    facts: dict[str, Any],
    links: Sequence[str] = (),
    began_at: datetime | None = None,
) -> Iterator["Span"]:
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    contexts = [trace.get_current_span(_context_of(link)).get_span_context() for link in links]
    with _tracer.start_as_current_span(
        name,
        context=context,
        attributes=facts,
        links=[trace.Link(one) for one in contexts if one.is_valid],
        start_time=None if began_at is None else int(began_at.timestamp() * 1e9),
        record_exception=False,  # its words may be anybody's
        set_status_on_exception=False,  # as above
    ) as found:
        yield found


def _context_of(traceparent: str | None) -> Any:
    """Where a carried trace goes on; what is under way where there is none, or it cannot be read."""
    if not traceparent:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def carried() -> str:
    """The `traceparent` of what is under way here, for who goes on with it; empty where nobody wants it."""
    if _tracer is None:
        return ""
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    found = trace.get_current_span().get_span_context()
    if not (found.is_valid and found.trace_flags.sampled):
        return ""
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-01"


def trace_id() -> str:
    """Of what goes on here and is traced; empty where nothing is."""
    return carried()[3:35]


def exemplar() -> dict[str, str] | None:
    """What a histogram keeps beside a value, so that one finds the trace of a slow one."""
    found = carried()
    return {"trace_id": found[3:35], "span_id": found[36:52]} if found else None
