"""
A route over time: arrivals, waits, lateness, breaks, end of shift, load; no I/O.

`walk` is the one place that knows how time passes along a route. Rules:
- service may start when the window opens; whoever arrives before waits; where it is not sure when the goods are ready,
  service starts when it may be expected to: E[max(arrival, ready)], later than both;
- stops of one kind at one place, one after another, are one stay: the courier parks once, services run side by side,
  and the stay ends when the last of them does;
- a break is taken before a leg: where it fits into a wait and costs nothing, else as late as its window allows, for it
  delays every stop after it; and rather before a pickup than with those goods on board;
- what breaks a hard rule is not refused but measured (`excess`), so that a route in force stays usable when the world
  made it late: a change is allowed when it adds no excess.
"""

from collections.abc import Iterable, Sequence
from math import erf, exp, pi, sqrt
from typing import NamedTuple

from dispatch.planning.problem import Problem, StopNo
from dispatch.planning.proposal import ScheduledStop
from dispatch.planning.snapshot import FOREVER, Place, UnixS

SQRT_2, SQRT_2PI = sqrt(2.0), sqrt(2.0 * pi)
OVERLOAD_S = 100_000
"""Excess of a unit of load over capacity, or of an order over `max_orders`: more than any lateness that occurs."""


class RouteState(NamedTuple):
    """A courier after some stops of a route."""

    leaves_at: UnixS
    place: Place
    kind: int
    """0 after a pickup, 1 after a drop-off, -1 at the start."""
    arrived_at: UnixS
    n_breaks: int
    cost: int
    excess: int
    """Seconds by which hard rules are broken."""


def start(problem: Problem, worker_no: int) -> RouteState:
    """Before the first stop."""
    worker = problem.workers[worker_no]
    free_at = max(worker.available_at, problem.now)
    return RouteState(free_at, worker.start, -1, free_at, 0, 0, 0)


def walk(  # noqa: C901, PLR0912, PLR0915 - one pass over the rules of time, taken ten thousand times a second
    problem: Problem, worker_no: int, state: RouteState, stops: Iterable[StopNo], until: int = FOREVER
) -> RouteState:
    """
    Drive on from a state over more stops, adding up cost and excess; given up when the cost has passed `until`.

    The cost is that of the terms in cost.py, fused into one pass because every decision hangs on this loop.
    """
    duration, pace, steady_until, later, shift_ends_at, breaks = problem.clocks[worker_no]
    travel_weight, waiting_weight, overtime_weight, change_weight = problem.walk_weights
    places, opens, uncertain, dues, closes, services, ready, late_rate, delivery_rate, taken_from = problem.lists
    leaves_at, place, kind, arrived_at, n_breaks, cost, excess = state
    for stop in stops:
        is_dropoff = stop & 1
        if places[stop] != place or is_dropoff != kind:
            leg_s = duration(place, places[stop])
            if pace:
                leg_s = int(leg_s * pace)
            now_s = leg_s
            if leaves_at + leg_s > steady_until:
                leg_s = later(leaves_at, now_s)
            while n_breaks < len(breaks):
                pause = breaks[n_breaks]
                ends_at = max(leaves_at + leg_s, opens[stop]) + services[stop]
                begins_at = max(leaves_at, pause.opens_at)
                in_time = ends_at <= pause.closes_at
                if in_time and not is_dropoff and begins_at == leaves_at:
                    in_time = ends_at + problem.direct_s[stop >> 1] + services[stop | 1] <= pause.closes_at
                if in_time and begins_at + pause.duration_s + leg_s > opens[stop]:
                    break
                excess += max(leaves_at - pause.closes_at, 0)
                leaves_at = begins_at + pause.duration_s
                leg_s = now_s if leaves_at + now_s <= steady_until else later(leaves_at, now_s)
                n_breaks += 1
            place, kind = places[stop], is_dropoff
            leaves_at = arrived_at = leaves_at + leg_s
            cost += travel_weight * leg_s
        starts_at = earliest = max(opens[stop], arrived_at)
        if uncertain[stop]:
            starts_at = expected_start(arrived_at, opens[stop], uncertain[stop])
        if starts_at > arrived_at:
            cost += waiting_weight * (starts_at - arrived_at)
        ends_at = starts_at + services[stop]
        leaves_at = max(leaves_at, ends_at)
        if starts_at > dues[stop]:
            cost += late_rate[stop] * (starts_at - dues[stop])
        if earliest > closes[stop]:
            excess += earliest - closes[stop]
        if is_dropoff:
            job_no = stop >> 1
            cost += delivery_rate[job_no] * (starts_at - ready[job_no])
            if starts_at > shift_ends_at:
                cost += overtime_weight * (starts_at - shift_ends_at)
                if job_no in problem.lone:
                    excess += starts_at - shift_ends_at
        elif earliest > shift_ends_at:
            excess += earliest - shift_ends_at
        if taken_from[stop] not in (worker_no, -1):
            cost += change_weight
        if cost > until:
            break
    return RouteState(leaves_at, place, kind, arrived_at, n_breaks, cost, excess)


def begins_at(problem: Problem, stop: StopNo, arrived_at: UnixS) -> UnixS:
    """When service starts, or may be expected to."""
    error_s = problem.uncertain_s[stop]
    return (
        expected_start(arrived_at, problem.opens_at[stop], error_s)
        if error_s
        else max(arrived_at, problem.opens_at[stop])
    )


def expected_start(arrives_at: UnixS, ready_at: UnixS, error_s: int) -> UnixS:
    """
    When service may be expected to start of goods that are ready at about `ready_at`, give or take `error_s`.

    The mean of the later of the arrival and a normal: never earlier for an arrival that is later.
    """
    z = (ready_at - arrives_at) / error_s
    waits_s = error_s * (exp(-z * z / 2) / SQRT_2PI + z * (1 + erf(z / SQRT_2)) / 2)
    return arrives_at + int(max(waits_s, 0.0))


def finish(problem: Problem, worker_no: int, state: RouteState) -> tuple[int, int]:
    """Cost and excess of a route driven to its end, the way to where the courier must end included."""
    if state.kind < 0:
        return state.cost, state.excess
    worker, total = problem.workers[worker_no], state.cost + problem.idle_value[worker_no]
    if worker.end is not None:
        weights = problem.params.weights
        leg_s = problem.leg_s(worker_no, state.place, worker.end, state.leaves_at)
        total += weights.travel * leg_s
        total += weights.overtime * max(state.leaves_at + leg_s - worker.shift_ends_at, 0)
    return total, state.excess


def overload(problem: Problem, worker_no: int, stops: Sequence[StopNo]) -> int:
    """Excess for orders over `max_orders` and for load over capacity, at the worst point of the route."""
    worker = problem.workers[worker_no]
    n_orders = sum(1 for stop in stops if stop & 1)
    excess = OVERLOAD_S * max(n_orders - worker.max_orders, 0)
    for dimension, limit in enumerate(worker.capacity):
        sizes = {stop >> 1: size_in(problem, stop >> 1, dimension) for stop in stops}
        load = worst = sum(sizes[job] for job in problem.carried(stops))
        for stop in stops:
            load += -sizes[stop >> 1] if stop & 1 and stop >> 1 not in problem.kept else sizes[stop >> 1]
            worst = max(worst, load)
        excess += OVERLOAD_S * max(worst - limit, 0)
    return excess


def overstay(problem: Problem, worker_no: int, stops: Sequence[StopNo]) -> int:
    """Excess for orders on board for longer than they may be: from the end of the pickup to the drop-off."""
    if not problem.ride_s or problem.ride_s.keys().isdisjoint(stop >> 1 for stop in stops):
        return 0
    state, excess = start(problem, worker_no), 0
    collected_at: dict[int, UnixS] = {}
    for stop in stops:
        state = walk(problem, worker_no, state, (stop,))
        if (job_no := stop >> 1) in problem.ride_s:
            starts_at = begins_at(problem, stop, state.arrived_at)
            if not stop & 1:
                collected_at[job_no] = starts_at + problem.service_s[stop]
            elif job_no in collected_at:
                excess += max(starts_at - collected_at[job_no] - problem.ride_s[job_no], 0)
    return excess


def scattered(problem: Problem, stops: Sequence[StopNo]) -> int:
    """Excess for groups that are not collected in one stay: something else is done between two of their pickups."""
    if not problem.groups:
        return 0
    last: dict[int, int] = {}
    excess = 0
    for at, stop in enumerate(stops):
        group = None if stop & 1 else problem.group_of.get(stop >> 1)
        if group is None:
            continue
        between = stops[last.get(group, at) : at]
        excess += OVERLOAD_S * any(other & 1 or problem.place[other] != problem.place[stop] for other in between)
        last[group] = at
    return excess


def broken(problem: Problem, worker_no: int, stops: Sequence[StopNo]) -> int:
    """Excess by the rules that only a whole route can be judged by."""
    return overload(problem, worker_no, stops) + overstay(problem, worker_no, stops) + scattered(problem, stops)


def size_in(problem: Problem, job_no: int, dimension: int) -> int:
    """Size of a job in one dimension of capacity; 0 where the order does not say."""
    size = problem.jobs[job_no].size
    return size[dimension] if dimension < len(size) else 0


def price(problem: Problem, worker_no: int, stops: Sequence[StopNo]) -> tuple[int, int]:
    """Cost and excess of a whole route."""
    cost, excess = finish(problem, worker_no, walk(problem, worker_no, start(problem, worker_no), stops))
    return cost, excess + broken(problem, worker_no, stops)


def schedule(problem: Problem, worker_no: int, stops: Sequence[StopNo]) -> tuple[ScheduledStop, ...]:
    """The times of a route, stop by stop."""
    rows = []
    state = start(problem, worker_no)
    breaks = problem.workers[worker_no].breaks
    for stop in stops:
        before = state
        state = walk(problem, worker_no, state, (stop,))
        taken, departs_at = breaks[before.n_breaks : state.n_breaks], before.leaves_at
        for pause in taken:
            departs_at = max(departs_at, pause.opens_at) + pause.duration_s
        starts_at = begins_at(problem, stop, state.arrived_at)
        rows.append(
            ScheduledStop(
                stop=problem.planned(stop),
                place=problem.place[stop],
                arrives_at=state.arrived_at,
                starts_at=starts_at,
                leaves_at=state.leaves_at,
                late_s=max(starts_at - problem.due_at[stop], 0),
                leg_s=0 if (state.place, state.kind) == (before.place, before.kind) else state.arrived_at - departs_at,
                break_at=max(before.leaves_at, taken[0].opens_at) if taken else None,
                break_s=sum(pause.duration_s for pause in taken),
            )
        )
    return tuple(rows)
