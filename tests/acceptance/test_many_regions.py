"""Eighty regions, each looked at by somebody over HTTP, while positions come in."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import httpx

from app.machine.tokens import make_token
from app.web.auth import Role
from tests.acceptance.test_metrics import samples
from tests.acceptance.test_slow_clients import api
from tests.waiting import PATIENCE_S, until

REGIONS, ROUNDS = 80, 3
WAIT_S = 2 * PATIENCE_S


async def event(lines, name):
    """Up to the next event of that name in a stream."""
    async for line in lines:
        if line == f"event: {name}":
            return
    raise AssertionError("the stream ended")


async def test_many_regions_are_looked_at_over_http_while_uploads_go_on(database_url, redis_url):
    token = await make_token(database_url, Role.ADMIN, "many")
    with api(database_url, redis_url) as port:
        wide = httpx.Limits(max_connections=REGIONS + 20)
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=WAIT_S,
            limits=wide,
        )
        async with client:
            regions = [f"city-{n}" for n in range(REGIONS)]
            couriers = {}
            for region in regions:
                made = await client.post("/v1/regions", json={"name": region, "title": region})
                assert made.status_code == 201, made.text
                hired = await client.post("/v1/couriers", json={"name": "Ana", "mode": "car", "region": region})
                couriers[region] = hired.json()["id"]

            async def upload(region, n):
                """As a phone does: what a busy machine refuses is sent again."""

                async def is_taken():
                    fix = {"courier_id": couriers[region], "lat": 41.1 + n * 1e-5, "lon": -8.6}
                    answer = await client.post("/v1/positions", json=fix | {"fixed_at": datetime.now(UTC).isoformat()})
                    assert answer.status_code in {202, 503}, answer.text
                    return answer.status_code == 202 and answer.json()["accepted"] == 1

                await until(is_taken)

            async def uploads():
                for n in range(ROUNDS):
                    await asyncio.gather(*(upload(region, n) for region in regions))

            async def followed():
                return samples((await client.get("/metrics")).text, "postrider_live_regions").get((), 0)

            async with AsyncExitStack() as stack:
                views = []
                for region in regions:
                    view = await stack.enter_async_context(client.stream("GET", "/v1/live", params={"region": region}))
                    assert view.status_code == 200
                    views.append(view.aiter_lines())
                async with asyncio.timeout(WAIT_S):
                    await asyncio.gather(*(event(view, "snapshot") for view in views))
                    assert await followed() == REGIONS
                    await asyncio.gather(uploads(), *(event(view, "delta") for view in views))

            async def nobody_looks():
                return not await followed()

            await until(nobody_looks)
            await uploads()
            assert (await client.get("/health/ready")).status_code == 200
