"""
Which orders leave with the next wave from a depot, and which wait to be bundled with what is yet to come; no I/O.

Vehicles leave in waves, one decision each; later is allowed, while the window can still be kept. What is not known yet
is drawn: in many days that may come, each planned with vehicles of this wave and of the next ones, an order that mostly
went with a later wave waits, and one that mostly went with this one leaves. Decided orders are fixed, and the days are
planned again, so that the rest is decided beside them. Source: L. Lan, J. van Doorn, N. Wouda, A. Rijal, S. Bhulai,
"An iterative sample scenario approach for the dynamic dispatch waves problem", Transportation Science 58 (4), 2024.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from time import perf_counter
from typing import Final

import numpy as np
import numpy.typing as npt

from dispatch.planning.params import ShouldEnd, never
from dispatch.planning.search.day_ahead import Cooling, Fleet
from dispatch.planning.search.day_task import Kind, Task

UNLIMITED: Final = 10_000
"""Vehicles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An order to be delivered from the depot."""

    place: int
    """Row of the travel times."""
    opens_at: int
    closes_at: int
    """Service may start within."""
    service_s: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depot:
    """Place 0, and its vehicles, all alike."""

    durations_s: npt.NDArray[np.int64]
    capacity: int
    closes_at: int
    """All are back by then."""

    def can_serve(self, request: Request, leaves_at: int) -> bool:
        """Whether a vehicle that leaves then for this order alone keeps its window and is back."""
        out, back = int(self.durations_s[0, request.place]), int(self.durations_s[request.place, 0])
        starts_at = max(leaves_at + out, request.opens_at)
        return starts_at <= request.closes_at and starts_at + request.service_s + back <= self.closes_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How it is decided who waits."""

    n_rounds: int = 3
    n_days: int = 12
    """Days drawn a round at most; as many as there is time for, and what is left of the time is theirs, too."""
    day_steps: int = 200
    """Steps of the search of a drawn day: fewer tell nothing, so a day without time for them does not count."""
    go_above: float = 0.85
    wait_below: float = 0.15
    """Shares of the days in which an order left with this wave, to decide it before the last round."""
    last: float = 0.5
    """The same after it: whoever is left waits below, leaves above."""
    choice_share: float = 0.7
    """Part of the time for the choice; the rest is for the routes of those who leave."""


Drawn = Callable[[Random], Sequence[tuple[int, Request]]]
"""A day that may come: orders, each with the wave (1 is the next) from which on it can leave."""


def wave(
    depot: Depot,
    leaves_at: Sequence[int],
    known: Sequence[Request],
    drawn: Drawn,
    *,
    cooling: Cooling,
    patience: Patience,
    seconds: float,
    seed: int,
    should_end: ShouldEnd = never,
) -> list[list[int]]:
    """
    The routes that leave now, as indices of `known`; whoever is in none waits.

    `leaves_at`: when this wave leaves, and the next ones. Who could not leave with the next one leaves now; with one
    wave left all do.
    """
    began = perf_counter()
    cooling = replace(cooling, fewest=False, fleet_share=min(cooling.fleet_share, 0.02))
    chance = Random(seed)  # noqa: S311 - reproducible on purpose
    later = leaves_at[1] if len(leaves_at) > 1 else None
    go = {n for n, request in enumerate(known) if later is None or not depot.can_serve(request, later)}
    wait: set[int] = set()
    for number in range(patience.n_rounds):
        open_ = set(range(len(known))) - go - wait
        if not open_ or should_end():
            break
        ends_at = began + seconds * patience.choice_share * (number + 1) / patience.n_rounds
        share = _shares(depot, leaves_at, known, drawn, go, wait, cooling, patience, chance, ends_at=ends_at)
        is_last = number == patience.n_rounds - 1
        above, below = (patience.last, patience.last) if is_last else (patience.go_above, patience.wait_below)
        go |= {n for n in open_ if share[n] >= above}
        wait |= {n for n in open_ - go if share[n] <= below or is_last}
    left = max(0.0, seconds - (perf_counter() - began))
    chosen = sorted(go)
    task = _task(depot, leaves_at[:1], [known[n] for n in chosen], [frozenset(range(len(chosen)))])
    tour = Fleet(task, cooling=cooling, seed=seed).solve(seconds=left, should_end=should_end)
    return [[chosen[stop >> 1] for stop in stops] for _, stops in tour.routes]


def _shares(
    depot: Depot,
    leaves_at: Sequence[int],
    known: Sequence[Request],
    drawn: Drawn,
    go: set[int],
    wait: set[int],
    cooling: Cooling,
    patience: Patience,
    chance: Random,
    *,
    ends_at: float,
) -> list[float]:
    """
    By known order: in which share of the drawn days it left with this wave.

    Without time for a single day everything leaves: greedy beats waiting blindly.
    """
    n_known = len(known)
    n_left = [0] * n_known
    n_days = 0
    while n_days < patience.n_days and (begins_at := perf_counter()) < ends_at:
        day_ends_at = begins_at + (ends_at - begins_at) / (patience.n_days - n_days)
        coming = drawn(chance)
        may = [frozenset(set(range(n_known)) - wait)]
        for number in range(1, len(leaves_at)):
            arrived = {n_known + n for n, (first, _) in enumerate(coming) if first <= number}
            may.append(frozenset(set(range(n_known)) - go | arrived))
        task = _task(depot, leaves_at, [*known, *(request for _, request in coming)], may)
        fleet = Fleet(task, cooling=cooling, seed=chance.randrange(2**31))
        tour = fleet.solve(seconds=0.0, steps=patience.day_steps, should_end=lambda: perf_counter() > ends_at)
        if perf_counter() > ends_at:
            break
        if (left := day_ends_at - perf_counter()) > 0:
            tour = fleet.solve(seconds=left, begin=tour.routes)
        n_days += 1
        for kind_no, stops in tour.routes:
            for stop in stops:
                if kind_no == 0 and stop >> 1 < n_known:
                    n_left[stop >> 1] += 1
    return [n / n_days for n in n_left] if n_days else [1.0] * n_known


def _task(depot: Depot, leaves_at: Sequence[int], requests: Sequence[Request], may: Sequence[frozenset[int]]) -> Task:
    """One kind of vehicle a wave; everything is on board from the depot on."""
    n = len(requests)
    places = [0] * (2 * n + 1)
    places[1 : 2 * n : 2] = [request.place for request in requests]
    distance = depot.durations_s[np.ix_(places, places)].tolist()
    return Task(
        opens=[request.opens_at for request in requests for _ in range(2)],
        closes=[request.closes_at for request in requests for _ in range(2)],
        service=[request.service_s for request in requests for _ in range(2)],
        size=[(request.size,) for request in requests],
        kinds=[
            Kind(
                count=UNLIMITED,
                distance=distance,
                start=2 * n,
                end=2 * n,
                opens=at,
                closes=depot.closes_at,
                capacity=(depot.capacity,),
                may=allowed,
            )
            for at, allowed in zip(leaves_at, may, strict=True)
        ],
        loaded=frozenset(range(n)),
    )
