from datetime import UTC, datetime
from math import isclose

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dispatch.travel import Source
from dispatch.travel.great_circle import DEFAULT_PACES, GreatCircle, great_circle_m
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
points = st.builds(LatLon, st.floats(-90, 90), st.floats(-180, 180))


@given(st.lists(points, min_size=1, max_size=4), st.lists(points, min_size=1, max_size=4))
def test_matrix_of_distances_agrees_with_the_haversine(origins, destinations):
    matrix = great_circle_m(origins, destinations)
    for i, a in enumerate(origins):
        for j, b in enumerate(destinations):
            assert isclose(matrix[i, j], distance_m(a, b), rel_tol=1e-6, abs_tol=0.5)


@given(st.sampled_from(Mode), st.lists(points, min_size=1, max_size=4))
def test_every_pair_is_answered_and_staying_takes_no_time(mode, places):
    matrix = GreatCircle().matrix_now(mode, places, places, NOON)
    assert (matrix.durations_s >= 0).all()
    assert (np.diagonal(matrix.durations_s) == 0).all()
    assert (matrix.durations_s == matrix.durations_s.T).all()


class KnownToTheEast:
    """Trips from origins east of Greenwich are known to take twice the default."""

    def factors(self, mode, origins, destinations, at):
        return np.array([[2.0 if o.lon > 0 else np.nan for _ in destinations] for o in origins])


def test_what_was_learned_is_used_where_known_and_said():
    places = [LatLon(0, -0.1), LatLon(0, 0.1)]
    plain = GreatCircle().matrix_now(Mode.BICYCLE, places, places, NOON)
    learned = GreatCircle(learned=KnownToTheEast()).matrix_now(Mode.BICYCLE, places, places, NOON)
    assert learned.durations_s[0, 1] == plain.durations_s[0, 1]
    assert abs(learned.durations_s[1, 0] - 2 * plain.durations_s[1, 0]) <= 1
    assert learned.source(0, 1) is Source.DEFAULT
    assert learned.source(1, 0) is Source.LEARNED
    assert (learned.distances_m == plain.distances_m).all()


def test_a_route_without_a_map_is_straight_lines():
    path = GreatCircle().route_now(Mode.FOOT, [LatLon(0, 0), LatLon(0, 0.01), LatLon(0.01, 0.01)], NOON)
    assert path.geometry == (LatLon(0, 0), LatLon(0, 0.01), LatLon(0.01, 0.01))
    assert path.duration_s == sum(leg.duration_s for leg in path.legs)
    pace = DEFAULT_PACES[Mode.FOOT]
    assert isclose(path.distance_m, 2 * 1112 * pace.detour, rel_tol=0.01)
    assert path.source is Source.DEFAULT
