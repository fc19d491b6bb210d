import asyncio
import logging

import httpx
import pytest
import stamina

from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.guards import Circuit, CircuitBreaker
from dispatch.travel.times import EngineFailed, Source

KEY = "s3cret-key"
ASK = Ask(url="https://maps.test/v1", params={"apikey": KEY, "origins": "41.15,-8.61"}, headers={"X-Key": KEY})


@pytest.fixture(autouse=True)
def _no_waiting():
    with stamina.set_testing(testing=True, attempts=3):
        yield


class Grants:
    """A meter that grants so many requests."""

    def __init__(self, n):
        self.left = n

    async def take(self, n_elements):
        self.left -= 1
        return self.left >= 0


def client(answers, **options):
    """A client whose server gives these answers in turn; an exception is raised instead of answering."""
    waiting = list(answers)

    def answer(request):
        client.requests.append(request)
        given = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(given, Exception):
            raise given
        return given

    client.requests = []
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return EngineClient(source=Source.YANDEX, http=http, **options)


async def test_a_lost_connection_and_an_overloaded_server_are_asked_again():
    lost = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    asked = client([lost, httpx.Response(503), httpx.Response(200, json={"ok": 1})])
    assert await asked.fetch(ASK) == {"ok": 1}
    assert len(client.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_not_asked_again(status):
    asked = client([httpx.Response(status)])
    with pytest.raises(EngineFailed):
        await asked.fetch(ASK)
    assert len(client.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401),
        httpx.Response(500),
        httpx.Response(200, text=f"<html>{KEY}"),
        httpx.ConnectError(f"cannot connect to https://maps.test/v1?apikey={KEY}"),
        httpx.ReadTimeout("timed out"),
    ],
)
async def test_key_and_coordinates_stay_out_of_logs_and_errors(answer, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(EngineFailed) as failure:
        await client([answer]).fetch(ASK)
    told = caplog.text + repr(failure.value) + str([vars(record) for record in caplog.records])
    assert KEY not in told
    assert "41.15" not in told
    assert failure.value.__cause__ is None


async def test_key_in_a_good_request_is_not_logged(caplog):
    caplog.set_level(logging.INFO)
    await client([httpx.Response(200, json={})]).fetch(ASK)
    assert KEY not in caplog.text


async def test_after_failures_in_a_row_the_engine_is_left_alone_and_comes_back_by_itself():
    now = [0.0]
    breaker = CircuitBreaker(n_failures=2, recovery_s=5, clock=lambda: now[0])
    down = httpx.ConnectError("refused")
    asked = client([*[down] * 6, httpx.Response(200, json={})], breaker=breaker)
    for _ in range(2):
        with pytest.raises(EngineFailed):
            await asked.fetch(ASK)
    n_before = len(client.requests)
    with pytest.raises(EngineFailed, match="left alone"):
        await asked.fetch(ASK)
    assert len(client.requests) == n_before
    now[0] = 5
    assert await asked.fetch(ASK) == {}
    assert asked.circuit is Circuit.CLOSED


async def test_a_question_the_engine_does_not_like_does_not_open_the_circuit():
    breaker = CircuitBreaker(n_failures=1)
    with pytest.raises(EngineFailed):
        await client([httpx.Response(400)], breaker=breaker).fetch(ASK)
    assert breaker.state is Circuit.CLOSED


async def test_over_the_limit_nothing_is_sent_and_the_circuit_stays_closed():
    breaker = CircuitBreaker(n_failures=1)
    meter = Grants(1)
    asked = client([httpx.Response(200, json={})], breaker=breaker, meter=meter)
    await asked.fetch(ASK)
    with pytest.raises(EngineFailed, match="limit"):
        await asked.fetch(ASK)
    assert len(client.requests) == 1
    assert breaker.state is Circuit.CLOSED


async def test_every_retry_is_metered():
    meter = Grants(2)
    with pytest.raises(EngineFailed, match="limit"):
        await client([httpx.Response(503)], meter=meter).fetch(ASK)
    assert len(client.requests) == 2


@pytest.mark.parametrize(("timeout_s", "state"), [(1000.0, Circuit.CLOSED), (0.0, Circuit.OPEN)])
async def test_who_has_no_more_time_blames_the_engine_only_if_it_was_given_some(timeout_s, state):
    """A plan's time is over in the middle of a request: nothing is wrong with an engine that was asked just before."""
    asked, breaker = asyncio.Event(), CircuitBreaker(n_failures=1)

    async def hang(request):
        asked.set()
        await asyncio.Event().wait()

    http = httpx.AsyncClient(transport=httpx.MockTransport(hang))
    waiting = EngineClient(source=Source.OSRM, http=http, timeout_s=timeout_s, breaker=breaker)
    task = asyncio.create_task(waiting.fetch(ASK))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert breaker.state is state


async def test_an_engine_that_is_busy_answering_others_is_not_left_alone():
    """Of a question in many requests some are still open when its time is over."""
    asked, breaker = asyncio.Event(), CircuitBreaker(n_failures=1)

    async def answer_once(request):
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return httpx.Response(200, json={})

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer_once))
    busy = EngineClient(source=Source.OSRM, http=http, timeout_s=0.0, breaker=breaker)
    open_one = asyncio.create_task(busy.fetch(ASK))
    await asked.wait()
    await busy.fetch(ASK)
    open_one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await open_one
    assert breaker.state is Circuit.CLOSED
