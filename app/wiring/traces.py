"""Traces of a process: as the settings say, as long as it lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Counter

from app.logs import current_trace_id
from app.settings import Settings
from app.wiring.vitals import installed_version
from tracking import tracing

SPANS: Final = Counter("postrider_spans_total", "Spans handed to the collector, by what became of them.", ["outcome"])


@asynccontextmanager
async def traced(role: str, settings: Settings) -> AsyncIterator[None]:
    """Spans of this role go to the collector that is set, if one is; raises tracing.NotInstalled."""
    end = tracing.begin(
        role,
        url=settings.otlp_url,
        share=settings.trace_share,
        version=installed_version(),
        trace_id=current_trace_id,
        count=lambda outcome, n: SPANS.labels(outcome).inc(n),
    )
    try:
        yield
    finally:
        await asyncio.to_thread(end)
