"""From the places of a snapshot to the travel matrix between them: the one way, also for benchmarks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from dispatch.planning.snapshot import Place, TravelMatrix
from dispatch.travel.times import ANYWHERE, Onwards, Pair, TravelTimes
from tracking.position import LatLon, Mode

ANYHOW: Final[Mapping[Mode, Onwards]] = {}


class Places:
    """Numbers places, the same coordinates always the same: couriers wait at the same doors."""

    def __init__(self) -> None:
        self.known: dict[LatLon, Place] = {}

    def number(self, at: LatLon) -> Place:
        """The row and column of `at` in the matrix; a new one when it has not been seen."""
        return self.known.setdefault(at, len(self.known))


async def travel_matrix(
    travel: TravelTimes,
    places: Sequence[LatLon],
    n_destinations: int,
    modes: Iterable[Mode],
    departs_at: datetime,
    *,
    budget_s: float,
    also: Sequence[Pair] = (),
    only: Mapping[Mode, Onwards] = ANYHOW,
) -> TravelMatrix:
    """
    The matrix between places for each of the modes, all asked side by side within the budget.

    So many leading places are travelled to. Nobody travels to the others, where couriers stand now: their columns are
    never looked at, and stay 0. `also`, and `only` by mode: see TravelTimes.
    """
    n, m, asked = len(places), n_destinations, list(modes)
    answers = await asyncio.gather(
        *(
            travel.matrix(
                mode, places, places[:m], departs_at, budget_s=budget_s, also=also, only=only.get(mode, ANYWHERE)
            )
            for mode in asked
        )
    )
    durations, distances, sources, habits = {}, {}, {}, {}
    for mode, answer in zip(asked, answers, strict=True):
        durations[mode] = np.zeros((n, n), dtype=np.int32)
        distances[mode] = np.zeros((n, n), dtype=np.int32)
        durations[mode][:, :m] = answer.durations_s
        distances[mode][:, :m] = answer.distances_m
        sources[mode] = answer.weakest().value
        habits[mode] = answer.habits
    return TravelMatrix(durations_s=durations, distances_m=distances, sources=sources, habits=habits)
