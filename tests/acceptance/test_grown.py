"""The next release's columns under this release's program: nothing that runs notices them."""

import asyncio

import asyncpg
import pytest

from app.web.auth import Role
from app.web.retries import COLLISIONS
from sql import queries
from tests.acceptance.conftest import ClientOf

PLACES = {"pickup": {"lat": 41.1496, "lon": -8.6109}, "dropoff": {"lat": 41.1579, "lon": -8.6291}}
TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'schema_migrations'"
    " AND tablename NOT IN (SELECT inhrelid::regclass::text FROM pg_inherits) ORDER BY tablename"
)


async def grow(connection: asyncpg.Connection, column: str) -> None:
    for row in await connection.fetch(TABLES):
        await connection.execute(f'ALTER TABLE "{row[0]}" ADD COLUMN {column} int')


async def columns_of_all(connection):
    """What each query answers; without the few that only TimescaleDB, or an extension, understands."""
    found = {}
    for name, text in queries.items():
        if not name.startswith("schema_migrations."):
            try:
                statement = await connection.prepare(text)
            except (asyncpg.UndefinedFunctionError, asyncpg.UndefinedTableError):
                assert name.startswith(("ailments.", "housekeeping.")), name
            else:
                found[name] = [column.name for column in statement.get_attributes()]
    return found


async def test_a_column_added_to_every_table_changes_the_answer_of_no_query(database_url):
    connection = await asyncpg.connect(database_url, statement_cache_size=0)
    try:
        before = await columns_of_all(connection)
        await grow(connection, "new_here")
        assert await columns_of_all(connection) == before
    finally:
        await connection.close()


async def test_columns_added_under_load_make_no_request_fail(client_of: ClientOf, settings):
    staff = await client_of(Role.ADMIN)
    courier = (await staff.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"})).json()["id"]
    is_over = asyncio.Event()
    answers = []

    async def use(i):
        while not is_over.is_set():
            placed = await staff.post("/v1/orders", json=PLACES)
            order_id = placed.json().get("id")
            given = await staff.post(
                f"/v1/orders/{order_id}/reassign", json={"courier_id": courier, "reason": f"by {i}", "force": True}
            )
            listed = await staff.get("/v1/orders", params={"limit": 5})
            route = await staff.get(f"/v1/couriers/{courier}/route")
            answers.extend([placed, given, listed, route])

    load = [asyncio.create_task(use(i)) for i in range(3)]
    connection = await asyncpg.connect(settings.database_url)
    for n in range(3):
        before = len(answers)
        while len(answers) < before + 12:  # every statement is prepared somewhere
            await asyncio.sleep(0.01)
        await grow(connection, f"new_{n}")
    is_over.set()
    await asyncio.gather(*load)
    await connection.close()
    assert {answer.status_code for answer in answers} <= {200, 201}, [a.text for a in answers if a.status_code > 201]


@pytest.fixture
async def tale(database_url):
    """A table whose whole rows a transaction reads, as a program of before would."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE tale (a int)")
    yield connection
    await connection.close()


async def test_a_statement_prepared_before_the_change_is_a_collision_and_run_again(tale, database_url):
    """Whatever a migration does to a result, the request's transaction has done nothing and is run again."""
    other = await asyncpg.connect(database_url)
    await tale.fetch("SELECT * FROM tale")
    await other.execute("ALTER TABLE tale ADD COLUMN b int")
    with pytest.raises(COLLISIONS):
        async with tale.transaction():
            await tale.fetch("SELECT * FROM tale")
    async with tale.transaction():
        assert await tale.fetch("SELECT * FROM tale") == []
    await other.close()
