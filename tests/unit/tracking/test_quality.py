from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import quality
from tracking.quality import Limits, jump_marks

LIMITS = Limits()
NOW_S = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
METRES_PER_DEG = 111_195.0


def column(*values):
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(("ahead_s", "expected"), [(3600, True), (121, True), (119, False), (-60, False)])
def test_fix_more_than_two_minutes_ahead_is_from_the_future(ahead_s, expected):
    assert quality.is_future(column(NOW_S + ahead_s), NOW_S, LIMITS).tolist() == [expected]


@pytest.mark.parametrize(("age_s", "expected"), [(7 * 86_400 + 1, True), (7 * 86_400 - 1, False), (0, False)])
def test_fix_older_than_seven_days_is_too_old(age_s, expected):
    assert quality.is_too_old(column(NOW_S - age_s), NOW_S, LIMITS).tolist() == [expected]


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [
        (90.1, 0, True),
        (-91, 0, True),
        (0, 180.5, True),
        (float("nan"), 5, True),
        (float("inf"), 5, True),
        (90, -180, False),
    ],
)
def test_place_outside_the_globe_is_found(lat, lon, expected):
    assert quality.is_off_the_globe(column(lat), column(lon)).tolist() == [expected]


def test_null_island_is_a_point_not_the_equator():
    lat, lon = column(0, 0.00001, 0, 51.5), column(0, -0.00001, 6.7, 0)
    assert quality.is_null_island(lat, lon, LIMITS).tolist() == [True, True, False, False]


def test_unknown_values_are_neither_outside_nor_poor():
    assert not quality.is_outside(column(float("nan")), 0, 100).any()
    assert not quality.is_poor(column(float("nan")), LIMITS).any()


@pytest.mark.parametrize(
    ("age_s", "lost_s"),
    [
        (quality.GPS_EPOCH_S, quality.GPS_EPOCH_S),
        (quality.GPS_EPOCH_S - 60, quality.GPS_EPOCH_S),
        (quality.GPS_EPOCH_S + 6 * 86_400, quality.GPS_EPOCH_S),
        (2 * quality.GPS_EPOCH_S + 5, 2 * quality.GPS_EPOCH_S),
        (quality.GPS_EPOCH_S + 8 * 86_400, 0),
        (quality.GPS_EPOCH_S - 600, 0),
        (6 * 86_400, 0),
        (0, 0),
        (-100, 0),
    ],
)
def test_a_week_number_that_began_again_is_corrected_by_whole_weeks_and_nothing_else_is(age_s, lost_s):
    assert quality.lost_epochs_s(column(NOW_S - age_s), NOW_S, LIMITS).tolist() == [lost_s]


def test_radius_over_the_threshold_is_poor():
    assert quality.is_poor(column(5, 200, 3000), LIMITS).tolist() == [False, False, True]


def marks_of(track):
    """Marks of one courier's (seconds, metres east of Greenwich) pairs, in the order of time."""
    track = sorted(track)
    return jump_marks(
        courier=np.zeros(len(track), dtype=np.int64),
        fixed_s=column(*(at for at, _ in track)),
        lat=np.zeros(len(track)),
        lon=column(*(east_m / METRES_PER_DEG for _, east_m in track)),
        accuracy_m=np.full(len(track), np.nan),
        limits=LIMITS,
    ).tolist()


STEADY = [(5 * i, 50.0 * i) for i in range(8)]


def test_steady_drive_has_no_jump():
    assert not any(marks_of(STEADY))


@pytest.mark.parametrize("where", range(8))
def test_single_wild_fix_is_the_only_jump_wherever_it_is(where):
    track = [(at, 100_000.0 if i == where else m) for i, (at, m) in enumerate(STEADY)]
    assert marks_of(track) == [i == where for i in range(8)]


def test_two_wild_fixes_in_a_row_are_both_jumps():
    track = [(at, 100_000.0 if i in {3, 4} else m) for i, (at, m) in enumerate(STEADY)]
    assert marks_of(track) == [i in {3, 4} for i in range(8)]


def test_courier_who_really_moved_is_believed_once_others_confirm_it():
    moved = STEADY[:4] + [(at, 100_000.0 + m) for at, m in STEADY[4:]]
    assert marks_of(moved[:5]) == [False] * 4 + [True]
    assert not any(marks_of(moved))


def test_of_two_fixes_that_contradict_each_other_the_earlier_is_believed():
    assert marks_of([(0, 0.0), (5, 90_000.0)]) == [False, True]


def test_jump_after_a_long_silence_is_found_by_its_followers():
    track = [*STEADY, (7200, 300_000.0), *[(7205 + at, m) for at, m in STEADY]]
    assert marks_of(track) == [False] * 8 + [True] + [False] * 8


def test_neighbours_of_another_courier_do_not_testify():
    assert not jump_marks(
        courier=np.array([1, 1, 2, 2]),
        fixed_s=column(0, 5, 6, 11),
        lat=column(0, 0, 50, 50),
        lon=column(0, 0, 50, 50),
        accuracy_m=np.full(4, np.nan),
        limits=LIMITS,
    ).any()


tracks = st.lists(
    st.tuples(st.integers(0, 3000), st.floats(0, 50_000)), min_size=1, max_size=40, unique_by=lambda fix: fix[0]
)


@given(tracks, st.tuples(st.integers(3001, 4000), st.floats(0, 50_000)))
def test_new_fix_changes_the_marks_of_its_nearest_neighbours_only(track, new):
    before, after = marks_of(track), marks_of([*track, new])
    assert before[: -quality.N_WITNESSES] == after[:-1][: -quality.N_WITNESSES]


@given(tracks)
def test_marks_do_not_depend_on_the_order_of_arrival(track):
    assert marks_of(track) == marks_of(track[::-1])


def drive_with_an_old_place(wrong, *, every_s=5, speed_mps=23.3, old_m=-11_900.0):
    """A drive of which some fixes repeat an old place."""
    return [(every_s * i, old_m if is_wrong else speed_mps * every_s * i) for i, is_wrong in enumerate(wrong)]


def length_m(track):
    """Of the line through the fixes that are not marked."""
    kept = [m for (_, m), jump in zip(track, marks_of(track), strict=True) if not jump]
    return sum(abs(b - a) for a, b in pairwise(kept))


@pytest.mark.parametrize("pattern", [[False, True], [False, False, True, True], [False, True, True, False]])
def test_an_old_place_every_second_fix_or_two_of_four_leaves_the_drive_as_it_was(pattern):
    wrong = (pattern * 20)[:30]
    track = drive_with_an_old_place([*wrong, False, False, False])
    assert marks_of(track) == [*wrong, False, False, False]
    assert length_m(track) == pytest.approx(23.3 * 5 * 32, rel=0.01)


@given(
    st.lists(st.permutations([True, True, False, False]) | st.just([False] * 4), min_size=1, max_size=12),
    st.sampled_from([5, 10, 15]),
    st.floats(6_000, 500_000),
)
def test_up_to_half_of_wrong_fixes_in_any_order_does_not_survive(blocks, every_s, away_m):
    wrong = [False, False, *(is_wrong for block in blocks for is_wrong in block), False, False, False]
    track = drive_with_an_old_place(wrong, every_s=every_s, old_m=-away_m)
    assert marks_of(track) == wrong


def test_who_really_went_away_and_came_back_is_believed_all_the_while():
    away = [(at, 100_000.0 + m if 4 <= i < 9 else m) for i, (at, m) in enumerate((5 * i, 50.0 * i) for i in range(14))]
    assert not any(marks_of(away))
