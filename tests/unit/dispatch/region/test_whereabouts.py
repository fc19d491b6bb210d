"""Where couriers are, from what is live: the same of one courier and of all of them together."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from dispatch.region.whereabouts import all_whereabouts, whereabouts_of
from tracking.batch import PositionColumns
from tracking.position import CourierId, Fix, LatLon, Position

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANA, BEN = CourierId(UUID(int=1)), CourierId(UUID(int=2))


@pytest.mark.parametrize("speed_mps", [None, 0.0, 0.99, 1.0, 7.5])
@pytest.mark.parametrize("fixed_s", [-2.5, 0.0, 90.25])
@pytest.mark.parametrize("heard_s", [None, 3.0, 200.0])
def test_everybody_is_where_each_of_them_is(speed_mps, fixed_s, heard_s):
    fix = Fix(at=LatLon(41.1571234, -8.6201234), fixed_at=NOW - timedelta(seconds=fixed_s), speed_mps=speed_mps)
    received_at = NOW - timedelta(seconds=60)
    heard_at = received_at if heard_s is None else NOW - timedelta(seconds=heard_s)
    positions = [Position(courier_id=id_, fix=fix, received_at=received_at) for id_ in (ANA, BEN)]
    contacts = {} if heard_s is None else {BEN.bytes: b"%d" % (1000 * heard_at.timestamp())}
    found = all_whereabouts(PositionColumns.from_positions(positions), contacts, NOW)
    alone = [
        SimpleNamespace(position=positions[0], contact_at=received_at),
        SimpleNamespace(position=positions[1], contact_at=max(received_at, heard_at)),
    ]
    assert found == {one.position.courier_id: whereabouts_of(one, NOW) for one in alone}


def test_nobody_is_nowhere():
    assert all_whereabouts(PositionColumns.empty(), {}, NOW) == {}
