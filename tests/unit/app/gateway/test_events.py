"""Rows of the outbox as events; one that cannot be read is told from all others by its error."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.gateway.events import SHAPES, body_of

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SOMETHING = UUID(int=1)
ROW = {"n": 1, "id": SOMETHING, "subject": SOMETHING, "sequence": 1, "region": "default", "at": NOW}
NAMES = ("id", "region", "state", "version", "kind", "courier_id", "placed_at", "size", "pickup_lat", "pickup_contact")

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(str(SOMETHING))
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner))
rows = st.dictionaries(st.sampled_from(NAMES), anything) | anything
facts = st.fixed_dictionaries({"order": rows}, optional={"change": rows, "offer": rows}) | rows


@given(st.sampled_from([*SHAPES, "postrider.unheard.of"]), facts)
def test_whatever_stands_in_a_row_it_is_an_event_or_a_value_error(kind, data):
    """Anything else would stop the queue of everybody who wants it, for ever."""
    with suppress(ValueError):
        body_of(ROW | {"type": kind, "data": data})
