"""Connections to the database, as every role opens them."""

import socket

from app.settings import Settings
from app.wiring import resources
from app.wiring.resources import open_pool


async def test_either_end_of_a_session_notices_that_the_other_is_gone(database_url):
    """A machine that is gone says no goodbye: its session's locks stayed for two hours, our wait for an answer too."""
    pool = await open_pool(Settings(database_url=database_url))
    try:
        for name, value in resources.SESSION.items():
            assert (await pool.fetchval("SELECT current_setting($1)", name)).removesuffix("s") in {
                value,
                str(int(value) // 1000),
            }
        async with pool.acquire() as connection:
            ours = connection._transport.get_extra_info("socket")
            patience_ms = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert patience_ms == resources.UNREACHABLE_S * 1000
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    finally:
        await pool.close()


async def test_a_pooler_is_asked_for_nothing_that_it_may_not_know(database_url):
    """PgBouncer refuses a session with a parameter that it does not know."""
    pool = await open_pool(Settings(database_url=database_url, database_pooler=True))
    try:
        assert await pool.fetchval("SELECT current_setting('tcp_user_timeout')") == "0"
    finally:
        await pool.close()
