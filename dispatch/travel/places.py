"""The places of a snapshot and the travel matrix between them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from dispatch.planning.snapshot import Place, TravelMatrix
from dispatch.travel.times import IntMatrix, TravelTimes
from tracking.position import LatLon, Mode


class Places:
    """Gives each point its row and column of the travel matrix: the same point, the same number."""

    def __init__(self) -> None:
        self._index: dict[LatLon, Place] = {}

    def index(self, at: LatLon) -> Place:
        """The number of `at`; a new one when it has not been seen."""
        return self._index.setdefault(at, len(self._index))

    @property
    def points(self) -> tuple[LatLon, ...]:
        """All points, in the order of their numbers."""
        return tuple(self._index)

    def __len__(self) -> int:
        return len(self._index)


async def travel_matrix(
    travel: TravelTimes,
    points: Sequence[LatLon],
    stops: Iterable[Place],
    starts: Mapping[Mode, Iterable[Place]],
    departs_at: datetime,
    *,
    budget_s: float = 1.0,
) -> TravelMatrix:
    """
    The travel matrix of a snapshot.

    `stops`: where orders are picked up and dropped off, and couriers' ends; `starts`: where the couriers of each mode
    are. Only these are asked: from starts and stops to stops, per mode of `starts`. Pairs that no route can contain (to
    where a courier started, from where one of another mode did) stay 0. The budget is shared by the modes.
    """
    n = len(points)
    to = sorted(set(stops))
    durations: dict[Mode, IntMatrix] = {}
    distances: dict[Mode, IntMatrix] = {}
    sources: dict[Mode, str] = {}
    for mode, mode_starts in starts.items():
        rows = sorted({*to, *mode_starts})
        answer = await travel.matrix(
            mode, [points[i] for i in rows], [points[j] for j in to], departs_at, budget_s=budget_s / len(starts)
        )
        durations[mode] = np.zeros((n, n), dtype=np.int32)
        distances[mode] = np.zeros((n, n), dtype=np.int32)
        cells = np.ix_(rows, to)
        durations[mode][cells] = answer.durations_s
        distances[mode][cells] = answer.distances_m
        np.fill_diagonal(durations[mode], 0)
        np.fill_diagonal(distances[mode], 0)
        sources[mode] = answer.weakest().value
    return TravelMatrix(durations_s=durations, distances_m=distances, sources=sources)
