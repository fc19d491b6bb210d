"""What was told of arrivals is kept as far as a person would notice."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.arrivals.eta import Eta, Note
from dispatch.arrivals.history import AT_MOST, MOVED_S, History
from dispatch.stop import OrderId, PlannedStop, StopKind

NOW = 1_780_000_000.0
ORDER = OrderId(UUID(int=1))


def eta(in_s: float, *warnings: Note, order: OrderId = ORDER, kind: StopKind = StopKind.DROPOFF) -> Eta:
    at = NOW + in_s
    return Eta(
        stop=PlannedStop(order, kind),
        p10=at - 60,
        p50=at,
        p90=at + 120,
        computed_at=NOW,
        source="osrm",
        confidence=0.8,
        warnings=warnings,
    )


def test_the_first_word_is_kept_and_each_that_is_another_with_its_cause():
    history = History()
    history.heard([eta(900)], NOW)
    history.heard([eta(900 + MOVED_S - 1)], NOW + 10)
    history.heard([eta(1200, Note.FALLBACK_USED, Note.ON_BREAK)], NOW + 20)
    history.heard([eta(900)], NOW + 30)
    later = replace(eta(1300, Note.ROUTE_CHANGED), later_by=Note.OFF_ROUTE)
    history.heard([later], NOW + 40)
    assert [(word.at.timestamp() - NOW, word.p50.timestamp() - NOW, word.because) for word in history.take()] == [
        (0, 900, None),
        (20, 1200, "on_break"),
        (30, 900, None),
        (40, 1300, "off_route"),
    ]
    assert history.take() == []


def test_the_last_stop_of_an_order_stands_for_it():
    history = History()
    history.heard([eta(300, kind=StopKind.PICKUP), eta(900)], NOW)
    history.heard([eta(900)], NOW + 300)  # collected
    [word] = history.take()
    assert word.p50 == datetime.fromtimestamp(NOW + 900, UTC)


def test_who_takes_over_goes_on_from_what_is_kept_and_forgets_what_is_over():
    history = History.of({ORDER: (NOW + 900, 3)})
    history.heard([eta(950)], NOW)
    assert history.take() == []
    history.forget_all_but({OrderId(UUID(int=2))})
    assert history.last == {}


@given(st.lists(st.floats(0, 1e5), max_size=200))
def test_what_never_settles_is_kept_a_bounded_number_of_times(moves):
    history = History()
    for number, move in enumerate(moves):
        history.heard([eta(move)], NOW + number)
    words = history.take()
    assert len(words) <= AT_MOST
    shown = [word.p50.timestamp() for word in words]
    assert all(abs(b - a) >= MOVED_S - 1 for a, b in pairwise(shown))
