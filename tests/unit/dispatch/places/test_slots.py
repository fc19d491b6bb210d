"""Laws of when a place makes what, whatever the orders and the hours."""

import subprocess
import sys
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.places import slots
from dispatch.places.kitchen import AHEAD_S, Cause, Job, Kitchen, Slot, cause_of, starts_of
from dispatch.places.slots import MOST_JOBS
from dispatch.places.soonest import soonest

MINUTE = 60
AN_HOUR = 3600.0
"""On a busy machine only the solver's own steps may end it."""
BATCHES = {"pizza": 4, "bread": 2}


def timetable(made, kitchen, **more):
    return slots.timetable(made, kitchen, at_most_s=AN_HOUR, **more)


@st.composite
def kitchens(draw):
    edges = sorted(draw(st.sets(st.integers(0, 600), min_size=2, max_size=6)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    spans = tuple((opens * MINUTE, closes * MINUTE) for opens, closes in pairs)
    return Kitchen(capacity=draw(st.integers(1, 3)), spans=spans, batches=BATCHES)


@st.composite
def jobs(draw, most=7):
    made = []
    for n in range(draw(st.integers(0, most))):
        has_begun = draw(st.booleans()) and draw(st.booleans())
        wanted = draw(st.integers(0, 400)) * MINUTE
        made.append(
            Job(
                key=str(n),
                duration_s=draw(st.integers(1, 40)) * MINUTE,
                wanted_s=wanted,
                latest_s=draw(st.none() | st.integers(0, 500).map(lambda m: m * MINUTE)),
                shelf_s=draw(st.none() | st.integers(0, 60).map(lambda m: m * MINUTE)),
                earliest_s=draw(st.just(0) | st.integers(0, 90).map(lambda m: m * MINUTE)),
                batch=draw(st.none() | st.sampled_from(sorted(BATCHES))),
                amount=draw(st.integers(1, 3)),
                until_s=draw(st.integers(-5, 30)) * MINUTE if has_begun else None,
            )
        )
    return made


def load_at(second, table, made, kitchen):
    """How many places are taken then: what shares a slot and a batch shares one as far as the batch holds."""
    alone, shared = 0, {}
    for job in made:
        slot = table.slots.get(job.key)
        if job.has_begun or slot is None or not slot.starts_s <= second < slot.ends_s:
            continue
        if job.batch is None or job.amount >= BATCHES[job.batch]:
            alone += 1
        else:
            shared.setdefault((job.batch, slot), []).append(job.amount)
    begun = sum(slot.ends_s > second for slot in (table.slots[job.key] for job in kitchen.running(made)))
    return begun + alone + sum(-(-sum(amounts) // BATCHES[batch]) for (batch, _), amounts in shared.items())


@settings(max_examples=60, deadline=None)
@given(jobs(), kitchens())
def test_what_is_planned_keeps_hours_capacity_and_shelf_life_and_the_rest_has_a_cause(made, kitchen):
    table = timetable(made, kitchen)
    assert table.slots.keys() | table.left_out.keys() == {job.key for job in made}
    assert not table.slots.keys() & table.left_out.keys()
    for job in made:
        slot = table.slots.get(job.key)
        if slot is None:
            assert table.left_out[job.key] is not Cause.CAPACITY or starts_of(job, kitchen.spans)
            continue
        if job.has_begun:
            assert slot == Slot(0, max(0, job.until_s))
            continue
        assert slot.ends_s - slot.starts_s == job.duration_s
        assert slot.starts_s >= job.earliest_s
        assert any(opens <= slot.starts_s and slot.ends_s <= closes for opens, closes in kitchen.spans)
        assert job.latest_s is None or slot.ends_s <= job.latest_s
        assert job.shelf_s is None or slot.ends_s >= job.wanted_s - job.shelf_s
    for slot in table.slots.values():
        assert load_at(slot.starts_s, table, made, kitchen) <= kitchen.capacity


@settings(max_examples=20, deadline=None)
@given(jobs(), kitchens())
def test_the_same_question_has_the_same_answer(made, kitchen):
    assert timetable(made, kitchen, seed=3) == timetable(made, kitchen, seed=3)


@settings(max_examples=60, deadline=None)
@given(jobs(most=12), kitchens())
def test_the_soonest_is_in_the_hours_and_no_courier_moves_it(made, kitchen):
    soon = soonest(made, kitchen)
    for job in made:
        if job.has_begun or job.key not in soon:
            continue
        slot = soon[job.key]
        assert slot.starts_s >= job.earliest_s
        assert any(opens <= slot.starts_s and slot.ends_s <= closes for opens, closes in kitchen.spans)
    assert soonest([replace(job, wanted_s=job.wanted_s + 999) for job in made], kitchen) == soon


@settings(max_examples=40, deadline=None)
@given(jobs(most=6), st.integers(1, 3))
def test_more_hands_make_nothing_later(made, capacity):
    alone = [replace(job, batch=None, until_s=None, earliest_s=0) for job in made]
    fewer, more = soonest(alone, Kitchen(capacity=capacity)), soonest(alone, Kitchen(capacity=capacity + 1))
    assert all(more[key].ends_s <= slot.ends_s for key, slot in fewer.items())


def test_it_begins_at_the_latest_that_still_meets_the_courier():
    table = timetable([Job(key="a", duration_s=600, wanted_s=2400)], Kitchen(capacity=1))
    assert table.slots == {"a": Slot(1800, 2400)}


def test_two_who_come_at_once_where_one_can_be_made_have_one_before_the_other():
    made = [Job(key=key, duration_s=600, wanted_s=3000) for key in ("first", "second")]
    table = timetable(made, Kitchen(capacity=1))
    assert sorted(slot.ends_s for slot in table.slots.values()) == [2400, 3000]


def test_of_two_that_are_alike_the_one_that_was_placed_first_goes_first():
    made = [Job(key=key, duration_s=600) for key in ("first", "second")]
    assert timetable(made, Kitchen(capacity=1)).slots == {"first": Slot(0, 600), "second": Slot(600, 1200)}


def test_what_fits_into_one_go_is_made_in_one():
    made = [Job(key=str(n), duration_s=900, wanted_s=900, batch="pizza") for n in range(4)]
    kitchen = Kitchen(capacity=1, batches=BATCHES)
    assert set(timetable(made, kitchen).slots.values()) == {Slot(0, 900)}
    assert set(soonest(made, kitchen).values()) == {Slot(0, 900)}
    apart = timetable(made, Kitchen(capacity=1)).slots
    assert max(slot.ends_s for slot in apart.values()) == 3600


def test_a_cause_for_each_that_cannot_be_made():
    day = Kitchen(capacity=1, spans=((3600, 7200),))
    cases = {
        Cause.CLOSED: Job(key="a", duration_s=600, latest_s=3600),
        Cause.TOO_LATE: Job(key="a", duration_s=600, latest_s=300),
        Cause.SHELF_LIFE: Job(key="a", duration_s=600, wanted_s=20_000, shelf_s=600),
    }
    for cause, job in cases.items():
        assert timetable([job], day).left_out == {"a": cause}
        assert cause_of(job, day.spans) is cause
    begun = Job(key="b", duration_s=600, until_s=7200)
    assert timetable([begun, Job(key="a", duration_s=600)], day).left_out == {"a": Cause.CAPACITY}


def test_a_place_with_more_than_the_solver_is_asked_about_makes_them_as_soon_as_can_be():
    made = [Job(key=str(n), duration_s=60, wanted_s=7200 - n) for n in range(MOST_JOBS + 1)]
    table = timetable(made, Kitchen(capacity=1))
    ends = [slot.ends_s for slot in table.slots.values()]
    assert len(ends) == MOST_JOBS + 1
    assert max(ends) == 60 * len(made) < AHEAD_S
    assert table.slots[str(MOST_JOBS)] == Slot(0, 60), "the one wanted first"


def test_who_plans_no_slots_imports_no_solver():
    """It brings pandas, which every process of the program would begin with."""
    says = "import dispatch.places.slots, sys; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", says], check=False).returncode == 0
