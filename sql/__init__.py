"""
SQL as files: named queries and migrations. See README.md of this folder for the rules.

`queries["positions.insert_many"]` is the text of the block `-- name: insert_many` in `queries/positions.sql`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import LiteralString

FOLDER = Path(__file__).parent
QUERIES_FOLDER = FOLDER / "queries"
MIGRATIONS_FOLDER = FOLDER / "migrations"

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


class Queries(Mapping[str, LiteralString]):
    """
    The named queries of a folder, read once: `<file>.<block>` to text.

    The text keeps its comments: they show in the server's log and in pg_stat_activity, which tells where a slow
    query comes from.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ValueError for a name used twice, or text before the first name of a file."""
        self._texts: dict[str, LiteralString] = {}
        for file in sorted(folder.glob("*.sql")):
            for name, text in _blocks(file):
                key = f"{file.stem}.{name}"
                if key in self._texts:
                    raise ValueError(f"{file.name}: two queries are named {name}")
                self._texts[key] = text

    def __getitem__(self, name: str) -> LiteralString:
        """Raises KeyError with the names that would have been right."""
        try:
            return self._texts[name]
        except KeyError:
            table = name.partition(".")[0]
            near = [known for known in self._texts if known.startswith(f"{table}.")]
            raise KeyError(f"no query {name}; {table} has: {', '.join(near) or 'none'}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _blocks(file: Path) -> Iterator[tuple[str, LiteralString]]:
    text = file.read_text(encoding="utf-8")
    parts = _NAME.split(text)
    if any(line.strip() and not line.startswith("--") for line in parts[0].splitlines()):
        raise ValueError(f"{file.name}: SQL before the first `-- name:` line")
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        yield name, f"-- {file.stem}.{name}\n{body.strip()}"


queries = Queries(QUERIES_FOLDER)
