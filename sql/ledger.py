"""
The files of sql/migrations beside what a database has of them: is it behind this program, ahead of it, or too new?

A migration only adds, so a program runs on the schema of a later one. A file that takes something away says in a
line `-- needs: 0014` which migrations a program must know to run on what it leaves; the ledger keeps that number.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path

from sql import MIGRATIONS_FOLDER

_FILE = re.compile(r"(?P<version>\d{4})_(?P<title>[a-z0-9_]+?)(?P<notx>\.notx)?\.sql")
_NEEDS = re.compile(r"^-- needs: (\d{4})$", re.MULTILINE)


class Engine(StrEnum):
    """What the database can do."""

    POSTGRES = "postgres"
    TIMESCALE = "timescale"


class MigrationError(Exception):
    """Migrating the database failed."""


class MigrationGap(MigrationError):
    """A version number is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A file of sql/migrations."""

    version: int
    name: str
    """Path below sql/migrations: the engine's folder is part of it."""
    text: str
    in_transaction: bool

    @property
    def sha256(self) -> str:
        """What the ledger remembers of the text."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def needs(self) -> int:
        """A program must know the migrations up to this one to run on what this file leaves; 0: any does."""
        said = _NEEDS.search(self.text)
        return int(said[1]) if said else 0


def load(engine: Engine, folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """
    The migrations for an engine, in order: the common files and those of its own folder.

    Raises MigrationGap for a missing or doubled number, ValueError for a name that breaks the rule.
    """
    found = []
    for file in [*folder.glob("*.sql"), *(folder / engine).glob("*.sql")]:
        match = _FILE.fullmatch(file.name)
        if not match:
            raise ValueError(f"expected a name like 0007_positions_5m.sql or 0008_refresh_5m.notx.sql, got {file.name}")
        found.append(
            Migration(
                version=int(match["version"]),
                name=file.relative_to(folder).as_posix(),
                text=file.read_text(encoding="utf-8"),
                in_transaction=match["notx"] is None,
            )
        )
    found.sort(key=lambda migration: migration.version)
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationGap(f"expected version {expected:04} next, found {migration.name}")
    return found


@cache
def known() -> int:
    """The last version this program knows; the same for every engine."""
    return len(load(Engine.POSTGRES))


class Standing(StrEnum):
    """A schema beside this program."""

    CURRENT = "current"
    BEHIND = "behind"
    """Migrations are missing: the program cannot run on it."""
    AHEAD = "ahead"
    """A later program has added to it: this one runs on it."""
    TOO_NEW = "too_new"
    """A later program has taken something away that this one needs."""


FIT = frozenset({Standing.CURRENT, Standing.AHEAD})


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database's ledger says to this program."""

    standing: Standing
    version: int
    words: str
    """In a line, with what to do."""


def compare(versions: Collection[int], needs: int, known: int) -> Schema:
    """The schema with those versions, whose files need a program that knows versions up to `needs`."""
    at = max(versions, default=0)
    missing = sorted(set(range(1, known + 1)) - set(versions))
    if needs > known:
        words = (
            f"the database is at version {at:04} and needs a program that knows {needs:04}; this one knows {known:04}:"
            " install the newer program, or restore the backup from before"
        )
        return Schema(Standing.TOO_NEW, at, words)
    if missing:
        words = f"the database lacks version {missing[0]:04}, it is at {at:04}: run `postrider migrate`"
        return Schema(Standing.BEHIND, at, words)
    if at > known:
        words = (
            f"version {at:04}, of a later program; this one knows {known:04}, and runs on it, for migrations only add"
        )
        return Schema(Standing.AHEAD, at, words)
    return Schema(Standing.CURRENT, at, f"version {at:04}")


def of_rows(rows: Collection[Mapping[str, int | None]], known_version: int | None = None) -> Schema:
    """The same, from the rows of the query `schema_migrations.standing`."""
    needs = max((row["needs"] or 0 for row in rows), default=0)
    versions = [row["version"] or 0 for row in rows]
    return compare(versions, needs, known() if known_version is None else known_version)
