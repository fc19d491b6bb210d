"""What a recipient reads and may choose."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.pages.recipient import Expected, facts_of, headline, note_of, windows_for, with_note
from app.pages.writing import LANGUAGES, words
from dispatch.orders.order import Order, OrderKind, OrderState, OrderStop, Window
from dispatch.stop import OrderId
from tracking.position import LatLon, Region

NOW = datetime(2026, 3, 14, 12, 10, tzinfo=UTC)
LISBON = ZoneInfo("Europe/Lisbon")
NOTHING = Expected(p50=None, p90=None, stops_before=None)
ORDER = Order(
    id=OrderId(UUID(int=1)),
    region=Region("porto"),
    state=OrderState.PICKED_UP,
    version=3,
    pickup=OrderStop(at=LatLon(41.1, -8.6), address="Shop 1"),
    dropoff=OrderStop(at=LatLon(41.2, -8.6), address="Door 2", contact={"name": "Rita"}, instructions="Gate 7"),
    placed_at=NOW - timedelta(hours=1),
)


def said(order, expected=NOTHING, language="en"):
    return facts_of(order, expected, LISBON, language, now=NOW)


def test_when_it_comes_is_told_with_its_spread_and_what_comes_before():
    window = Window(opens_at=NOW, due_at=NOW + timedelta(hours=2))
    order = replace(ORDER, dropoff=replace(ORDER.dropoff, window=window))
    in_half = Expected(p50=NOW + timedelta(minutes=30), p90=NOW + timedelta(minutes=45), stops_before=2)
    facts = said(order, in_half)
    assert facts["when"] == "Between 12:40 and 12:55"
    assert facts["lines"] == ["Agreed: 12:10 to 14:10", "Stops before you: 2"]
    assert said(order, replace(in_half, stops_before=0), "ru")["lines"][-1] == "Вы следующая остановка."
    assert said(order, replace(in_half, p90=None))["when"] == "Expected about 12:40"
    soon = replace(in_half, p90=in_half.p50 + timedelta(seconds=20))
    assert said(order, soon)["when"] == "Expected about 12:40"  # not between 12:40 and 12:40


def test_once_it_is_over_nobody_is_told_where():
    over = {
        OrderState.DELIVERED: {"delivered_at": NOW, "proof": {"name": "Rita"}},
        OrderState.FAILED: {},
        OrderState.RETURNING: {},
        OrderState.RETURNED: {},
        OrderState.CANCELLED: {},
    }
    for state, facts in over.items():
        for language in LANGUAGES:
            told = said(replace(ORDER, state=state, **facts), language=language)
            assert told["address"] == ""
            assert told["lines"], state
            assert "Door 2" not in str(told)
    assert said(replace(ORDER, state=OrderState.DELIVERED, **over[OrderState.DELIVERED]))["when"] == "At 12:10"


@pytest.mark.parametrize("kind", OrderKind)
@pytest.mark.parametrize("state", OrderState)
def test_every_state_of_every_kind_has_its_words(kind, state):
    assert words("en")[headline(replace(ORDER, kind=kind, state=state))]


def test_windows_to_choose_begin_later_by_day_and_only_before_it_is_collected():
    assert windows_for(ORDER, LISBON, now=NOW) == []
    waiting = replace(ORDER, state=OrderState.ACCEPTED)
    found = windows_for(waiting, LISBON, now=NOW)
    assert [f"{begins:%d %H}-{ends:%H}" for begins, ends in found] == ["14 14-16", "14 16-18", "14 18-20", "14 20-22"]
    late = windows_for(waiting, LISBON, now=NOW + timedelta(hours=8))
    assert [f"{begins:%d %H}" for begins, _ in late][:2] == ["15 08", "15 10"]
    tomorrow = replace(waiting, ready_at=NOW + timedelta(days=1))
    assert windows_for(tomorrow, LISBON, now=NOW)[0][0] > NOW + timedelta(days=1)
    has = replace(waiting, dropoff=replace(ORDER.dropoff, window=Window(opens_at=found[0][0])))
    assert found[0] not in windows_for(has, LISBON, now=NOW)


def test_a_note_follows_the_instructions_and_replaces_the_one_before():
    first = with_note("Gate 7", "  Ring\n\ntwice\x00 ")
    assert first == "Gate 7\n» Ring\n» twice"
    assert note_of(first) == "Ring\ntwice"
    assert with_note(first, "Knock") == "Gate 7\n» Knock"
    assert with_note(with_note(None, "x"), "") is None
    assert len(with_note("a" * 1999, "b" * 300) or "") <= 2000
