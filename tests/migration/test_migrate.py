"""The runner: order, ledger, failures, several at once, locks, and programs of another age."""

import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from app.machine.migrate import (
    DatabaseAway,
    MigrationBusy,
    MigrationEdited,
    MigrationFailed,
    SchemaTooNew,
    migrate,
    pending,
)
from app.web.auth import Role, new_token
from sql import MIGRATIONS_FOLDER, queries
from sql.ledger import Engine, MigrationGap, Standing, load, of_rows
from tests.waiting import PATIENCE_S


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


def test_a_program_of_before_finds_its_schema_in_the_one_of_a_later_program(empty_database_url, folder):
    """After a rollback there is nothing to do, and nothing to refuse."""
    migrate(empty_database_url, folder=folder)
    (folder / "0002_index.notx.sql").unlink()
    done = migrate(empty_database_url, folder=folder)
    assert (done.applied, done.version, done.schema.standing) == ((), 2, Standing.AHEAD)


def test_a_program_that_misses_what_a_later_one_took_away_is_refused(empty_database_url, folder):
    (folder / "0003_no_cats.sql").write_text("-- They are gone.\n-- needs: 0003\nDROP TABLE cats;\n")
    migrate(empty_database_url, folder=folder)
    (folder / "0003_no_cats.sql").unlink()
    with pytest.raises(SchemaTooNew, match="needs a program that knows 0003; this one knows 0002"):
        migrate(empty_database_url, folder=folder)


def test_the_ledger_of_a_release_before_is_read_and_brought_up_to_date(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE schema_migrations DROP COLUMN needs")
        rows = connection.execute(queries["schema_migrations.standing"]).fetchall()
    assert rows == [(1, None), (2, None)]
    assert of_rows([{"version": 1, "needs": None}, {"version": 2, "needs": None}], 2).standing is Standing.CURRENT
    (folder / "0003_dogs.sql").write_text("-- Dogs.\nCREATE TABLE dogs (name text);\n")
    assert migrate(empty_database_url, folder=folder).applied == ("0003_dogs.sql",)


def test_a_migration_lets_others_pass_while_it_waits_for_a_lock(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    (folder / "0003_age.sql").write_text("-- Ages.\nALTER TABLE cats ADD COLUMN age int;\n")
    said = []
    with psycopg.connect(empty_database_url) as reader, ThreadPoolExecutor(1) as thread:
        reader.execute("SELECT FROM cats").fetchall()  # and its transaction stays open
        migration = thread.submit(migrate, empty_database_url, folder=folder, say=said.append)
        with psycopg.connect(empty_database_url, autocommit=True) as other:
            while not said:  # it has given the lock up at least once
                other.execute("SELECT FROM cats").fetchall()
        reader.rollback()
        assert migration.result(timeout=PATIENCE_S).applied == ("0003_age.sql",)
    assert said[0] == "0003_age.sql: somebody holds a lock it needs; trying again in 1 s"


def test_waiting_for_a_lock_is_bounded(empty_database_url, folder):
    migrate(empty_database_url, folder=folder)
    (folder / "0003_age.sql").write_text("-- Ages.\nALTER TABLE cats ADD COLUMN age int;\n")
    with psycopg.connect(empty_database_url) as reader:
        reader.execute("SELECT FROM cats").fetchall()
        with pytest.raises(MigrationBusy, match=r"0003_age\.sql: somebody has held a lock"):
            migrate(empty_database_url, folder=folder, wait_s=0.5)


@pytest.mark.parametrize("is_recorded", [False, True])
def test_an_index_that_an_interruption_left_invalid_is_made_anew(empty_database_url, folder, is_recorded):
    migrate(empty_database_url, folder=folder)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'cats_by_name'::regclass")
        if not is_recorded:
            connection.execute("DELETE FROM schema_migrations WHERE version = 2")
        migrate(empty_database_url, folder=folder)
        valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'cats_by_name'::regclass")
        assert valid.fetchone() == (True,)


def test_a_server_that_does_not_accept_connections_yet_is_waited_for(empty_database_url, folder):
    """As the first start of a database container: nobody listens on its port for a while."""
    parts = urlsplit(empty_database_url)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
        url = parts._replace(netloc=parts.netloc.replace(str(parts.port), str(port))).geturl()
        said = threading.Event()
        words = []

        def say(line):
            words.append(line)
            said.set()

        with ThreadPoolExecutor(1) as thread:
            migration = thread.submit(migrate, url, folder=folder, say=say)
            assert said.wait(60)
            door.listen()
            with forwarding(door, parts.port):
                assert len(migration.result(timeout=PATIENCE_S).applied) == 2
    assert "waiting up to 60 s for the database" in words[0]


@contextmanager
def forwarding(door, port):
    """Everything that comes in at the door goes on to a port of this machine."""

    def pump(source, target):
        while data := source.recv(65_536):
            target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    client, _ = door.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server, ThreadPoolExecutor(2) as pumps:
        ends = [pumps.submit(pump, client, server), pumps.submit(pump, server, client)]
        yield
        for end in ends:
            end.result()


def test_a_wrong_password_is_said_at_once(empty_database_url, folder):
    parts = urlsplit(empty_database_url)
    wrong = parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(DatabaseAway, match=r"DATABASE_URL: cannot connect: .*password authentication failed"):
        migrate(wrong, folder=folder)


def test_nobody_listening_is_said_in_the_end(folder):
    with pytest.raises(DatabaseAway, match=r"DATABASE_URL: cannot connect: .*Connection refused"):
        migrate("postgresql://x:y@127.0.0.1:1/z", folder=folder, connect_s=0.0)


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


def test_positions_of_before_become_the_part_of_all_days_before(empty_database_url, tmp_path):
    """Rows, rights and what a program of before says stay as they are; no day that may get a fix is without a part."""
    shutil.copytree(MIGRATIONS_FOLDER, tmp_path / "before")
    first = next((tmp_path / "before").rglob("*_positions_bound.sql")).name
    for file in list((tmp_path / "before").rglob("*.sql")):
        if file.name >= first:
            file.unlink()
    migrate(empty_database_url, folder=tmp_path / "before")
    insert = """
        INSERT INTO positions (courier_id, fixed_at, lat_e7, lon_e7, cell, delay_s)
        SELECT gen_random_uuid(), now() + n * INTERVAL '1 hour', 1, 1, 1, 1 FROM generate_series(%s::int, %s) AS n
    """
    in_parts = "SELECT count(*), count(*) FILTER (WHERE tableoid = 'positions_before'::regclass) FROM positions"
    with psycopg.connect(empty_database_url, autocommit=True) as old:
        old.execute("CREATE ROLE reader_of_positions")
        try:
            old.execute("GRANT SELECT ON positions TO reader_of_positions WITH GRANT OPTION")
            old.execute("GRANT UPDATE ON positions TO PUBLIC")
            for _ in range(6):
                old.execute(insert, (-100, 0), prepare=True)
            rights = "SELECT grantee::regrole, privilege_type, is_grantable FROM pg_class, aclexplode(relacl)"
            rights += " WHERE relname = 'positions' ORDER BY 1, 2"
            before = old.execute(rights).fetchall()
            migrate(empty_database_url)
            assert old.execute(rights).fetchall() == before
            assert old.execute(in_parts).fetchone() == (606, 606)
            old.execute(insert, (-100, 1), prepare=True)
            assert old.execute(in_parts).fetchone() == (708, 708)
            old.execute(insert, (72, 72))
            assert old.execute(in_parts).fetchone() == (709, 708)
            assert old.execute("SELECT count(*) FROM positions_default").fetchone() == (0,)
            old.execute("DELETE FROM positions WHERE fixed_at < now() - INTERVAL '50 hours'")
            assert old.execute("SELECT min(fixed_at) > now() - INTERVAL '51 hours' FROM positions").fetchone() == (
                True,
            )
        finally:
            old.execute("DROP OWNED BY reader_of_positions")
            old.execute("DROP ROLE reader_of_positions")
