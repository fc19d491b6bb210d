"""
Applies the files of sql/migrations in order and keeps the ledger `schema_migrations`.

    MigrationError
    ├── MigrationFailed     a statement was refused: names the file and the statement; nothing of that file stays
    ├── MigrationEdited     a file that was applied reads differently now
    ├── MigrationGap        a number is missing, among the files or in the ledger
    ├── DatabaseNewer       the database has been migrated by a newer program
    ├── EngineUnfit         TimescaleDB is there, but too old or not usable
    └── MigrationBusy       another migration did not finish in time

Each file runs in one transaction together with its ledger row. Two starts at once are harmless: a session advisory
lock lets one go first, and inside every transaction the ledger is locked and read again, which also holds on the
WebAssembly engine, where all clients share one session and session locks exclude nobody.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg.rows import dict_row

from sql import MIGRATIONS_FOLDER, queries
from sql.statements import Statement, bare, split

OLDEST_TIMESCALE = (2, 23)
"""The first with the columnstore statements used here."""

_LOCK_KEY = 7_761_739_105
"""Advisory lock of this program's migrations; the number means nothing."""

_FILE = re.compile(r"(?P<version>\d{4})_(?P<title>[a-z0-9_]+?)(?P<notx>\.notx)?\.sql")


class Engine(StrEnum):
    """What the database can do."""

    POSTGRES = "postgres"
    TIMESCALE = "timescale"


class MigrationError(Exception):
    """Migrating the database failed."""


class MigrationFailed(MigrationError):
    """A statement was refused."""

    def __init__(self, name: str, statement: Statement, reason: str) -> None:
        first_line = bare(statement.text).partition("\n")[0]
        super().__init__(f"{name}, line {statement.line}: {reason.strip()}\n  in: {first_line}")
        self.name, self.statement = name, statement


class MigrationEdited(MigrationError):
    """A file that was applied reads differently now; a correction is a new file."""


class MigrationGap(MigrationError):
    """A version number is missing."""


class DatabaseNewer(MigrationError):
    """The database has migrations that this program does not know."""


class EngineUnfit(MigrationError):
    """TimescaleDB is there, but cannot be used."""


class MigrationBusy(MigrationError):
    """Another migration did not finish in time."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What `migrate` found and did."""

    engine: Engine
    applied: tuple[str, ...]
    """Names of the files applied now, in order; empty when there was nothing to do."""
    version: int


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


def migrate(dsn: str, *, folder: Path = MIGRATIONS_FOLDER, wait_s: float = 300.0) -> Migrated:
    """
    Bring the database up to date; harmless when it is, and when several do it at once.

    Raises a MigrationError; whatever was applied before the failing file stays, that file leaves nothing.
    `wait_s` bounds the wait for another migration that is under way.
    """
    # No prepared statements: poolers and the WebAssembly engine share sessions between clients.
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection, _alone(connection, wait_s):
        connection.execute(queries["schema_migrations.create"])
        engine = _engine(connection)
        migrations = load(engine, folder)
        _check_ledger(connection, migrations)
        applied = tuple(migration.name for migration in migrations if _apply(connection, migration, wait_s))
        return Migrated(engine=engine, applied=applied, version=len(migrations))


def pending(dsn: str, *, folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """Names of the files that `migrate` would apply now; changes nothing. Raises as `migrate` does."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        row = connection.execute(queries["schema_migrations.exists"]).fetchone()
        engine = _installed(connection) or Engine.POSTGRES
        if not (row and row[0]):
            engine = Engine.TIMESCALE if _available(connection) else engine
            return [migration.name for migration in load(engine, folder)]
        migrations = load(engine, folder)
        _check_ledger(connection, migrations)
        done = _ledger(connection)
        return [migration.name for migration in migrations if migration.version not in done]


@contextmanager
def _alone(connection: psycopg.Connection, wait_s: float) -> Iterator[None]:
    give_up_at = time.monotonic() + wait_s
    while not _single(connection, queries["schema_migrations.try_lock"], _LOCK_KEY):
        if time.monotonic() > give_up_at:
            raise MigrationBusy(f"another migration has not finished in {wait_s:.0f} s")
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(queries["schema_migrations.unlock"], (_LOCK_KEY,))


def _engine(connection: psycopg.Connection) -> Engine:
    """
    TimescaleDB where it is installed, or can be while the database is still empty; otherwise PostgreSQL.

    A database that began on plain PostgreSQL stays so: its tables would have to be rebuilt.
    """
    engine = _installed(connection)
    if engine is None and not _ledger(connection) and _available(connection):
        try:
            connection.execute(queries["schema_migrations.create_timescaledb"])
        except psycopg.Error as exc:
            raise EngineUnfit(
                f"TimescaleDB is available but CREATE EXTENSION timescaledb failed: {exc}. "
                "Let a superuser create it in this database, with timescaledb in shared_preload_libraries."
            ) from exc
        engine = _installed(connection)
    return engine or Engine.POSTGRES


def _installed(connection: psycopg.Connection) -> Engine | None:
    version = _single(connection, queries["schema_migrations.timescaledb_version"])
    if version is None:
        return None
    numbers = tuple(int(number) for number in re.findall(r"\d+", str(version))[:2])
    if numbers < OLDEST_TIMESCALE:
        raise EngineUnfit(f"expected TimescaleDB {'.'.join(map(str, OLDEST_TIMESCALE))} or newer, found {version}")
    return Engine.TIMESCALE


def _available(connection: psycopg.Connection) -> bool:
    return bool(_single(connection, queries["schema_migrations.timescaledb_available"]))


def _check_ledger(connection: psycopg.Connection, migrations: list[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    done = _ledger(connection)
    for expected, (version, (name, digest)) in enumerate(sorted(done.items()), start=1):
        if version != expected:
            raise MigrationGap(f"the ledger has version {version:04} but not {expected:04}")
        if version not in known:
            raise DatabaseNewer(f"the database has {name}; this program knows versions up to {len(migrations):04}")
        if known[version].sha256 != digest:
            raise MigrationEdited(f"{known[version].name} was edited after it was applied as {name}; add a new file")


def _apply(connection: psycopg.Connection, migration: Migration, wait_s: float) -> bool:
    """Whether it was applied now; False when the ledger has it."""
    if not migration.in_transaction:
        if migration.version in _ledger(connection):
            return False
        _run(connection, migration)
        # The statement is safe to repeat, so a crash between it and this row costs only a repetition.
        connection.execute(queries["schema_migrations.record"], _row(migration))
        return True
    with connection.transaction():
        connection.execute(queries["schema_migrations.bound_lock_wait"], (f"{wait_s:.0f}s",))
        connection.execute(queries["schema_migrations.lock_ledger"])
        if migration.version in _ledger(connection):
            return False
        _run(connection, migration)
        connection.execute(queries["schema_migrations.record"], _row(migration))
    return True


def _run(connection: psycopg.Connection, migration: Migration) -> None:
    for statement in split(migration.text):
        try:
            connection.execute(statement.text)
        except psycopg.Error as exc:
            raise MigrationFailed(migration.name, statement, str(exc)) from exc


def _ledger(connection: psycopg.Connection) -> dict[int, tuple[str, str]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(queries["schema_migrations.list"]).fetchall()
    return {row["version"]: (row["name"], row["sha256"]) for row in rows}


def _row(migration: Migration) -> tuple[int, str, str]:
    return (migration.version, migration.name, migration.sha256)


def _single(connection: psycopg.Connection, query: LiteralString, *values: object) -> object:
    row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None
