"""Laws that every plan keeps, in random worlds, and the named situations of a dispatcher's day."""

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch.planning.cost import by_term
from dispatch.planning.draft import Draft
from dispatch.planning.improve import fill
from dispatch.planning.in_force import kept_routes
from dispatch.planning.insertion import best_in_route
from dispatch.planning.params import Bundling, Params, Weights
from dispatch.planning.problem import lay_out
from dispatch.planning.proposal import ReasonCode
from dispatch.planning.propose import propose
from dispatch.planning.reasons import exclusions
from dispatch.planning.schedule import price, size_in
from dispatch.stop import StopKind
from tests.unit.dispatch.planning.worlds import with_plan, worlds

laws = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
all_params = st.builds(
    Params,
    bundling=st.sampled_from(Bundling),
    thorough=st.booleans(),
    weights=st.builds(Weights, waiting=st.integers(0, 2), change=st.integers(0, 900)),
)


def routes_of(snapshot, plan):
    """(worker, stop numbers, scheduled stops) of every route of a plan."""
    problem = lay_out(snapshot, Params())
    for number, route in enumerate(plan.routes):
        assert route.courier_id == snapshot.workers[number].courier_id
        numbers = tuple(problem.number(row.stop) for row in route.stops)
        yield problem, number, numbers, route.stops


@laws
@given(worlds(), all_params)
def test_every_open_order_is_in_exactly_one_route_or_unassigned_with_reasons_that_add_up(snapshot, params):
    plan = propose(snapshot, params)
    last = {job.order_id: job.only or StopKind.DROPOFF for job in snapshot.jobs}
    dropped = Counter(
        row.stop.order_id for route in plan.routes for row in route.stops if row.stop.kind is last[row.stop.order_id]
    )
    left = Counter(row.order_id for row in plan.unassigned)
    assert dropped + left == Counter(job.order_id for job in snapshot.jobs)
    for row in plan.unassigned:
        assert sum(row.reasons.values()) == len(snapshot.workers)
        assert set(row.example) == {code for code in row.reasons if code is not ReasonCode.NO_COURIERS}


@laws
@given(worlds(), all_params)
def test_every_route_collects_before_it_delivers_and_what_is_on_board_stays(snapshot, params):
    plan = propose(snapshot, params)
    for problem, number, stops, _ in routes_of(snapshot, plan):
        assert len(set(stops)) == len(stops)
        for job_no in problem.carried(stops) - problem.lone:
            assert problem.jobs[job_no].onboard_of == snapshot.workers[number].courier_id
        for position, stop in enumerate(stops):
            if stop & 1 == 0:
                assert stop + 1 in stops[position:]
    on_board = {job.order_id for job in snapshot.jobs if job.onboard_of is not None}
    assert not on_board & {row.order_id for row in plan.unassigned}


@laws
@given(worlds(), all_params)
def test_locked_stops_and_pinned_orders_stay_with_their_courier(snapshot, params):
    plan = propose(snapshot, params)
    routes = {route.courier_id: tuple(row.stop for row in route.stops) for route in plan.routes}
    jobs = {job.order_id: job for job in snapshot.jobs}
    for worker_ in snapshot.workers:
        assert routes[worker_.courier_id][: worker_.n_locked] == worker_.route[: worker_.n_locked]
    for job_ in jobs.values():
        if job_.pinned_to is not None:
            assert any(stop.order_id == job_.order_id for stop in routes[job_.pinned_to])


@laws
@given(worlds(), all_params)
def test_free_orders_break_no_hard_rule_of_their_route(snapshot, params):
    """Where a route breaks one, what is held there breaks it without the free orders too."""
    plan = propose(snapshot, params)
    for problem, number, stops, _ in routes_of(snapshot, plan):
        worker_ = snapshot.workers[number]
        locked = {stop.order_id for stop in worker_.route[: worker_.n_locked]}
        held = tuple(
            stop
            for stop in stops
            if problem.jobs[stop >> 1].onboard_of
            or problem.jobs[stop >> 1].pinned_to
            or problem.jobs[stop >> 1].order_id in locked
        )
        if len(held) == 0 and stops:
            assert price(problem, number, stops)[1] == 0


@laws
@given(worlds(), all_params)
def test_routes_without_held_orders_keep_windows_shift_capacity_mode_skills_and_partner(snapshot, params):
    """The same rules once more, told in other words than the planner's own code."""
    plan = propose(snapshot, params)
    for problem, number, stops, rows in routes_of(snapshot, plan):
        worker_ = snapshot.workers[number]
        held = {
            job_.order_id for job_ in snapshot.jobs if job_.onboard_of is not None or job_.pinned_to is not None
        } | {stop.order_id for stop in worker_.route[: worker_.n_locked]}
        if any(row.stop.order_id in held for row in rows):
            continue
        loaded = problem.carried(stops)
        load = [
            sum(size_in(problem, job_no, dimension) for job_no in loaded) for dimension in range(len(worker_.capacity))
        ]
        assert all(amount <= limit for amount, limit in zip(load, worker_.capacity, strict=True))
        left_at = {stop: row.starts_at + problem.service_s[stop] for stop, row in zip(stops, rows, strict=True)}
        for stop, row in zip(stops, rows, strict=True):
            job_ = problem.jobs[stop >> 1]
            visit = job_.dropoff if stop & 1 else job_.pickup
            assert visit.opens_at <= row.starts_at <= visit.closes_at
            assert (stop & 1 and job_.only is None) or row.starts_at <= worker_.shift_ends_at
            if stop & 1 and job_.max_on_board_s is not None:
                assert row.starts_at - left_at[stop ^ 1] <= job_.max_on_board_s
            assert job_.modes is None or worker_.mode in job_.modes
            assert job_.skills <= worker_.skills
            assert not worker_.apart or worker_.partner == job_.partner
            for dimension in range(len(load)):
                load[dimension] += size_in(problem, stop >> 1, dimension) * (
                    -1 if stop & 1 and job_.only is not StopKind.PICKUP else 1
                )
                assert load[dimension] <= worker_.capacity[dimension]
        assert sum(stop & 1 for stop in stops) <= worker_.max_orders


@laws
@given(worlds(), all_params)
def test_clocks_along_a_route_never_go_back(snapshot, params):
    for _, number, _, rows in routes_of(snapshot, propose(snapshot, params)):
        clock = max(snapshot.workers[number].available_at, snapshot.now)
        for row in rows:
            assert row.arrives_at <= row.starts_at <= row.leaves_at
            assert row.leaves_at >= clock
            clock = row.leaves_at


@laws
@given(worlds(), all_params)
def test_terms_of_the_objective_add_up_to_the_cost_of_the_search(snapshot, params):
    plan = propose(snapshot, params)
    problem = lay_out(snapshot, params)
    for _, number, stops, _ in routes_of(snapshot, plan):
        assert sum(by_term(problem, number, stops).values()) == price(problem, number, stops)[0]


@laws
@given(worlds(), all_params, st.data())
def test_reported_delta_of_an_insertion_is_the_difference_of_full_costs(snapshot, params, data):
    problem = lay_out(snapshot, params)
    draft = Draft(problem, [problem.stops_of(worker_) for worker_ in snapshot.workers])
    free = [number for number in draft.unassigned() if not problem.onboard[number]]
    if not free or not snapshot.workers:
        return
    job_no = data.draw(st.sampled_from(free))
    number = data.draw(st.integers(0, len(snapshot.workers) - 1))
    found = best_in_route(draft, number, job_no)
    if found is not None:
        cost, excess = price(problem, number, found.stops)
        assert found.delta == cost - price(problem, number, draft.routes[number])[0]
        assert excess <= price(problem, number, draft.routes[number])[1]


@laws
@given(worlds(max_jobs=4, max_workers=2), all_params)
def test_insertion_finds_the_best_of_all_positions(snapshot, params):
    """Against brute force over every order of stops that the rule of bundling `on the way` allows."""
    params = replace(params, bundling=Bundling.ON_THE_WAY)
    # Where waiting makes the ways shorter, positions are left out by an estimate.
    problem = lay_out(replace(snapshot, travel=replace(snapshot.travel, habits={})), params)
    draft = Draft(problem, [problem.stops_of(worker_) for worker_ in snapshot.workers])
    for job_no in draft.unassigned():
        if problem.onboard[job_no]:
            continue
        *before, last = problem.stops_for(job_no)
        for number in range(len(snapshot.workers)):
            stops, base = draft.routes[number], price(problem, number, draft.routes[number])
            costs = [
                cost - base[0]
                for i in range(problem.n_locked[number], len(stops) + 1)
                for j in range(i, len(stops) + 1)
                for cost, excess in [price(problem, number, (*stops[:i], *before, *stops[i:j], last, *stops[j:]))]
                if excess <= base[1]
            ]
            found = best_in_route(draft, number, job_no)
            assert (found.delta if found else None) == min(costs, default=None)


@laws
@given(worlds(), all_params)
def test_planning_again_without_a_change_changes_nothing(snapshot, params):
    snapshot = replace(snapshot, workers=tuple(replace(worker_, n_locked=0) for worker_ in snapshot.workers))
    first = propose(snapshot, params)
    again = propose(with_plan(snapshot, first), params)
    assert again.routes == first.routes
    assert again.source == "kept"


@laws
@given(worlds(), all_params)
def test_a_plan_that_may_try_everything_again_is_the_plan(snapshot, params):
    everything = {job_.order_id for job_ in snapshot.jobs}
    assert propose(snapshot, params, again=everything) == propose(snapshot, params)


@laws
@given(worlds(), all_params)
def test_what_somebody_has_and_is_not_tried_again_stays_and_what_nobody_has_is_planned_all_the_same(snapshot, params):
    problem = lay_out(snapshot, params)
    kept = Draft(problem, kept_routes(problem, exclusions(problem)))
    plan = propose(snapshot, params, again=())
    for (_, number, stops, _), before in zip(routes_of(snapshot, plan), kept.routes, strict=True):
        if not kept.excess[number]:
            assert tuple(stop for stop in stops if stop in before) == before
    named = {row.stop.order_id for route in plan.routes for row in route.stops}
    assert named | {row.order_id for row in plan.unassigned} == {job_.order_id for job_ in snapshot.jobs}
    if not any(kept.excess) and not problem.groups:
        filled = fill_all(kept, exclusions(problem) == 0)
        assert {row.order_id for row in plan.unassigned} <= {problem.jobs[n].order_id for n in filled.unassigned()}


def fill_all(draft, allowed):
    fill(draft, allowed, lambda: False)
    return draft


@laws
@given(worlds(), all_params)
def test_the_same_world_gives_the_same_plan(snapshot, params):
    assert propose(snapshot, params) == propose(snapshot, params)


@laws
@given(worlds(), all_params)
def test_a_planner_stopped_at_once_still_answers_for_every_order(snapshot, params):
    plan = propose(snapshot, params, lambda: True)
    named = {row.stop.order_id for route in plan.routes for row in route.stops} | {
        row.order_id for row in plan.unassigned
    }
    assert named == {job_.order_id for job_ in snapshot.jobs}
