"""
A server is away: what PostgreSQL, Redis and their drivers raise then, said once for everybody.

    DATABASE, REDIS, EITHER   away, or refusing for reasons of its own, for now: the same may pass the next time
    DRIVERS                   whatever the two drivers raise, for who must answer or try again whatever it is
    DATA                      PostgreSQL says that what it was given cannot be stored: trying again changes nothing

What is in DRIVERS and in none of the others is a mistake of ours or of the installation: a misspelt column, a missing
grant, a wrong type. It may be tried again too, for somebody may be mending it; but it is told as an error with its
traceback and counted. `is_outage` tells the two apart, `tell` writes either into the log.
"""

import logging
from time import monotonic
from typing import Final

import asyncpg
from asyncpg.exceptions import _base as client
from prometheus_client import Counter
from redis import exceptions as redis

MISTAKES: Final = Counter(
    "postrider_dependency_mistakes",
    "Errors of PostgreSQL or Redis that no outage explains: a defect, or an installation that is not as it should be.",
    ["event"],
)

DATABASE: Final[tuple[type[Exception], ...]] = (
    OSError,  # refused and reset connections, no route, no name, time-outs: TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.FatalPostgresError,
    asyncpg.InterfaceError,  # the connection or the pool is closed, or closes
    asyncpg.InternalClientError,  # what asyncpg says when the server dies in the middle of a conversation
    asyncpg.OperatorInterventionError,  # shuts down, starts up, ends this session, cancels a statement that takes long
    asyncpg.InsufficientResourcesError,  # the disk or the memory is full, too many connections
    asyncpg.PostgresSystemError,  # the disk fails
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or made read-only
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,  # the password is being changed, pg_hba.conf does not let us in
    asyncpg.InvalidCatalogNameError,  # the database is being restored
    asyncpg.TransactionRollbackError,  # a deadlock or a serialisation failure
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectInUseError,
    asyncpg.InvalidCachedStatementError,  # a migration ran meanwhile; asyncpg prepares it anew
)
"""Says nothing about the statement or the data."""

REDIS: Final[tuple[type[Exception], ...]] = (
    OSError,
    redis.ConnectionError,  # authentication too
    redis.TimeoutError,
    redis.InvalidResponse,
    redis.ClusterError,
    redis.ResponseError,  # Redis says most of its refusals (MISCONF, NOREPLICAS) by this class alone: see `is_outage`
)
"""Says nothing about the command, nearly always."""

EITHER: Final = tuple(dict.fromkeys(DATABASE + REDIS))
"""PostgreSQL or Redis is away."""

DATABASE_DRIVER: Final[tuple[type[Exception], ...]] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.ClientConfigurationError,
)
REDIS_DRIVER: Final[tuple[type[Exception], ...]] = (redis.RedisError,)
"""Whatever the one driver raises, and the other, so that the culprit can be named."""
DRIVERS: Final[tuple[type[Exception], ...]] = (OSError, *DATABASE_DRIVER, *REDIS_DRIVER)
"""Everything the drivers raise."""

DATA: Final[tuple[type[Exception], ...]] = (
    asyncpg.DataError,  # PostgreSQL's word for it...
    client.DataError,  # ... and asyncpg's own, before anything is sent
    asyncpg.IntegrityConstraintViolationError,
)
"""These rows can never be stored as they are. Not for statements that name what may not exist any more."""

SLOW: Final[tuple[type[Exception], ...]] = (TimeoutError, asyncpg.QueryCanceledError)
"""PostgreSQL took too long: it is slow, or it was asked for too much at once."""

_NEVER_PASSES: Final = (client.DataError, asyncpg.ClientConfigurationError, asyncpg.UnsupportedClientFeatureError)
_REDIS_BY_CLASS: Final = (
    redis.OutOfMemoryError,
    redis.ReadOnlyError,
    redis.ExecAbortError,  # a command of the transaction was refused for one of these reasons
    redis.ClusterDownError,
    redis.TryAgainError,
    redis.AskError,
)
_REDIS_BY_WORD: Final = ("MISCONF", "NOREPLICAS", "BUSY ", "LOADING", "OOM", "READONLY", "NOGROUP", "UNBLOCKED")
"""How answers begin that have no class of their own; the last two come when Redis lost its memory."""

SAID_AGAIN_S: Final = 1.0
"""The same event with the same error is written no more often: a thousand requests meet the same outage."""
_told_at: dict[tuple[str, type[Exception], str], float] = {}


def is_outage(exc: BaseException) -> bool:
    """Whether a server is away; False: our mistake, or the installation's, or the data's."""
    if isinstance(exc, redis.ResponseError):
        return isinstance(exc, _REDIS_BY_CLASS) or str(exc).startswith(_REDIS_BY_WORD)
    return isinstance(exc, EITHER) and not isinstance(exc, _NEVER_PASSES)


def tell(
    log: logging.Logger, message: str, exc: Exception, *, event: str, level: int = logging.WARNING, **facts: object
) -> None:
    """An outage is a line of `level`; anything else an error with its traceback, and counted."""
    outage = is_outage(exc)
    if not outage:
        MISTAKES.labels(event).inc()
    key, now = (event, type(exc), str(facts.get("region"))), monotonic()
    if now - _told_at.get(key, float("-inf")) < SAID_AGAIN_S:
        return
    _told_at[key] = now
    log.log(
        level if outage else logging.ERROR,
        message,
        extra={"event": event, "error": words(exc), **facts},
        exc_info=None if outage else exc,
    )


def words(exc: BaseException) -> str:
    """Class and first line: what follows in PostgreSQL's errors may show a whole row, and a row where somebody was."""
    lines = str(exc).splitlines() if exc.args else []  # asyncpg cannot show an error without words
    return f"{type(exc).__name__}: {lines[0][:200]}" if lines else type(exc).__name__
