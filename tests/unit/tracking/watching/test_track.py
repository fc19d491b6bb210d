"""Whatever the order in which fixes arrive, a track says the same."""

import gc
import tracemalloc
from collections import Counter
from contextlib import suppress
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tracking.watching.tracks import MICROS, at, geolife, walk
from tracking.position import LatLon
from tracking.quality import Limits
from tracking.watching.area import Area
from tracking.watching.fence import Fence, FenceId, FenceIndex
from tracking.watching.fix_columns import TrackFix
from tracking.watching.geofence import FenceParams
from tracking.watching.motion import MotionParams
from tracking.watching.track import BLOCK, KEEP, TooLate, Track, TrackParams, runs

PARAMS = TrackParams(motion=MotionParams(), fences=FenceParams(), limits=Limits())


def fence(n: int, x_m: float, y_m: float, radius_m: float) -> Fence:
    middle = at(x_m, y_m, 0)
    area = Area.circle(LatLon(middle.lat, middle.lon), radius_m)
    return Fence(id=FenceId(UUID(int=n)), name=f"fence {n}", area=area, dwell_s=120)


INDEX = FenceIndex.of([fence(1, 300, 0, 60), fence(2, 900, 0, 150), fence(3, 0, 900, 400)])


def heard(batches):
    """What stands after all batches: live where possible, folded again from everything received where too late."""
    track, received, said = Track(PARAMS, INDEX), {}, Counter()
    for batch in batches:
        for fix in batch:
            received.setdefault(fix.at_us, fix)
        for fix in batch:
            try:
                change = track.add(fix)
            except TooLate:
                track, everything = Track.fold(sorted(received.values()), PARAMS, INDEX)
                said = Counter(everything)
                break  # the rest of the batch is in it
            said.subtract(change.withdrawn)
            said.update(change.said)
            assert min(said.values(), default=0) >= 0
    said += Counter()  # drops zeroes
    return said, track.state


AT_WORK = [(0, 0, 0), (900, 0, 120), (900, 0, 300), (300, 0, 60), (300, 0, 200), (0, 900, 180), (0, 900, 400)]

legs = st.lists(
    st.tuples(st.floats(-1500, 1500).map(round), st.floats(-1500, 1500).map(round), st.integers(10, 400)),
    min_size=3,
    max_size=7,
)


@settings(max_examples=40, deadline=None)
@given(legs=legs, seed=st.integers(0, 2**16), noise_m=st.sampled_from([1.0, 8.0, 40.0]), cuts=st.integers(1, 30))
def test_shuffled_and_late_batches_come_to_the_same_answer(legs, seed, noise_m, cuts):
    rng = Random(seed)
    fixes = walk(legs, noise_m=noise_m, seed=seed)
    for _ in range(3):  # jumps and gaps
        i = rng.randrange(len(fixes))
        fixes[i] = TrackFix(fixes[i].at_us, fixes[i].lat + rng.choice([0.02, 1.0]), fixes[i].lon, 3.0)
        j = rng.randrange(len(fixes))
        del fixes[j : j + rng.randrange(80)]
        if not fixes:
            return
    _, expected = Track.fold(fixes, PARAMS, INDEX)
    shuffled = list(fixes)
    if rng.random() < 0.5:
        rng.shuffle(shuffled)
    else:  # blocks come late, each in order, as phones send them after a tunnel
        blocks = [shuffled[i : i + cuts] for i in range(0, len(shuffled), cuts)]
        rng.shuffle(blocks)
        shuffled = [fix for block in blocks for fix in block]
    batches = [shuffled[i : i + cuts] for i in range(0, len(shuffled), cuts)]
    said, state = heard(batches)
    assert said == Counter(expected)
    assert state == Track.fold(fixes, PARAMS, INDEX)[0].state


def test_the_recorded_track_in_order_and_in_hourly_disorder_says_the_same(data_folder):
    fixes = geolife(data_folder)[:6_000]
    _, expected = Track.fold(fixes, PARAMS, INDEX)
    in_order, _ = heard([fixes])
    assert in_order == Counter(expected)
    blocks = [list(fixes[i : i + 700]) for i in range(0, len(fixes), 700)]
    for i in range(0, len(blocks) - 1, 4):
        blocks[i], blocks[i + 1] = blocks[i + 1], blocks[i]
    late, _ = heard(blocks)
    assert late == in_order


def test_a_repeated_fix_changes_nothing():
    track = Track(PARAMS, INDEX)
    fixes = walk([(0, 0, 0), (0, 0, 120), (800, 0, 60)])
    for fix in fixes:
        track.add(fix)
    before = track.state
    for fix in fixes:
        change = track.add(fix)
        assert not change.said
        assert not change.withdrawn
    assert track.state == before


def test_another_fix_for_the_same_instant_is_for_history_to_judge():
    track = Track(PARAMS, INDEX)
    track.add(at(0, 0, 0))
    with pytest.raises(TooLate):
        track.add(at(50, 0, 0))


def test_a_fix_before_everything_held_is_too_late():
    fixes = walk([(0, 0, 0), (0, 0, 3 * 5 * KEEP)])
    track, _ = Track.fold(fixes, PARAMS, INDEX)
    assert len(track.fixes) == KEEP
    with pytest.raises(TooLate):
        track.add(TrackFix(fixes[3].at_us + 1, fixes[3].lat, fixes[3].lon))


def test_memory_is_bounded():
    track = Track(PARAMS, INDEX)
    for fix in walk([(0, 0, 0), (0, 0, 5 * 1000)]):
        track.add(fix)
    assert KEEP <= len(track.fixes) <= KEEP + BLOCK


def test_memory_is_bounded_also_where_all_fixes_come_late_and_lie_between_others():
    track = Track(PARAMS, INDEX)
    for fix in walk([(0, 0, 0), (0, 0, 5 * 60)]):
        track.add(fix)
    for fix in walk([(0, 0, 0), (0, 0, 5 * 60)], every_s=1.0)[::-1]:
        with suppress(TooLate):
            track.add(fix)
    assert len(track.fixes) <= KEEP + BLOCK


@pytest.mark.parametrize("legs", [[(0, 0, 0), (0, 0, 1500)], [(0, 0, 0), (9000, 0, 1500)], AT_WORK])
def test_a_track_takes_at_most_fifteen_kilobytes(legs):
    fixes, n = walk(legs), 10
    tracemalloc.start()
    tracks = [Track(PARAMS, INDEX) for _ in range(n)]
    for track in tracks:
        for at_us, lat, lon, accuracy_m in fixes:
            track.add(TrackFix(at_us + 0, lat + 0.0, lon + 0.0, accuracy_m))  # numbers of its own, as from the log
    gc.collect()  # and what Python keeps to use again
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(tracks[0].fixes) >= KEEP
    assert held / n <= 15_000


def test_folding_from_a_gap_says_what_the_whole_fold_says_after_it():
    fixes = walk([(0, 0, 0), (900, 0, 100), (900, 0, 200), (0, 900, 200), (0, 900, 300)])
    later = [TrackFix(f.at_us + 10_000 * MICROS, f.lat, f.lon, f.accuracy_m) for f in fixes]
    whole, said = Track.fold([*fixes, *later], PARAMS, INDEX)
    first, second = runs([*fixes, *later], PARAMS.motion.gap_s)
    before, said_before = Track.fold(first, PARAMS, INDEX)
    # What a new beginning needs of the old is only which fences the courier is in.
    after, said_after = Track.fold(second, PARAMS, INDEX, before.state._replace(movement=None))
    closed_by_the_gap = 2  # the last segment of the first run, and the gap
    assert len(said) == len(said_before) + closed_by_the_gap + len(said_after)
    assert after.state == whole.state
