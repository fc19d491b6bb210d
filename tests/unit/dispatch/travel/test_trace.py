"""What is asked about of a track, and the line that comes of the answers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dispatch.travel.times import Source
from dispatch.travel.trace import GAP_S, MICROS, Seen, Snap, on_streets, pieces
from tracking.geo import distance_m
from tracking.position import LatLon

STEP = 0.00027
"""Some 30 m to the north."""


def walk(*seconds, step=STEP):
    return [Seen(LatLon(41.0 + step * n, -8.0), second * MICROS) for n, second in enumerate(seconds)]


def run_of(fixes):
    """Each fix a little to the west of where it was seen, with a bend in the middle of each way."""
    snaps = [Snap(n, LatLon(fix.at.lat, -8.0001)) for n, fix in enumerate(fixes)]
    ways = [Snap(b.number, b.at, (a.at, LatLon((a.at.lat + b.at.lat) / 2, -8.0002), b.at)) for a, b in pairwise(snaps)]
    return (snaps[0], *ways)


def test_gaps_part_a_track_and_fixes_alone_are_not_asked_about():
    fixes = walk(0, 10, 20, 20 + GAP_S + 1, 20 + 2 * (GAP_S + 1), 30 + 2 * (GAP_S + 1))
    assert pieces(fixes, 100) == [(0, 1, 2), (4, 5)]


def test_who_stands_is_asked_about_once_a_minute_and_at_the_end():
    assert pieces(walk(*range(0, 151, 10), step=0.0), 100) == [(0, 6, 12, 15)]


def test_a_long_way_is_asked_about_in_pieces_that_share_a_fix():
    assert pieces(walk(*range(0, 70, 10)), 3) == [(0, 1, 2), (2, 3, 4), (4, 5, 6)]


def test_line_follows_the_streets_with_instants_by_distance():
    fixes = walk(0, 10, 20)
    matched = on_streets(fixes, [(0, 1, 2)], [[run_of(fixes)]], Source.OSRM)
    assert [round(us / MICROS) for us, _ in matched.points] == [0, 5, 10, 15, 20]
    assert [at.lon for _, at in matched.points] == [-8.0001, -8.0002, -8.0001, -8.0002, -8.0001]
    assert (matched.source, matched.share) == (Source.OSRM, 1.0)


def test_what_is_not_known_stays_as_it_was_measured_and_is_told():
    fixes = walk(0, 10, 20, 30, 40, 50)
    asked = [(0, 1, 2), (2, 3, 4, 5)]
    matched = on_streets(fixes, asked, [[run_of(fixes[:3])], []], Source.OSRM)
    assert [at.lon for us, at in matched.points if us > 20 * MICROS] == [-8.0, -8.0, -8.0]
    assert (matched.source, matched.share) == (Source.OSRM, 0.5)
    nothing = on_streets(fixes, asked, [[], []], Source.OSRM)
    assert (nothing.source, nothing.share) == (None, 0.0)
    assert nothing.points == tuple((fix.at_us, fix.at) for fix in fixes)


def test_a_way_far_about_was_not_taken():
    fixes = walk(0, 10, 20, 30)
    first, second, third, fourth = run_of(fixes)
    about = third._replace(way=(second.at, LatLon(41.02, -8.0), third.at))
    matched = on_streets(fixes, [(0, 1, 2, 3)], [[(first, second, about, fourth)]], Source.OSRM)
    assert max(at.lat for _, at in matched.points) < 41.01
    assert matched.share == 1.0  # both sides of it are known
    assert all(distance_m(a, b) < 100 for (_, a), (_, b) in pairwise(matched.points))


@given(
    st.lists(st.integers(1, 2 * GAP_S * MICROS), min_size=0, max_size=40),
    st.sets(st.integers(0, 40)),
    st.integers(2, 9),
)
def test_instants_grow_and_nothing_is_lost_whatever_is_answered(waits, unknown, n_most):
    at_us = [sum(waits[:n]) for n in range(len(waits) + 1)]
    fixes = [Seen(LatLon(41.0 + STEP * n, -8.0), us) for n, us in enumerate(at_us)]
    asked = pieces(fixes, n_most)
    answers = [() if n in unknown else (run_of([fixes[i] for i in piece]),) for n, piece in enumerate(asked)]
    matched = on_streets(fixes, asked, answers, Source.VALHALLA)
    instants = [us for us, _ in matched.points]
    assert all(a < b for a, b in pairwise(instants))
    assert (instants[0], instants[-1]) == (at_us[0], at_us[-1])
    assert 0 <= matched.share <= 1
    for piece, runs in zip(asked, answers, strict=True):
        if not runs:
            assert {fixes[i].at_us for i in piece[1:-1]} <= set(instants)
