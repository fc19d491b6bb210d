"""Who freezes, falls silent or drives elsewhere, and when."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest

from app.simulation import fleet
from app.simulation.city import made_up
from app.simulation.courier import SimulatedCourier
from app.simulation.fleet import Fleet
from app.simulation.member import Member, Stop
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts, Phone
from app.simulation.town import Town
from app.simulation.ways import Ways
from tracking.position import LatLon, Mode

CENTRE = LatLon(41.1579, -8.6291)
TOWN = Town.build(CENTRE, 400, 1)
CITY = made_up(TOWN, Random(1))
STOP = Stop(order_id="o", kind="pickup", place=TOWN.corners[5])


class World:
    """A fleet whose clock the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
        self.now = 0.0
        monkeypatch.setattr(fleet, "monotonic", lambda: self.now)
        self.params = SimulateParams(url="http://postrider", token="t", trouble_after_s=60, trouble_for_s=100, **more)
        client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
        self.fleet = Fleet(self.params, client, CITY, Ways(TOWN, {}, client), Counts())
        phone = Phone(client, asyncio.Semaphore(1), "t", Counts())
        self.members = [
            Member(n, str(n), SimulatedCourier(mode=Mode.CAR, at=TOWN.corners[0], random=Random(n)), phone)
            for n in range(1, 4)
        ]

    def frozen(self) -> list[int]:
        return [m.number for m in self.members if self.fleet._has_trouble("freeze", self.params.freeze, m)]

    def send(self, number: int) -> None:
        member = self.members[number - 1]
        member.stops = [STOP]
        member.body.go([STOP.place])


def test_silence_begins_and_ends_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, silence=(2,))
    silent = []
    for world.now in (0, 59, 60, 159, 160):
        silent.append([m.number for m in world.members if world.fleet._has_trouble("silence", (2,), m)])
    assert silent == [[], [], [2], [2], []]


def test_freeze_waits_until_the_courier_goes_to_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, freeze=(1,), orders_per_hour=60)
    world.now = 70
    assert world.frozen() == []
    world.send(2)
    assert world.frozen() == []
    world.send(1)
    assert world.frozen() == [1]


def test_somebody_under_way_stands_in_for_a_courier_without_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, freeze=(1,), orders_per_hour=60)
    world.send(2)
    world.send(3)
    world.now = 121
    assert world.frozen() == [2]
    world.send(1)
    assert world.frozen() == [2]
    world.now = 222
    assert world.frozen() == []


def test_flat_tyre_makes_a_courier_slow_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, slow=(1,), orders_per_hour=60)
    world.send(1)
    paces = []
    world.now = 60
    asyncio.run(world.fleet._move(world.members[0]))
    assert world.members[0].body.slowed == 1.0, "nothing is promised soon"
    door = replace(STOP, kind="dropoff", due_at=datetime.now(UTC) + timedelta(minutes=20))
    world.members[0].stops = [STOP, door]
    for world.now in (50, 60, 160):
        asyncio.run(world.fleet._move(world.members[0]))
        paces.append(world.members[0].body.slowed)
    assert paces == [1.0, fleet.FLAT_TYRE, 1.0]


def test_without_orders_the_named_courier_freezes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, freeze=(3,))
    world.now = 60
    assert world.frozen() == [3]
