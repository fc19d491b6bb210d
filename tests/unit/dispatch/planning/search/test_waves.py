"""Who leaves with a wave, and who waits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.planning.profiles import DAYS, Profile
from dispatch.planning.search.waves import UNLIMITED, Patience, Request, Team, can_leave, wave

TEAM = Team(
    count=UNLIMITED,
    durations_s=np.array([[0, 1000, 1500], [1000, 0, 2000], [1500, 2500, 0]], dtype=np.int32),
    capacity=(10,),
    closes_at=40_000,
)
URGENT = Request(place=1, opens_at=0, closes_at=9000, service_s=60, size=(4,))
PATIENT = replace(URGENT, place=2, closes_at=30_000)
LEAVES_AT = (7200, 10_800)
PATIENCE = replace(Patience(), n_days=2, day_steps=20)


def decided(known, coming=(), *, teams=(TEAM,), leaves_at=LEAVES_AT, seed=1, groups=()):
    """By steps, so that the machine's speed does not count."""
    return wave(
        teams, leaves_at, known, lambda _: coming, cooling=DAYS[Profile.QUICK], patience=PATIENCE, seconds=0.0,
        steps=20, seed=seed, groups=groups,
    )  # fmt: skip


def gone(answer):
    return sorted(n for _, route in answer.routes for n in route)


def test_who_can_leave_with_no_later_wave_leaves_now_and_who_will_have_company_waits():
    answer = decided([URGENT, PATIENT], [replace(PATIENT, first=1)])
    assert answer.routes == [(0, [0])]
    assert answer.shares == {1: 0.0}


def test_with_no_wave_after_it_or_nothing_to_come_everybody_leaves():
    assert gone(decided([URGENT, PATIENT], [replace(PATIENT, first=1)], leaves_at=(7200,))) == [0, 1]
    assert gone(decided([URGENT, PATIENT])) == [0, 1]


def test_a_group_leaves_together():
    """With one that must leave all do that can; else none does before the last of them is loaded."""
    coming = [replace(PATIENT, first=1)]
    assert gone(decided([URGENT, PATIENT], coming)) == [0]
    assert gone(decided([URGENT, PATIENT], coming, groups=[(0, 1)])) == [0, 1]
    later = replace(PATIENT, first=1)
    assert gone(decided([URGENT, later], groups=[(0, 1)])) == [0]
    assert gone(decided([replace(URGENT, place=2, closes_at=30_000), later], groups=[(0, 1)])) == []
    near, alone = replace(PATIENT, place=1), replace(PATIENT, place=1, first=1, closes_at=13_000)
    answer = decided([near, PATIENT, PATIENT], [alone, *coming], groups=[(0, 1, 2)])
    assert len(set(answer.shares.values())) == 1


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_no_group_is_torn_apart_but_by_the_clock(data):
    known = data.draw(
        st.lists(
            st.builds(
                replace, st.just(PATIENT), place=st.sampled_from([1, 2]), first=st.sampled_from([0, 0, 0, 1]),
                closes_at=st.sampled_from([9000, 11_000, 13_000, 30_000]),
            ),
            min_size=2, max_size=6,
        )
    )  # fmt: skip
    in_group = data.draw(st.sets(st.integers(0, len(known) - 1), min_size=2))
    coming = [replace(PATIENT, first=1)] * data.draw(st.integers(0, 3))
    left = set(gone(decided(known, coming, groups=[in_group]))) & in_group
    ready = {n for n in in_group if known[n].first == 0}
    assert left in (set(), ready)
    assert not left or left == in_group or any(not can_leave([TEAM], known[n], 1, LEAVES_AT[1]) for n in left)


def test_what_cannot_be_loaded_yet_waits_and_is_company_for_others():
    answer = decided([PATIENT, replace(PATIENT, first=1)])
    assert gone(answer) == []


@pytest.mark.parametrize(("closes_at", "leaves"), [(40_000, [0]), (13_000, [0, 1])])
def test_one_vehicle_leaves_without_those_who_wait_only_if_it_is_back_for_them(closes_at, leaves):
    """It is back at 9,260, and after the next wave at 13,860."""
    van = replace(TEAM, count=1, closes_at=closes_at)
    answer = decided([URGENT, PATIENT], [replace(PATIENT, first=1)], teams=(van,))
    assert (gone(answer), answer.left) == (leaves, [])


def test_an_order_waits_for_no_vehicle_that_will_be_out():
    """The only van would wait for company, but must leave for long: whoever is ready goes with it."""
    far = TEAM.durations_s * 4
    van = replace(TEAM, count=1, durations_s=far)
    urgent = replace(URGENT, closes_at=12_000)
    answer = decided([urgent, replace(PATIENT, closes_at=22_000)], [replace(PATIENT, first=1)], teams=(van,))
    assert gone(answer) == [0, 1]


def test_who_must_leave_goes_before_who_need_not_where_there_is_little_room():
    van = replace(TEAM, count=1, capacity=(4,))
    near, far = replace(PATIENT, place=1), replace(URGENT, place=2)
    answer = decided([near, far], teams=(van,))
    assert gone(answer) == [1]
    assert answer.left == [0]


def test_without_any_vehicle_all_that_should_leave_is_told():
    late = replace(TEAM, begins_at=8000)
    answer = decided([URGENT, PATIENT], teams=(late,))
    assert (answer.routes, answer.left) == ([], [0, 1])
    assert decided([URGENT], teams=()).left == [0]


requests = st.builds(
    Request,
    place=st.integers(1, 2),
    opens_at=st.integers(0, 12_000),
    closes_at=st.integers(12_000, 20_000),
    service_s=st.integers(0, 600),
    size=st.tuples(st.integers(1, 6)),
    first=st.integers(0, 2),
)


@settings(max_examples=25, deadline=None)
@given(
    known=st.lists(requests, max_size=5),
    coming=st.lists(requests.map(lambda one: replace(one, first=1)), max_size=3),
    count=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_laws_of_a_wave(known, coming, count, seed):
    """Who leaves is there and in time; who must leave does so, or has no room; who waits can still be served."""
    leaves_at = (7200, 9000, 10_800)
    van = replace(TEAM, count=count)
    answer = decided(known, coming, teams=(van,), leaves_at=leaves_at, seed=seed)
    assert answer == decided(known, coming, teams=(van,), leaves_at=leaves_at, seed=seed)
    assert len(answer.routes) <= count
    leaves = gone(answer)
    assert sorted({*leaves, *answer.left}) == sorted([*leaves, *answer.left])
    for _, route in answer.routes:
        at, place, load = leaves_at[0], 0, 0
        for n in route:
            one = known[n]
            at = max(at + int(van.durations_s[place, one.place]), one.opens_at)
            assert (one.first, at <= one.closes_at) == (0, True)
            at, place, load = at + one.service_s, one.place, load + one.size[0]
        assert load <= 10
        assert at + int(van.durations_s[place, 0]) <= van.closes_at
    for n in set(range(len(known))) - set(leaves) - set(answer.left):
        later = [can_leave([van], known[n], number, at) for number, at in list(enumerate(leaves_at))[1:]]
        assert any(later) or known[n].first > 0
