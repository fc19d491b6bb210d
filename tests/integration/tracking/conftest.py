"""A history on a database of its own."""

import asyncpg
import pytest

from tracking.history.history import History


@pytest.fixture
async def pool(database_url):
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as made:
        yield made


@pytest.fixture
def history(pool):
    return History(pool)
