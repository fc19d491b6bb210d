"""What is found in fixes is the same in whatever order they come, and however often the watcher begins anew."""

from datetime import UTC, datetime, timedelta
from random import Random

from tests.integration.tracking.watching.test_watch import World, recent, world
from tests.unit.tracking.watching.tracks import at, walk
from tests.waiting import until
from tracking.position import Mode

__all__ = ["world"]

WAY = [(-900, 0, 0), (0, 0, 120), (0, 0, 90), (700, 0, 120), (700, 0, 100), (700, 900, 120), (700, 900, 60)]
"""To the pickup at (0, 0), to the dropoff at (700, 0), and away."""


async def carry(world: World, courier_id, fixes):
    """An order that was accepted before all fixes, collected and delivered when the courier was there."""
    pickup, dropoff = at(5, 5, 0), at(705, 5, 0)
    began = datetime.fromtimestamp(fixes[0].at_us / 1e6, UTC)
    return await world.pool.fetchval(
        "INSERT INTO orders (region, state, courier_id, placed_at, assigned_at, accepted_at, picked_up_at,"
        " delivered_at, closed_at, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat, dropoff_lon,"
        " dropoff_service_s) VALUES ('default', 'delivered', $1, $2, $2, $2, $3, $4, $4, $5, $6, 60, $7, $8, 60)"
        " RETURNING id",
        courier_id,
        began - timedelta(minutes=5),
        began + timedelta(seconds=200),
        began + timedelta(seconds=425),
        pickup.lat,
        pickup.lon,
        dropoff.lat,
        dropoff.lon,
    )


async def visits(world: World, courier_id):
    rows = await world.pool.fetch(
        "SELECT kind, arrived_at, departed_at FROM stop_visits WHERE courier_id = $1 ORDER BY arrived_at", courier_id
    )
    return [tuple(row) for row in rows]


def as_blocks(fixes, rng, size=20):
    blocks = [fixes[i : i + size] for i in range(0, len(fixes), size)]
    rng.shuffle(blocks)
    return [fix for block in blocks for fix in block]


def shuffled(fixes, rng):
    return rng.sample(fixes, len(fixes))


ORDERS = {
    "backwards": lambda fixes, _: fixes[::-1],
    "shuffled": shuffled,
    "in late blocks": as_blocks,
    "one late": lambda fixes, _: [*fixes[:28], *fixes[29:], fixes[28]],
}


async def in_order(world: World, fixes):
    """The visits of a courier whose fixes come in order, to one watcher."""
    ana = await world.hire(Mode.BICYCLE)
    await carry(world, ana.courier_id, fixes)
    async with world.writing(), world.watching():
        await world.post(ana, fixes, chunk=20)
        await until(world.settled)
    found = await visits(world, ana.courier_id)
    assert [kind for kind, _, _ in found] == ["pickup", "dropoff"]
    assert all(departed is not None for _, _, departed in found)
    return found


async def test_stop_arrivals_do_not_depend_on_the_order_of_the_fixes(world):
    fixes = recent(walk(WAY, seed=5))
    expected = await in_order(world, fixes)
    others = {order: await world.hire(Mode.BICYCLE) for order in ORDERS}
    async with world.writing(), world.watching():
        for order, bea in others.items():
            await carry(world, bea.courier_id, fixes)
            await world.post(bea, ORDERS[order](fixes, Random(3)), chunk=20)
        await until(world.settled)
    assert {order: await visits(world, bea.courier_id) for order, bea in others.items()} == dict.fromkeys(
        ORDERS, expected
    )


async def test_stop_arrivals_do_not_depend_on_a_restart_of_the_watcher(world):
    """On the way, just arrived, at the door, gone."""
    fixes = recent(walk(WAY, seed=5))
    expected = await in_order(world, fixes)
    others = {n_before: await world.hire(Mode.BICYCLE) for n_before in (24, 27, 30, 40, 60)}
    for bea in others.values():
        await carry(world, bea.courier_id, fixes)
    async with world.writing():
        for part in (lambda n: fixes[:n], lambda n: fixes[n:]):
            async with world.watching():
                for n_before, bea in others.items():
                    await world.post(bea, part(n_before), chunk=20)
                await until(world.settled)
    assert {n: await visits(world, bea.courier_id) for n, bea in others.items()} == dict.fromkeys(others, expected)
    told = [e.type for e in await world.told("stop.arrived", "stop.departed")]
    n_told = 2 * (1 + len(others))
    assert sorted(told) == ["stop.arrived"] * n_told + ["stop.departed"] * n_told
