"""One trace from a request through the log or the outbox to what other processes make of it, at a real collector."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.gateway.inbox import Inbox
from app.main import in_front
from app.settings import Settings
from tests.acceptance.test_backup import playing
from tests.acceptance.test_orders import HOME, RESTAURANT, Town, town
from tests.acceptance.test_webhooks import add, pool, sending, sink
from tests.collector import Collector, collecting
from tests.receiver import Receiver
from tests.rsgi import RsgiTransport
from tests.waiting import until

__all__ = ["pool", "sink", "town"]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # ms between two batches; else 5,000
    with collecting() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, collector: Collector) -> Settings:
    return replace(settings, otlp_url=collector.url, trace_share=1, webhooks_private=True)


@pytest.fixture
def door(api, admin) -> httpx.AsyncClient:
    """The hot door, as the server calls it."""
    return httpx.AsyncClient(transport=RsgiTransport(in_front(api)), base_url="http://postrider", headers=admin.headers)


def begun() -> tuple[str, dict[str, str]]:
    """A trace that a client has begun, and the header that says so."""
    trace_id = secrets.token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}


async def test_a_fix_and_an_order_are_followed_through_every_process(
    town: Town, admin, api, door, settings, pool: asyncpg.Pool, sink: Receiver, collector: Collector
):
    courier, _ = await town.hire("Ana")
    await add(admin, sink, types=["postrider.order.placed"])
    of_fix, fix_headers = begun()
    of_order, order_headers = begun()
    of_command, command_headers = begun()
    at = datetime.now(UTC).isoformat()
    async with playing("writer", settings), playing("dispatch", settings), sending(settings, pool):
        fix = {"courier_id": courier, "fixed_at": at, **RESTAURANT}
        answer = await door.post("/v1/positions", json=[fix], headers=fix_headers)
        assert (answer.status_code, answer.headers["x-trace-id"]) == (202, of_fix)
        placed = await admin.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": HOME}, headers=order_headers)
        assert placed.status_code == 201
        await until(lambda: {"POST /v1/positions", "commit to the log", "store"} <= collector.names_of(of_fix))
        wanted = {"POST /v1/orders", "wait for an offer", "deliver to a webhook"}
        await until(lambda: wanted <= collector.names_of(of_order))
        assert sink.headers[0]["traceparent"][3:35] == of_order
        await town.hire("Rui")
        named = {"specversion": "1.0", "id": "1", "source": "shop", "subject": "A-1", **command_headers}
        command = named | {"type": "postrider.command.order.create", "data": {"pickup": RESTAURANT, "dropoff": HOME}}
        await Inbox(pool, api.state.redis, api.state.geocoding).take("rabbitmq", json.dumps(command).encode())
        await until(lambda: {"take a command", "wait for an offer"} <= collector.names_of(of_command))
        told = await admin.get("/metrics", headers={"accept": "application/openmetrics-text"})
    families = text_string_to_metric_families(told.text)
    [stored] = [family for family in families if family.name == "postrider_order_offer_seconds"]
    # A bucket keeps its last one only: of two orders that waited about as long, the second.
    exemplars = {sample.exemplar.labels["trace_id"] for sample in stored.samples if sample.exemplar}
    assert exemplars
    assert exemplars <= {of_order, of_command}
    for _, span in collector.spans:  # nobody's place
        assert not {str(number) for place in (RESTAURANT, HOME) for number in place.values()} & {
            str(one.value.double_value) for one in span.attributes
        }
