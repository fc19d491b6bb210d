import logging
import re
from pathlib import Path

import asyncpg
import pytest
import redis.exceptions
from asyncpg.exceptions import _base as client

from tracking import outages

ROOT = Path(__file__).parents[3]
log = logging.getLogger("tests.outages")


def family(*heads: type[Exception]) -> list[type[Exception]]:
    return [cls for head in heads for cls in (head, *family(*head.__subclasses__()))]


AWAY = [
    *[TimeoutError(), ConnectionRefusedError(), ConnectionResetError(), OSError("Multiple exceptions")],
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
    asyncpg.DiskFullError("could not extend file"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.TargetServerAttributeNotMatched("None of the hosts match the target attribute requirement"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("got result for unknown protocol state 3"),
    redis.exceptions.ConnectionError(),
    redis.exceptions.TimeoutError(),
    redis.exceptions.BusyLoadingError(),
    redis.exceptions.AuthenticationError("WRONGPASS"),
    redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
    redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    redis.exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots, but it is unable to persist."),
    redis.exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
    redis.exceptions.ResponseError("NOGROUP No such key or consumer group"),
]
MISTAKES = [
    asyncpg.UndefinedColumnError('column "lattitude" does not exist'),
    asyncpg.UndefinedTableError('relation "fixes" does not exist'),
    asyncpg.PostgresSyntaxError("syntax error at or near"),
    asyncpg.InsufficientPrivilegeError("permission denied for table positions"),
    asyncpg.CheckViolationError("violates check constraint"),
    asyncpg.NumericValueOutOfRangeError("integer out of range"),
    client.DataError("invalid input for query argument $1"),
    asyncpg.ClientConfigurationError("invalid DSN"),
    redis.exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    redis.exceptions.DataError("Invalid input of type"),
    RuntimeError("a defect"),
]


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(outages, "_told_at", {})


@pytest.mark.parametrize("exc", AWAY, ids=repr)
def test_server_that_is_away_is_one_line_of_warning(exc, caplog):
    outages.tell(log, "not read", exc, event="test_not_read")
    assert outages.is_outage(exc)
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


@pytest.mark.parametrize("exc", MISTAKES, ids=repr)
def test_mistake_of_ours_is_an_error_with_its_traceback_and_counted(exc, caplog):
    before = outages.MISTAKES.labels("test_not_read")._value.get()
    outages.tell(log, "not read", exc, event="test_not_read")
    assert not outages.is_outage(exc)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info[1]) == ("ERROR", exc)
    assert outages.MISTAKES.labels("test_not_read")._value.get() == before + 1


def test_thousand_requests_meeting_one_outage_are_one_line_and_another_region_its_own(caplog):
    for _ in range(1000):
        outages.tell(log, "not read", ConnectionResetError(), event="test_not_read", region="helsinki")
    outages.tell(log, "not read", ConnectionResetError(), event="test_not_read", region="oulu")
    assert [record.region for record in caplog.records] == ["helsinki", "oulu"]


def test_row_that_an_error_quotes_stays_out_of_its_words():
    exc = asyncpg.CheckViolationError("violates check constraint")
    exc.detail = "Failing row contains (60.17, 24.94)."
    assert "60.17" in str(exc)
    assert outages.words(exc) == "CheckViolationError: violates check constraint"


@pytest.mark.parametrize(
    "error",
    family(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, redis.exceptions.RedisError),
)
def test_every_error_of_the_drivers_is_known(error):
    assert issubclass(error, outages.DRIVERS)
    assert not (issubclass(error, outages.DATA) and outages.is_outage(error.__new__(error))), "away, or at fault?"


def test_drivers_errors_are_named_in_one_place_only():
    """A second list would drift from the first, as thirty of them did."""
    named = re.compile(r"\b(PostgresError|PostgresConnectionError|InterfaceError|InternalClientError|RedisError)\b")
    files = [path for folder in ("app", "dispatch", "tracking") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    found = {str(path.relative_to(ROOT)) for path in files if named.search(path.read_text())}
    assert found == {"tracking/outages.py"}
