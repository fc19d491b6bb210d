"""
When each job can be ready at the soonest, in the sequence given: what dispatch is told; no I/O.

It never follows the courier: else a courier who is late would make the goods late, and those the courier. When to
begin so that nothing waits is `slots`' matter.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.places.kitchen import Job, Kitchen, Slot


@dataclass(slots=True)
class _Batch:
    slot: Slot
    left: int


def soonest(jobs: Sequence[Job], kitchen: Kitchen) -> dict[str, Slot]:
    """
    The soonest slot of each job, by key; none for what the hours never leave room for.

    What has begun keeps its place; the others follow one after the other, each at the place that is free first.
    """
    running = kitchen.running(jobs)
    slots = {job.key: Slot(0, max(0, job.until_s)) for job in jobs if job.until_s is not None}
    free = [0] * (kitchen.capacity - len(running)) + [slots[job.key].ends_s for job in running]
    heapq.heapify(free)
    batches: dict[tuple[str, int], _Batch] = {}
    for job in jobs:
        if job.has_begun:
            continue
        joined = _joined(job, batches)
        if joined is not None:
            slots[job.key] = joined
            continue
        starts = _first_start(job, kitchen, free[0])
        if starts is None:
            continue
        slot = Slot(starts, starts + job.duration_s)
        slots[job.key] = slot
        heapq.heapreplace(free, slot.ends_s)
        if job.batch is not None:
            left = kitchen.batches.get(job.batch, 1) - job.amount
            batches[job.batch, job.duration_s] = _Batch(slot, left)
    return slots


def _joined(job: Job, batches: dict[tuple[str, int], _Batch]) -> Slot | None:
    """The slot of a batch that the job still fits into, if there is one that does not begin too soon."""
    batch = None if job.batch is None else batches.get((job.batch, job.duration_s))
    if batch is None or batch.left < job.amount or batch.slot.starts_s < job.earliest_s:
        return None
    batch.left -= job.amount
    return batch.slot


def _first_start(job: Job, kitchen: Kitchen, free_s: int) -> int | None:
    for opens, closes in kitchen.spans:
        starts = max(opens, free_s, job.earliest_s)
        if starts + job.duration_s <= closes:
            return starts
    return None
