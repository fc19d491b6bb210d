"""The parts of the pages that the code knows better: `python -m tests.readme` writes them, a test compares them."""

import json
import re
from pathlib import Path

from app.machine.bounds import table as bounds
from app.settings import Settings, table
from app.shapes.regions import settings_table
from app.web.permissions import table as permission_table
from app.web.problems import problem_types
from app.wiring.params import cycle_of
from benchmarks.capacity_page import page as capacity_page
from tests.described import described

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted(ROOT.glob("[a-z]*/*.md"))]
"""What a reader may open from the front door."""


def problems() -> str:
    """The problem types as a Markdown table."""
    rows = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in problem_types().items()]
    return "\n".join(["| code | status | meaning |", "|---|---|---|", *rows])


def permissions() -> str:
    """Who may use which route, as a Markdown table."""
    return permission_table(described())


def regions() -> str:
    """What a region may set for itself, as a Markdown table."""
    return settings_table(cycle_of(Settings()))


def capacity() -> str:
    """What a fleet needs, from what `benchmarks.capacity` measured last."""
    return capacity_page(json.loads((ROOT / "benchmarks" / "results" / "capacity.json").read_text()))


PARTS = {
    "settings": (ROOT / "deploy" / "settings.md", table),
    "capacity": (ROOT / "deploy" / "capacity.md", capacity),
    "bounds": (ROOT / "deploy" / "bounds.md", bounds),
    "permissions": (ROOT / "app" / "permissions.md", permissions),
    "problems": (ROOT / "app" / "README.md", problems),
    "regions": (ROOT / "dispatch" / "README.md", regions),
}


def written(name: str) -> tuple[Path, str]:
    """The page of a part, and its text with that part as it should be."""
    page, make = PARTS[name]
    marks = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    text, found = marks.subn(lambda match: f"{match[1]}{make()}\n{match[2]}", page.read_text())
    assert found == 1, f"expected the marks of {name} once"
    return page, text


if __name__ == "__main__":
    for part in PARTS:
        where, new = written(part)
        where.write_text(new)
