"""How good predicted durations are: the figures of benchmarks/eta.py; no I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WITHIN_S = 300.0
"""`within_5_min_pct`: share of arrivals at most so far off."""


def scores(
    real_s: Floats, predicted_s: Floats, *, p10_s: Floats | None = None, p90_s: Floats | None = None
) -> dict[str, float]:
    """
    MAE, MAPE, signed bias (> 0: predicted too long), 90th percentile of the error, share within five minutes.

    With an interval also its coverage (80 % is right) and its mean width relative to the real duration.
    """
    error = predicted_s - real_s
    found = {
        "n": float(len(real_s)),
        "mae_s": float(np.mean(np.abs(error))),
        "mape_pct": float(np.mean(np.abs(error) / real_s) * 100),
        "bias_s": float(np.mean(error)),
        "p90_error_s": float(np.quantile(np.abs(error), 0.9)),
        "within_5_min_pct": float(np.mean(np.abs(error) <= WITHIN_S) * 100),
    }
    if p10_s is not None and p90_s is not None:
        found["coverage_pct"] = float(np.mean((p10_s <= real_s) & (real_s <= p90_s)) * 100)
        found["below_p90_pct"] = float(np.mean(real_s <= p90_s) * 100)
        found["width_pct"] = float(np.mean((p90_s - p10_s) / real_s) * 100)
    return {name: round(value, 2) for name, value in found.items()}


HORIZONS = {"0-5 min": 300.0, "5-10 min": 600.0, "10-20 min": 1200.0, "20 min or more": np.inf}
"""Cells by how far away an arrival is: seconds that it is less than."""


def horizon_of(ahead_s: float) -> str:
    """The cell of an arrival that is so far away."""
    return next(name for name, ends_s in HORIZONS.items() if ahead_s < ends_s)


def by_horizon(real_s: Floats, expected_s: Floats, columns: Mapping[str, Floats]) -> dict[str, dict[str, float]]:
    """`scores` by how far away the arrival is expected to be (by a source that none of the compared ones uses)."""
    result = {}
    names = np.array([horizon_of(ahead_s) for ahead_s in expected_s])
    for name in HORIZONS:
        rows = names == name
        if rows.any():
            result[name] = scores(real_s[rows], **{key: values[rows] for key, values in columns.items()})
    return result


def best_factor(real_s: Floats, expected_s: Floats) -> float:
    """The one factor on `expected_s` with the least absolute error: the fairest opponent of what is learned."""
    ratios = real_s / expected_s
    order = np.argsort(ratios)
    weight = np.cumsum(expected_s[order])
    return float(ratios[order][np.searchsorted(weight, weight[-1] / 2)])


def lower_pct(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """By how many per cent our MAE is lower than theirs."""
    return round(100 * (1 - ours["mae_s"] / theirs["mae_s"]), 1)


def table(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Lines for a reader."""
    heads = ("n", "mae_s", "mape_pct", "bias_s", "p90_error_s", "within_5_min_pct", "coverage_pct", "width_pct")
    lines = [title, f"{'':34}" + "".join(f"{head:>18}" for head in heads)]
    for name, row in rows:
        cells = "".join(f"{row[head]:>18.1f}" if head in row else f"{'':>18}" for head in heads)
        lines.append(f"{name:34}{cells}")
    return "\n".join(lines)
