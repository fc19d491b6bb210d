from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.batch import PositionColumns, instant, microseconds
from tracking.position import Fix, LatLon, Mark, Mode, Position

instants = st.integers(0, 4_000_000_000_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
fixes = st.builds(
    Fix,
    at=st.builds(
        lambda lat, lon: LatLon(lat / 1e7, lon / 1e7),
        st.integers(-900_000_000, 900_000_000),
        st.integers(-1_800_000_000, 1_800_000_000),
    ),
    fixed_at=instants,
    accuracy_m=st.none() | st.integers(0, 32_767).map(lambda dm: dm / 10),
    speed_mps=st.none() | st.integers(0, 32_767).map(lambda cmps: cmps / 100),
    course_deg=st.none() | st.integers(0, 3599).map(lambda ddeg: ddeg / 10),
    altitude_m=st.none() | st.integers(-32_767, 32_767).map(float),
    battery_pct=st.none() | st.integers(0, 100).map(float),
)
positions = st.lists(
    st.builds(
        Position,
        courier_id=st.sampled_from([UUID(int=i << 100) for i in range(4)]),
        fix=fixes,
        received_at=instants,
        mark=st.sampled_from(Mark),
    ),
    max_size=8,
)


@given(positions)
def test_positions_survive_columns_and_packing(rows):
    columns = PositionColumns.from_positions(rows, Mode.BICYCLE)
    assert PositionColumns.unpack(columns.pack()).to_positions() == tuple(rows)


@given(positions, positions)
def test_concat_keeps_every_row_in_order(first, second):
    both = PositionColumns.concat([PositionColumns.from_positions(first), PositionColumns.from_positions(second)])
    assert both.to_positions() == (*first, *second)
    assert len(set(both.courier_ids)) == len(both.courier_ids)


@given(positions.filter(bool))
def test_take_picks_rows(rows):
    columns = PositionColumns.from_positions(rows)
    assert columns.take(np.array([len(rows) - 1])).to_positions() == (rows[-1],)


@given(instants)
def test_microseconds_are_exact(at):
    assert instant(microseconds(at)) == at


def test_values_beyond_a_column_are_stored_as_its_largest():
    at = datetime(2026, 11, 23, tzinfo=UTC)
    fix = Fix(at=LatLon(1, 2), fixed_at=at, accuracy_m=5000.0, speed_mps=400.0, course_deg=359.99)
    columns = PositionColumns.from_positions(
        [Position(courier_id=UUID(int=1), fix=fix, received_at=at + timedelta(seconds=1))]
    )
    assert (columns.accuracy_dm[0], columns.speed_cmps[0], columns.course_ddeg[0]) == (32_767, 32_767, 0)


@pytest.mark.parametrize("poison", [b"", b"\x93\x01", b"not columns", b"\xc0"])
def test_bytes_that_are_no_columns_are_refused(poison):
    with pytest.raises(ValueError, match="expected"):
        PositionColumns.unpack(poison)
