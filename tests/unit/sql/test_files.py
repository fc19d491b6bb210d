"""The rules of sql/README.md that need no server."""

import re

import pytest

from sql import MIGRATIONS_FOLDER, queries
from sql.ledger import Engine, load
from sql.statements import bare, split
from tests.unit.source import is_asked


@pytest.mark.parametrize("engine", Engine)
def test_migrations_are_numbered_without_gaps_or_doubles(engine):
    """When this fails after a rebase: your new file takes the next free number."""
    assert [migration.version for migration in load(engine)] == list(range(1, len(load(engine)) + 1))


def test_both_engines_have_the_same_versions_under_the_same_titles():
    variants = [{file.name for file in (MIGRATIONS_FOLDER / engine).glob("*.sql")} for engine in Engine]
    assert variants[0] == variants[1]


@pytest.mark.parametrize("engine", Engine)
def test_every_migration_begins_by_saying_why(engine):
    for migration in load(engine):
        assert migration.text.startswith("-- "), migration.name


@pytest.mark.parametrize("engine", Engine)
def test_a_notx_file_has_one_statement_that_is_safe_to_repeat(engine):
    for migration in load(engine):
        if not migration.in_transaction:
            (statement,) = split(migration.text)
            text = bare(statement.text).upper()
            assert "IF NOT EXISTS" in text or text.startswith(
                ("CALL REFRESH_CONTINUOUS_AGGREGATE", "VACUUM", "ANALYZE", "DROP INDEX CONCURRENTLY IF EXISTS")
            )


def test_every_query_is_one_statement():
    for name, text in queries.items():
        assert len(list(split(text))) == 1, name


@pytest.mark.parametrize("name", queries)
def test_a_query_names_the_columns_it_wants(name):
    """A column that a migration adds changes no answer then; `tests/acceptance/test_grown.py` asks the database."""
    assert not re.search(r"\b(SELECT|RETURNING)\s+\*", bare(queries[name]), re.IGNORECASE)


def test_an_unknown_query_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match=r"positions has: .*positions\.insert_many"):
        queries["positions.insert_meny"]


AWAITED = {"stop_visits.open_of_region"}
"""Nothing asks these yet: a watcher that starts is going to read the visits that have not ended."""


def test_every_query_is_asked_by_the_program():
    assert set(queries) - is_asked(queries) <= AWAITED
