"""Li & Lim's instances: reading them, and a check of what a solver says that shares nothing with one."""

from dataclasses import dataclass
from math import hypot
from pathlib import Path

TOLERANCE = 1e-6
"""Of instants: sums of square roots in double precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of an instance; the first is the depot."""

    x: int
    y: int
    demand: int
    opens: int
    closes: int
    service: int
    pickup: int
    """Of a drop-off: its pickup; else 0."""
    dropoff: int
    """Of a pickup: its drop-off; else 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Travel time is the Euclidean distance, in double precision; a vehicle starts and ends at row 0."""

    name: str
    n_vehicles: int
    capacity: int
    rows: tuple[Row, ...]

    def distance(self, a: int, b: int) -> float:
        """Between two rows."""
        return hypot(self.rows[a].x - self.rows[b].x, self.rows[a].y - self.rows[b].y)


def read(path: Path) -> Instance:
    """
    One instance.

    Format: H. Li and A. Lim, "A Metaheuristic for the Pickup and Delivery Problem with Time Windows", ICTAI 2001;
    SINTEF TOP: first vehicles, capacity, speed; then number, x, y, demand, opens, closes, service, pickup, drop-off.
    """
    lines = [[int(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    (n_vehicles, capacity, _speed), *rest = lines
    rows = tuple(
        Row(x=x, y=y, demand=demand, opens=opens, closes=closes, service=service, pickup=pickup, dropoff=dropoff)
        for _, x, y, demand, opens, closes, service, pickup, dropoff in rest
    )
    return Instance(name=path.stem.lower(), n_vehicles=n_vehicles, capacity=capacity, rows=rows)


def best_known(path: Path) -> dict[str, tuple[int, float]]:
    """Vehicles and distance of the best known solutions, by name; nothing when the file is absent."""
    if not path.exists():
        return {}
    words = (line.split() for line in path.read_text().splitlines() if line.strip() and line[0] != "#")
    return {name.lower(): (int(routes), float(distance)) for name, routes, distance, *_ in words if routes.isdigit()}


def faults(instance: Instance, routes: list[tuple[int, ...]]) -> list[str]:
    """What is wrong with routes of row numbers; nothing when they are feasible."""
    found = []
    if len(routes) > instance.n_vehicles:
        found.append(f"{len(routes)} vehicles of {instance.n_vehicles}")
    visits = [row for route in routes for row in route]
    if sorted(visits) != list(range(1, len(instance.rows))):
        found.append("not every stop once")
    for number, route in enumerate(routes):
        at, load, previous = float(instance.rows[0].opens), 0, 0
        on_board: set[int] = set()
        for row_no in (*route, 0):
            row = instance.rows[row_no]
            at = max(at + instance.distance(previous, row_no), row.opens)
            if at > row.closes + TOLERANCE:
                found.append(f"route {number}: {at - row.closes:.6f} late at {row_no}")
            at += row.service
            load += row.demand
            if not 0 <= load <= instance.capacity:
                found.append(f"route {number}: load {load} after {row_no}")
            if row.dropoff:
                on_board.add(row_no)
            elif row.pickup and row.pickup not in on_board:
                found.append(f"route {number}: {row_no} before its pickup")
            previous = row_no
    return found


def length(instance: Instance, routes: list[tuple[int, ...]]) -> float:
    """Distance of all routes in double precision."""
    return sum(instance.distance(a, b) for route in routes for a, b in zip((0, *route), (*route, 0), strict=True))
