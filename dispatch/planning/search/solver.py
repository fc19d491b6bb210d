"""
Depth (b) of the planner: a search within a time budget, from the plan in force; the only importer of OR-Tools' routing;
no I/O.

Two searches share the time. OR-Tools takes clusters of couriers (piece.py) and improves their routes by
iterated local search with ruin and recreate; its model is a little simpler than `schedule.py` (shift ends,
services side by side, time on board), so its answer is a proposal, mended and taken over only when the exact schedule
finds it feasible and cheaper. ruin.py then does the same to the whole region, slower and exactly. Nothing gets worse.

Four traps of OR-Tools 9.15 show in the code: `SolveWithParameters` ignores the iterated local search; the search takes
no initial assignment, but a first solution by EVALUATOR_STRATEGY follows arcs that cost nothing; insertion without
SORTING_PROPERTY_RANDOM puts back the same way what was taken out; `SetAllowedVehiclesForIndex` takes no Python list.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from random import Random
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from ortools.constraint_solver import (
    pywrapcp,
    routing_enums_pb2,
    routing_heuristic_parameters_pb2,
    routing_ils_pb2,
)

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.insertion import cheapest
from dispatch.planning.params import Bundling, ShouldEnd
from dispatch.planning.problem import StopNo, Stops
from dispatch.planning.reasons import refusers
from dispatch.planning.search.clusters import Cluster, clusters
from dispatch.planning.search.piece import HORIZON_S, Piece, cut
from dispatch.planning.search.ruin import RuinRecreate

N_WORKERS: Final = 10
"""Couriers of a cluster, and N_JOBS orders: 0.15 s of search is then some tens of iterations."""
N_JOBS: Final = 30
SLICE_S: Final = 0.15
"""Time for one cluster, so that `should_end` is asked often enough: the search itself cannot be interrupted."""
SLICE_ITERATIONS: Final = 30
SOLVER_SHARE: Final = 0.6
"""
Part of the time or of the iterations that OR-Tools gets. Alone, in 1.7 s of processor time on 200 couriers and 500
orders, it saves 2.2 % and the exact ruin and recreate 1.3 %; with 20 couriers and 50 orders 0.4 % and 5 %.
"""
NO_LIMIT: Final = 10**6


def search(
    draft: Draft,
    allowed: npt.NDArray[np.bool_],
    movable: Sequence[int],
    should_end: ShouldEnd,
    *,
    executor: Executor | None = None,
) -> Draft:
    """
    A draft at most as dear as `draft`, which stays as it is; within `params.search_s` or `params.search_iterations`.

    `movable`: jobs that may change hands; `allowed[job, worker]`: the pairs that are possible. With an `executor` the
    clusters of a round are solved side by side. With a limit of iterations the answer depends on nothing but the
    arguments; `should_end` is asked between clusters and steps.
    """
    params = draft.problem.params
    if not movable or not draft.routes or (params.search_s <= 0 and params.search_iterations is None):
        return draft
    chance = Random(params.seed)  # noqa: S311 - reproducible on purpose
    ends_at = perf_counter() + params.search_s
    best = draft.copy()
    n_left = params.search_iterations
    if params.bundling is not Bundling.SAME_PICKUP:  # the rule of bundles is beyond the model
        solver_ends_at = perf_counter() + SOLVER_SHARE * params.search_s
        n_solver = None if n_left is None else round(SOLVER_SHARE * n_left)
        best = _by_clusters(
            best, allowed, movable, should_end, chance, executor, ends_at=solver_ends_at, n_left=n_solver
        )
        n_left = None if n_left is None or n_solver is None else n_left - n_solver
    exact = RuinRecreate(best, allowed, movable, chance)
    exact.run(should_end, seconds=max(0.0, ends_at - perf_counter()), iterations=n_left)
    return exact.best if exact.best_total <= draft.total() - params.min_gain else draft


def _by_clusters(
    best: Draft,
    allowed: npt.NDArray[np.bool_],
    movable: Sequence[int],
    should_end: ShouldEnd,
    chance: Random,
    executor: Executor | None,
    *,
    ends_at: float,
    n_left: int | None,
) -> Draft:
    """OR-Tools on one cluster after the other, or side by side; until the time or the iterations are used up."""
    while not should_end():
        drawn = clusters(best, allowed, movable, n_workers=N_WORKERS, n_jobs=N_JOBS, chance=chance)
        if not drawn:
            break
        for group in _groups(drawn, executor):
            seconds = min(SLICE_S, ends_at - perf_counter())
            iterations = None if n_left is None else min(SLICE_ITERATIONS, n_left)
            if should_end() or (seconds <= 0 if iterations is None else iterations <= 0):
                return best
            made = [cut(best, allowed, cluster, seconds, iterations, chance) for cluster in group]
            pieces = [piece for piece, _ in made]
            answers = executor.map(solve, pieces) if executor is not None else map(solve, pieces)
            for cluster, (_, stops_of), routes in zip(group, made, answers, strict=True):
                best = _taken_over(best, allowed, cluster, [[stops_of[node] for node in route] for route in routes])
            if n_left is not None and iterations is not None:
                n_left -= iterations * len(group)
    return best


def _groups(drawn: Sequence[Cluster], executor: Executor | None) -> Iterable[Sequence[Cluster]]:
    """All clusters at once for an executor, else one after another."""
    return [drawn] if executor is not None else [[cluster] for cluster in drawn]


def _taken_over(draft: Draft, allowed: npt.NDArray[np.bool_], cluster: Cluster, routes: list[list[StopNo]]) -> Draft:
    """The draft with a cluster's new routes, mended where the model was too simple, if that is feasible and cheaper."""
    problem = draft.problem
    other = draft.copy()
    for worker_no in cluster.worker_nos:
        other.put(worker_no, draft.routes[worker_no][: problem.n_locked[worker_no]])
    homeless: list[int] = []
    for worker_no, route in zip(cluster.worker_nos, routes, strict=True):
        stops: Stops = (*other.routes[worker_no], *route)
        other.put(worker_no, stops)
        while other.excess[worker_no] > draft.excess[worker_no]:
            free = [job_no for job_no in dict.fromkeys(s >> 1 for s in stops) if job_no in cluster.job_nos]
            if not free:
                return draft
            homeless.append(free[-1])
            stops = tuple(s for s in stops if s >> 1 != free[-1])
            other.put(worker_no, stops)
    for job_no in [*homeless, *(job_no for job_no in cluster.job_nos if other.worker_of[job_no] < 0)]:
        may = allowed[job_no].copy()
        may[refusers(problem, job_no)] = False
        found = cheapest(other, job_no, may, cost.unassigned(problem, job_no)) if other.worker_of[job_no] < 0 else None
        if found is not None:
            other.put(found.worker_no, found.stops)
    was_held = [job_no for job_no, worker_no in enumerate(draft.worker_of) if worker_no >= 0]
    if any(other.worker_of[job_no] < 0 and job_no not in cluster.job_nos for job_no in was_held):
        return draft
    return other if other.total() < draft.total() else draft


def solve(piece: Piece) -> list[list[int]]:
    """The nodes of each vehicle in order; the routes in force when nothing better was found, or nothing at all."""
    unchanged = [list(vehicle.route) for vehicle in piece.vehicles]
    if not piece.nodes:
        return unchanged
    model = _Model(piece)
    found = model.routing.SolveWithIteratedLocalSearch(model.parameters())
    return model.routes(found) if found is not None else unchanged


class _Model:
    """The routing model of a piece: its nodes first, then one start and one end for each vehicle."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        n_nodes, n_vehicles = len(piece.nodes), len(piece.vehicles)
        self._starts = range(n_nodes, n_nodes + n_vehicles)
        self._ends = range(n_nodes + n_vehicles, n_nodes + 2 * n_vehicles)
        self.manager = pywrapcp.RoutingIndexManager(
            n_nodes + 2 * n_vehicles, n_vehicles, list(self._starts), list(self._ends)
        )
        self.routing = pywrapcp.RoutingModel(self.manager)
        self._index: list[int] = [self.manager.NodeToIndex(node) for node in range(n_nodes)]
        self._add_travel()
        self._add_loads()
        self._add_pairs_and_choices()
        self._add_breaks()

    def _legs(self) -> list[npt.NDArray[np.int64]]:
        """By profile: seconds between all nodes of the model; to an end that is nowhere 0."""
        nodes, vehicles = self.piece.nodes, self.piece.vehicles
        places = [node.place for node in nodes] + [vehicle.place for vehicle in vehicles]
        ends = [vehicle.end for vehicle in vehicles]
        places += [0 if end is None else end for end in ends]
        nowhere = [number for number, end in zip(self._ends, ends, strict=True) if end is None]
        legs = []
        for durations in self.piece.durations_s:
            leg = durations[np.ix_(places, places)]
            leg[:, nowhere] = 0
            legs.append(leg)
        return legs

    def _add_travel(self) -> None:
        piece, routing = self.piece, self.routing
        legs = self._legs()
        n = len(legs[0])
        kinds = np.array([2 * node.place + node.is_dropoff for node in piece.nodes] + [-1] * (n - len(piece.nodes)))
        one_stay = (kinds[:, None] == kinds[None, :]) & (kinds[:, None] >= 0)
        service = np.array([node.service_s for node in piece.nodes] + [0] * (n - len(piece.nodes)))
        clocks = []
        for leg in legs:
            # Stops of one stay are served side by side: the last of them brings the service time.
            clock = np.where(one_stay, 0, service[:, None] + leg)
            clocks.append(routing.RegisterTransitMatrix(clock.tolist()))
        for number, vehicle in enumerate(piece.vehicles):
            arcs = piece.travel * legs[vehicle.profile]
            moved = [
                node for node, stop in enumerate(piece.nodes) if stop.shown_to is not None and stop.shown_to != number
            ]
            arcs[:, moved] += piece.change
            routing.SetArcCostEvaluatorOfVehicle(routing.RegisterTransitMatrix(arcs.tolist()), number)
        by_vehicle = [clocks[vehicle.profile] for vehicle in piece.vehicles]
        self._add_clock("time", by_vehicle, late=False)
        if any(node.due_s < HORIZON_S for node in piece.nodes):
            # A node has one soft bound per dimension: lateness needs a second clock beside delivery time.
            self._add_clock("lateness", by_vehicle, late=True)

    def _add_clock(self, name: str, by_vehicle: list[int], *, late: bool) -> None:
        piece, routing = self.piece, self.routing
        span_s = 2 * HORIZON_S
        routing.AddDimensionWithVehicleTransits(by_vehicle, span_s, span_s, False, name)
        clock = routing.GetDimensionOrDie(name)
        for node, stop in enumerate(piece.nodes):
            index = self._index[node]
            closes_s = span_s if stop.penalty is None else max(stop.closes_s, stop.opens_s)
            clock.CumulVar(index).SetRange(stop.opens_s, span_s if closes_s >= HORIZON_S else closes_s)
            if late and stop.due_s < HORIZON_S:
                clock.SetCumulVarSoftUpperBound(index, stop.due_s, stop.late_rate)
            elif not late and stop.is_dropoff:
                clock.SetCumulVarSoftUpperBound(index, stop.ready_s, stop.delivery_rate)
        for number, vehicle in enumerate(piece.vehicles):
            clock.CumulVar(routing.Start(number)).SetRange(vehicle.free_s, vehicle.free_s)
            if not late and vehicle.shift_ends_s < HORIZON_S:
                clock.SetCumulVarSoftUpperBound(routing.End(number), vehicle.shift_ends_s, piece.overtime)

    def _add_loads(self) -> None:
        piece, routing = self.piece, self.routing
        n_ends = 2 * len(piece.vehicles)
        dropoffs = [int(node.is_dropoff) for node in piece.nodes] + [0] * n_ends
        routing.AddDimensionWithVehicleCapacity(
            routing.RegisterUnaryTransitVector(dropoffs),
            0,
            [
                max(vehicle.n_dropoffs, sum(piece.nodes[n].is_dropoff for n in vehicle.route))
                for vehicle in piece.vehicles
            ],
            True,
            "orders",
        )
        for dimension in range(max(len(vehicle.capacity) for vehicle in piece.vehicles)):
            sizes = [node.sizes[dimension] if dimension < len(node.sizes) else 0 for node in piece.nodes]
            capacities = [
                vehicle.capacity[dimension] if dimension < len(vehicle.capacity) else NO_LIMIT
                for vehicle in piece.vehicles
            ]
            loads = [
                vehicle.carried[dimension] if dimension < len(vehicle.carried) else 0 for vehicle in piece.vehicles
            ]
            name = f"load {dimension}"
            routing.AddDimensionWithVehicleCapacity(
                routing.RegisterUnaryTransitVector(sizes + [0] * n_ends),
                0,
                [max(limit, load) for limit, load in zip(capacities, loads, strict=True)],
                False,
                name,
            )
            load_of = routing.GetDimensionOrDie(name)
            for number, load in enumerate(loads):
                load_of.CumulVar(routing.Start(number)).SetValue(load)

    def _add_pairs_and_choices(self) -> None:
        piece, routing = self.piece, self.routing
        rules = routing.solver()
        clock = routing.GetDimensionOrDie("time")
        for node, stop in enumerate(piece.nodes):
            index = self._index[node]
            if stop.pickup is not None:
                pickup = self._index[stop.pickup]
                routing.AddPickupAndDelivery(pickup, index)
                rules.Add(routing.VehicleVar(pickup) == routing.VehicleVar(index))
                rules.Add(clock.CumulVar(pickup) <= clock.CumulVar(index))
            if stop.penalty is not None:
                # The pair is left out together; the pickup bears the price.
                routing.AddDisjunction([index], 0 if stop.pickup is not None else stop.penalty)
            if len(stop.vehicles) < len(piece.vehicles):
                unserved = [] if stop.penalty is None else [-1]
                routing.VehicleVar(index).SetValues([*unserved, *stop.vehicles])

    def _add_breaks(self) -> None:
        solver = self.routing.solver()
        clock = self.routing.GetDimensionOrDie("time")
        services = [node.service_s for node in self.piece.nodes] + [0] * (2 * len(self.piece.vehicles))
        for number, vehicle in enumerate(self.piece.vehicles):
            intervals = [
                solver.FixedDurationIntervalVar(
                    max(opens_s, vehicle.free_s), max(closes_s, vehicle.free_s), duration_s, False, f"break {number}"
                )
                for opens_s, closes_s, duration_s in vehicle.breaks
            ]
            if intervals:
                clock.SetBreakIntervalsOfVehicle(intervals, number, services)

    def parameters(self) -> Any:
        """Iterated local search by ruin and recreate from the routes in force."""
        piece = self.piece
        found = pywrapcp.DefaultRoutingSearchParameters()
        found.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.EVALUATOR_STRATEGY
        free_arcs = self._arcs_in_force()
        # The model holds this function in C++, where no collector looks: one that knew `self` would keep every model.
        self.routing.SetFirstSolutionEvaluator(lambda a, b: 0 if (a, b) in free_arcs else NO_LIMIT)
        if piece.iterations is not None:
            found.solution_limit = piece.iterations
            found.time_limit.FromSeconds(60)  # never reached: so that nothing hangs
        else:
            found.time_limit.FromMilliseconds(max(1, round(1000 * piece.seconds)))
        found.use_iterated_local_search = True
        search = found.iterated_local_search_parameters
        search.perturbation_strategy = routing_ils_pb2.PerturbationStrategy.RUIN_AND_RECREATE
        search.improve_perturbed_solution = False
        search.best_solution_acceptance_strategy.greedy_descent.SetInParent()
        annealing = search.reference_solution_acceptance_strategy.simulated_annealing
        annealing.cooling_schedule_strategy = routing_ils_pb2.CoolingScheduleStrategy.EXPONENTIAL
        annealing.initial_temperature, annealing.final_temperature = 200.0, 5.0
        ruin = search.ruin_recreate_parameters
        strings = ruin.ruin_strategies.add().sisr
        strings.max_removed_sequence_size, strings.avg_num_removed_visits, strings.bypass_factor = 10, 10, 0.5
        ruin.route_selection_neighbors_ratio = 1.0
        ruin.route_selection_min_neighbors, ruin.route_selection_max_neighbors = 10, 100
        ruin.recreate_strategy.heuristic = routing_enums_pb2.FirstSolutionStrategy.LOCAL_CHEAPEST_INSERTION
        insertion = ruin.recreate_strategy.parameters.local_cheapest_insertion
        words = routing_heuristic_parameters_pb2.LocalCheapestInsertionParameters
        insertion.insertion_sorting_properties.append(words.SORTING_PROPERTY_RANDOM)
        insertion.pickup_delivery_strategy = words.BEST_PICKUP_DELIVERY_PAIR
        return found

    def _arcs_in_force(self) -> set[tuple[int, int]]:
        arcs: set[tuple[int, int]] = set()
        for number, vehicle in enumerate(self.piece.vehicles):
            chain = [
                self.routing.Start(number),
                *(self._index[node] for node in vehicle.route),
                self.routing.End(number),
            ]
            arcs.update(pairwise(chain))
        return arcs

    def routes(self, found: Any) -> list[list[int]]:
        """The nodes of each vehicle in order."""
        routes = []
        for number in range(len(self.piece.vehicles)):
            route = []
            index = found.Value(self.routing.NextVar(self.routing.Start(number)))
            while not self.routing.IsEnd(index):
                route.append(self.manager.IndexToNode(index))
                index = found.Value(self.routing.NextVar(index))
            routes.append(route)
        return routes
