"""Other systems hear of an arrival when it differs by minutes, and not all the time."""

from dataclasses import replace

import msgspec
import pytest

from dispatch.arrivals.changes import EVERY_S, MOVED_S, Changes
from dispatch.arrivals.eta import Eta, Note
from dispatch.stop import OrderId, PlannedStop, StopKind
from tests.unit.dispatch.arrivals.test_following import NOW, call

STOP = PlannedStop(OrderId(call(1, 500).stop.order_id), StopKind.DROPOFF)
FIRST = Eta(stop=STOP, p10=NOW + 500, p50=NOW + 600, p90=NOW + 900, computed_at=NOW, source="osrm", confidence=0.8)


def moved(eta, by_s, *notes):
    return replace(eta, p10=eta.p10 + by_s, p50=eta.p50 + by_s, p90=eta.p90 + by_s, warnings=notes)


def told(changes, eta, now):
    change = changes.of(eta, now)
    if change is not None:
        changes.note(eta, change, now)
    return change


def test_the_first_arrival_is_told_and_then_what_differs_by_minutes():
    changes = Changes()
    assert told(changes, FIRST, NOW).before is None
    assert told(changes, FIRST, NOW + 10 * EVERY_S) is None
    assert told(changes, moved(FIRST, MOVED_S - 1), NOW + 10 * EVERY_S) is None
    change = told(changes, moved(FIRST, -MOVED_S), NOW + 10 * EVERY_S)
    assert (change.p50, change.before, change.is_late) == (FIRST.p50 - MOVED_S, FIRST.p50, False)


def test_what_creeps_is_told_once_it_has_come_to_minutes():
    changes = Changes()
    heard = [told(changes, moved(FIRST, n * MOVED_S / 4), NOW + n * EVERY_S) is not None for n in range(9)]
    assert heard == [True, False, False, False, True, False, False, False, True]


def test_that_it_is_late_now_is_told_however_little_it_moved_and_that_it_is_not_any_more():
    changes = Changes()
    told(changes, FIRST, NOW)
    late = moved(FIRST, 1, Note.WINDOW_MISSED)
    assert told(changes, late, NOW + EVERY_S).is_late
    assert told(changes, late, NOW + 2 * EVERY_S) is None
    assert not told(changes, FIRST, NOW + 3 * EVERY_S).is_late


def test_what_jumps_about_is_told_once_a_minute():
    changes = Changes()
    heard = [told(changes, moved(FIRST, n % 2 * 3 * MOVED_S), NOW + n) for n in range(int(2 * EVERY_S) + 2)]
    assert [n for n, change in enumerate(heard) if change is not None] == [0, EVERY_S + 1]


def test_an_arrival_that_has_happened_is_none_of_these():
    assert Changes().of(replace(FIRST, p10=NOW, p50=NOW, p90=NOW), NOW) is None


def test_who_takes_over_goes_on_from_what_was_told():
    first, second = Changes(), Changes()
    change = told(first, FIRST, NOW)
    second.recall(STOP, msgspec.json.encode(change), NOW)
    assert second.of(FIRST, NOW + 10 * EVERY_S) is None
    assert second.of(moved(FIRST, MOVED_S), NOW + EVERY_S).before == FIRST.p50


@pytest.mark.parametrize("packed", ["[]", "{}", '{"stop": "nowhere"}', "7"])
def test_what_cannot_be_read_says_nothing(packed):
    changes = Changes()
    changes.recall(STOP, packed, NOW)
    assert changes.of(FIRST, NOW).before is None


def test_what_nobody_does_any_more_is_forgotten():
    changes = Changes()
    told(changes, FIRST, NOW)
    changes.keep_only([STOP])
    assert changes.of(FIRST, NOW + EVERY_S) is None
    changes.keep_only([])
    assert changes.told == {}
