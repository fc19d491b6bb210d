"""A collector of OpenTelemetry on the loopback: it keeps the spans that come by OTLP over HTTP."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    """What came; each span with the role that sent it."""

    url: str = ""
    spans: list[tuple[str, Any]] = field(default_factory=list)

    def names_of(self, trace_id: str) -> set[str]:
        """What happened in a trace, or is linked to it."""
        wanted = bytes.fromhex(trace_id)
        return {
            span.name
            for _, span in list(self.spans)
            if wanted in {span.trace_id, *(one.trace_id for one in span.links)}
        }

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            facts = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(facts["postrider.role"], span) for span in scope.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, as long as the context lasts."""
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody wants a line."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
