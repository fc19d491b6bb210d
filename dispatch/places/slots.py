"""
When each job is begun, so that it is ready when the courier comes and not long before: OR-Tools CP-SAT; no I/O.

Each job is made within the place's hours and capacity, or left out with its cause; late costs more than early, and
leaving out more than both. Orders of the same thing share a slot where they fit into one go. One worker, a seed and a
bound that counts the solver's steps, not the clock's: the same question has the same answer on any machine.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatch.places.kitchen import AHEAD_S, Cause, Job, Kitchen, Slot, cause_of, starts_of
from dispatch.places.soonest import soonest

MOST_JOBS: Final = 60
"""A place with more to begin has no time to wait for anybody: it makes them as soon as can be, without the solver."""
STEPS: Final = 0.4
"""Deterministic time of the solver: some tenths of a second on any machine of today."""
AT_MOST_S: Final = 3.0
"""By the clock: a machine that takes so long has other troubles, and what was found by then counts."""
LATE: Final = 1_000
"""Cost of a second late, and a little more for what was placed earlier: of two that are alike it goes first."""
EARLY: Final = 50
"""Of a second for which it is ready and waits."""
LEFT_OUT: Final = 2 * LATE * AHEAD_S
"""Of what is not made: more than being late by all the time ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When what is made, and why the rest is not; every job is in one of both."""

    slots: Mapping[str, Slot]
    left_out: Mapping[str, Cause]


def timetable(jobs: Sequence[Job], kitchen: Kitchen, *, seed: int = 1, at_most_s: float = AT_MOST_S) -> Timetable:
    """The slots of jobs of one place, whose keys differ; `jobs` in the sequence in which they were placed."""
    begun = [job for job in jobs if job.has_begun]
    possible = [job for job in jobs if not job.has_begun and starts_of(job, kitchen.spans)]
    slots = soonest(begun, kitchen)
    solved = _solved(possible, kitchen, begun, seed, at_most_s) if len(possible) <= MOST_JOBS else None
    slots |= _as_soon_as_can_be(possible, kitchen, begun) if solved is None else solved
    left = {job.key: cause_of(job, kitchen.spans) for job in jobs if job.key not in slots}
    return Timetable(slots=slots, left_out=left)


def _as_soon_as_can_be(jobs: Sequence[Job], kitchen: Kitchen, begun: Sequence[Job]) -> dict[str, Slot]:
    """The soonest slots, those that are wanted first at the front; of what is in time."""
    soon = soonest([*begun, *sorted(jobs, key=lambda job: job.wanted_s)], kitchen)
    return {job.key: soon[job.key] for job in jobs if job.key in soon and _is_in_time(job, soon[job.key])}


def _is_in_time(job: Job, slot: Slot) -> bool:
    is_fresh = job.shelf_s is None or slot.ends_s >= job.wanted_s - job.shelf_s
    return is_fresh and (job.latest_s is None or slot.ends_s <= job.latest_s)


def _solved(
    jobs: Sequence[Job], kitchen: Kitchen, begun: Sequence[Job], seed: int, at_most_s: float
) -> dict[str, Slot] | None:
    """The slots that cost least, or None where nothing was found in the time."""
    if not jobs:
        return {}
    # It brings pandas: half a second and 40 MB of every API process, for those of them that plan a place's slots.
    from ortools.sat.python import cp_model  # noqa: PLC0415

    model = cp_model.CpModel()
    starts = {
        job.key: model.new_int_var_from_domain(
            cp_model.Domain.from_intervals(starts_of(job, kitchen.spans)), f"start {job.key}"
        )
        for job in jobs
    }
    made = {job.key: model.new_bool_var(f"made {job.key}") for job in jobs}
    leads = _batched(model, jobs, kitchen, starts, made)
    intervals = [
        model.new_optional_fixed_size_interval_var(starts[job.key], job.duration_s, leads[job.key], f"slot {job.key}")
        for job in jobs
    ]
    running = [job.until_s for job in kitchen.running(begun) if job.until_s is not None and job.until_s > 0]
    intervals += [model.new_fixed_size_interval_var(0, until_s, f"running {n}") for n, until_s in enumerate(running)]
    model.add_cumulative(intervals, [1] * len(intervals), kitchen.capacity)
    model.minimize(sum(_costs(model, jobs, starts, made)))
    _hint(model, jobs, soonest([*begun, *jobs], kitchen), starts)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = STEPS
    solver.parameters.max_time_in_seconds = at_most_s
    if solver.solve(model) not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None
    found = {job: solver.value(starts[job.key]) for job in jobs if solver.boolean_value(made[job.key])}
    return {job.key: Slot(starts_s, starts_s + job.duration_s) for job, starts_s in found.items()}


def _batched(
    model: Any, jobs: Sequence[Job], kitchen: Kitchen, starts: Mapping[str, Any], made: Mapping[str, Any]
) -> dict[str, Any]:
    """Whether each job takes a place for itself; else it is made in the slot of one before it of the same batch."""
    leads = dict(made)
    alike: dict[tuple[str, int], list[Job]] = defaultdict(list)
    for job in jobs:
        if job.batch is not None and job.amount < kitchen.batches.get(job.batch, 1):
            alike[job.batch, job.duration_s].append(job)
    for (batch, _), group in alike.items():
        joins: dict[tuple[str, str], Any] = {}
        for n, job in enumerate(group):
            leads[job.key] = model.new_bool_var(f"leads {job.key}")
            for other in group[:n]:
                joins[job.key, other.key] = joined = model.new_bool_var(f"{job.key} joins {other.key}")
                model.add_implication(joined, leads[other.key])
                model.add(starts[job.key] == starts[other.key]).only_enforce_if(joined)
            model.add(leads[job.key] + sum(joins[job.key, other.key] for other in group[:n]) == made[job.key])
        for n, job in enumerate(group):
            load = sum(other.amount * joins[other.key, job.key] for other in group[n + 1 :])
            model.add(job.amount * leads[job.key] + load <= kitchen.batches[batch])
    return leads


def _costs(model: Any, jobs: Sequence[Job], starts: Mapping[str, Any], made: Mapping[str, Any]) -> list[Any]:
    costs = []
    for n, job in enumerate(jobs):
        late = model.new_int_var(0, AHEAD_S, f"late {job.key}")
        ends = starts[job.key] + job.duration_s
        model.add(late >= ends - job.wanted_s)
        costs.append(
            (LATE + len(jobs) - n) * late + EARLY * (late + job.wanted_s - ends) + LEFT_OUT * (1 - made[job.key])
        )
    return costs


def _hint(model: Any, jobs: Sequence[Job], soon: Mapping[str, Slot], starts: Mapping[str, Any]) -> None:
    for job in jobs:
        if job.key in soon and _is_in_time(job, soon[job.key]):
            model.add_hint(starts[job.key], soon[job.key].starts_s)
