"""
Ruin and recreate on the exact schedule: take out a few orders that are near each other, put them back where they are
cheapest, keep what got better or not much worse; no I/O.

The ruin is that of J. Christiaens and G. Vanden Berghe, "Slack Induction by String Removals for Vehicle Routing
Problems", Transportation Science 54 (2), 2020: strings of consecutive stops from routes around one order. Unlike the
model of solver.py every step here is judged by `schedule.py` itself, with all its rules.
"""

from collections.abc import Sequence
from math import log
from random import Random
from time import perf_counter
from typing import Final

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.insertion import Insertion, best_in_route, nearest
from dispatch.planning.params import ShouldEnd
from dispatch.planning.problem import Stops
from dispatch.planning.reasons import refusers
from dispatch.planning.search.strings import Tuning, remove_strings

TUNING: Final = Tuning(n_removed=8.0, max_string=6)
N_NEAR: Final = 100
"""Stops around one that are looked at."""
N_WAITING: Final = 5
"""Orders without a courier that are tried in each step."""
N_CANDIDATES: Final = 8
"""Couriers tried for an order, those soonest at its pickup."""
START_TEMPERATURE: Final = 60.0
END_TEMPERATURE: Final = 1.0
"""In units of cost: in the beginning a step that costs a minute of delivery time is accepted in one case of three."""
MAX_REMEMBERED: Final = 200_000
"""Insertions remembered; when full it starts again empty. About 60 MB."""


class RuinRecreate:
    """One search; `draft` is improved in place, `best` is the best found."""

    def __init__(self, draft: Draft, allowed: npt.NDArray[np.bool_], movable: Sequence[int], chance: Random) -> None:
        self._draft = draft
        self._chance = chance
        self._movable = list(movable)
        self._free = set(movable)
        self._may = {job_no: self._allowed(allowed, job_no) for job_no in movable}
        self._stops = [stop for job_no in movable for stop in draft.problem.stops_for(job_no)]
        self._near = self._neighbours()
        self._remembered: dict[tuple[int, int, Stops], Insertion | None] = {}
        self.total = draft.total()
        self.best = draft.copy()
        self.best_total = self.total

    def run(self, should_end: ShouldEnd, *, seconds: float, iterations: int | None) -> None:
        """Steps until the time or the number of iterations is over; `should_end` is asked before each."""
        began = perf_counter()
        done = 0
        progress = 0.0 if (seconds > 0 if iterations is None else iterations > 0) else 1.0
        while progress < 1.0 and self._movable and not should_end():
            temperature = START_TEMPERATURE * (END_TEMPERATURE / START_TEMPERATURE) ** progress
            self._step(temperature)
            done += 1
            progress = done / iterations if iterations is not None else (perf_counter() - began) / seconds

    def _step(self, temperature: float) -> None:
        draft = self._draft
        waiting = self._waiting()
        removed = self._ruin()
        before: dict[int, Stops] = {}
        for job_no in removed:
            self._change(before, draft.worker_of[job_no], draft.without(job_no))
        waiting += removed
        self._order(waiting)
        for job_no in waiting:
            found = self._cheapest(job_no)
            if found is not None:
                self._change(before, found.worker_no, found.stops)
        total = draft.total()
        if total - self.total <= -temperature * log(1.0 - self._chance.random()):
            self.total = total
            if total < self.best_total:
                self.best_total, self.best = total, draft.copy()
        else:
            for worker_no, stops in before.items():  # nobody has the same order twice in between
                draft.put(worker_no, stops[: draft.problem.n_locked[worker_no]])
            for worker_no, stops in before.items():
                draft.put(worker_no, stops)

    def _change(self, before: dict[int, Stops], worker_no: int, stops: Stops) -> None:
        before.setdefault(worker_no, self._draft.routes[worker_no])
        self._draft.put(worker_no, stops)

    def _ruin(self) -> list[int]:
        """Orders to take out: strings from the routes around a random stop."""
        draft = self._draft
        seed = self._chance.randrange(len(self._stops))
        near = [self._stops[index] for index in self._near[seed]]
        gone = remove_strings(near, draft.routes, lambda stop: draft.worker_of[stop >> 1], TUNING, self._chance)
        return [job_no for job_no in gone if job_no in self._free]

    def _waiting(self) -> list[int]:
        """Orders without a courier: the room made may be for them."""
        waiting = [job_no for job_no in self._movable if self._draft.worker_of[job_no] < 0]
        self._chance.shuffle(waiting)
        return waiting[:N_WAITING]

    def _order(self, job_nos: list[int]) -> None:
        """At random, or the most urgent, or the longest trip first."""
        self._chance.shuffle(job_nos)
        problem = self._draft.problem
        kind = self._chance.randrange(4)
        if kind == 1:
            job_nos.sort(key=lambda job_no: problem.opens_at[2 * job_no])
        elif kind == 2:
            job_nos.sort(key=lambda job_no: -problem.direct_s[job_no])
        elif kind == 3:
            job_nos.sort(key=lambda job_no: problem.due_at[2 * job_no + 1])

    def _cheapest(self, job_no: int) -> Insertion | None:
        draft = self._draft
        best: Insertion | None = None
        limit = cost.unassigned(draft.problem, job_no)
        worker_nos, bounds = nearest(draft, job_no, self._may[job_no], limit)
        for worker_no, bound in zip(worker_nos[:N_CANDIDATES], bounds, strict=False):
            if best is not None and bound >= best.delta:
                continue
            key = (job_no, worker_no, draft.routes[worker_no])
            try:
                found = self._remembered[key]
            except KeyError:
                if len(self._remembered) >= MAX_REMEMBERED:
                    self._remembered.clear()
                found = self._remembered[key] = best_in_route(draft, worker_no, job_no, limit)
            if found is not None and (best is None or found.delta < best.delta):
                best = found
        return best

    def _allowed(self, allowed: npt.NDArray[np.bool_], job_no: int) -> npt.NDArray[np.bool_]:
        """Who may take a job; who refused it only if it has it."""
        may: npt.NDArray[np.bool_] = allowed[job_no].copy()
        holder = self._draft.worker_of[job_no]
        may[[worker_no for worker_no in refusers(self._draft.problem, job_no) if worker_no != holder]] = False
        return may

    def _neighbours(self) -> npt.NDArray[np.int64]:
        """For each stop of a movable job the others by how near they are, itself first; indices into `_stops`."""
        problem = self._draft.problem
        legs = next(iter(problem.travel_s.values()))
        places = [problem.place[stop] for stop in self._stops]
        apart = legs[np.ix_(places, places)].astype(np.int64)
        np.fill_diagonal(apart, -1)
        return np.argsort(apart, axis=1, kind="stable")[:, :N_NEAR]
