"""The client, against a server that is told what to do."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.client import Postrider, Refused, connection

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(connection, "LONGEST_PAUSE_S", 0.0)


def client(*answers):
    """One whose server answers so, one after the other; and what it was asked."""
    asked, waiting = [], list(answers)

    def handle(request):
        asked.append(request)
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx.MockTransport(handle)
    return Postrider("http://postrider/", "T", httpx.AsyncClient(transport=transport)), asked


async def test_what_creates_is_repeated_with_one_key_until_it_is_answered():
    postrider, asked = client(httpx.ConnectError("away"), httpx.Response(503), httpx.Response(201, json={"id": "1"}))
    body = {"pickup": {"lat": 1, "lon": 2}, "dropoff": {"lat": 3, "lon": 4}}
    assert (await postrider.place_order(body))["id"] == "1"
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    assert [str(request.url) for request in asked] == ["http://postrider/v1/orders"] * 3
    assert asked[0].headers["Authorization"] == "Bearer T"


async def test_key_of_ones_own_and_a_version_are_sent():
    postrider, asked = client(httpx.Response(201, json={}), httpx.Response(200, json={}))
    await postrider.place_order({}, key="mine")
    await postrider.cancel_order("a/b", {"reason": "late"}, if_match='"3"')
    assert asked[0].headers["Idempotency-Key"] == "mine"
    assert asked[1].headers["If-Match"] == '"3"'
    assert asked[1].url.raw_path == b"/v1/orders/a%2Fb/cancel"


async def test_refusal_says_why_and_is_not_repeated():
    problem = {"code": "order-not-open", "detail": "Order is not open", "state": "delivered"}
    postrider, asked = client(httpx.Response(409, json=problem))
    with pytest.raises(Refused) as caught:
        await postrider.picked_up("1")
    assert (caught.value.status, caught.value.code, caught.value.problem["state"]) == (
        409,
        "order-not-open",
        "delivered",
    )
    assert len(asked) == 1


async def test_who_is_away_for_long_is_given_up():
    postrider, asked = client(*[httpx.ConnectError("away")] * connection.TRIES)
    with pytest.raises(httpx.ConnectError):
        await postrider.list_orders(region="porto", unassigned=True)
    assert len(asked) == connection.TRIES
    assert dict(asked[0].url.params) == {"region": "porto", "unassigned": "true"}


async def test_stream_goes_on_where_it_broke_off():
    first = httpx.Response(200, text=': here\n\nevent: order\nid: 7\ndata: {"a":\ndata: 1}\n\nevent: order\ndata: {"b"')
    second = httpx.Response(200, text='event: order\nid: 8\ndata: {"b": 2}\n\n')
    postrider, asked = client(first, httpx.ReadError("broke"), second, httpx.Response(401, json={"code": "no"}))
    events = postrider.stream("/v1/live", bbox="0,0,1,1")
    heard = [await anext(events), await anext(events)]
    assert [(event.name, event.id, event.data) for event in heard] == [
        ("order", "7", {"a": 1}),
        ("order", "8", {"b": 2}),
    ]
    with pytest.raises(Refused):
        await anext(events)
    assert [request.headers.get("Last-Event-ID") for request in asked] == [None, "7", "7", "8"]


def test_its_calls_are_what_the_api_says_of_itself():
    command = [sys.executable, ROOT / "app/client/build.py", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
