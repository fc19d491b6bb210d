"""
How much later, or sooner, a place is ready than is foretold: what would be learned of it; no I/O.

Of the place, and of how many orders it had to make, each shrunk to what is known without it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

Key = TypeVar("Key", bound=Hashable)

N_PRIOR: Final = 2.0
"""So many orders make what they say count half: of 0.5 to 5, as good as any on days left out."""
QUEUE: Final = 5
"""So many orders before it, and more, are alike."""
MOST_S: Final = 3600.0
"""What is off by more is cut back to this: somebody forgot to say it."""
HALF_LIFE: Final = timedelta(days=21)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An order that a place has made."""

    place_id: UUID
    placed_at: datetime
    n_before: int
    """So many others it had to make when that was placed."""
    off_s: float
    """Ready so much later than was foretold by recipes and queue; negative: sooner."""


@dataclass(frozen=True, slots=True)
class Habit:
    """In seconds that are added to what is foretold, by the number of orders before it; the last for all above."""

    queue_s: tuple[float, ...] = (0.0,)

    def off_s(self, n_before: int) -> float:
        """How much later an order is ready that was placed behind so many."""
        return self.queue_s[min(max(n_before, 0), len(self.queue_s) - 1)]


NO_HABIT: Final = Habit()


def learn(made: Sequence[Made], now: datetime) -> dict[UUID, Habit]:
    """From orders of a region's places, in any order."""
    weights = [0.5 ** (max(timedelta(), now - one.placed_at) / HALF_LIFE) for one in made]
    left = [min(max(one.off_s, -MOST_S), MOST_S) for one in made]
    places = [one.place_id for one in made]
    queues = [min(one.n_before, QUEUE) for one in made]
    everywhere, left = _level([0] * len(made), left, weights)
    by_place, left = _level(places, left, weights)
    by_queue, left = _level(queues, left, weights)
    by_both, _ = _level(list(zip(places, queues, strict=True)), left, weights)
    return {
        place: Habit(
            tuple(
                everywhere[0] + usual_s + by_queue.get(n, 0.0) + by_both.get((place, n), 0.0) for n in range(QUEUE + 1)
            )
        )
        for place, usual_s in by_place.items()
    }


def _level(
    keys: Sequence[Key], values: Sequence[float], weights: Sequence[float]
) -> tuple[dict[Key, float], list[float]]:
    """By key the mean of what is left, shrunk to zero; and what is left then."""
    sums: dict[Key, tuple[float, float]] = {}
    for key, value, weight in zip(keys, values, weights, strict=True):
        total, count = sums.get(key, (0.0, 0.0))
        sums[key] = (total + weight * value, count + weight)
    means = {key: total / (count + N_PRIOR) for key, (total, count) in sums.items()}
    return means, [value - means[key] for key, value in zip(keys, values, strict=True)]
