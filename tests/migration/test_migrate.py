"""The runner: order, ledger, failures, several at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from app.machine.migrate import (
    DatabaseNewer,
    Engine,
    MigrationBusy,
    MigrationEdited,
    MigrationFailed,
    MigrationGap,
    load,
    migrate,
    pending,
)
from app.web.auth import Role, new_token


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations."""
    (tmp_path / "0001_cats.sql").write_text(
        "-- Cats.\nCREATE TABLE cats (name text);\nINSERT INTO cats VALUES ('a;b');\n"
    )
    (tmp_path / "0002_index.notx.sql").write_text(
        "-- Fast.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS cats_by_name ON cats (name);\n"
    )
    return tmp_path


def test_all_files_apply_to_an_empty_database_and_then_nothing_is_left_to_do(empty_database_url):
    names = [migration.name for migration in load(Engine.POSTGRES)]
    assert pending(empty_database_url) == names
    first = migrate(empty_database_url)
    assert list(first.applied) == names
    assert first.engine is Engine.POSTGRES
    again = migrate(empty_database_url)
    assert again.applied == ()
    assert again.version == first.version
    assert pending(empty_database_url) == []


def test_starts_at_once_apply_every_file_once(empty_database_url, folder):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrate(empty_database_url, folder=folder), range(4)))
    assert sorted(name for result in results for name in result.applied) == ["0001_cats.sql", "0002_index.notx.sql"]
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM cats").fetchone() == (1,)


def test_a_failed_file_names_its_statement_and_leaves_nothing_behind(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    bad = folder / "0003_dogs.sql"
    bad.write_text("-- Dogs.\nCREATE TABLE dogs (name text);\n\n-- A slip.\nINSERT INTO dogz VALUES (1);\n")
    with pytest.raises(MigrationFailed, match=r'0003_dogs.sql, line 4: relation "dogz" does not exist') as failure:
        migrate(empty_database_url, folder=folder)
    assert "INSERT INTO dogz" in str(failure.value)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('dogs')").fetchone() == (None,)
        assert connection.execute("SELECT count(*) FROM cats").fetchone() == (1,)
    bad.write_text("-- Dogs.\nCREATE TABLE dogs (name text);\n")
    assert migrate(empty_database_url, folder=folder).applied == ("0003_dogs.sql",)


def test_an_edited_file_is_noticed(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    (folder / "0001_cats.sql").write_text("-- Cats.\nCREATE TABLE cats (name text, age int);\n")
    with pytest.raises(MigrationEdited, match=r"0001_cats\.sql"):
        migrate(empty_database_url, folder=folder)


def test_a_database_of_a_newer_program_is_left_alone(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    (folder / "0002_index.notx.sql").unlink()
    with pytest.raises(DatabaseNewer, match=r"0002_index\.notx\.sql"):
        migrate(empty_database_url, folder=folder)


def test_a_gap_among_the_files_is_refused_before_anything_runs(empty_database_url, folder):
    (folder / "0004_late.sql").write_text("-- Late.\nSELECT 1;\n")
    with pytest.raises(MigrationGap, match="expected version 0003"):
        migrate(empty_database_url, folder=folder)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('cats')").fetchone() == (None,)


def test_a_number_used_twice_is_refused(folder):
    (folder / "0002_again.sql").write_text("-- Again.\nSELECT 1;\n")
    with pytest.raises(MigrationGap):
        load(Engine.POSTGRES, folder)


def test_a_gap_in_the_ledger_is_noticed(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = 1")
    with pytest.raises(MigrationGap, match="0002 but not 0001"):
        migrate(empty_database_url, folder=folder)


def test_waiting_for_another_migration_is_bounded(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    (folder / "0003_dogs.sql").write_text("-- Dogs.\nCREATE TABLE dogs (name text);\n")
    with psycopg.connect(empty_database_url) as other:
        other.execute("SELECT pg_advisory_lock(7761739105)")
        with pytest.raises(MigrationBusy):
            migrate(empty_database_url, folder=folder, wait_s=0.2)


def test_a_repeated_notx_file_is_harmless(empty_database_url, folder):
    """A crash between the statement and its ledger row."""
    migrate(empty_database_url, folder=folder)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = 2")
    assert migrate(empty_database_url, folder=folder).applied == ("0002_index.notx.sql",)


def test_secrets_that_were_kept_in_quarantine_are_scrubbed(empty_database_url):
    """By the statement that ran when the column came: what it does to rows of the release before."""
    migrate(empty_database_url)
    [file] = [migration for migration in load(Engine.POSTGRES) if migration.name == "0015_quarantine_once.sql"]
    scrub = file.text[file.text.index("UPDATE quarantine") :]
    token = new_token(Role.COURIER).token
    kept = {
        f"lat=x&token={token}&lon=1".encode(): b"lat=x&token=[removed]&lon=1",
        f"id={token.replace('_', '%5F')}".encode(): b"id=[removed]",
        f'{{"note": "\xd1\x8f", "password": "hunter2", "x": "{token}"}}'.encode("latin-1"): (
            b'{"note": "\xd1\x8f", "password": [removed], "x": "[removed]"}'
        ),
        f"Authorization: Bearer {token}".encode(): b"",
        f"id={token}".encode("utf-16"): b"",
        rb"lat=\101&lon=2": rb"lat=\101&lon=2",
        b"": b"",
    }
    with psycopg.connect(empty_database_url) as connection:
        for place, payload in enumerate(kept):
            connection.execute(
                "INSERT INTO quarantine (received_at, reason, source, payload, entry, place)"
                " VALUES (now(), 'unreadable', 'osmand', %s, '0', %s)",
                (payload, place),
            )
        for _ in range(2):
            connection.execute(scrub)
            rows = connection.execute("SELECT payload FROM quarantine ORDER BY place").fetchall()
    for (payload,), (before, after) in zip(rows, kept.items(), strict=True):
        assert token.encode() not in payload
        assert payload == after or before.startswith(b"Authorization")
