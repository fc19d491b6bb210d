"""
The shortest routes of vehicles that are loaded at a depot, searched by PyVRP; no I/O.

For days of which many are planned in a second: it is some ten times as fast as day_ahead.py, which knows pairs, shared
fleets and orders that are kept on board. Source: N. Wouda, L. Lan, W. Kool, "PyVRP: a high-performance VRP solver
package", INFORMS Journal on Computing 36 (4), 2024.
"""

import warnings
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dispatch.planning.params import ShouldEnd
from dispatch.planning.search.day_ahead import Tour
from dispatch.planning.search.day_task import UNBOUNDED, Kind, Task

FORBIDDEN: Final = 10_000_000
"""Seconds to an order that a vehicle may not take: longer than any shift."""
LEFT_OUT: Final = 10
"""What an order costs while it is left out, in the longest of all ways and by its weight: more than any way round."""
HISTORY: Final = 20
"""
A step may be as long as the plan was so many steps before. PyVRP's own 300 is for minutes; with 0.45 s for 18 drawn
days the routes are 2.6 % shorter so, and over 6 s the same.
"""


def shortest(task: Task, *, seed: int, should_end: ShouldEnd) -> Tour | None:
    """
    As many orders as could be placed, by weight, in the shortest routes; None: nothing feasible was found.

    All orders are `loaded`, none is `kept`, and no vehicles are shared between kinds. `should_end` is asked once an
    iteration; with one that counts them the answer depends on the seed alone.
    """
    # Half a second and 30 MB, for the process that plans a wave alone.
    import pyvrp  # noqa: PLC0415
    from pyvrp.exceptions import PenaltyBoundWarning  # noqa: PLC0415

    able = [number for number, kind in enumerate(task.kinds) if kind.count > 0 and kind.opens <= kind.closes]
    if not able or not task.n_orders:
        return Tour([], list(range(task.n_orders)))
    kinds = [task.kinds[number] for number in able]
    places = sorted({place for kind in kinds for place in (kind.start, kind.end)})
    depots = {place: number for number, place in enumerate(places)}
    profiles, matrices = _matrices(task, kinds, places)
    shown: list[Any] = list(matrices)  # PyVRP's stubs take an array's type for its shape
    longest = max(int(matrix[matrix < FORBIDDEN].max(initial=1)) for matrix in matrices)
    n_loads = max(len(kind.capacity) for kind in kinds)
    data = pyvrp.ProblemData(
        [pyvrp.Location(0, 0)] * (task.n_orders + len(places)),
        [
            pyvrp.Client(
                order,
                delivery=_padded(task.size[order], n_loads, 0),
                service_duration=task.service[2 * order + 1],
                tw_early=task.opens[2 * order + 1],
                tw_late=task.closes[2 * order + 1],
                prize=LEFT_OUT * longest * (task.weight[order] if task.weight else 1),
                required=False,
            )
            for order in range(task.n_orders)
        ],
        [pyvrp.Depot(task.n_orders + number) for number in range(len(places))],
        [
            pyvrp.VehicleType(
                min(kind.count, task.n_orders),
                capacity=_padded(kind.capacity, n_loads, UNBOUNDED),
                start_depot=depots[kind.start],
                end_depot=depots[kind.end],
                tw_early=kind.opens,
                tw_late=kind.closes,
                profile=profile,
            )
            for kind, profile in zip(kinds, profiles, strict=True)
        ],
        shown,
        shown,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PenaltyBoundWarning)
        best = pyvrp.solve(
            data,
            lambda _: should_end(),
            seed=seed,
            collect_stats=False,
            params=pyvrp.SolveParams(ils=pyvrp.IteratedLocalSearchParams(history_length=HISTORY)),
        ).best
    if not best.is_feasible():
        return None
    routes = [
        (able[route.vehicle_type()], tuple(2 * step.idx + 1 for step in route.schedule() if step.is_client()))
        for route in best.routes()
    ]
    placed = {stop >> 1 for _, stops in routes for stop in stops}
    return Tour(routes, [order for order in range(task.n_orders) if order not in placed])


def _matrices(
    task: Task, kinds: Sequence[Kind], places: Sequence[int]
) -> tuple[list[int], list[npt.NDArray[np.int64]]]:
    """For each kind the number of its matrix: orders, then places; who may take the same and moves alike shares one."""
    columns = [*range(1, 2 * task.n_orders, 2), *places]
    number_of: dict[Hashable, int] = {}
    legs: dict[int, npt.NDArray[np.int64]] = {}
    matrices: list[npt.NDArray[np.int64]] = []
    for kind in kinds:
        key = (id(kind.distance), kind.may)
        if key in number_of:
            continue
        number_of[key] = len(matrices)
        if id(kind.distance) not in legs:
            rows = [np.asarray(kind.distance[stop])[columns] for stop in columns]
            legs[id(kind.distance)] = np.array(rows, dtype=np.int64)
            np.fill_diagonal(legs[id(kind.distance)], 0)
        matrix = legs[id(kind.distance)].copy()
        barred = [] if kind.may is None else [order for order in range(task.n_orders) if order not in kind.may]
        matrix[barred, :] = matrix[:, barred] = FORBIDDEN
        matrix[barred, barred] = 0
        matrices.append(matrix)
    return [number_of[id(kind.distance), kind.may] for kind in kinds], matrices


def _padded(amounts: Sequence[int], n: int, rest: int) -> list[int]:
    return [*amounts, *[rest] * (n - len(amounts))][:n]
