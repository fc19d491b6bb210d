"""
Depots at which shifts begin and end that name no place, where the plan of a day chooses them; no I/O.

To the planner all depots that are open then are one place: as far from everywhere as the nearest of them. Which one it
was is seen from the plan, by the first stop and by the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from dispatch.orders.depots import Depot
from dispatch.planning.snapshot import Place, Snapshot, TravelMatrix
from dispatch.stop import PlannedStop
from tracking.position import LatLon, Mode

JUST_BEFORE: Final = timedelta(seconds=1)
"""Who comes at closing time still finds it open."""


def open_depots(depots: Sequence[Depot], at: datetime, *, ends: bool = False) -> tuple[Depot, ...]:
    """Those that are open at that moment (with `ends`, until then), or all where none is: somewhere a shift begins."""
    at = at - JUST_BEFORE if ends else at
    found = tuple(depot for depot in depots if (hours := depot.hours(at)) is None or hours[0] <= at)
    return found or tuple(depots)


def with_nearest(matrix: TravelMatrix, members_of: Mapping[Place, Sequence[Place]]) -> TravelMatrix:
    """The matrix in which each place of `members_of` is as far, by time, as the nearest of its members."""
    durations = {mode: rows.copy() for mode, rows in matrix.durations_s.items()}
    distances = {mode: rows.copy() for mode, rows in matrix.distances_m.items()}
    for mode, times in durations.items():
        metres, every = distances[mode], np.arange(len(times))
        for place, members in members_of.items():
            to = np.asarray(members)[np.argmin(times[:, members], axis=1)]
            back = np.asarray(members)[np.argmin(times[members, :], axis=0)]
            times[:, place], metres[:, place] = times[every, to], metres[every, to]
            times[place, :], metres[place, :] = times[back, every], metres[back, every]
            times[place, place] = metres[place, place] = 0
    return replace(matrix, durations_s=durations, distances_m=distances)


def nearest(
    snapshot: Snapshot, mode: Mode, stop: PlannedStop, depots: Sequence[Depot], *, ends: bool = False
) -> Depot | None:
    """The depot from which the way to the stop is shortest, with `ends` from the stop to it; None: of none."""
    times, number_of = snapshot.travel.durations_s[mode], {at: n for n, at in enumerate(snapshot.places)}
    here = next(job for job in snapshot.jobs if job.order_id == stop.order_id).at(stop.kind)

    def way_s(at: LatLon) -> int:
        leg = (here, number_of[at]) if ends else (number_of[at], here)
        return int(times[leg])

    return min(depots, key=lambda depot: way_s(depot.at), default=None)
