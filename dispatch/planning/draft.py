"""
A plan while it is being made: the route of every worker with its cost, and the jobs nobody has yet; no I/O.

It is the one mutable thing of the planner. `put` replaces a route and keeps everything derived from it true.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.problem import Problem, Stops
from dispatch.planning.schedule import RouteState, broken, finish, start, walk
from dispatch.planning.snapshot import FOREVER


class Draft:
    """Routes by worker number, with the states between their stops."""

    def __init__(self, problem: Problem, routes: Sequence[Stops]) -> None:
        n_workers = len(problem.workers)
        self.problem = problem
        self.routes: list[Stops] = [()] * n_workers
        self.states: list[list[RouteState]] = [[] for _ in range(n_workers)]
        """By worker: before the first stop, after the first, and so on."""
        self.cost = [0] * n_workers
        self.excess = [0] * n_workers
        self.worker_of = [-1] * len(problem.jobs)
        self.leaves_at: npt.NDArray[np.int64] = np.full((n_workers, 4), FOREVER)
        """[worker, position]: when it could leave for a stop put there in its route; FOREVER past the end."""
        self.place: npt.NDArray[np.int32] = np.zeros((n_workers, 4), dtype=np.int32)
        for worker_no in range(n_workers):
            self.put(worker_no, routes[worker_no])

    def put(self, worker_no: int, stops: Stops) -> None:
        """Replace a worker's route; jobs that leave it have no worker until they are put elsewhere."""
        for stop in self.routes[worker_no]:
            if self.worker_of[stop >> 1] == worker_no:
                self.worker_of[stop >> 1] = -1
        state = start(self.problem, worker_no)
        states = [state]
        for stop in stops:
            state = walk(self.problem, worker_no, state, (stop,))
            states.append(state)
            self.worker_of[stop >> 1] = worker_no
        end_cost, excess = finish(self.problem, worker_no, state)
        self.routes[worker_no] = stops
        self.states[worker_no] = states
        self.cost[worker_no] = end_cost
        self.excess[worker_no] = excess + broken(self.problem, worker_no, stops)
        self._note_positions(worker_no, states)

    def _note_positions(self, worker_no: int, states: list[RouteState]) -> None:
        while len(states) > self.leaves_at.shape[1]:
            self.leaves_at = np.hstack([self.leaves_at, np.full_like(self.leaves_at, FOREVER)])
            self.place = np.hstack([self.place, np.zeros_like(self.place)])
        n_locked = self.problem.n_locked[worker_no]
        width = self.leaves_at.shape[1]
        row = [FOREVER] * n_locked + [state.leaves_at for state in states[n_locked:]]
        if states[n_locked].kind == 0:  # another pickup there joins the stay, which began earlier
            row[n_locked] = states[n_locked].arrived_at
        self.leaves_at[worker_no] = row + [FOREVER] * (width - len(row))
        self.place[worker_no, : len(states)] = [state.place for state in states]

    def without(self, job_no: int) -> Stops:
        """The route of the job's worker without the job."""
        return tuple(stop for stop in self.routes[self.worker_of[job_no]] if stop >> 1 != job_no)

    def unassigned(self) -> list[int]:
        """Jobs nobody has."""
        return [job_no for job_no, worker_no in enumerate(self.worker_of) if worker_no < 0]

    def total(self) -> int:
        """Cost of all routes and of what is left without a worker."""
        return sum(self.cost) + sum(cost.unassigned(self.problem, job_no) for job_no in self.unassigned())

    def copy(self) -> "Draft":
        """An independent draft with the same routes."""
        twin = object.__new__(Draft)
        twin.problem = self.problem
        twin.routes = self.routes.copy()
        twin.states = self.states.copy()
        twin.cost = self.cost.copy()
        twin.excess = self.excess.copy()
        twin.worker_of = self.worker_of.copy()
        twin.leaves_at = self.leaves_at.copy()
        twin.place = self.place.copy()
        return twin
