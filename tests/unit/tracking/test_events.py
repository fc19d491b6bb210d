from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import events

FACTS = st.dictionaries(
    st.text(min_size=1).filter(lambda name: name not in {"type", "at"}),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.text(), max_size=3),
    max_size=5,
)
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@given(FACTS, INSTANTS)
def test_an_event_comes_back_as_it_was_published(facts: dict[str, object], at: datetime) -> None:
    back = events.decode("5-1", events.encode("order.placed", facts, at))
    assert (back.id, back.type, back.at, back.facts) == ("5-1", "order.placed", at, facts)


def test_a_fact_may_not_hide_the_type_or_the_time() -> None:
    with pytest.raises(ValueError, match="no fact named at, type"):
        events.encode("order.placed", {"type": "x", "at": "y"}, datetime(2026, 1, 1, tzinfo=UTC))


def test_the_regions_of_a_cluster_stay_apart() -> None:
    assert events.key("porto") == "pr:{porto}:events"


def test_times_keep_their_zone() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=5)
    assert events.decode("1-0", events.encode("x", {}, at)).at.tzinfo is not None
