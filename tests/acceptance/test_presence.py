"""Who else looks at the desk and at an order."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.routes import presence
from app.web.auth import Role
from tracking.log import RegionKeys


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_people_at_the_desk_and_on_an_order_see_one_another_until_they_leave_or_fall_silent(client_of, redis):
    anna, ben = await client_of(Role.SUPPORT), await client_of(Role.VIEWER)
    names = {client: (await client.get("/v1/me")).json()["name"] for client in (anna, ben)}
    pages = {client: uuid4() for client in (anna, ben)}
    order_id = str(uuid4())

    async def says(client, **body):
        answer = await client.put(f"/v1/presence/{pages[client]}", params={"region": "default"} | body)
        assert answer.status_code == 200
        return answer.json()

    assert await says(anna, order_id=order_id) == {"here": [], "order": []}
    assert await says(ben, order_id=order_id) == {"here": [names[anna]], "order": [names[anna]]}
    assert await says(anna, order_id=order_id) == {"here": [names[ben]], "order": [names[ben]]}
    assert (await says(ben, left=order_id))["order"] == []
    assert await says(anna, order_id=order_id) == {"here": [names[ben]], "order": []}

    # Who fell silent is forgotten, and so is a place that nobody looks at.
    desk = RegionKeys("default").present("desk")
    for member in await redis.zrange(desk, 0, -1):
        await redis.zincrby(desk, -presence.LASTS_S - 1, member)
    assert (await says(anna))["here"] == []
    assert 0 < await redis.ttl(RegionKeys("default").present(order_id)) <= presence.LASTS_S


async def test_so_many_pages_at_one_place_are_remembered_and_no_more(client_of, redis, monkeypatch):
    monkeypatch.setattr(presence, "MOST", 3)
    client = await client_of(Role.SUPPORT)
    for _ in range(5):
        await client.put(f"/v1/presence/{uuid4()}", params={"region": "default"})
    assert await redis.zcard(RegionKeys("default").present("desk")) == 3
    assert (await client.put(f"/v1/presence/{uuid4()}", params={"region": "nowhere"})).status_code == 400
