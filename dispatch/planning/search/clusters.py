"""
Cutting a large region into clusters of couriers that can be planned side by side; no I/O.

A cluster is a courier with work, those who could be soonest where that work begins, and the orders that all of them
have or might get. Clusters share neither couriers nor orders. Drawn anew in each round, so that an order at the edge of
one cluster is in the middle of the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from dispatch.planning.draft import Draft
from dispatch.planning.insertion import earliest_pickups
from dispatch.planning.snapshot import FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Couriers and orders that are planned together, by number."""

    worker_nos: tuple[int, ...]
    job_nos: tuple[int, ...]
    """Orders that may change hands within the cluster, and those nobody has yet."""


def clusters(
    draft: Draft, allowed: npt.NDArray[np.bool_], movable: Iterable[int], *, n_workers: int, n_jobs: int, chance: Random
) -> list[Cluster]:
    """
    Clusters of at most about `n_workers` couriers and `n_jobs` movable orders that cover every movable order once.

    An order without a courier belongs to the cluster of one who could be soonest at its pickup.
    """
    if not draft.routes:
        return []
    waiting: dict[int, list[int]] = {}
    held: dict[int, list[int]] = {}
    for job_no in movable:
        if draft.worker_of[job_no] >= 0:
            held.setdefault(draft.worker_of[job_no], []).append(job_no)
            continue
        arrives_at = np.where(allowed[job_no], earliest_pickups(draft, job_no), FOREVER)
        soonest = int(np.argmin(arrives_at))
        if arrives_at[soonest] < FOREVER:
            waiting.setdefault(soonest, []).append(job_no)

    free = np.array([True] * len(draft.routes))
    seeds = sorted(held.keys() | waiting.keys())
    chance.shuffle(seeds)
    found = []
    for seed in seeds:
        if not free[seed]:
            continue
        seed_job = (held.get(seed) or waiting[seed])[0]
        arrives_at = np.where(free, earliest_pickups(draft, seed_job), FOREVER)
        arrives_at[seed] = -1
        chosen: list[int] = []
        jobs: list[int] = []
        for worker_no in np.argsort(arrives_at, kind="stable")[:n_workers].tolist():
            theirs = held.get(worker_no, []) + waiting.get(worker_no, [])
            if arrives_at[worker_no] < FOREVER and (not chosen or len(jobs) + len(theirs) <= n_jobs):
                chosen.append(worker_no)
                jobs += theirs
        free[chosen] = False
        found.append(Cluster(worker_nos=tuple(chosen), job_nos=tuple(jobs)))
    return found
