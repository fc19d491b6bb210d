"""Laws of the search: it obeys every rule, is never worse than its start, and is the same on every run."""

import gc
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.improve import fill
from dispatch.planning.in_force import is_movable, kept_routes
from dispatch.planning.params import Bundling, Params, never
from dispatch.planning.problem import lay_out
from dispatch.planning.propose import propose
from dispatch.planning.reasons import exclusions
from dispatch.planning.schedule import overload, schedule
from dispatch.planning.search import solver
from dispatch.planning.search.clusters import clusters
from dispatch.planning.search.piece import cut
from dispatch.planning.search.solver import search, solve
from dispatch.planning.snapshot import FOREVER
from tests.unit.dispatch.planning.worlds import NOW, job, worker, world, worlds

laws = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def begun(snapshot, params):
    """The draft that the search starts from, with who may do what."""
    problem = lay_out(snapshot, params)
    table = exclusions(problem)
    draft = Draft(problem, kept_routes(problem, table))
    horizon = problem.now + params.horizon_s
    fill(draft, table == 0, never)
    movable = [job_no for job_no in range(len(problem.jobs)) if is_movable(draft, job_no, horizon)]
    return draft, table == 0, movable


def assert_lawful(found, start, allowed, movable):
    problem = found.problem
    for worker_no, (stops, before) in enumerate(zip(found.routes, start.routes, strict=True)):
        n_locked = problem.n_locked[worker_no]
        assert stops[:n_locked] == before[:n_locked]  # the leg being driven
        assert len(set(stops)) == len(stops)
        for stop in stops:
            assert found.worker_of[stop >> 1] == worker_no
            if stop & 1:  # precedence
                assert stop ^ 1 not in stops or stops.index(stop ^ 1) < stops.index(stop)
                assert stop ^ 1 in stops or stop >> 1 in problem.carried(before) | problem.lone
            else:
                assert stop ^ 1 in stops
        # Windows, shift and load: what was broken before may stay, nothing more is.
        assert found.excess[worker_no] <= start.excess[worker_no]
        if not start.excess[worker_no]:
            assert overload(problem, worker_no, stops) == 0
            for row in schedule(problem, worker_no, stops):
                assert (
                    row.starts_at
                    <= problem.closes_at[2 * problem.job_no[row.stop.order_id] + (row.stop.kind == "dropoff")]
                )
    for job_no in range(len(problem.jobs)):
        if job_no not in movable:
            assert found.worker_of[job_no] == start.worker_of[job_no]
        elif found.worker_of[job_no] != start.worker_of[job_no] and found.worker_of[job_no] >= 0:
            assert allowed[job_no, found.worker_of[job_no]]


@laws
@given(worlds(), st.sampled_from(Bundling), st.integers(0, 3))
def test_search_obeys_every_rule_and_is_never_worse_than_its_start(snapshot, bundling, seed):
    params = Params(bundling=bundling, search_iterations=20, seed=seed)
    draft, allowed, movable = begun(snapshot, params)
    routes, total = list(draft.routes), draft.total()
    found = search(draft, allowed, movable, never)
    assert draft.routes == routes
    assert found.total() <= total
    assert found.total() == sum(found.cost) + sum(cost.unassigned(found.problem, j) for j in found.unassigned())
    assert_lawful(found, draft, allowed, movable)


@laws
@given(worlds())
def test_a_plan_found_by_search_is_never_worse_than_one_without(snapshot):
    quick = propose(snapshot, Params())
    deep = propose(snapshot, Params(search_iterations=20))
    assert deep.cost <= quick.cost
    assert deep.source in {"search", "insertion", "kept"}


@laws
@given(worlds(), st.integers(0, 3))
def test_same_seed_and_iterations_give_the_same_plan(snapshot, seed):
    params = Params(search_iterations=20, seed=seed)
    assert propose(snapshot, params) == propose(snapshot, params)


def crowded(n_jobs=24, n_workers=5, seed=1):
    """A city where insertion one by one is far from the best."""
    chance = Random(seed)
    points = [(chance.uniform(0, 6000), chance.uniform(0, 6000)) for _ in range(2 * n_jobs + n_workers)]
    jobs = [job(n, 2 * n, 2 * n + 1, ready_at=NOW + chance.randrange(1800), due_at=NOW + 3600) for n in range(n_jobs)]
    return world(points, jobs, [worker(n, 2 * n_jobs + n) for n in range(n_workers)])


def test_search_makes_a_crowded_plan_better():
    draft, allowed, movable = begun(crowded(), Params(search_iterations=300))
    found = search(draft, allowed, movable, never)
    assert found.total() < 0.99 * draft.total()
    assert_lawful(found, draft, allowed, movable)


def test_or_tools_alone_starts_from_the_plan_in_force_and_makes_it_better():
    """Its first solution is the plan in force, so that few iterations are enough to be no worse."""
    draft, allowed, movable = begun(crowded(), Params())
    (cluster,) = clusters(draft, allowed, movable, n_workers=99, n_jobs=99, chance=Random(0))
    piece, _ = cut(draft, allowed, cluster, 0.0, 1, Random(0))
    assert solve(piece) == [list(vehicle.route) for vehicle in piece.vehicles]
    assert solve(replace(piece, iterations=200)) != [list(vehicle.route) for vehicle in piece.vehicles]


def test_a_search_leaves_no_model_behind():
    """What OR-Tools holds no collector sees: a model that a callback of its own knows would stay for ever."""
    draft, allowed, movable = begun(crowded(), Params())
    search(draft, allowed, movable, never)
    (cluster,) = clusters(draft, allowed, movable, n_workers=99, n_jobs=99, chance=Random(0))
    piece, _ = cut(draft, allowed, cluster, 0.0, 5, Random(0))
    for _ in range(3):
        solve(piece)
    gc.collect()
    assert [found for found in gc.get_objects() if type(found) is solver._Model] == []


def test_stop_ends_the_search_at_once_with_what_it_has():
    draft, allowed, movable = begun(crowded(), Params(search_s=3600))
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 3

    assert search(draft, allowed, movable, stop).total() <= draft.total()


def test_without_a_budget_nothing_is_searched():
    draft, allowed, movable = begun(crowded(), Params())
    assert search(draft, allowed, movable, never) is draft


@given(worlds(max_jobs=9, max_workers=6), st.integers(1, 4), st.integers(1, 6), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_clusters_share_nobody_and_miss_nobody(snapshot, n_workers, n_jobs, seed):
    draft, allowed, movable = begun(snapshot, Params())
    found = clusters(draft, allowed, movable, n_workers=n_workers, n_jobs=n_jobs, chance=Random(seed))
    couriers = [worker_no for cluster in found for worker_no in cluster.worker_nos]
    orders = [job_no for cluster in found for job_no in cluster.job_nos]
    assert len(set(couriers)) == len(couriers)
    assert len(set(orders)) == len(orders)
    assert set(orders) <= set(movable)
    assert {job_no for job_no in movable if draft.worker_of[job_no] >= 0} <= set(orders)
    assert all(len(cluster.worker_nos) <= n_workers for cluster in found)
    for cluster in found:
        for job_no in cluster.job_nos:
            assert draft.worker_of[job_no] in {-1, *cluster.worker_nos}


def test_a_region_falls_into_clusters_of_the_size_asked_for():
    draft, allowed, movable = begun(crowded(60, 20), Params())
    found = clusters(draft, allowed, movable, n_workers=6, n_jobs=30, chance=Random(0))
    assert len(found) >= 4
    assert all(len(cluster.job_nos) <= 30 for cluster in found)


def test_change_of_a_shown_plan_costs_what_it_says():
    """Moving a shown order must save more than the price of the change."""
    snapshot = crowded()
    first = propose(snapshot, Params())
    stops = {route.courier_id: tuple(row.stop for row in route.stops) for route in first.routes}
    shown = replace(
        snapshot,
        workers=tuple(
            replace(w, route=stops[w.courier_id], shown=frozenset(s.order_id for s in stops[w.courier_id]))
            for w in snapshot.workers
        ),
    )
    dear = replace(Params().weights, change=10**6)
    calm = propose(shown, Params(search_iterations=150, weights=dear))
    assert {a.order_id: a.courier_id for a in calm.assignments} == {a.order_id: a.courier_id for a in first.assignments}


@pytest.mark.parametrize("bundling", [Bundling.ON_THE_WAY, Bundling.NONE])
def test_orders_nobody_can_take_do_not_empty_the_plan(bundling):
    snapshot = crowded(8, 3)
    impossible = job(99, 0, 1, size=(1,), modes=frozenset())
    snapshot = replace(snapshot, jobs=(*snapshot.jobs, impossible))
    plan = propose(snapshot, Params(search_iterations=60, bundling=bundling))
    assert [row.order_id for row in plan.unassigned] == [impossible.order_id]
    assert len(plan.assignments) == 8


def test_search_treats_instants_far_away_as_no_limit():
    assert np.iinfo(np.int64).max > FOREVER
    snapshot = crowded(6, 2)
    snapshot = replace(
        snapshot, jobs=tuple(replace(j, dropoff=replace(j.dropoff, due_at=FOREVER)) for j in snapshot.jobs)
    )
    assert propose(snapshot, Params(search_iterations=20)).cost <= propose(snapshot, Params()).cost
