"""
Orders that are not placed yet: how many are expected where, what a courier is worth for them where it stands idle, and
where it would be worth more; no I/O.

Of couriers who could all be in time for an order, the best to send is the one who is missed least: where others are
near, or where few orders are expected.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dispatch.planning.params import Params
from dispatch.planning.proposal import Move
from dispatch.planning.snapshot import Snapshot, UnixS

ALONE_S = 1800
"""Where nobody else could come, the next courier is taken to need so much longer than the one who leaves."""
MAX_TARGETS = 50
"""Places with most expected orders that an idle courier may be sent to."""

RECENT_S = 1800
"""The level of demand is that of this time: shorter is noise, longer misses that noon has begun."""

Floats = npt.NDArray[np.float64]
Somewhere = TypeVar("Somewhere", bound=Hashable)


def expected_per_hour(
    placed: Iterable[tuple[Somewhere, UnixS]], now: UnixS, *, usual: Mapping[Somewhere, float] | None = None
) -> dict[Somewhere, float]:
    """
    Orders expected an hour, by where they are collected.

    `placed`: where and when the orders of the day so far were placed; `usual`: what past days say for this time of the
    week, an hour. Both together say where, the last half hour says how many: a day is busier than usual as a whole, and
    what is popular today is so all day. With nothing placed lately only what is usual is left.
    """
    n_recent = 0
    weight: dict[Somewhere, float] = dict(usual or {})
    for place, placed_at in placed:
        weight[place] = weight.get(place, 0.0) + 1.0
        n_recent += placed_at > now - RECENT_S
    if not n_recent:
        return dict(usual or {})
    level = n_recent * 3600 / RECENT_S / sum(weight.values())
    return {place: share * level for place, share in weight.items()}


def idle_values(snapshot: Snapshot, params: Params) -> list[int]:
    """
    By worker: what it costs orders yet to come when it leaves its place for one order, in units of cost.

    For every place with expected orders, its nearest courier is missed by the time the second nearest needs longer.
    """
    workers, weight = snapshot.workers, params.weights.position
    if not snapshot.demand or not weight or not workers:
        return [0] * len(workers)
    places, n_expected = _expected(snapshot, params)
    response_s = np.maximum(_response_s(snapshot, places) - params.spare_s, 0)
    nearest, column = response_s.argmin(axis=0), np.arange(len(places))
    first_s = response_s[nearest, column]
    response_s[nearest, column] = first_s + ALONE_S
    missed_s = np.minimum(response_s.min(axis=0) - first_s, ALONE_S)
    lost = np.bincount(nearest, weights=missed_s * n_expected, minlength=len(workers))
    values: list[int] = np.rint(weight * lost).astype(np.int64).tolist()
    return values


def moves(snapshot: Snapshot, params: Params, idle: Sequence[int]) -> tuple[Move, ...]:
    """
    Where to send idle workers, one after another, each where it then saves most waiting of orders to come.

    A worker is sent only when that saves at least `reposition_above_s` beyond what its leaving its place costs.
    """
    if params.reposition_above_s is None or not snapshot.demand or not idle:
        return ()
    places, n_expected = _expected(snapshot, params)
    targets = np.argsort(-n_expected, kind="stable")[:MAX_TARGETS]
    response_s = _response_s(snapshot, places)
    advice = []
    for worker_no in idle:
        worker = snapshot.workers[worker_no]
        travel_s = snapshot.travel.durations_s[worker.mode]
        others_s = np.delete(response_s, worker_no, axis=0).min(axis=0, initial=ALONE_S)
        stays_s = float((n_expected * np.minimum(others_s, response_s[worker_no])).sum())
        from_target_s = travel_s[np.ix_(places[targets], places)]
        goes_s = (n_expected * np.minimum(others_s, from_target_s)).sum(axis=1) + travel_s[
            worker.start, places[targets]
        ]
        best = int(goes_s.argmin())
        saves_s = int(stays_s - goes_s[best])
        place = int(places[targets[best]])
        if place != worker.start and saves_s >= params.reposition_above_s:
            advice.append(Move(courier_id=worker.courier_id, place=place, saves_s=saves_s))
            response_s[worker_no] = from_target_s[best]
    return tuple(advice)


def _expected(snapshot: Snapshot, params: Params) -> tuple[npt.NDArray[np.int64], Floats]:
    """Places with expected orders, and how many while a courier is away for one order."""
    per_hour = np.fromiter(snapshot.demand.values(), dtype=np.float64)
    return np.fromiter(snapshot.demand.keys(), dtype=np.int64), per_hour * params.absence_s / 3600


def _response_s(snapshot: Snapshot, places: npt.NDArray[np.int64]) -> Floats:
    """[worker, place]: from now until the worker could be at the place."""
    rows = [
        max(worker.available_at - snapshot.now, 0) + snapshot.travel.durations_s[worker.mode][worker.start, places]
        for worker in snapshot.workers
    ]
    return np.array(rows, dtype=np.float64)
