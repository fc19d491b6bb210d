"""Finds what the planner cannot bear, when it fails for a reason nobody foresaw, and keeps it out for a while."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from dispatch import aside as asides
from dispatch.aside import Aside, Subject, culprits
from dispatch.planning.params import Params
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Job, Snapshot, Worker
from tracking.outages import words
from tracking.position import Region

log = logging.getLogger(__name__)

SOUGHT_FOR_S: Final = 5.0
"""Time to look for culprits; what was not found by then is found in a later turn, or never."""
TRIED_FOR_S: Final = 0.2
"""Time for one plan that is made only to see whether it fails."""
KEPT_OUT_S: Final = 600.0
"""So long a culprit stays out before it is tried again: it may have been mended."""


class Poison:
    """What the planner of this process fails on, by region."""

    def __init__(self) -> None:
        self._found: dict[Region, dict[Subject, tuple[str, float]]] = {}

    def aside(self, region: Region) -> Aside:
        """The beginning of a turn: what is known to make it fail is set aside already."""
        now = monotonic()
        known = {s: found for s, found in self._found.get(region, {}).items() if found[1] > now}
        self._found[region] = known
        return Aside({subject: cause for subject, (cause, _) in known.items()})

    async def find(self, snapshot: Snapshot, params: Params, exc: Exception, aside: Aside) -> bool:
        """Set aside what `propose` failed on; whether anything was found."""
        log.error("proposal failed", exc_info=exc, extra={"event": "proposal_failed", "region": snapshot.region})
        subjects = await asyncio.to_thread(_sought, snapshot, params, monotonic() + SOUGHT_FOR_S)
        for subject in subjects:
            cause = f"plan: {words(exc)}"
            self._found.setdefault(snapshot.region, {})[subject] = (cause, monotonic() + KEPT_OUT_S)
            aside.put(subject, cause)
        return bool(subjects)


def _sought(snapshot: Snapshot, params: Params, until: float) -> list[Subject]:
    """Orders or couriers without which `propose` works: whichever explains the failure by fewer."""

    def fails(changed: Snapshot) -> bool:
        deadline = monotonic() + TRIED_FOR_S
        if deadline > until:
            return False
        try:
            propose(changed, params, lambda: monotonic() > deadline)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            return True
        return False

    def jobs_fail(jobs: Sequence[Job]) -> bool:
        return fails(replace(snapshot, jobs=tuple(jobs)))

    def workers_fail(workers: Sequence[Worker]) -> bool:
        return fails(replace(snapshot, workers=tuple(workers)))

    found: list[tuple[float, list[Any]]] = []
    if jobs := culprits(snapshot.jobs, jobs_fail):
        found.append((len(jobs) / len(snapshot.jobs), [asides.order(job.order_id) for job in jobs]))
    if workers := culprits(snapshot.workers, workers_fail):
        found.append((len(workers) / len(snapshot.workers), [asides.courier(w.courier_id) for w in workers]))
    return min(found, default=(0.0, []), key=lambda share: share[0])[1]
