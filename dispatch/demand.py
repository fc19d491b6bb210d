"""
What a courier is worth where it stands idle, for orders that are not placed yet; no I/O.

Of couriers who could all be in time for an order, the best to send is the one who is missed least: where others are
near, or where few orders are expected.
"""

import numpy as np

from dispatch.params import Params
from dispatch.snapshot import Snapshot

ALONE_S = 1800
"""Where nobody else could come, the next courier is taken to need so much longer than the one who leaves."""


def idle_values(snapshot: Snapshot, params: Params) -> list[int]:
    """
    By worker: what it costs orders yet to come when it leaves its place for one order, in units of cost.

    For every place with expected orders, its nearest courier is missed by the time the second nearest needs longer.
    """
    workers, weight = snapshot.workers, params.weights.position
    if not snapshot.demand or not weight or not workers:
        return [0] * len(workers)
    places = np.fromiter(snapshot.demand.keys(), dtype=np.int64)
    per_s = np.fromiter(snapshot.demand.values(), dtype=np.float64) / 3600
    response_s = np.array(
        [
            max(worker.available_at - snapshot.now, 0) + snapshot.travel.durations_s[worker.mode][worker.start, places]
            for worker in workers
        ]
    )
    response_s = np.maximum(response_s - params.spare_s, 0)
    nearest = response_s.argmin(axis=0)
    column = np.arange(len(places))
    first_s = response_s[nearest, column].copy()
    response_s[nearest, column] = first_s + ALONE_S
    missed_s = np.minimum(response_s.min(axis=0) - first_s, ALONE_S)
    lost = np.bincount(nearest, weights=missed_s * per_s * params.absence_s, minlength=len(workers))
    values: list[int] = np.rint(weight * lost).astype(np.int64).tolist()
    return values
