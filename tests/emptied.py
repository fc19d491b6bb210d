"""
A migrated database that is emptied after a test, for the next one: to clone one takes longer than most tests do.

It is cloned anew where more than rows has changed (columns, grants, settings, statistics), or where much is left over.
"""

from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import sql

from app.machine.servers import PostgresServer
from tests.waiting import wait_until

LEFT_OVER_BYTES: Final = 300_000
"""Of a table: deleted rows stay in its file, and a planner sees how long it is."""

# A catalogue's row is written anew when what it describes changes; but TRUNCATE writes those of pg_class anew, too.
SCHEMA: Final = """
SELECT md5(concat_ws('|',
  (SELECT string_agg(concat_ws(' ', oid, relname, relowner, relacl, reloptions, relrowsecurity), ',' ORDER BY oid)
     FROM pg_class WHERE oid >= 16384 AND relnamespace::regnamespace::text NOT LIKE 'pg\\_%%'),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_attribute WHERE attrelid >= 16384),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_attrdef),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_constraint),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_index WHERE indexrelid >= 16384),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_proc WHERE oid >= 16384),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_trigger),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_policy),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%%temp%%'),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_extension),
  (SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM pg_default_acl),
  (SELECT string_agg(setconfig::text, ',' ORDER BY setrole)
     FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()),
  (SELECT xmin::text FROM pg_database WHERE datname = current_database()),
  (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384)))
"""
TABLES: Final = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname NOT IN ('pg_catalog', 'information_schema')
  AND nspname NOT LIKE 'pg\\_%%'
ORDER BY 1
"""
SEQUENCES: Final = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' ORDER BY 1"
ENDED: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
LARGE: Final = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND pg_relation_size(oid) > %s"


class Emptied:
    """The database of one name; `ready` before a test, `empty` after it."""

    def __init__(self, server: PostgresServer, template: str, name: str) -> None:
        self._server = server
        self._template = template
        self._name = name
        self._is_there = False
        self._schema = ""
        self._tables: Sequence[str] = ()
        self._rows: dict[str, list[bytes]] = {}
        """Of the tables that migrations put rows into."""
        self._sequences: dict[str, tuple[int, bool]] = {}

    @property
    def url(self) -> str:
        return self._server.url_of(self._name)

    def ready(self) -> str:
        """Its address, once it is there."""
        if not self._is_there:
            clone(self._server, self._template, self._name)
            with psycopg.connect(self.url, autocommit=True) as connection:
                self._tables = self._tables or [name for (name,) in connection.execute(TABLES)]
                filled = connection.execute(_those_with_rows(self._tables)).fetchall()
                self._rows = self._rows or {name: _rows(connection, name) for (name,) in filled}
                self._sequences = self._sequences or _sequences(connection)
                (self._schema,) = connection.execute(SCHEMA).fetchone()
            self._is_there = True
        return self.url

    def empty(self) -> None:
        """As it was cloned, or gone."""
        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
                wait_until(lambda: not connection.execute(ENDED).fetchall())
                if self._is_as_cloned(connection):
                    return
        except psycopg.Error:
            pass  # whatever the test has made of it, a new one is not so
        self.drop()

    def drop(self) -> None:
        drop(self._server, self._name)
        self._is_there = False

    def _is_as_cloned(self, connection: psycopg.Connection) -> bool:
        if connection.execute(SCHEMA).fetchone() != (self._schema,):
            return False
        if connection.execute(LARGE, [LEFT_OVER_BYTES]).fetchone() != (0,):
            return False
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, so in any order
            for (name,) in connection.execute(_those_with_rows(self._tables)).fetchall():
                wanted = self._rows.get(name, [])
                if wanted and _rows(connection, name) == wanted:
                    continue
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.SQL(name)))
            for name, rows in self._rows.items():
                if _rows(connection, name) != rows:
                    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.SQL(name))) as copy:
                        copy.write(b"".join(rows))
            for name, (last, is_called) in self._sequences.items():
                connection.execute("SELECT setval(%s, %s, %s)", [name, last, is_called])
        return True


def clone(server: PostgresServer, template: str, name: str) -> None:
    """A database like the template."""
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


def drop(server: PostgresServer, name: str) -> None:
    """Whoever uses it."""
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _those_with_rows(tables: Sequence[str]) -> sql.Composed:
    ask = sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})")
    return sql.SQL(" UNION ALL ").join(ask.format(sql.Literal(name), sql.SQL(name)) for name in tables)


def _rows(connection: psycopg.Connection, table: str) -> list[bytes]:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.SQL(table))) as copy:
        return sorted(bytes(line) + b"\n" for line in b"".join(copy).splitlines())


def _sequences(connection: psycopg.Connection) -> dict[str, tuple[int, bool]]:
    found = {}
    for (name,) in connection.execute(SEQUENCES).fetchall():
        last, is_called = connection.execute(
            sql.SQL("SELECT last_value, is_called FROM {}").format(sql.SQL(name))
        ).fetchone()
        found[name] = (last, is_called)
    return found
