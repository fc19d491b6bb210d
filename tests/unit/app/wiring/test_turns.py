"""What is costly has its turns: so many at once, and so much of the time."""

import asyncio
from time import monotonic

import pytest

from app.wiring import turns
from app.wiring.turns import Turns


async def test_no_more_take_their_turn_than_there_are_places():
    places, there, most = Turns(2, share=1), 0, 0

    async def turn():
        nonlocal there, most
        async with places.one():
            there += 1
            most = max(most, there)
            await asyncio.sleep(0)
            there -= 1

    await asyncio.gather(*(turn() for _ in range(20)))
    assert most == 2


async def test_a_place_stays_empty_after_a_turn_for_its_share_of_the_time(monkeypatch):
    monkeypatch.setattr(turns, "REST_AT_MOST_S", float("inf"))
    places, worked_s = Turns(1, share=1 / 4), 0.0

    async def turn():
        nonlocal worked_s
        async with places.one():
            began = monotonic()
            await asyncio.sleep(0.01)
            worked_s += monotonic() - began

    began = monotonic()
    await asyncio.gather(*(turn() for _ in range(5)))
    before_the_last_s = worked_s * 4 / 5
    async with places.one():
        assert monotonic() - began > before_the_last_s * 4


async def test_a_turn_that_failed_gives_its_place_back():
    places = Turns(1, share=1)
    with pytest.raises(ValueError, match="odd"):
        async with places.one():
            raise ValueError("odd")
    async with places.one():
        pass


async def test_who_waits_too_long_for_a_turn_is_told(monkeypatch):
    monkeypatch.setattr(turns, "WAIT_S", 0)
    places = Turns(1, share=1)
    async with places.one():
        with pytest.raises(TimeoutError):
            async with places.one():
                pass
