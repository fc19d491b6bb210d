"""Reading the answers of maps APIs into our arrays; no I/O."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from dispatch.travel.times import UNROUTABLE, EngineFailed, IntMatrix
from tracking.position import LatLon

T = TypeVar("T")


def matrix_of(rows: Sequence[Sequence[Any]], shape: tuple[int, int]) -> IntMatrix:
    """Rows of numbers or None, rounded; UNROUTABLE for None. EngineFailed when the shape is not what was asked."""
    values = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
    if values.shape != shape:
        raise EngineFailed("the answer has another shape than the question")
    return np.where(np.isfinite(values), np.rint(np.nan_to_num(values)), UNROUTABLE).astype(np.int32)


def reading(read: Callable[[], T]) -> T:
    """What `read` returns; EngineFailed when the answer lacks what the documentation promises."""
    try:
        return read()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise EngineFailed(f"the answer is not as documented ({type(exc).__name__})") from exc


def joined(parts: Iterable[Sequence[LatLon]], origin: LatLon, destination: LatLon) -> tuple[LatLon, ...]:
    """One line from the lines of the steps; the straight line when they are empty. Repeated points occur once."""
    points: list[LatLon] = []
    for part in parts:
        points.extend(point for point in part if not points or point != points[-1])
    if not points:
        return (origin, destination)
    return tuple(points) if len(points) > 1 else (points[0], points[0])
