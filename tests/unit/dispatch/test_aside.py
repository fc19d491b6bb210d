"""What is set aside, and what is not."""

import uuid

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import aside as asides
from dispatch.aside import REGION, Aside, culprits


def test_one_that_cannot_be_borne_keeps_no_other_from_its_turn():
    aside, ids = Aside(), [uuid.UUID(int=number) for number in range(3)]
    done = aside.each(ids, lambda id_: 1 // (id_.int - 1), asides.order, doing="divide")
    assert done == [-1, 1]
    assert aside.causes == {asides.order(ids[1]): "divide: ZeroDivisionError: integer division or modulo by zero"}


def test_outage_is_nobodys_fault_and_passes_through():
    aside = Aside()
    with pytest.raises(asyncpg.ConnectionDoesNotExistError), aside.bearing(REGION):
        raise asyncpg.ConnectionDoesNotExistError("gone")
    assert aside.causes == {}


def test_first_cause_of_a_subject_stays():
    aside = Aside()
    for number in range(2):
        with aside.bearing(REGION):
            raise ValueError(number)
    assert aside.causes == {REGION: "ValueError: 0"}


@given(st.integers(0, 200), st.sets(st.integers(0, 199), max_size=5))
def test_culprits_are_found_among_many_by_halving(n, bad):
    tries = []

    def fails(items):
        tries.append(len(items))
        return not bad.isdisjoint(items)

    assert set(culprits(range(n), fails)) == {item for item in bad if item < n}
    assert len(tries) <= 1 + 2 * len(bad) * n.bit_length()
