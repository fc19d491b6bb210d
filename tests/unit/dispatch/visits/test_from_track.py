"""Finding a visit in a track: departure, arrival, and when the track does not tell."""

import pytest

from dispatch.visits.from_track import LONGEST_GAP_S, TrackPoint, find_visit
from tracking.position import LatLon

KITCHEN, DOOR = LatLon(41.15, -8.62), LatLon(41.15, -8.60)


def at(share, north_m=0.0):
    return LatLon(KITCHEN.lat + north_m / 111_195, KITCHEN.lon + share * (DOOR.lon - KITCHEN.lon))


def ride(start_s=120.0, wait_s=60.0, drive_s=300.0, stay_s=90.0, every_s=5.0):
    """Waits at the kitchen, drives to the door, stays there."""
    points = [TrackPoint(at(0, north_m=3), start_s + k * every_s) for k in range(int(wait_s / every_s))]
    begin = start_s + wait_s
    points += [TrackPoint(at(k * every_s / drive_s), begin + k * every_s) for k in range(int(drive_s / every_s) + 1)]
    end = begin + drive_s
    points += [TrackPoint(at(1, north_m=2), end + (k + 1) * every_s) for k in range(int(stay_s / every_s))]
    return points


def test_the_way_begins_where_waiting_ends_and_ends_at_the_door():
    visit = find_visit(ride(), DOOR, 570.0)
    assert visit.departed_at == pytest.approx(180, abs=10)
    assert visit.arrived_at == pytest.approx(480, abs=15)
    assert visit.origin is not None


def test_passing_by_the_door_is_not_the_arrival():
    there_and_back = [*ride(stay_s=0), *[TrackPoint(at(0.5), 480.0 + k) for k in range(5, 60, 5)]]
    second = [TrackPoint(point.at, point.unix_s + 600) for point in ride(wait_s=0)]
    visit = find_visit([*there_and_back, *second], DOOR, 1100.0)
    assert visit.arrived_at > 900


def test_a_step_outside_during_the_stay_does_not_end_it():
    track = ride()
    outside = [TrackPoint(at(1, north_m=90), 520.0)]
    visit = find_visit(sorted([*track, *outside], key=lambda point: point.unix_s), DOOR, 570.0)
    assert visit.arrived_at == pytest.approx(480, abs=15)


def test_a_track_that_never_comes_near_tells_nothing():
    assert find_visit(ride(), LatLon(41.2, -8.6), 570.0) is None
    assert find_visit([], DOOR, 570.0) is None


def test_fixes_after_it_was_done_do_not_count():
    assert find_visit(ride(), DOOR, 300.0) is None


def test_a_silent_way_tells_of_the_stay_only():
    track = [point for point in ride() if not 200 < point.unix_s < 210 + LONGEST_GAP_S]
    visit = find_visit(track, DOOR, 570.0)
    assert visit is not None
    assert visit.origin is None


def test_a_courier_there_from_the_beginning_tells_nothing():
    assert find_visit([TrackPoint(DOOR, 0.0), TrackPoint(DOOR, 60.0)], DOOR, 70.0) is None
