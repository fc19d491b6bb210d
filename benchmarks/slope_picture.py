"""Exponents of costs, and a picture of them; no I/O."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any, Final

WIDTH, HEIGHT, MARGIN, LEGEND = 560, 420, 56, 380
COLOURS: Final = ("#0b6e4f", "#c8553d", "#2d5d9f", "#8a5a9e", "#b58900", "#3a7d7c", "#9b2335", "#5b6770", "#6a994e")


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """
    How cost grows with size: the slope of the least squares line through their logarithms.

    0 for a single size, of which no slope is known.
    """
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread if spread else 0.0


def picture(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """An SVG: a line a path, cost against size, both by powers of ten; the legend names the exponents."""
    lines = {name: [(int(size), cost) for size, cost in row["us"].items()] for name, row in rows.items()}
    points = [point for line in lines.values() for point in line]
    if not points:
        raise ValueError("expected at least one path")
    across, up = _axis([size for size, _ in points]), _axis([cost for _, cost in points])

    def place(size: float, cost: float) -> tuple[float, float]:
        x = MARGIN + (math.log10(size) - across[0]) / (across[1] - across[0]) * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - (math.log10(cost) - up[0]) / (up[1] - up[0]) * (HEIGHT - 2 * MARGIN)
        return round(x, 1), round(y, 1)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + LEGEND}" height="{HEIGHT}"'
            ' font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        )
    ]
    for power in range(across[0], across[1] + 1):
        x, low = place(10**power, 10 ** up[0])
        parts.append(f'<path d="M{x},{low}V{MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{low + 16}" text-anchor="middle">{10**power:,}</text>')
    for power in range(up[0], up[1] + 1):
        left, y = place(10 ** across[0], 10**power)
        parts.append(f'<path d="M{left},{y}H{WIDTH - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{_time(power)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle">size of what grows</text>')
    parts.append(f'<text x="{MARGIN}" y="24">processor time of one</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour, dash = COLOURS[number % len(COLOURS)], ' stroke-dasharray="5 3"' * (number >= len(COLOURS))
        placed = [place(*point) for point in line]
        for (x, y), (to_x, to_y) in pairwise(placed):
            parts.append(f'<path d="M{x},{y}L{to_x},{to_y}" stroke="{colour}" stroke-width="2"{dash}/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in placed]
        y = MARGIN + 18 * number
        parts.append(f'<path d="M{WIDTH - 20},{y - 4}h18" stroke="{colour}" stroke-width="2"{dash}/>')
        parts.append(f'<text x="{WIDTH + 4}" y="{y}">{escape(name)}: n^{rows[name]["exponent"]:.2f}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _axis(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around the values, one apart at least."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _time(power: int) -> str:
    """A power of ten of microseconds, for people."""
    unit, less = ("µs", 0) if power < 3 else ("ms", 3) if power < 6 else ("s", 6)
    return f"{10 ** (power - less):g} {unit}"
