"""A wave from a depot: what leaves now by the exact schedule, and what waits, with its reason."""

from dataclasses import replace

from dispatch.planning.profiles import DAYS, PROFILES, Profile
from dispatch.planning.search.waves import Patience
from dispatch.planning.snapshot import FOREVER, Visit
from dispatch.planning.wave import Coming, WaitReason, plan_wave
from tests.unit.dispatch.planning.worlds import NOW, courier_id, job, order_id, worker, world

HOUR = 3600
POINTS = [(0, 0), (5000, 0), (5200, 0), (0, 5000), (5400, 0)]
DEPOT, EAST, BESIDE, NORTH, BEYOND = range(5)
WAVES = (NOW, NOW + HOUR, NOW + 2 * HOUR)


def parcel(n, place, *, opens_at=NOW, due_at=NOW + 8 * HOUR, **facts):
    return replace(
        job(n, DEPOT, place, due_at=due_at, **facts), pickup=Visit(place=DEPOT, opens_at=opens_at, service_s=120)
    )


def van(n, **facts):
    facts = {"end": DEPOT, "shift_ends_at": NOW + 10 * HOUR, "capacity": (10,)} | facts
    return worker(n, DEPOT, **facts)


def planned(jobs, vans, past=(), **facts):
    """By steps; `past`: by week, jobs of it that would come again."""
    known = [*jobs, *(one for week in past for one in week)]
    coming = Coming(leaves_at=WAVES, past=tuple(tuple(one.order_id for one in week) for week in past))
    return plan_wave(
        world(POINTS, known, vans),
        PROFILES[Profile.PARCEL],
        DAYS[Profile.PARCEL],
        replace(Patience(), n_days=2, day_steps=20),
        coming,
        seconds=0,
        steps=20,
        **facts,
    )


def leaves(made):
    return {row.stop.order_id for route in made.plan.routes for row in route.stops}


def why(made):
    return {one.order_id: (one.reason, one.until) for one in made.waiting}


def test_order_with_company_to_come_waits_and_what_is_urgent_leaves():
    made = planned(
        [parcel(0, NORTH, due_at=NOW + HOUR), parcel(1, EAST)],
        [van(0), van(1)],
        past=[[parcel(10, BESIDE, opens_at=NOW + HOUR)], [parcel(11, BEYOND, opens_at=NOW + HOUR)]],
    )
    assert leaves(made) == {order_id(0)}
    assert why(made) == {order_id(1): (WaitReason.COMPANY, NOW + HOUR)}
    assert [one.share for one in made.waiting] == [0.0]
    assert made.plan.unassigned == ()


def test_where_past_weeks_had_nothing_all_that_is_ready_leaves():
    made = planned([parcel(0, NORTH), parcel(1, EAST)], [van(0)])
    assert (leaves(made), made.waiting) == ({order_id(0), order_id(1)}, ())


def test_a_group_goes_with_one_courier():
    """Doors on two sides of the depot, for each of which one van alone would be shorter."""
    parcels = [parcel(n, place, size=(1,)) for n, place in enumerate((EAST, NORTH, BEYOND, NORTH))]
    vans = [van(n, capacity=(2,)) for n in range(3)]

    def carried(made):
        return {frozenset(row.stop.order_id for row in route.stops) for route in made.plan.routes if route.stops}

    assert carried(planned(parcels, vans)) == {
        frozenset({order_id(0), order_id(2)}),
        frozenset({order_id(1), order_id(3)}),
    }
    grouped = [replace(one, group="a") if n in {0, 1} else one for n, one in enumerate(parcels)]
    assert any({order_id(0), order_id(1)} <= orders for orders in carried(planned(grouped, vans)))


def test_all_is_loaded_in_one_stay_and_nothing_before_the_wave():
    made = planned([parcel(0, EAST), parcel(1, BEYOND), parcel(2, BESIDE)], [van(0)])
    [route] = [route for route in made.plan.routes if route.stops]
    assert [(row.place, row.starts_at, row.leaves_at) for row in route.stops[:3]] == [(DEPOT, NOW, NOW + 120)] * 3
    assert sorted(row.place for row in route.stops[3:]) == [EAST, BESIDE, BEYOND]


def test_what_cannot_be_loaded_yet_waits_for_the_wave_that_is_after_that():
    made = planned([parcel(0, EAST, opens_at=NOW + 4000), parcel(1, NORTH, opens_at=NOW + 30 * HOUR)], [van(0)])
    assert leaves(made) == set()
    assert why(made) == {
        order_id(0): (WaitReason.NOT_READY, NOW + 2 * HOUR),
        order_id(1): (WaitReason.NOT_READY, NOW + 30 * HOUR),
    }


def test_what_has_no_room_waits_where_a_later_wave_is_in_time_and_else_says_why():
    small = van(0, capacity=(1,))
    made = planned([parcel(n, EAST, size=(1,)) for n in range(2)], [small])
    assert [one.reason for one in made.waiting] == [WaitReason.NO_VEHICLE]
    assert len(leaves(made)) == 1
    soon = NOW + 1400
    made = planned([parcel(n, EAST, size=(1,), due_at=FOREVER) for n in range(2)], [replace(small, shift_ends_at=soon)])
    assert (made.waiting, len(made.plan.unassigned)) == ((), 2)
    assert all(left.reasons for left in made.plan.unassigned)


def test_who_is_still_on_the_way_leaves_with_a_later_wave_only():
    made = planned([parcel(0, EAST)], [replace(van(0), available_at=NOW + 600)])
    assert (leaves(made), why(made)) == (set(), {order_id(0): (WaitReason.NO_VEHICLE, NOW + HOUR)})


def test_wave_is_carried_by_who_may_and_by_nobody_else():
    made = planned([parcel(0, EAST, skills=frozenset({"ice"}))], [van(0), van(1, skills=frozenset({"ice"}))])
    assert [route.courier_id for route in made.plan.routes if route.stops] == [courier_id(1)]
    made = planned([parcel(0, EAST, skills=frozenset({"ice"}))], [van(0)])
    [left] = made.plan.unassigned
    assert [code.value for code in left.reasons] == ["skills"]


def test_same_question_has_the_same_answer_and_tells_how_far_it_is():
    heard = []
    jobs = [parcel(n, place) for n, place in enumerate((EAST, NORTH, BESIDE))]
    past = [[parcel(10, BEYOND, opens_at=NOW + HOUR)]]
    made = planned(jobs, [van(0), van(1)], past, tell=heard.append)
    assert made == planned(jobs, [van(0), van(1)], past)
    assert [one.share for one in heard] == sorted(one.share for one in heard)
    assert {one.n_orders for one in heard} == {3}
    assert {*leaves(made), *why(made)} == {one.order_id for one in jobs}


def test_nobody_at_work_leaves_every_order_its_reason():
    made = planned([parcel(0, EAST)], [])
    assert [[code.value for code in left.reasons] for left in made.plan.unassigned] == [["no_couriers"]]
