"""
Which orders leave with the next wave from a depot, and which wait to be bundled with what is yet to come; no I/O.

Vehicles leave in waves, one decision each; later is allowed, while the window can still be kept. What is not known yet
is drawn: in many days that may come, each planned with vehicles of this wave and of the next ones, an order that mostly
went with a later wave waits, and one that mostly went with this one leaves. Decided orders are fixed, and the days are
planned again, so that the rest is decided beside them. Source: L. Lan, J. van Doorn, N. Wouda, A. Rijal, S. Bhulai,
"An iterative sample scenario approach for the dynamic dispatch waves problem", Transportation Science 58 (4), 2024.

Vehicles may be few here: an order waits only where one is left for it, or back in time.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dispatch.planning.params import ShouldEnd, never
from dispatch.planning.search.day_ahead import Cooling, Fleet, Tour
from dispatch.planning.search.day_task import Kind, Task, Timing
from dispatch.planning.search.depot_routes import shortest

UNLIMITED: Final = 10_000
"""Vehicles."""
KNOWN: Final = 10
"""What leaving out an order counts that is there, where one that may come counts 1."""
MUST: Final = 1000
"""What it counts where it can go with no later wave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An order to be delivered from the depot."""

    place: int
    """Row of the travel times."""
    opens_at: int
    closes_at: int
    """Service may start within."""
    service_s: int
    size: tuple[int, ...]
    """A number a dimension."""
    first: int = 0
    """The wave from which on it can leave: 0 is this one."""
    takes: frozenset[int] | None = None
    """The teams that may take it; None: all."""
    weight: int = 1
    """How much leaving it out counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Vehicles that are all alike."""

    count: int
    durations_s: npt.NDArray[Any]
    """Whole seconds between places."""
    capacity: tuple[int, ...]
    closes_at: int
    """All are back by then."""
    start: int = 0
    end: int | None = 0
    """Places; None: a route ends anywhere."""
    begins_at: int = 0
    """None leaves before: with the first wave from then on."""

    def can_serve(self, request: Request, leaves_at: int) -> bool:
        """Whether a vehicle that leaves then for this order alone keeps its window and is back."""
        out = int(self.durations_s[self.start, request.place])
        back = 0 if self.end is None else int(self.durations_s[request.place, self.end])
        starts_at = max(leaves_at + out, request.opens_at)
        in_time = starts_at <= request.closes_at and starts_at + request.service_s + back <= self.closes_at
        return in_time and all(size <= limit for size, limit in zip(request.size, self.capacity, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How it is decided who waits."""

    ahead: int = 1
    """Waves after this one that are planned with."""
    n_rounds: int = 3
    n_days: int = 30
    """Days drawn a round at most; as many as there is time for, and what is left of the time is theirs, too."""
    day_steps: int = 200
    """Steps of the search of a drawn day: fewer tell nothing, so a day without time for them does not count."""
    go_above: float = 0.5
    wait_below: float = 0.2
    """Shares of the days in which an order left with this wave, to decide it before the last round."""
    last: float = 0.2
    """The same after it: whoever is left waits below, leaves above. The paper's thresholds."""
    choice_share: float = 0.7
    """Part of the time for the choice; the rest is for the routes of those who leave."""


Drawn = Callable[[Random], Sequence[Request]]
"""Orders of a day that may come; each leaves with a later wave, or with none."""
Tell = Callable[[float], None]
"""Hears which share of the time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What is decided; requests are told by their number."""

    routes: list[tuple[int, list[int]]]
    """The number of the team, and the requests in sequence. Whoever is in none waits, but for `left`."""
    left: list[int] = field(default_factory=list)
    """Whoever should leave now, and no vehicle has room for."""
    shares: Mapping[int, float] = field(default_factory=dict)
    """By request: in which share of the drawn days it left with this wave, in the round that decided it."""


def can_leave(teams: Sequence[Team], request: Request, wave_no: int, leaves_at: int) -> bool:
    """Whether some vehicle that leaves with that wave could serve it, alone."""
    return request.first <= wave_no and any(
        team.begins_at <= leaves_at and team.can_serve(request, leaves_at)
        for number, team in enumerate(teams)
        if request.takes is None or number in request.takes
    )


def wave(
    teams: Sequence[Team],
    leaves_at: Sequence[int],
    known: Sequence[Request],
    drawn: Drawn,
    *,
    cooling: Cooling,
    patience: Patience,
    seconds: float,
    seed: int,
    groups: Sequence[Collection[int]] = (),
    steps: int | None = None,
    should_end: ShouldEnd = never,
    tell: Tell | None = None,
) -> Wave:
    """
    The routes that leave now.

    `leaves_at`: when this wave leaves, and the next ones. Who could leave with no later one leaves now; with one wave
    left, or with nothing to come, all do. Requests of a group leave together: with one that must, as many as can; else
    not before all can. With `steps` for the routes the answer depends on the seed, not on the time.
    """
    began = perf_counter()
    search = _Search(
        teams, leaves_at, known, groups, cooling, patience, seed,
        clock=None if steps is not None else perf_counter, should_end=should_end,
    )  # fmt: skip
    go = search.together(search.must)
    unready = {n for n, request in enumerate(known) if request.first > 0}
    wait = unready.union(*(group for group in groups if unready.intersection(group))) - go
    shares: dict[int, float] = {}
    for number in range(patience.n_rounds):
        open_ = set(range(len(known))) - go - wait
        if not open_:
            break
        done = patience.choice_share * (number + 1) / patience.n_rounds
        share = search.shares(go, wait, drawn, ends_at=began + seconds * done)
        for group in groups:
            of_all = sum(share[n] for n in group) / len(group)
            for n in group:
                share[n] = of_all
        is_last = number == patience.n_rounds - 1
        above, below = (patience.last, patience.last) if is_last else (patience.go_above, patience.wait_below)
        going = {n for n in open_ if share[n] >= above}
        waiting = {n for n in open_ - going if share[n] <= below or is_last}
        shares |= {n: share[n] for n in going | waiting}
        go |= going
        wait |= waiting
        if tell is not None:
            tell(done)
    left = max(0.0, seconds - (perf_counter() - began))
    return replace(search.routes(go, wait, seconds=left, steps=steps), shares=shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaving:
    """Vehicles of a team that leave together."""

    team: int
    at: int
    may: frozenset[int]
    count: int
    fleet: int | None = None


class _Until:
    """When a search ends: after so many steps, and where there is a time not before that."""

    def __init__(self, steps: int, ends_at: float | None, should_end: ShouldEnd) -> None:
        self._steps = steps
        self._ends_at = ends_at
        self._should_end = should_end
        self.n_steps = 0

    def is_over(self) -> bool:
        """Asked before each step."""
        if self._should_end():
            return True
        if self.n_steps >= self._steps and (self._ends_at is None or perf_counter() >= self._ends_at):
            return True
        self.n_steps += 1
        return False


class _Search:
    """One decision."""

    def __init__(
        self,
        teams: Sequence[Team],
        leaves_at: Sequence[int],
        known: Sequence[Request],
        groups: Sequence[Collection[int]],
        cooling: Cooling,
        patience: Patience,
        seed: int,
        *,
        clock: Callable[[], float] | None,
        should_end: ShouldEnd,
    ) -> None:
        self._teams = teams
        self._leaves_at = leaves_at
        self._known = known
        self._groups = groups
        self._cooling = replace(cooling, fewest=False, fleet_share=min(cooling.fleet_share, 0.02))
        self._patience = patience
        self._seed = seed
        self._chance = Random(seed)  # noqa: S311 - reproducible on purpose
        self._clock = clock
        """None: steps are counted."""
        self._should_end = should_end
        later = list(enumerate(leaves_at))[1:]
        self.must = {
            n
            for n, request in enumerate(known)
            if request.first == 0 and not any(can_leave(teams, request, *one) for one in later)
        }
        """Who leaves now, for no later wave could serve them."""

    def together(self, going: Collection[int]) -> set[int]:
        """They, and whoever is ready of their groups."""
        groups = [group for group in self._groups if not set(going).isdisjoint(group)]
        return {*going, *(n for group in groups for n in group if self._known[n].first == 0)}

    def shares(self, go: set[int], wait: set[int], drawn: Drawn, *, ends_at: float) -> list[float]:
        """
        By known order: in which share of the drawn days it left with this wave.

        Without time for a single day everything leaves, and where nothing is to come: greedy beats waiting blindly.
        """
        patience, clock = self._patience, self._clock
        n_known, n_days = len(self._known), 0
        n_left = [0] * n_known
        known = [replace(one, weight=KNOWN * one.weight) for one in self._known]
        is_expecting = any(one.first for one in known)
        for day_no in range(patience.n_days):
            if self._is_over(ends_at):
                break
            coming = drawn(self._chance)
            if not coming and not is_expecting:
                break
            requests = [*known, *coming]
            leaving = []
            for number, at in enumerate(self._leaves_at):
                barred = go if number else wait
                may = {n for n, one in enumerate(requests) if one.first <= number and n not in barred}
                leaving += self._leaving(may, requests, at)
            begins_at = 0.0 if clock is None else clock()
            day_ends_at = None if clock is None else begins_at + (ends_at - begins_at) / (patience.n_days - day_no)
            until = _Until(patience.day_steps, day_ends_at, lambda: self._is_over(ends_at))
            tour = shortest(self._task(leaving, requests), seed=self._chance.randrange(2**31), should_end=until.is_over)
            if until.n_steps < patience.day_steps:
                break
            if tour is None:
                continue
            n_days += 1
            for kind_no, stops in tour.routes:
                if leaving[kind_no].at == self._leaves_at[0]:
                    for order in {stop >> 1 for stop in stops if stop >> 1 < n_known}:
                        n_left[order] += 1
        return [n / n_days for n in n_left] if n_days else [1.0] * n_known

    def _is_over(self, ends_at: float) -> bool:
        return self._should_end() or (self._clock is not None and self._clock() > ends_at)

    def routes(self, go: set[int], wait: set[int], *, seconds: float, steps: int | None) -> Wave:
        """Routes of those who go, among them who would find no vehicle later."""
        ready = {n for n, request in enumerate(self._known) if request.first == 0}
        while True:
            chosen = sorted(go)
            requests = [
                replace(one, weight=(MUST if n in self.must else 1) * one.weight)
                for n, one in ((n, self._known[n]) for n in chosen)
            ]
            leaving = self._leaving(range(len(requests)), requests, self._leaves_at[0])
            if not leaving:
                return Wave(routes=[], left=chosen)
            task = self._task(leaving, requests)
            fleet = Fleet(task, cooling=self._cooling, seed=self._seed)
            quick = fleet.solve(seconds=0.0, steps=0)
            lost = self._lost(task, leaving, quick, wait - go) & ready
            if not lost:
                break
            go = go | self.together(lost)
        until = _Until(steps or 0, None if steps is not None else perf_counter() + seconds, self._should_end)
        found = shortest(task, seed=self._seed, should_end=until.is_over)
        tour = quick
        if (
            found is not None
            and fleet.worth(found) < fleet.worth(quick)
            and not self._lost(task, leaving, found, wait - go) & ready  # the shorter way may take a vehicle more
        ):
            tour = found
        return Wave(
            routes=[(leaving[kind_no].team, [chosen[stop >> 1] for stop in stops]) for kind_no, stops in tour.routes],
            left=sorted(chosen[n] for n in tour.left),
        )

    def _lost(self, task: Task, leaving: Sequence[_Leaving], tour: Tour, wait: Collection[int]) -> set[int]:
        """Who waits and finds no vehicle while those of a tour are out; each leaves once more at most, when back."""
        if not wait or all(team.count >= len(self._known) for team in self._teams):
            return set()
        waiting = sorted(wait)
        requests = [self._known[n] for n in waiting]
        back_at = [
            (leaving[kind_no].team, Timing(task, task.kinds[kind_no], stops).leaves[-1])
            for kind_no, stops in tour.routes
        ]
        later: list[_Leaving] = []
        for number, at in list(enumerate(self._leaves_at))[1:]:
            out = Counter(team for team, back in back_at if back > at)
            may = {n for n, one in enumerate(requests) if one.first <= number}
            later += [
                replace(one, count=one.count - out[one.team], fleet=one.team)
                for one in self._leaving(may, requests, at)
                if one.count > out[one.team]
            ]
        if not later:
            return set(waiting)
        fleet = Fleet(self._task(later, requests), cooling=self._cooling, seed=self._seed)
        found = fleet.solve(seconds=0.0, steps=0)
        if found.left:
            found = fleet.solve(seconds=0.0, steps=self._patience.day_steps, begin=found.routes)
        return {waiting[n] for n in found.left}

    def _leaving(self, may: Collection[int], requests: Sequence[Request], at: int) -> list[_Leaving]:
        """The teams that can leave then, with what they may take of the requests."""
        return [
            _Leaving(
                team=number,
                at=at,
                count=team.count,
                may=frozenset(n for n in may if (takes := requests[n].takes) is None or number in takes),
            )
            for number, team in enumerate(self._teams)
            if team.begins_at <= at
        ]

    def _task(self, leaving: Sequence[_Leaving], requests: Sequence[Request]) -> Task:
        """Everything is on board from the depot on."""
        n = len(requests)
        places = [0] * (2 * n)
        places[1::2] = [request.place for request in requests]
        number_of: dict[int | None, int] = {}
        for team in self._teams:
            for place in (team.start, team.end):
                if place not in number_of:
                    number_of[place] = len(places)
                    places.append(0 if place is None else place)
        rows: dict[int, list[Any]] = {}
        for team in self._teams:
            if id(team.durations_s) not in rows:
                chosen = team.durations_s[np.ix_(places, places)].astype(np.int32)
                if None in number_of:
                    chosen[:, number_of[None]] = 0
                rows[id(team.durations_s)] = [array("i", row.tobytes()) for row in chosen]
        return Task(
            opens=[request.opens_at for request in requests for _ in range(2)],
            closes=[request.closes_at for request in requests for _ in range(2)],
            service=[request.service_s for request in requests for _ in range(2)],
            size=[request.size for request in requests],
            weight=[request.weight for request in requests],
            kinds=[
                Kind(
                    count=one.count,
                    distance=rows[id(team.durations_s)],
                    start=number_of[team.start],
                    end=number_of[team.end],
                    opens=one.at,
                    closes=team.closes_at,
                    capacity=team.capacity,
                    may=one.may,
                    fleet=one.fleet,
                )
                for one, team in ((one, self._teams[one.team]) for one in leaving)
            ],
            loaded=frozenset(range(n)),
        )
