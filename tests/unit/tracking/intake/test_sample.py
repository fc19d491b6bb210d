from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tracking.intake.sample import BESIDE_PAYLOAD_BYTES, Sample
from tracking.quarantine import Quarantined

ANNA, RUI = UUID(int=1), UUID(int=2)


def item(courier_id, n_bytes):
    return Quarantined(courier_id=courier_id, received_us=0, reason="unreadable", source="api", payload=b"x" * n_bytes)


def size(items):
    return sum(len(one.payload) + BESIDE_PAYLOAD_BYTES for one in items)


@given(st.lists(st.tuples(st.sampled_from([ANNA, RUI, None]), st.integers(0, 900), st.floats(0, 59))))
def test_a_minute_is_bounded_and_nothing_is_forgotten(sent):
    sample, kept_all = Sample(2000, 5000), []
    for courier_id, n_bytes, at_s in sent:
        one = item(courier_id, n_bytes)
        kept, left = sample.parted([one], at_s)
        assert kept + left == [one]
        kept_all += kept
    for courier_id, bound in ((ANNA, 2000), (RUI, 2000), (None, 2500)):
        assert size(one for one in kept_all if one.courier_id == courier_id) <= bound
    assert size(kept_all) <= 5000


def test_what_one_sends_takes_nothing_from_another_and_the_next_minute_begins_anew():
    sample = Sample(2000, 5000)
    flood = [item(ANNA, 100)] * 1000
    assert len(sample.parted(flood, 0.0)[0]) == 10
    assert sample.parted([item(RUI, 100)], 1.0)[1] == []
    assert sample.parted(flood, 59.0)[0] == []
    assert len(sample.parted(flood, 60.0)[0]) == 10
