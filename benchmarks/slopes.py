"""
What each path costs as an installation grows, and how fast that grows: python -m benchmarks.slopes --json.

Each path is measured at several sizes of what it grows along, and everything else stays the same: processor time of
this process and of the server it asks, which neighbours on the machine change little. The exponent is the slope of
the least squares line through the logarithms of size and cost: 0 costs the same at any size, 1 twice as much at twice
the size. Only sizes that an installation chooses are varied. History grows on the embedded PostgreSQL, or on the
native TimescaleDB of this machine that POSTRIDER_BENCH_DATABASE_URL names, where there is disk for more
(`--history 1000000 10000000 100000000`). `--save` draws a picture too, `benchmarks/results/slopes.svg`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.slope_paths import (
    courier_costs,
    fence_costs,
    history_costs,
    order_costs,
    region_costs,
    viewer_costs,
)
from benchmarks.slope_picture import exponent, picture
from benchmarks.world import RESULTS, World, engine_of, parser, report, world

Costs = Callable[[World, Sequence[int]], dict[str, list[float]]]
"""By path, microseconds at each size."""


@dataclass(frozen=True, slots=True)
class Along:
    """Something that grows."""

    sizes: tuple[int, ...]
    costs: Costs


ALONG: Final = {
    "couriers": Along((1_000, 10_000, 100_000), courier_costs),
    "history": Along((100_000, 300_000, 1_000_000), history_costs),
    "fences": Along((10, 100, 1_000, 10_000), fence_costs),
    "viewers": Along((1, 10, 100, 1_000), viewer_costs),
    "regions": Along((1, 5, 50), region_costs),
    "orders": Along((100, 300, 1_000), order_costs),
}


def main() -> None:
    """Command line."""
    options = parser("slopes", __doc__)
    for name, along in ALONG.items():
        options.add_argument(f"--{name}", type=int, nargs="*", default=along.sizes)
    arguments = options.parse_args()
    results: dict[str, Any] = {}
    with world() as servers:
        for name, along in ALONG.items():
            sizes = getattr(arguments, name)
            for path, costs in along.costs(servers, sizes).items() if sizes else ():
                results[f"{path}, by {name}"] = {
                    "us": dict(zip(map(str, sizes), (round(cost, 1) for cost in costs), strict=True)),
                    "exponent": round(exponent(sizes, costs), 2),
                }
        engines = engine_of(servers)
    if arguments.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "slopes.svg").write_text(picture(results))
    report("slopes", arguments, engines, results)


if __name__ == "__main__":
    main()
