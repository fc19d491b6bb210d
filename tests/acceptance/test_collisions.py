"""Two who change the same thing in opposite order: the request that PostgreSQL gives up for it is run again."""

import asyncio

import asyncpg

from app.web.auth import Role
from app.web.retries import AT_MOST, RETRIES

PLACES = {"pickup": {"lat": 41.1496, "lon": -8.6109}, "dropoff": {"lat": 41.1579, "lon": -8.6291}}


async def waits_for_a_lock(other):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not await other.fetchval(waiting):
        await asyncio.sleep(0.01)


async def in_its_way(other, courier_id, order_id, request):
    """Take the route that the request wants next, and want the order that it has; the request gives way."""
    async with other.transaction():
        await other.execute("SET LOCAL deadlock_timeout = '1 min'")
        await other.execute("SELECT FROM routes WHERE courier_id = $1 FOR UPDATE", courier_id)
        task = asyncio.create_task(request())
        await waits_for_a_lock(other)
        await other.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order_id)
    return await task


async def test_request_that_met_a_deadlock_is_run_again_and_answered(client_of, settings):
    staff = await client_of(Role.ADMIN)
    courier = (await staff.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"})).json()["id"]
    held, wanted = [(await staff.post("/v1/orders", json=PLACES)).json()["id"] for _ in range(2)]

    async def give(order_id):
        return await staff.post(f"/v1/orders/{order_id}/reassign", json={"courier_id": courier, "reason": "by hand"})

    assert (await give(held)).status_code == 200
    other = await asyncpg.connect(settings.database_url)
    before = RETRIES._value.get()
    answer = await in_its_way(other, courier, wanted, lambda: give(wanted))
    assert (answer.status_code, answer.json()["courier_id"]) == (200, courier)
    assert 1 <= RETRIES._value.get() - before <= AT_MOST
    events = (await staff.get(f"/v1/orders/{wanted}/events")).json()["items"]
    assert [event["action"] for event in events] == ["place", "assign"]
    await other.close()
