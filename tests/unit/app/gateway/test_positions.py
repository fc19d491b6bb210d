"""Positions for other systems: of each courier the newest, and of the same fix the same event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import msgspec
import pytest

from app.gateway.events import POSITION
from app.gateway.positions import Newest, letter_of
from tracking.position import CourierId, Fix, LatLon, Position, Region

NOW = datetime(2026, 11, 27, 12, 0, 0, 250_000, tzinfo=UTC)
ANA, RUI = CourierId(UUID(int=1)), CourierId(UUID(int=2))


def position(courier_id=ANA, after_s=0, **facts):
    fix = Fix(at=LatLon(41.15, -8.61), fixed_at=NOW + timedelta(seconds=after_s), **facts)
    return Position(courier_id=courier_id, fix=fix, received_at=NOW + timedelta(seconds=60))


def test_an_event_is_the_same_whoever_sends_it_and_numbered_by_its_instant():
    letter, again = (letter_of(position(speed_mps=3.5), Region("porto")) for _ in range(2))
    event, later = msgspec.json.decode(letter.body), msgspec.json.decode(letter_of(position(after_s=1), "porto").body)
    assert letter == again
    assert (event["type"], event["subject"], event["region"]) == (POSITION, str(ANA), "porto")
    assert (event["data"]["lat"], event["data"]["speed_mps"], event["data"]["battery_pct"]) == (41.15, 3.5, None)
    assert datetime.fromisoformat(event["data"]["fixed_at"]) == NOW
    assert later["sequence"] - event["sequence"] == 1_000_000
    assert later["id"] != event["id"] != msgspec.json.decode(letter_of(position(RUI), "porto").body)["id"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_only_the_newest_of_each_courier_waits_in_whatever_order_they_come(order):
    newest, came = Newest(), [position(after_s=n) for n in range(3)]
    newest.add([came[n] for n in order], of=None)
    newest.add([position(RUI)], of=None)
    assert newest.all() == [position(RUI), came[2]]


def test_what_a_receiver_has_is_not_told_again_and_nothing_older():
    newest = Newest()
    newest.add([position(after_s=5)], of=None)
    [sent] = newest.all()
    newest.add([position(after_s=9)], of=None)  # came while it was sent
    newest.is_done(sent)
    assert newest.all() == [position(after_s=9)]
    newest.is_done(newest.all()[0])
    newest.add([position(after_s=3), position(after_s=9)], of=None)
    assert newest.all() == []


def test_of_others_than_it_asked_for_it_is_told_nothing():
    newest = Newest()
    newest.add([position(), position(RUI)], of=frozenset([RUI]))
    assert newest.all() == [position(RUI)]
    newest.add([position(after_s=1)], of=frozenset())
    assert len(newest) == 1


def test_a_fix_with_numbers_that_json_has_not_is_an_event_nevertheless():
    odd = replace(position().fix, accuracy_m=float("inf"), speed_mps=float("nan"))
    data = msgspec.json.decode(letter_of(replace(position(), fix=odd), Region("porto")).body)["data"]
    assert (data["accuracy_m"], data["speed_mps"]) == (None, None)
