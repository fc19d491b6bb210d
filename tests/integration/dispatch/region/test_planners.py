"""Parts of a large region planned by processes of their own: as in a thread, and whoever dies or hangs is replaced."""

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from dispatch.orders.order import OrderState, OrderStop
from dispatch.planning.params import Params
from dispatch.planning.propose import propose
from dispatch.region import planners as planning_processes
from dispatch.region.parts import MOST_COURIERS
from dispatch.region.planners import PLANS_LOST, PlanLost, Planners
from tests.integration.dispatch.conftest import RESTAURANT
from tests.integration.dispatch.region.test_cycle import REGION, Seen, planning_of
from tests.unit.dispatch.planning.worlds import job, worker, world
from tests.waiting import PATIENCE_S, until
from tracking import lease


@pytest.fixture
def snapshot():
    points = [(500 * n, 300 * (n % 3)) for n in range(9)]
    return world(points, [job(n, n, n + 1) for n in range(6)], [worker(n, 8 - n) for n in range(4)])


@pytest.fixture
async def planners(monkeypatch):
    monkeypatch.setattr(planning_processes, "STARTS_WITHIN_S", PATIENCE_S)
    some = Planners(2)
    some.warm()
    await until(lambda: some.n_free() == 2)
    yield some
    some.close()


async def ask(planners, snapshot, seconds=PATIENCE_S):
    return await planners.propose(snapshot, Params(), seconds, None)


async def test_a_process_plans_what_a_thread_does(planners, snapshot):
    assert await ask(planners, snapshot) == (propose(snapshot, Params()), False)
    again = frozenset({snapshot.jobs[0].order_id})
    assert await planners.propose(snapshot, Params(), PATIENCE_S, again) == (
        propose(snapshot, Params(), again=again),
        False,
    )


async def test_nobody_is_free_before_they_have_begun_and_no_more_than_there_are(snapshot):
    some = Planners(2)
    try:
        assert some.n_free() == 0
        assert await ask(some, snapshot) is None
        some.warm()
        some.warm()
        await until(lambda: some.n_free() == 2)
        assert len(some.pids) == 2
    finally:
        some.close()
    assert some.n_free() == 0


async def test_what_had_no_time_to_be_tried_is_told(planners, snapshot):
    _, is_cut_short = await ask(planners, snapshot, 0.0)
    assert is_cut_short


async def test_one_that_is_killed_while_it_plans_loses_that_plan_only(planners, snapshot):
    lost = PLANS_LOST._value.get()
    first, second = planners._planners
    os.kill(first.process.pid, signal.SIGSTOP)  # or it would be done before it is killed
    plan = asyncio.create_task(ask(planners, snapshot))
    await until(lambda: not first.running.done())
    assert await ask(planners, snapshot) is not None, "the other one goes on"
    os.kill(first.process.pid, signal.SIGKILL)
    with pytest.raises(PlanLost):
        await plan
    assert PLANS_LOST._value.get() == lost + 1
    await until(lambda: planners.n_free() == 2)
    assert first not in planners._planners
    assert second in planners._planners
    assert await ask(planners, snapshot) is not None


async def test_one_that_was_killed_while_idle_is_replaced(planners, snapshot):
    before = planners.pids
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: all(planner.process._pool._broken for planner in planners._planners))
    assert await ask(planners, snapshot) is None, "nobody is free, and nothing is lost"
    await until(lambda: planners.n_free() == 2)
    assert not set(before) & set(planners.pids)
    assert await ask(planners, snapshot) is not None


async def test_one_that_hangs_is_not_waited_for_and_then_replaced(planners, snapshot, monkeypatch):
    monkeypatch.setattr(planning_processes, "ANSWER_MARGIN_S", 0.1)
    first, _ = planners._planners
    os.kill(first.process.pid, signal.SIGSTOP)
    with pytest.raises(PlanLost):
        await ask(planners, snapshot, 0.0)
    assert planners.n_free() == 1, "it is busy, as far as anybody knows"
    first.lost_at = 0.0
    assert planners.n_free() == 1
    await until(lambda: planners.n_free() == 2)
    assert first not in planners._planners


async def test_what_the_planner_raises_is_raised_here(planners, snapshot):
    with pytest.raises(TypeError):
        await ask(planners, replace(snapshot, now=None))
    assert planners.n_free() == 2


class Restless(Planners):
    """A process that plans a part with one of these orders in it is killed meanwhile."""

    deadly: frozenset = frozenset()

    async def propose(self, snapshot, *arguments):
        if self.deadly.isdisjoint(one.order_id for one in snapshot.jobs):
            return await super().propose(snapshot, *arguments)
        planner = next(one for one in self._planners if self._is_free(one))
        os.kill(planner.process.pid, signal.SIGSTOP)  # or it would be done before it is killed
        plan = asyncio.create_task(super().propose(snapshot, *arguments))
        await until(lambda: not planner.running.done())
        os.kill(planner.process.pid, signal.SIGKILL)
        return await plan


async def test_a_part_whose_process_was_killed_is_planned_next_time_and_the_others_at_once(city, monkeypatch):
    monkeypatch.setattr(planning_processes, "STARTS_WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(planning_processes, "ANSWER_MARGIN_S", PATIENCE_S)
    seen, some = Seen(), Restless(2)
    planning = planning_of(city, seen, planners=some, at_once_s=PATIENCE_S)
    held = await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=3600)
    rows = await city.pool.fetch(
        "INSERT INTO couriers (name, mode, region)"
        " SELECT 'c', 'car', 'default' FROM generate_series(0, $1) RETURNING id",
        MOST_COURIERS,
    )
    west, east = RESTAURANT, replace(RESTAURANT, lon=round(RESTAURANT.lon + 0.2, 7))
    for number, row in enumerate(rows):
        seen.places[row["id"]] = west if number % 2 else east
    try:
        some.warm()
        await until(lambda: some.n_free() == 2)
        orders = [await city.place(pickup=OrderStop(at=at), dropoff=OrderStop(at=at)) for at in (west, east)]
        monkeypatch.setattr("dispatch.region.agenda.Agenda.first", lambda *_: None)
        some.deadly = frozenset({orders[0].id})
        cycle = await planning.at_once(held)
        assert [offer.order_id for offer in cycle.committed.offers] == [orders[1].id]
        some.deadly = frozenset()
        await until(lambda: some.n_free() == 2)
        cycle = await planning.at_once(held)
        assert [offer.order_id for offer in cycle.committed.offers] == [orders[0].id]
        assert (await city.order(orders[0].id)).state is OrderState.ASSIGNED
    finally:
        planning.close()
