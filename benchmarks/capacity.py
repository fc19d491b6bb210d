"""
What a fleet needs, from what one core does: python -m benchmarks.capacity --save.

Measured are, in one run and a few seconds each, what one core ingests, stores, watches, plans and streams, by the other
benchmarks' own ways. From that the days of four fleets are simulated as queues (`benchmarks.queues`), and the page
`deploy/capacity.md` tells machines, money, and what is full first. With `--save` what was measured is kept in
`benchmarks/results/capacity.json`, and the page is written; a test makes it again from what is kept. Prices are
arguments; `--kept` prints the page of other prices without measuring anything.
"""

import json

from benchmarks.capacity_costs import measured
from benchmarks.capacity_fleet import Terms
from benchmarks.capacity_page import page
from benchmarks.world import RESULTS, engine_of, parser, report, world
from tests.readme import written


def main() -> None:
    """Command line."""
    options, usual = parser("capacity", __doc__), Terms()
    options.add_argument("--orders", type=int, nargs="+", default=[50, 100, 200], help="open ones of a part")
    options.add_argument("--cores", type=int, default=usual.cores, help="of a machine")
    options.add_argument("--memory-gb", type=float, default=usual.memory_gb)
    options.add_argument("--machine-month", type=float, default=usual.machine_month, help="money")
    options.add_argument("--disk-gb-month", type=float, default=usual.disk_gb_month, help="money")
    options.add_argument("--kept", action="store_true", help="print the page from what was measured before")
    arguments = options.parse_args()
    if arguments.kept:
        kept = json.loads((RESULTS / "capacity.json").read_text())
        print(page(kept | {"settings": vars(arguments)}))
        return
    with world() as servers:
        report("capacity", arguments, engine_of(servers), measured(servers, arguments.orders))
    if arguments.save:
        file, text = written("capacity")
        file.write_text(text)


if __name__ == "__main__":
    main()
