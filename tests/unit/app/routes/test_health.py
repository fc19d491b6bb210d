from types import SimpleNamespace

import asyncpg
import pytest
import redis.exceptions

from app.routes.health import ready
from app.web.problems import exception_handlers
from tracking.cluster import Cluster


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

    async def cluster(self, _):
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


class Half(Cluster):
    """Two servers; that of the first key does not answer, the other says how its cluster is."""

    def __init__(self, state: str) -> None:
        self.state = state

    async def set(self, *_, **__):
        raise redis.exceptions.ConnectionError("refused")

    async def exists(self, *_):
        return 0

    async def cluster(self, _):
        return {"cluster_state": self.state}

    async def servers(self, **_):
        return {"first": Failing(redis.exceptions.ConnectionError("refused")), "second": self}

    def __del__(self):
        """It never had a connection."""


@pytest.mark.parametrize(("state", "told"), [("ok", (200, "partly")), ("fail", (503, "unavailable"))])
async def test_while_some_servers_of_a_cluster_work_fixes_of_their_regions_are_taken(state, told):
    answer = await ready.fn(pool=Failing(OSError()), redis=Half(state))
    assert (answer.status_code, answer.content["redis"]["status"]) == told


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
