"""A courier's stream outlasts what thousands of them, or an outage, do to its looks at the rows."""

import asyncio
from types import SimpleNamespace
from uuid import UUID

import pytest

from app.routes import route as routes
from dispatch.orders.channel import LOOKS_AT_ONCE, CourierChannels
from tracking.position import CourierId, Region

ANA = CourierId(UUID(int=1))


def a_route(version):
    return SimpleNamespace(region=Region("default"), courier_id=ANA, version=version, fingerprint=version, offers=())


@pytest.fixture
def channels(monkeypatch):
    async def read(self, region, reader):
        await asyncio.Event().wait()

    monkeypatch.setattr(CourierChannels, "_read", read)
    return CourierChannels(None, None)


@pytest.fixture
def stream(monkeypatch, channels):
    """A stream whose looks are what a list says: a route, or the error."""

    async def nothing(*_):
        return None

    async def told(route, *_):
        return ("route", route.version)

    async def offers(*_):
        return []

    async def allowed():
        return True

    monkeypatch.setattr(routes, "_route_message", told)
    monkeypatch.setattr(routes, "_offers", offers)
    monkeypatch.setattr(routes, "_suggestion", nothing)
    monkeypatch.setattr(routes, "changes_between", lambda *_: ([], []))
    monkeypatch.setattr(routes, "_still_here", lambda: "still here")
    monkeypatch.setattr(routes, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(routes, "LOOKS_A_SECOND", 1e9)

    def begin():
        return routes._stream(
            a_route(1),
            pool=None,
            travel=None,
            locator=None,
            arrivals=None,
            channels=channels,
            redis=None,
            is_allowed=allowed,
        )

    return begin


async def test_a_look_that_fails_ends_no_stream_and_is_made_again(stream, monkeypatch):
    answers = [TimeoutError(), ConnectionError(), a_route(1), a_route(2)]

    async def load(*_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(routes, "load_route", load)
    events = stream()
    told = [await anext(events) for _ in range(5)]
    assert told == [("route", 1), "still here", "still here", "still here", ("route", 2)]
    await events.aclose()


async def test_of_thousands_few_look_at_once_and_each_less_often_but_at_once_when_woken(stream, channels, monkeypatch):
    looking, most, n_looks = 0, 0, 0

    async def load(*_):
        nonlocal looking, most, n_looks
        looking, n_looks = looking + 1, n_looks + 1
        most = max(most, looking)
        await asyncio.sleep(0.001)
        looking -= 1
        return a_route(1)

    monkeypatch.setattr(routes, "load_route", load)
    streams = [stream() for _ in range(40)]
    for events in streams:
        await anext(events)
    assert channels.n_listening == 40
    monkeypatch.setattr(routes, "LOOKS_A_SECOND", 0.001)
    for events in streams:
        assert await anext(events) == "still here"
    assert n_looks == 0
    for flags in channels._readers[Region("default")].flags.values():
        for flag in flags:
            flag.set()
    assert await asyncio.gather(*(anext(events) for events in streams)) == ["still here"] * 40
    assert n_looks == 40
    assert most <= LOOKS_AT_ONCE
    for events in streams:
        await events.aclose()
    assert channels.n_listening == 0
