"""
String removal: which orders to take out of their routes so that putting them back can make something better; no I/O.

Strings of consecutive stops, from the routes around one stop. Source: J. Christiaens and G. Vanden Berghe, "Slack
Induction by String Removals for Vehicle Routing Problems", Transportation Science 54 (2), 2020, section 5.2; a pair is
taken out whole when either of its stops is. Stops are numbered as in problem.py: `stop >> 1` is the order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from dispatch.planning.problem import StopNo, Stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How much is taken out at a time."""

    n_removed: float = 8.0
    """Stops on average (the paper's c, 10 there; pairs bring their other end along)."""
    max_string: int = 6
    """Stops of one route at most (the paper's L max, 10 there)."""
    split: float = 0.5
    """Share of strings that leave some stops in their middle where they are."""


def remove_strings(
    near: Sequence[StopNo],
    routes: Sequence[Stops] | Mapping[int, Stops],
    route_of: Callable[[StopNo], int],
    tuning: Tuning,
    chance: Random,
) -> list[int]:
    """
    The orders to take out, each once: strings from the routes of the first stops in `near`, the seed first.

    `route_of` gives the index of a stop's route, -1 for a stop in none.
    """
    n_strings, longest = 1, float(tuning.max_string)
    removed: dict[int, None] = {}
    ruined: set[int] = set()
    for stop in near:
        route_no = route_of(stop)
        if route_no < 0 or route_no in ruined or stop >> 1 in removed:
            continue
        route = routes[route_no]
        if not ruined:
            longest = min(longest, len(route))
            n_strings = int(chance.uniform(1, max(1.0, 4 * tuning.n_removed / (1 + longest)) + 1))
        ruined.add(route_no)
        length = int(chance.uniform(1, min(len(route), longest) + 1))
        for gone in _string(route, route.index(stop), length, tuning.split, chance):
            removed[gone >> 1] = None
        if len(ruined) >= n_strings:
            break
    return list(removed)


def _string(route: Stops, at: int, length: int, split: float, chance: Random) -> Stops:
    """`length` stops of a route around position `at`; when split, some in their middle stay."""
    n_kept = 0
    if length < len(route) and chance.random() < split:
        n_kept = 1
        while length + n_kept < len(route) and chance.random() > split:
            n_kept += 1
    span = length + n_kept
    first = chance.randint(max(0, at - span + 1), min(at, len(route) - span))
    before = chance.randint(1, length) if n_kept else length
    return route[first : first + before] + route[first + before + n_kept : first + span]
