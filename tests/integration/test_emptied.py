"""What a test leaves in its database is gone before the next one."""

import psycopg
import pytest

from tests.emptied import Emptied

LEFT = (
    "INSERT INTO couriers (name, mode, region) VALUES ('Ana', 'car', 'default')",
    "INSERT INTO regions (id, name) VALUES ('porto', 'Porto')",
    "UPDATE regions SET settings = '{\"asks\": true}'",
    "DELETE FROM schema_migrations",
    "SELECT nextval('order_events_id_seq')",
    "ALTER TABLE couriers ADD COLUMN odd int",
    "GRANT SELECT ON couriers TO PUBLIC",
    "INSERT INTO couriers (name, mode, region) SELECT repeat('a', 90), 'car', 'default' FROM generate_series(1, 5000)",
)
SEEN = """
SELECT (SELECT count(*) FROM couriers), (SELECT array_agg(r::text) FROM regions r),
    (SELECT count(*) FROM schema_migrations), nextval('order_events_id_seq'),
    has_table_privilege('public', 'couriers', 'select'), pg_relation_size('couriers') < 99999,
    (SELECT count(*) FROM pg_attribute WHERE attrelid = 'couriers'::regclass)
"""


@pytest.fixture
def database(postgres_server, template_database):
    database = Emptied(postgres_server, template_database, "emptied")
    yield database
    database.drop()


def look(database):
    with psycopg.connect(database.ready(), autocommit=True) as connection:
        return connection.execute(SEEN).fetchone()


def test_whatever_a_test_leaves_in_its_database_the_next_one_finds_it_as_it_was(database):
    cloned = look(database)
    for statement in LEFT:
        database.empty()
        with psycopg.connect(database.ready(), autocommit=True) as connection:
            connection.execute(statement)
        assert look(database) != cloned
        database.empty()
        assert look(database) == cloned, statement
