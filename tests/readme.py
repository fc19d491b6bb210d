"""The parts of the README that the code knows better: `python -m tests.readme` writes them, a test compares them."""

import re
from pathlib import Path

from app.settings import table
from app.web.problems import problem_types

README = Path(__file__).parents[1] / "README.md"


def problems() -> str:
    """The problem types as a Markdown table."""
    rows = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in problem_types().items()]
    return "\n".join(["| code | status | meaning |", "|---|---|---|", *rows])


def written(text: str) -> str:
    """The README with those parts as they should be."""
    for name, part in (("settings", table()), ("problems", problems())):
        marks = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        text, found = marks.subn(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)
        assert found == 1, f"expected the marks of {name} once"
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
