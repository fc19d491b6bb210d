"""Live records, as objects and as columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracking.batch import UNKNOWN, UNKNOWN_ALTITUDE, PositionColumns
from tracking.live import LivePositions, records_of
from tracking.position import Region

N = 3


class Pipeline:
    """Answers what was asked of it, in turn."""

    def __init__(self, *answers):
        self._answers = answers

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    def hgetall(self, _):
        pass

    async def execute(self):
        return self._answers


class Redis:
    """Holds these records and nothing else."""

    def __init__(self, columns):
        ids = [courier_id.bytes for courier_id in columns.courier_ids]
        records = [record.tobytes() for record in records_of(columns)]
        self._answers = dict(zip(ids, records, strict=True)), {}

    def pipeline(self, **_):
        return Pipeline(*self._answers)


def numbers(low, high, kind):
    return st.lists(st.integers(low, high), min_size=N, max_size=N).map(lambda values: np.array(values, dtype=kind))


INSTANTS = numbers(0, 4_000_000_000_000_000, "<i8")
SHORT = numbers(UNKNOWN, 32_767, "<i2")


@given(
    ids=st.lists(st.uuids(), min_size=N, max_size=N, unique=True),
    rest=st.fixed_dictionaries(
        {
            "fixed_us": INSTANTS,
            "received_us": INSTANTS,
            "lat_e7": numbers(-900_000_000, 900_000_000, "<i4"),
            "lon_e7": numbers(-1_800_000_000, 1_800_000_000, "<i4"),
            "speed_cmps": SHORT,
            "course_ddeg": numbers(UNKNOWN, 3599, "<i2"),
            "accuracy_dm": SHORT,
            "altitude_m": numbers(UNKNOWN_ALTITUDE, 32_767, "<i2"),
            "battery_pct": numbers(UNKNOWN, 100, "<i2"),
            "mode": numbers(1, 4, "<i1"),
        }
    ),
)
async def test_a_record_says_the_same_as_an_object_and_as_columns(ids, rest):
    marks = np.zeros(N, dtype="<i1")
    columns = PositionColumns(courier_ids=tuple(ids), courier=np.arange(N, dtype="<i4"), marks=marks, **rest)
    live = LivePositions(Redis(columns))
    found = await live.all(Region("default"))
    read, _ = await live.all_columns(Region("default"))
    assert [one.position for one in found.values()] == list(read.to_positions()) == list(columns.to_positions())
