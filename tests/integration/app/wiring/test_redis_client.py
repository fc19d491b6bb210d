import asyncio

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected

from app.wiring.redis_client import Connection, open_client
from tests.waiting import PATIENCE_S


async def test_a_task_that_is_cancelled_as_its_command_was_sent_ends(redis_url, monkeypatch):
    """redis-py and Python 3.11 lose the cancellation: the task went on for ever, and whoever ended it waited."""
    client = open_client(redis_url, size=1)
    await client.ping()
    send = AbstractConnection._send_packed_command
    began = asyncio.Event()

    async def send_and_cancel(connection, command):
        await send(connection, command)
        working.cancel()

    async def work():
        began.set()
        await client.ping()
        await asyncio.sleep(3600)

    working = asyncio.create_task(work())
    monkeypatch.setattr(AbstractConnection, "_send_packed_command", send_and_cancel)
    await began.wait()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE_S):
            await working
    monkeypatch.undo()
    assert await client.ping()  # the answer nobody read is nobody else's
    await client.aclose()


async def test_a_transport_that_is_closed_already_is_a_server_that_is_away(redis_url, monkeypatch):
    """uvloop says RuntimeError, by which a lane dies as of a defect."""
    client = open_client(redis_url, size=1)
    await client.ping()

    async def refuse(*_):
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    monkeypatch.setattr(AbstractConnection, "_send_packed_command", refuse)
    with pytest.raises(Disconnected):
        await client.ping()
    monkeypatch.undo()
    assert await client.ping()
    await client.aclose()


async def test_sentinels_are_asked_over_such_connections_too():
    manager = open_client("redis+sentinel://localhost/fleet", size=1).connection_pool.sentinel_manager
    assert [one.connection_pool.connection_class for one in manager.sentinels] == [Connection]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://localhost", "Connection"),
        ("rediss://localhost", "SslConnection"),
        ("unix:///run/redis", "UnixConnection"),
        ("redis+sentinel://localhost/fleet", "SentinelConnection"),
        ("rediss+sentinel://localhost/fleet", "SentinelSslConnection"),
    ],
)
async def test_every_way_to_connect_is_one_that_can_be_cancelled(url, name):
    assert open_client(url, size=1).connection_pool.connection_class.__name__ == name
