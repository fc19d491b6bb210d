"""
Applies the files of sql/migrations in order and keeps the ledger `schema_migrations`.

    MigrationError
    ├── MigrationFailed     a statement was refused: names the file and the statement; nothing of that file stays
    ├── MigrationEdited     a file that was applied reads differently now
    ├── MigrationGap        a number is missing, among the files or in the ledger
    ├── SchemaTooNew        a newer program has taken something away that this one needs
    ├── EngineUnfit         TimescaleDB is there, but too old or not usable
    ├── DatabaseAway        nobody answers, or not to us
    └── MigrationBusy       another migration, or whoever holds a lock, did not finish in time

Each file runs in one transaction together with its ledger row. Two starts at once are harmless: a session advisory
lock lets one go first, and inside every transaction the ledger is locked and read again, which also holds on the
WebAssembly engine, where all clients share one session and session locks exclude nobody.

A statement that waits for an exclusive lock makes everybody wait who comes after it. So none waits longer than
LOCK_TIMEOUT: the file is rolled back, everybody behind gets their turn, and it is tried again.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from sql import MIGRATIONS_FOLDER, queries
from sql.ledger import Engine, Migration, MigrationError, MigrationGap, Schema, Standing, load, of_rows
from sql.statements import Statement, bare, split
from tracking.history.tracks import NO_COPY

OLDEST_TIMESCALE = (2, 23)
"""The first with the columnstore statements used here."""

LOCK_TIMEOUT: Final = "2s"
PAUSE_S: Final = 1.0
PAUSE_AT_MOST_S: Final = 10.0
"""Between tries; those who waited behind us must get through."""

_LOCK_KEY = 7_761_739_105
"""Advisory lock of this program's migrations; the number means nothing."""

_INDEX = re.compile(
    r"CREATE (?:UNIQUE )?INDEX (?P<concurrently>CONCURRENTLY )?IF NOT EXISTS (?P<name>\w+)", re.IGNORECASE
)

_CONCURRENTLY = re.compile(r"\s+CONCURRENTLY\b", re.IGNORECASE)

_REFUSED = re.compile(r"FATAL: (?!.*(?:starting up|shutting down|in recovery|too many|remaining connection slots))")
"""The server is there and does not want us: waiting would not help."""

Say = Callable[[str], None]
"""Told what is waited for, in a line."""


def _say_nothing(_: str) -> None:
    return


class MigrationFailed(MigrationError):
    """A statement was refused."""

    def __init__(self, name: str, statement: Statement, reason: str) -> None:
        first_line = bare(statement.text).partition("\n")[0]
        super().__init__(f"{name}, line {statement.line}: {reason.strip()}\n  in: {first_line}")
        self.name, self.statement = name, statement


class MigrationEdited(MigrationError):
    """A file that was applied reads differently now; a correction is a new file."""


class SchemaTooNew(MigrationError):
    """A newer program has taken something away that this one needs."""


class EngineUnfit(MigrationError):
    """TimescaleDB is there, but cannot be used."""


class DatabaseAway(MigrationError):
    """The database does not answer, or not to us."""


class MigrationBusy(MigrationError):
    """Another migration, or whoever holds a lock, did not finish in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What `migrate` found and did."""

    engine: Engine
    applied: tuple[str, ...]
    """Names of the files applied now, in order; empty when there was nothing to do."""
    version: int
    schema: Schema
    """How it stands to this program; it may be ahead."""


def migrate(
    dsn: str,
    *,
    folder: Path = MIGRATIONS_FOLDER,
    wait_s: float = 300.0,
    connect_s: float = 60.0,
    say: Say = _say_nothing,
) -> Migrated:
    """
    Bring the database up to date; harmless when it is, when a later program has done more, and when several do it.

    Raises a MigrationError; whatever was applied before the failing file stays, that file leaves nothing.
    `connect_s` bounds the wait for a database that does not answer yet, `wait_s` those for another migration that is
    under way, and for locks; `say` is told of every wait.
    """
    with _connect(dsn, connect_s, say) as connection, _alone(connection, wait_s, say):
        _make_ledger(connection)
        engine = _engine(connection)
        migrations = load(engine, folder)
        schema = _check_ledger(connection, migrations)
        applied = []
        for migration in migrations:
            if not migration.in_transaction:
                _mend_index(connection, migration, wait_s, say)
            if _patiently(partial(_apply, connection, migration), migration.name, wait_s, say):
                applied.append(migration.name)
        if applied:
            schema = _check_ledger(connection, migrations)
        return Migrated(engine=engine, applied=tuple(applied), version=schema.version, schema=schema)


def _connect(dsn: str, connect_s: float, say: Say) -> psycopg.Connection:
    """Wait until the database accepts connections; the first start of a server takes a while."""
    give_up_at = time.monotonic() + connect_s
    said = False
    while True:
        try:
            # No prepared statements: poolers and the WebAssembly engine share sessions between clients.
            return psycopg.connect(dsn, autocommit=True, prepare_threshold=None, connect_timeout=5)
        except psycopg.ProgrammingError as exc:
            raise DatabaseAway(f"DATABASE_URL cannot be read: {_line(exc)}") from exc
        except psycopg.OperationalError as exc:
            if _REFUSED.search(str(exc)) or time.monotonic() > give_up_at:
                raise DatabaseAway(f"DATABASE_URL: cannot connect: {_line(exc)}") from exc
            if not said:
                say(f"waiting up to {connect_s:.0f} s for the database: {_line(exc)}")
                said = True
            time.sleep(0.2)


def _line(exc: Exception) -> str:
    """What libpq says of the first address it tried, in a line."""
    return str(exc).strip().partition("\n")[0] or type(exc).__name__


def pending(dsn: str, *, folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """Names of the files that `migrate` would apply now; changes nothing. Raises as `migrate` does."""
    with _connect(dsn, 0.0, _say_nothing) as connection:
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
def _alone(connection: psycopg.Connection, wait_s: float, say: Say) -> Iterator[None]:
    give_up_at = time.monotonic() + wait_s
    said = False
    while not _single(connection, queries["schema_migrations.try_lock"], _LOCK_KEY):
        if time.monotonic() > give_up_at:
            raise MigrationBusy(f"another migration has not finished in {wait_s:.0f} s")
        if not said:
            say(f"waiting up to {wait_s:.0f} s for another migration")
            said = True
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


def _make_ledger(connection: psycopg.Connection) -> None:
    connection.execute(queries["schema_migrations.create"])
    if not _single(connection, queries["schema_migrations.has_needs"]):  # of a release before
        connection.execute(queries["schema_migrations.add_needs"])


def _check_ledger(connection: psycopg.Connection, migrations: list[Migration]) -> Schema:
    """Raises MigrationGap, MigrationEdited or SchemaTooNew; a later program's further versions are no error."""
    known = {migration.version: migration for migration in migrations}
    done = _ledger(connection)
    for expected, (version, (name, digest)) in enumerate(sorted(done.items()), start=1):
        if version != expected:
            raise MigrationGap(f"the ledger has version {version:04} but not {expected:04}")
        if version in known and known[version].sha256 != digest:
            raise MigrationEdited(f"{known[version].name} was edited after it was applied as {name}; add a new file")
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(queries["schema_migrations.standing"]).fetchall()
    schema = of_rows(rows, len(migrations))
    if schema.standing is Standing.TOO_NEW:
        raise SchemaTooNew(schema.words)
    return schema


def _patiently(act: Callable[[], bool], name: str, wait_s: float, say: Say) -> bool:
    """Do what needs locks, again and again until it gets them; each time waits a moment only."""
    give_up_at = time.monotonic() + wait_s
    pause_s = PAUSE_S
    while True:
        try:
            return act()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as exc:
            if time.monotonic() + pause_s > give_up_at:
                raise MigrationBusy(f"{name}: somebody has held a lock it needs for {wait_s:.0f} s") from exc
            say(f"{name}: somebody holds a lock it needs; trying again in {pause_s:.0f} s")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_AT_MOST_S)


def _mend_index(connection: psycopg.Connection, migration: Migration, wait_s: float, say: Say) -> None:
    """
    Take an index away that an interrupted `.notx` file left invalid, and make it anew where the ledger has the file.

    IF NOT EXISTS finds an invalid one and is content; it would be kept up to date and never used.
    """
    (statement,) = split(migration.text)
    index = _INDEX.match(bare(statement.text))
    if index is None or not _single(connection, queries["schema_migrations.is_invalid_index"], index["name"]):
        return
    say(f"{migration.name}: index {index['name']} is invalid; making it anew")
    # A name cannot be a parameter.
    drop = sql.SQL("DROP INDEX CONCURRENTLY {}" if index["concurrently"] else "DROP INDEX {}")
    text = drop.format(sql.Identifier(index["name"]))

    def take_away() -> bool:
        connection.execute(text)
        return True

    _patiently(take_away, migration.name, wait_s, say)
    if migration.version in _ledger(connection):
        _run(connection, migration)


def _apply(connection: psycopg.Connection, migration: Migration) -> bool:
    """Whether it was applied now; False when the ledger has it."""
    if not migration.in_transaction:
        if migration.version in _ledger(connection):
            return False
        _run(connection, migration)
        # The statement is safe to repeat, so a crash between it and this row costs only a repetition.
        connection.execute(queries["schema_migrations.record"], _row(migration))
        return True
    with connection.transaction():
        connection.execute(queries["schema_migrations.bound_lock_wait"], (LOCK_TIMEOUT,))
        connection.execute(queries["schema_migrations.lock_ledger"])
        if migration.version in _ledger(connection):
            return False
        _run(connection, migration)
        connection.execute(queries["schema_migrations.record"], _row(migration))
    return True


def _run(connection: psycopg.Connection, migration: Migration) -> None:
    for statement in split(migration.text):
        try:
            connection.execute(_bearable(connection, migration, statement.text))
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            raise
        except psycopg.Error as exc:
            raise MigrationFailed(migration.name, statement, str(exc)) from exc


def _bearable(connection: psycopg.Connection, migration: Migration, text: str) -> str:
    """The statement as the server can do it: in WebAssembly it has one process: nobody is delayed."""
    if migration.in_transaction or "CONCURRENTLY" not in text.upper():
        return text
    version = str(_single(connection, queries["positions.server"]))
    return _CONCURRENTLY.sub("", text) if any(word in version for word in NO_COPY) else text


def _ledger(connection: psycopg.Connection) -> dict[int, tuple[str, str]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(queries["schema_migrations.list"]).fetchall()
    return {row["version"]: (row["name"], row["sha256"]) for row in rows}


def _row(migration: Migration) -> tuple[int, str, str, int]:
    return (migration.version, migration.name, migration.sha256, migration.needs)


def _single(connection: psycopg.Connection, query: LiteralString, *values: object) -> object:
    row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None
