"""Laws of the simulated queues, and of the plan that `benchmarks.capacity` makes from what one core does."""

from dataclasses import replace
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.capacity_days import STEP_S, TROUBLES, fixes_of_a_day, orders_of_a_rush
from benchmarks.capacity_fleet import DAY, HOUR_S, Costs, Fleet, Terms, average_share, share_at
from benchmarks.capacity_plan import ANOTHER, dispatched, fix_redis_us, limits, pages_s, planned, upload_us
from benchmarks.queues import Round, Station, flow, oldest_s, rounds, within_s

COSTS = Costs(
    upload_us=150.0,
    fix_us=6.0,
    upload_redis_us=15.0,
    fix_redis_us=2.0,
    read_redis_us=0.5,
    writer_us=4.0,
    postgres_us=9.0,
    history_bytes=150.0,
    log_bytes=90.0,
    courier_bytes=500.0,
    watch_us=50.0,
    watch_kb=14.0,
    orders=(50, 100, 200),
    decision_us=(20_000.0, 45_000.0, 90_000.0),
    each_more_us=3_000.0,
    page_us=1_200.0,
    page_couriers=1_000,
    box_us=260.0,
)
TERMS = Terms()
FEW_US = 1e-9
"""Far less than a fix, of what sums of floats are off."""

came = st.lists(st.integers(0, 50), min_size=1, max_size=60)
spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=2).map(tuple)
stations = st.builds(Station, per_s=st.integers(0, 40), away=spans)
readers = st.fixed_dictionaries({"history": stations, "watch": stations})
rooms = st.integers(0, 200)
fleets = st.builds(
    Fleet,
    couriers=st.integers(1, 2_000_000),
    per_region=st.sampled_from([20, 500, 1_000, 1_500]),
    every_s=st.sampled_from([1.0, 5.0, 15.0]),
    per_upload=st.sampled_from([1, 10]),
    orders_an_hour=st.sampled_from([0.5, 2.0, 4.0]),
)


@given(came, stations, readers, rooms)
def test_no_fix_is_lost_or_done_twice_whatever_is_away(came, door, readers, room):
    lived = flow(came, door, readers, room=room, step_s=1)
    assert lived.offered[-1] == sum(came)
    for done in lived.done.values():
        for places in zip(lived.offered, lived.taken, done, strict=True):
            assert list(places) == sorted(places, reverse=True)
        assert all(before <= after for before, after in pairwise([0, *done]))
    assert lived.most_unread() <= room


@given(came, stations, readers, rooms)
def test_what_waited_is_done_once_all_are_there_again(came, door, readers, room):
    able = [replace(one, per_s=one.per_s + 1) for one in (door, *readers.values())]
    quiet = [0] * (60 + 3 * sum(came))
    lived = flow([*came, *quiet], able[0], dict(zip(readers, able[1:], strict=True)), room=room + 1, step_s=1)
    assert {done[-1] for done in lived.done.values()} == {sum(came)}


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 50), st.integers(1, 200))
def test_a_backlog_is_gone_after_itself_over_what_is_to_spare(arrivals, spare, begins, seconds):
    ends = begins + seconds
    emptied = ceil(arrivals * seconds / spare)
    there = Station(per_s=arrivals + spare)
    lived = flow(
        [arrivals] * (ends + emptied + 1),
        there,
        {"history": replace(there, away=((begins, ends),)), "watch": there},
        room=arrivals * (ends + 1),
        step_s=1,
    )
    assert lived.most_unread() == arrivals * seconds
    assert lived.is_even_at_s(ends) == ends + emptied


@given(came, stations, readers, rooms, st.integers(0, 20), st.sampled_from(["door", "history", "watch", "room"]))
def test_more_of_anything_never_leaves_a_fix_waiting_longer(came, door, readers, room, more, of_what):
    few = flow(came, door, readers, room=room, step_s=1)
    if of_what == "door":
        door = replace(door, per_s=door.per_s + more)
    elif of_what == "room":
        room += more
    else:
        readers = readers | {of_what: replace(readers[of_what], per_s=readers[of_what].per_s + more, away=())}
    many = flow(came, door, readers, room=room, step_s=1)
    for name in readers:
        assert all(after >= before for before, after in zip(few.done[name], many.done[name], strict=True))
        assert many.oldest_s(name) <= few.oldest_s(name)


@given(came, stations)
def test_the_oldest_is_told_as_if_each_were_followed(came, door):
    lived = flow(came, door, {"history": Station(per_s=100)}, room=10**6, step_s=1)
    offered, taken = lived.offered, lived.taken
    left_at = [[step for step, n in enumerate(taken) if n >= one] for one in offered]
    if any(n and not left for n, left in zip(came, left_at, strict=True)):
        assert oldest_s(offered, taken, 1) == float("inf")
    else:
        waits = [left[0] - step for step, (n, left) in enumerate(zip(came, left_at, strict=True)) if n]
        assert oldest_s(offered, taken, 1) == max(waits, default=0)


@given(came, st.floats(0, 5), st.floats(0, 1), st.tuples(st.integers(0, 40), st.integers(0, 60)))
def test_each_order_is_decided_on_once_and_none_before_it_comes(came, base_s, each_s, away):
    quiet = [0] * (61 + ceil(base_s + each_s * sum(came)) * (len(came) + 1))
    found = rounds([*came, *quiet], lambda n: base_s + each_s * n, away=away, step_s=1)
    assert sum(one.n for one in found) == sum(came)
    assert all(one.oldest_s >= base_s + each_s * one.n for one in found)
    assert within_s(found, 1.0) == max((one.oldest_s for one in found), default=0.0)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=30))
def test_all_orders_waited_no_longer_than_the_oldest_and_half_of_them_no_longer_than_the_middle_one(waits):
    found = [Round(n=0.1, oldest_s=wait) for wait in waits]
    assert within_s(found, 1.0) == max(waits)
    assert within_s(found, 0.5) in sorted(waits)[(len(waits) - 1) // 2 : len(waits) // 2 + 1]


@given(fleets)
def test_nobody_is_planned_busier_than_wanted_unless_it_is_said(fleet):
    plan = planned(COSTS, fleet, TERMS)
    per_s, regions_s = plan.couriers / fleet.every_s, min(fleet.couriers, fleet.per_region) / fleet.every_s
    assert plan.installations * plan.couriers >= fleet.couriers
    wanted = TERMS.busy + FEW_US
    pages = pages_s(COSTS, fleet, plan.couriers)
    assert (per_s * upload_us(COSTS, fleet) / 1e6 + pages) / plan.api <= wanted
    assert per_s * COSTS.writer_us / 1e6 / plan.writers <= wanted
    assert per_s * COSTS.postgres_us / 1e6 / plan.postgres_cores <= wanted
    assert per_s * fix_redis_us(COSTS, fleet) / 1e6 <= wanted or "Redis" in plan.beyond
    fullest = ceil(plan.regions / plan.watchers)
    assert fullest * regions_s * COSTS.watch_us / 1e6 <= wanted or "watch" in plan.beyond
    decided = ceil(plan.regions / plan.dispatchers) * dispatched(COSTS, fleet).busy()
    assert decided <= wanted or "dispatch" in plan.beyond
    assert plan.machines * TERMS.cores >= plan.installations * plan.cores


@pytest.mark.parametrize("couriers", [10, 10_000, 1_000_000])
def test_on_an_ordinary_day_nothing_waits_and_an_order_is_in_time(couriers):
    plan = planned(COSTS, Fleet(couriers=couriers), TERMS)
    day = fixes_of_a_day(COSTS, plan, TERMS, TROUBLES["an ordinary day"])
    assert day.most_at_phones() == 0
    assert day.oldest_s("history") == day.oldest_s("watch") == 0
    assert within_s(orders_of_a_rush(COSTS, plan, TROUBLES["an ordinary day"]), 1.0) <= TERMS.offer_s


@pytest.mark.parametrize("trouble", [name for name in TROUBLES if name != "an ordinary day"])
def test_after_trouble_all_is_stored_within_the_hour(trouble):
    plan = planned(COSTS, Fleet(couriers=100_000), TERMS)
    day = fixes_of_a_day(COSTS, plan, TERMS, TROUBLES[trouble])
    assert day.most_at_phones() + day.most_unread() > 0
    assert day.done["history"][-1] == day.offered[-1]
    assert day.oldest_s("history") < HOUR_S
    came = plan.couriers * average_share() * 24 * HOUR_S / plan.fleet.every_s
    assert day.offered[-1] == pytest.approx(came, rel=0.01)


def test_what_a_region_is_too_large_for_is_said():
    assert planned(COSTS, Fleet(couriers=10_000), TERMS).beyond == ()
    assert planned(COSTS, Fleet(couriers=50_000, per_region=50_000), TERMS).beyond == ("dispatch", "the log")
    assert "watch" in planned(COSTS, Fleet(couriers=100_000, per_region=100_000), TERMS).beyond


def test_at_its_limit_something_is_full_and_shortly_before_it_is_not():
    fleet = Fleet(couriers=1_000_000)
    found = limits(COSTS, fleet, TERMS)
    assert [n for n, *_ in found] == sorted(n for n, *_ in found)
    n = min(n for n, _, _, remedy in found if remedy.endswith(ANOTHER))
    assert planned(COSTS, replace(fleet, couriers=int(n * 0.99)), TERMS).installations == 1
    assert planned(COSTS, replace(fleet, couriers=int(n * 1.01)), TERMS).installations > 1
    n = min(n for n, whose, *_ in found if whose == "a region")
    assert not planned(COSTS, Fleet(couriers=int(n * 0.9), per_region=10**6), TERMS).beyond
    assert planned(COSTS, Fleet(couriers=int(n * 1.1), per_region=10**6), TERMS).beyond


def test_a_decision_costs_what_was_measured_and_more_beside_more_orders():
    for n, us in zip(COSTS.orders, COSTS.decision_us, strict=True):
        assert COSTS.decision_s(n) == pytest.approx(us / 1e6)
    costs = [COSTS.decision_s(n) for n in (1, 50, 51, 99, 101, 199, 201, 100_000)]
    assert costs == sorted(costs)


def test_the_share_at_work_is_that_of_the_day_at_each_hour_and_on_average():
    assert [share_at(hour * HOUR_S) for hour, _ in DAY] == pytest.approx([share for _, share in DAY])
    steps = range(0, 24 * 3600, int(STEP_S))
    assert sum(share_at(second) for second in steps) / len(steps) == pytest.approx(average_share(), rel=1e-3)


def test_costs_are_read_from_the_report():
    told = {
        name: getattr(COSTS, name) for name in COSTS.__slots__ if name not in {"orders", "decision_us", "page_us"}
    } | {f"decision_us {n}": us for n, us in zip(COSTS.orders, COSTS.decision_us, strict=True)}
    assert Costs.of({"one": told, "another": {"page_us": COSTS.page_us}}) == COSTS
