"""How regions are shared out over processes."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.lease import shares

NAMES = st.lists(st.text("abcdefgh0123456789:", min_size=1, max_size=8), unique=True, min_size=1, max_size=8)
REGIONS = st.lists(st.text("abcdefgh-", min_size=1, max_size=8), unique=True, max_size=40)


@given(REGIONS, NAMES)
def test_every_region_has_one_process_and_none_has_more_than_its_part(regions, holders):
    found = shares(regions, holders)
    assert set(found) == set(regions)
    assert max(Counter(found.values()).values(), default=0) <= ceil(len(regions) / len(holders))


@given(REGIONS, NAMES, st.randoms(use_true_random=False))
def test_all_processes_come_to_the_same_answer(regions, holders, dice):
    assert shares(dice.sample(regions, len(regions)), dice.sample(holders, len(holders))) == shares(regions, holders)


@pytest.mark.parametrize("n", [2, 4, 8])
def test_one_process_more_moves_about_its_own_part(n):
    regions = [f"region-{i}" for i in range(96)]
    before = shares(regions, [f"host:{i}" for i in range(n)])
    after = shares(regions, [f"host:{i}" for i in range(n + 1)])
    n_moved = sum(before[region] != after[region] for region in regions)
    assert n_moved <= 2 * ceil(96 / (n + 1))


def test_without_processes_nobody_does_anything():
    assert shares(["a"], []) == {}
