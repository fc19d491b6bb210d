from types import SimpleNamespace

import asyncpg
import pytest
import redis.exceptions

from app.routes.health import ready
from app.web.problems import exception_handlers


def family(*heads: type[Exception]) -> list[type[Exception]]:
    return [cls for head in heads for cls in (head, *family(*head.__subclasses__()))]


class Failing:
    """A pool and a client whose every answer is this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def fetchrow(self, *_, **__):
        raise self.error

    async def set(self, *_):
        raise self.error


DRIVERS = [
    *family(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    *family(redis.exceptions.RedisError, OSError),
    AttributeError,  # asyncpg, when the connection goes while it reads
]


async def test_ready_is_unavailable_and_never_a_defect_whatever_a_driver_raises():
    for error in DRIVERS:
        failing = Failing(error.__new__(error))
        answer = await ready.fn(pool=failing, redis=failing)
        assert (error, answer.status_code) == (error, 503)
        assert (error, answer.content["database"]) == (error, {"status": "unavailable"})
        assert (error, answer.content["redis"]["status"] in {"unavailable", "no_writes"}) == (error, True)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), 503),
        (asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"), 503),
        (redis.exceptions.ResponseError("MISCONF Redis cannot persist"), 503),
        (asyncpg.UndefinedColumnError("no such column"), 500),
        (redis.exceptions.ResponseError("WRONGTYPE"), 500),
    ],
    ids=repr,
)
def test_request_meets_an_outage_as_503_and_a_mistake_of_ours_as_500(error, status):
    handler = next(h for cls in type(error).__mro__ if (h := exception_handlers().get(cls)))
    answer = handler(SimpleNamespace(scope={"state": {}}), error)
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (status == 503)
