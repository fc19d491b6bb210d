"""
A cluster of couriers as a pickup and delivery problem in whole seconds from now; no I/O.

What is locked is not in it at all: a courier starts where and when its locked stops end, and what is on board by then
is delivery-only and bound to that courier. A piece knows nothing of the rest of the planner and can be sent to another
process.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.problem import StopNo, at_gait
from dispatch.planning.reasons import refusers
from dispatch.planning.schedule import size_in
from dispatch.planning.search.clusters import Cluster

HORIZON_S: Final = 2 * 86_400
"""Instants further than this from now are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One stop of a piece; times in seconds from now."""

    place: int
    opens_s: int
    due_s: int
    closes_s: int
    service_s: int
    is_dropoff: bool
    late_rate: int
    delivery_rate: int = 0
    ready_s: int = 0
    sizes: tuple[int, ...] = ()
    """Signed: taken up at a pickup, set down at a drop-off."""
    pickup: int | None = None
    """Of a drop-off: the node of its pickup; None when it is on board at the start."""
    vehicles: tuple[int, ...] = ()
    """Who may serve it."""
    shown_to: int | None = None
    """Of a pickup, or an only stop: the vehicle it was shown to; None: to nobody; -1: to somebody outside the piece."""
    penalty: int | None = None
    """What leaving it out costs; None: it must be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """One courier of a piece, from where its locked stops end."""

    profile: int
    """Index into `Piece.durations_s`."""
    place: int
    free_s: int
    shift_ends_s: int
    end: int | None
    capacity: tuple[int, ...]
    carried: tuple[int, ...]
    n_dropoffs: int
    """Most drop-offs in its route."""
    breaks: tuple[tuple[int, int, int], ...]
    """(earliest start, latest start, duration), in seconds from now."""
    route: tuple[int, ...]
    """Nodes, in the order of the plan in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A pickup and delivery problem of some couriers, in whole numbers; can be sent to another process."""

    nodes: tuple[Node, ...]
    vehicles: tuple[Vehicle, ...]
    durations_s: tuple[npt.NDArray[np.int64], ...]
    """By profile: between all places of the piece."""
    travel: int
    """Cost of a second driven."""
    overtime: int
    change: int
    seconds: float
    iterations: int | None
    """Limit instead of `seconds`: the same answer on every run."""


def cut(
    draft: Draft,
    allowed: npt.NDArray[np.bool_],
    cluster: Cluster,
    seconds: float,
    iterations: int | None,
    chance: Random,
) -> tuple[Piece, list[StopNo]]:
    """A cluster as a piece, and the stop of each of its nodes; in an order of nodes drawn by `chance`."""
    problem = draft.problem
    free_stops = {worker_no: draft.routes[worker_no][problem.n_locked[worker_no] :] for worker_no in cluster.worker_nos}
    stops = list(
        dict.fromkeys(
            [stop for route in free_stops.values() for stop in route]
            + [stop for job_no in cluster.job_nos if draft.worker_of[job_no] < 0 for stop in problem.stops_for(job_no)]
        )
    )
    chance.shuffle(stops)
    node_of = {stop: node for node, stop in enumerate(stops)}
    vehicle_of = {worker_no: vehicle for vehicle, worker_no in enumerate(cluster.worker_nos)}
    places = sorted(
        {problem.place[stop] for stop in stops}
        | {draft.states[worker_no][problem.n_locked[worker_no]].place for worker_no in cluster.worker_nos}
        | {end for worker_no in cluster.worker_nos if (end := problem.workers[worker_no].end) is not None}
    )
    place_of = {place: index for index, place in enumerate(places)}
    gaits = sorted({problem.gaits[worker_no] for worker_no in cluster.worker_nos})
    cells = np.ix_(places, places)
    free_jobs = set(cluster.job_nos)

    def node(stop: StopNo) -> Node:
        job_no = stop >> 1
        worker_no = draft.worker_of[job_no]
        is_dropoff = bool(stop & 1)
        collected_here = is_dropoff and stop ^ 1 in node_of
        if job_no in free_jobs:
            refused = set(refusers(problem, job_no)) - {worker_no}
            may = [v for w, v in vehicle_of.items() if (allowed[job_no, w] and w not in refused) or w == worker_no]
        else:
            may = [vehicle_of[worker_no]]
        shown = problem.taken_from[stop]
        sign = -1 if is_dropoff and job_no not in problem.kept else 1
        return Node(
            place=place_of[problem.place[stop]],
            opens_s=_from(problem.now, problem.opens_at[stop]),
            due_s=_from(problem.now, problem.due_at[stop]),
            closes_s=_from(problem.now, problem.closes_at[stop]),
            service_s=problem.service_s[stop],
            is_dropoff=is_dropoff,
            late_rate=problem.late_rate[stop],
            delivery_rate=problem.delivery_rate[job_no] if is_dropoff else 0,
            ready_s=_from(problem.now, problem.ready_at[job_no]),
            # What may be loaded by one courier or another is beyond the model.
            sizes=()
            if job_no in problem.lone - problem.kept
            else tuple(sign * size for size in problem.jobs[job_no].size),
            pickup=node_of[stop ^ 1] if collected_here else None,
            vehicles=tuple(may),
            shown_to=None if shown < 0 else vehicle_of.get(shown, -1),
            penalty=cost.unassigned(problem, job_no) if job_no in free_jobs else None,
        )

    def vehicle(worker_no: int) -> Vehicle:
        worker = problem.workers[worker_no]
        n_locked = problem.n_locked[worker_no]
        route = draft.routes[worker_no]
        state = draft.states[worker_no][n_locked]
        on_board = problem.carried(route[n_locked:]) - problem.lone
        n_done = sum(stop & 1 for stop in route[:n_locked])
        return Vehicle(
            profile=gaits.index(problem.gaits[worker_no]),
            place=place_of[state.place],
            free_s=_from(problem.now, state.leaves_at),
            shift_ends_s=_from(problem.now, worker.shift_ends_at),
            end=None if worker.end is None else place_of[worker.end],
            capacity=worker.capacity,
            carried=tuple(
                sum(size_in(problem, job_no, dimension) for job_no in on_board)
                for dimension in range(len(worker.capacity))
            ),
            n_dropoffs=worker.max_orders - n_done,
            breaks=tuple(
                (_from(problem.now, pause.opens_at), _from(problem.now, pause.closes_at), pause.duration_s)
                for pause in worker.breaks[state.n_breaks :]
            ),
            route=tuple(node_of[stop] for stop in free_stops[worker_no]),
        )

    piece = Piece(
        nodes=tuple(node(stop) for stop in stops),
        vehicles=tuple(vehicle(worker_no) for worker_no in cluster.worker_nos),
        durations_s=tuple(at_gait(problem.travel_s[gait[0]][cells], gait).astype(np.int64) for gait in gaits),
        travel=problem.params.weights.travel,
        overtime=problem.params.weights.overtime,
        change=problem.params.weights.change,
        seconds=seconds,
        iterations=iterations,
    )
    return piece, stops


def _from(now: int, instant: int) -> int:
    """Seconds from now, within the horizon."""
    return min(max(instant - now, 0), HORIZON_S)
