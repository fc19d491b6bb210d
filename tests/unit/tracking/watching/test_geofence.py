"""Fences: geometry, evidence, index."""

from random import Random
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.tracking.watching.tracks import MICROS, NOON_US, PORTO, at, walk
from tracking.plane import metres
from tracking.position import LatLon
from tracking.watching.area import FAR_M, Area
from tracking.watching.fence import CELLS_PER_FENCE, ActiveHours, Fence, FenceId, FenceIndex
from tracking.watching.geofence import EMPTY, FenceEventKind, FenceFix, FenceParams, step

PARAMS = FenceParams()
ENTER, EXIT, DWELL = FenceEventKind.ENTER, FenceEventKind.EXIT, FenceEventKind.DWELL


def corner(x_m, y_m, origin=PORTO):
    fix = at(x_m, y_m, 0, origin=origin)
    return [fix.lon, fix.lat]


def square(x_m, y_m, half_m, origin=PORTO):
    ring = [corner(x_m + a * half_m, y_m + b * half_m, origin) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return [*ring, ring[0]]


def polygon(*rings):
    return Area.from_geojson({"type": "Polygon", "coordinates": list(rings)})


def fence(area, n=1, **facts):
    return Fence(id=FenceId(UUID(int=n)), name=f"fence {n}", area=area, **facts)


def circle(x_m, y_m, radius_m, n=1, origin=PORTO, **facts):
    lon, lat = corner(x_m, y_m, origin)
    return fence(Area.circle(LatLon(lat, lon), radius_m), n, **facts)


def events_of(fixes, *fences, params=PARAMS):
    state, found, index = EMPTY, [], FenceIndex.of(fences)
    for fix in fixes:
        state, events = step(state, FenceFix(*fix), index, params)
        found += events
    return found


def kinds(events):
    return [(e.kind, e.passed) for e in events]


def seconds(event):
    return (event.at_us - NOON_US) / MICROS


def test_driving_in_and_out_is_an_enter_and_an_exit_at_the_edge():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 60), (500, 0, 100)])
    enter, leave = events_of(fixes, fence(polygon(square(0, 0, 200))))
    assert kinds([enter, leave]) == [(ENTER, False), (EXIT, False)]
    assert seconds(enter) == pytest.approx(60, abs=4)
    assert seconds(leave) == pytest.approx(200, abs=9)  # hysteresis: out by 20 m counts


def test_a_fix_200_m_off_that_claims_2_m_makes_no_event():
    fixes = walk([(0, 0, 0), (0, 0, 600)])
    rng = Random(5)
    for i in rng.sample(range(10, len(fixes) - 10, 7), 8):
        fixes[i] = at(rng.choice([-200, 200]), rng.uniform(-60, 60), 5 * i, 2.0)
    assert kinds(events_of(fixes, circle(0, 0, 100))) == [(ENTER, False)]
    assert events_of(fixes, circle(200, 0, 60), circle(-200, 0, 60, 2), circle(100, 0, 40, 3)) == []


def test_two_stray_fixes_in_a_row_make_no_event():
    fixes = walk([(0, 0, 0), (0, 0, 600)])
    fixes[40], fixes[41] = at(205, 4, 200, 2.0), at(198, -3, 205, 2.0)
    assert kinds(events_of(fixes, circle(0, 0, 100))) == [(ENTER, False)]
    assert events_of(fixes, circle(200, 0, 60)) == []


def test_noise_at_the_edge_makes_one_event_not_many():
    fixes = walk([(0, -100, 0), (0, -100, 1800)], noise_m=12)
    assert len(events_of(fixes, fence(polygon(square(0, 0, 100))))) <= 1


def test_fixes_of_poor_accuracy_are_not_looked_at():
    fixes = [f._replace(accuracy_m=150.0) for f in walk([(-500, 0, 0), (0, 0, 100), (0, 0, 60)])]
    assert events_of(fixes, circle(0, 0, 200)) == []


def test_a_way_between_two_fixes_through_a_fence_is_seen():
    fixes = [at(70 * k, 3, 5 * k, 4.0) for k in range(20)]
    enter, leave = events_of(fixes, fence(polygon(square(35 + 70 * 9, 0, 25))))
    assert kinds([enter, leave]) == [(ENTER, True), (EXIT, True)]
    assert 45 < seconds(enter) < seconds(leave) < 50


def test_a_fast_way_over_several_index_cells_is_seen():
    fixes = [at(600 * k, 0, 20 * k, 4.0) for k in range(12)]
    assert kinds(events_of(fixes, circle(3300, 10, 30))) == [(ENTER, True), (EXIT, True)]


def test_too_few_fixes_inside_still_make_a_passage():
    fixes = [at(70 * k, 0, 5 * k, 4.0) for k in range(20)]
    assert kinds(events_of(fixes, circle(700, 0, 40))) == [(ENTER, True), (EXIT, True)]


def test_dwelling_is_told_once():
    fixes = walk([(-300, 0, 0), (0, 0, 60), (0, 0, 900), (300, 0, 60)])
    events = events_of(fixes, circle(0, 0, 100, dwell_s=300))
    assert kinds(events) == [(ENTER, False), (DWELL, False), (EXIT, False)]
    assert seconds(events[1]) - seconds(events[0]) == 300


def test_a_hole_is_outside():
    area = polygon(square(0, 0, 400), square(0, 0, 150))
    fixes = walk([(-800, 0, 0), (0, 0, 160), (0, 0, 60), (800, 0, 160)])
    assert kinds(events_of(fixes, fence(area))) == [(ENTER, False), (EXIT, False)] * 2


@pytest.mark.parametrize("lon", [180.0, -180.0])
def test_a_fence_across_the_antimeridian_is_whole(lon):
    origin = (-16.5, lon)
    area = polygon(square(0, 0, 300, origin))
    fixes = walk([(-900, 0, 0), (0, 0, 200), (900, 0, 200)], origin=origin)
    assert kinds(events_of(fixes, fence(area))) == [(ENTER, False), (EXIT, False)]


def test_a_fence_cut_at_the_antimeridian_has_no_seam():
    west = [[179.99, -16.51], [180.0, -16.51], [180.0, -16.49], [179.99, -16.49], [179.99, -16.51]]
    east = [[-180.0, -16.51], [-179.99, -16.51], [-179.99, -16.49], [-180.0, -16.49], [-180.0, -16.51]]
    area = Area.from_geojson({"type": "MultiPolygon", "coordinates": [[west], [east]]})
    assert area.depth_m(-16.5, 180.0) == pytest.approx(1066, abs=5)


def test_events_outside_active_hours_are_marked():
    always = ActiveHours(from_minute=0, to_minute=1440)
    # NOON is a Monday at 12:00 UTC, 13:00 in Porto's winter it is not: WET is UTC.
    morning = ActiveHours(weekdays=frozenset({0}), from_minute=8 * 60, to_minute=12 * 60)
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 60)])
    (first,) = events_of(fixes, circle(0, 0, 100, active=(always,)))
    (second,) = events_of(fixes, circle(0, 0, 100, active=(morning,)))
    (third,) = events_of(fixes, circle(0, 0, 100, active=(morning,), timezone="America/New_York"))
    assert (first.active, second.active, third.active) == (True, False, False)


def test_hours_over_midnight_belong_to_the_day_they_begin():
    night = ActiveHours(weekdays=frozenset({4}), from_minute=22 * 60, to_minute=2 * 60)
    assert night.contains(4, 23 * 60)
    assert night.contains(5, 60)
    assert not night.contains(4, 60)
    assert not night.contains(5, 23 * 60)


def test_a_fence_knows_nothing_of_the_time_before_it_was_made():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 60), (500, 0, 100)])
    assert events_of(fixes, circle(0, 0, 100, since_us=fixes[-1].at_us)) == []


@pytest.mark.parametrize(
    ("geometry", "radius_m"),
    [
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, None),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}, None),
        ({"type": "Polygon", "coordinates": [[[0, 95], [1, 1], [0, 1], [0, 95]]]}, None),
        ({"type": "Polygon", "coordinates": [[[10**400, 0], [1, 1], [0, 1], [10**400, 0]]]}, None),
        ({"type": "Polygon", "coordinates": 7}, None),
        ({"type": "Polygon", "coordinates": []}, None),
        ({"type": "Point", "coordinates": [0, 0]}, None),
        ({"type": "Point", "coordinates": [0, 0]}, -5),
        ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, None),
    ],
)
def test_what_is_no_area_is_refused(geometry, radius_m):
    with pytest.raises(ValueError, match="expected"):
        Area.from_geojson(geometry, radius_m=radius_m)


@settings(deadline=None)
@given(st.floats(-600, 600), st.floats(-600, 600))
def test_depth_by_loop_and_by_vectors_agree_with_shapely(x_m, y_m):
    few = polygon(square(0, 0, 400), square(100, 0, 150))
    ring = [corner(400 * a, 400 * b) for a, b in _outline(15)]
    many = polygon([*ring, ring[0]], square(100, 0, 150))
    fix = at(x_m, y_m, 0)
    from shapely.geometry import Point  # noqa: PLC0415 - only here

    for area in (few, many):
        point = Point(area.xy(fix.lat, fix.lon))
        expected = area.geometry.boundary.distance(point) * (1 if area.geometry.contains(point) else -1)
        if (depth_m := area.depth_m(fix.lat, fix.lon)) < -FAR_M:
            assert expected <= depth_m + 1e-6
        else:
            assert depth_m == pytest.approx(expected, abs=1e-6)


def _outline(n):
    """Corners of the unit square with n more along each side."""
    sides = [((-1, -1), (1, -1)), ((1, -1), (1, 1)), ((1, 1), (-1, 1)), ((-1, 1), (-1, -1))]
    return [(a[0] + (b[0] - a[0]) * k / n, a[1] + (b[1] - a[1]) * k / n) for a, b in sides for k in range(n)]


@settings(deadline=None)
@given(st.floats(-3000, 3000), st.floats(-3000, 3000), st.integers(0, 3))
def test_the_index_misses_no_fence(x_m, y_m, seed):
    fences = _many_fences(seed)
    fix = at(x_m, y_m, 0)
    found = set(FenceIndex.inside(_index(seed), fix.lat, fix.lon))
    assert found == {f.id for f in fences if f.area.depth_m(fix.lat, fix.lon) >= 0}


_cache = {}


def _many_fences(seed):
    rng = Random(seed)
    fences = [circle(rng.uniform(-3000, 3000), rng.uniform(-3000, 3000), rng.uniform(20, 900), n) for n in range(40)]
    return [*fences, circle(0, 0, 20_000, 100)]


def _index(seed):
    if seed not in _cache:
        _cache[seed] = FenceIndex.of(_many_fences(seed))
    return _cache[seed]


def test_a_fence_can_be_taken_out_of_the_index_again():
    index = FenceIndex.of([circle(0, 0, 100, 1), circle(0, 0, 2000, 2)])
    lon, lat = corner(0, 0)
    index.remove(index.fences[1])
    assert index.inside(lat, lon) == (FenceId(UUID(int=2)),)
    index.remove(index.fences[2])
    assert index.near(lat, lon) == ()


def test_distances_on_the_plane_are_those_on_the_sphere():
    assert metres(41.15, -8.61, 41.16, -8.60) == pytest.approx(1391.9, rel=1e-3)
    assert metres(0, 179.999, 0, -179.999) == pytest.approx(222.4, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "radius_m"),
    [
        ({"type": "Point", "coordinates": [0, 90]}, 100.0),
        ({"type": "Point", "coordinates": [0, -90]}, 100.0),
        ({"type": "Point", "coordinates": [10, 85.0]}, 100_000.0),
        ({"type": "Polygon", "coordinates": [[[-95, 0], [0, 0], [95, 0], [95, 9], [0, 9], [-95, 9], [-95, 0]]]}, None),
    ],
)
def test_what_reaches_a_pole_or_half_around_the_earth_is_no_area(shape, radius_m):
    with pytest.raises(ValueError, match="expected an area"):
        Area.from_geojson(shape, radius_m=radius_m)


@settings(deadline=None)
@given(
    south=st.floats(-85, 80),
    west=st.floats(-180, 180),
    height=st.floats(1e-6, 85),
    width=st.floats(1e-6, 179),
)
@example(south=0.0, west=-52.6403056732518, height=1.0, width=129.0)  # whose ring does not close but for rounding
def test_a_fence_of_any_size_takes_a_bounded_number_of_cells(south, west, height, width):
    north = min(south + height, 85.0)
    lons = [(west + width * share + 180) % 360 - 180 for share in (0, 0.5, 1)]
    ring = [*([lon, south] for lon in lons), *([lon, north] for lon in reversed(lons)), [lons[0], south]]
    index = FenceIndex.of([fence(polygon(ring))])
    assert index.n_cells <= 2 * CELLS_PER_FENCE
    assert index.inside((south + north) / 2, lons[1])


@settings(deadline=None)
@given(lat=st.floats(-84, 84), lon=st.floats(-180, 180), radius_m=st.floats(1e-3, 100_000))
def test_a_circle_of_any_size_anywhere_takes_a_bounded_number_of_cells(lat, lon, radius_m):
    index = FenceIndex.of([fence(Area.circle(LatLon(lat, lon), radius_m))])
    assert index.n_cells <= 2 * CELLS_PER_FENCE
    assert index.inside(lat, lon)
