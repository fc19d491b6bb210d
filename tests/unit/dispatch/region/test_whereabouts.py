"""Where couriers are, from what is live: the same of one courier and of all of them together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from dispatch.region.whereabouts import MOVED_M, Standing, all_whereabouts, whereabouts_of
from dispatch.region.world import Whereabouts
from tracking.batch import PositionColumns
from tracking.geo import distance_m
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


def riding(*steps_m: float) -> list[Whereabouts]:
    """North from one place, so many metres away from it."""
    return [Whereabouts(at=LatLon(41.15 + metres / 111_195, -8.62), age_s=metres) for metres in steps_m]


def test_who_drifts_stays_where_they_were_and_who_rides_is_never_far_from_where_they_are_taken_to_be():
    standing, away_m, places = Standing(), [], set()
    ride = riding(0, 20, -20, 40, 10, *range(0, 2000, 7))
    for seen in ride:
        (taken,) = standing.of({ANA: seen}).values()
        assert taken.age_s == seen.age_s
        away_m.append(distance_m(taken.at, seen.at))
        places.add(taken.at)
    assert max(away_m) < MOVED_M
    assert len(places) <= 2000 / MOVED_M + 1, "few need new travel times"
    assert standing.of({ANA: ride[0]}) == {ANA: ride[0]}


def test_who_is_not_seen_any_more_is_not_kept():
    standing = Standing()
    first, near = riding(0, 10)
    standing.of({ANA: first, BEN: first})
    standing.of({BEN: near})
    assert standing.of({ANA: near, BEN: near}) == {ANA: near, BEN: replace(near, at=first.at)}
