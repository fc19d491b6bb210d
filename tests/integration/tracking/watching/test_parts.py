"""A region watched in several parts: side by side, and another number of parts makes no other findings."""

import asyncio
from dataclasses import replace

from tests.integration.tracking.watching.test_watch import (
    CITY,
    FAST,
    ROUND,
    Onlooker,
    expected_stays,
    recent,
    world,  # noqa: F401 - a fixture
)
from tests.unit.tracking.watching.tracks import walk
from tests.waiting import until
from tracking import lease as leases
from tracking.errors import LeaseLost
from tracking.log import HISTORY, WATCH
from tracking.parts import Layout, Part, parts_of

QUICK = replace(FAST, regions_every_s=0.1)


async def part_anew(world, n):  # noqa: F811
    """Give the log another number of parts, and wait until the parts before are gone."""

    async def is_done():
        await world.log.trim(CITY)
        return await world.log.part(CITY, n) == Layout(n)

    await until(is_done)


async def watched(world):  # noqa: F811
    """What is watched, and by how many."""
    rows = await world.pool.fetch(
        "SELECT region, holder FROM leases WHERE job = 'watch' AND expires_at > clock_timestamp()"
    )
    return sorted(row["region"] for row in rows), len({row["holder"] for row in rows})


async def test_parts_are_watched_side_by_side_and_a_change_under_way_makes_no_other_findings(world):  # noqa: F811
    await world.fence(600, 0, 80)
    couriers = [await world.hire() for _ in range(6)]
    fixes = recent(walk(ROUND))
    some = len(fixes) // 5

    async def post(k, *, of=5):
        for sender in couriers:
            await world.post(sender, fixes[k * some : None if k == of - 1 else (k + 1) * some], chunk=7)

    async with world.writing(), world.watching(params=QUICK), world.watching(params=QUICK):
        await post(0)
        for k, n in ((1, 4), (2, 2), (3, 1)):
            posting = asyncio.create_task(post(k))
            await part_anew(world, n)
            await posting
            names = sorted(part.name for part in parts_of(CITY, n))

            async def all_watched(names=names):
                return await watched(world) == (names, min(2, len(names)))

            await until(all_watched)
        await post(4)
        await until(world.settled)
        for sender in couriers:

            async def is_found(courier_id=sender.courier_id):
                return await world.stays(courier_id) == expected_stays(fixes)

            await until(is_found)
    for sender in couriers:
        assert [kind for kind, _, _ in await world.fence_events(sender.courier_id)] == ["enter", "exit"]
    told = [(e.type, e.facts["courier_id"]) for e in await world.told("fence.enter", "fence.exit")]
    assert len(set(told)) == len(told)


async def test_each_part_is_shown_its_own_couriers_and_counts_them_again(world):  # noqa: F811
    couriers = [await world.hire() for _ in range(8)]
    fixes = recent(walk(ROUND))
    for group in (HISTORY, WATCH):
        await world.log.ensure_group(group, CITY)
    await world.log.part(CITY, 2)
    seen: dict[str, set] = {}

    class Noting(Onlooker):
        async def saw(self, lease, columns):
            seen.setdefault(lease.name, set()).update(columns.courier_ids)
            assert all(lease.has(courier_id) for courier_id in columns.courier_ids)
            return await super().saw(lease, columns)

        async def found_again(self, lease, courier_id, found, *, since_us, now):
            assert lease.has(courier_id)

    async with world.writing(), world.watching(Noting(), params=QUICK):
        for sender in couriers:
            await world.post(sender, [fix for i, fix in enumerate(fixes) if i != 40])
        await until(world.settled)
        for sender in couriers:
            await world.post(sender, [fixes[40]])
        await until(world.settled)
    ids = {sender.courier_id for sender in couriers}
    assert seen == {
        part.name: mine
        for part in parts_of(CITY, 2)
        if (mine := {courier_id for courier_id in ids if part.has(courier_id)})
    }
    for sender in couriers:
        assert await world.stays(sender.courier_id) == expected_stays(fixes)


async def test_whoever_watched_the_parts_before_writes_nothing_any_more(world):  # noqa: F811
    """One that was stopped in its turn, while nobody else has taken its lease: nobody wants it any more."""
    stopped = await leases.take(world.pool, "watch", CITY, "stopped", ttl_s=600)
    old = replace(stopped, part=Part(CITY))
    await world.log.ensure_group(WATCH, CITY)
    await world.log.part(CITY, 2)
    entries = await world.log.read(WATCH, "stopped", CITY, block_ms=0)
    await world.log.ack(WATCH, CITY, [entry.id for entry in entries])
    async with world.watching(params=QUICK):

        async def both():
            names, _ = await watched(world)
            return {part.name for part in parts_of(CITY, 2)} <= set(names)

        await until(both)

        await until(lambda: _refused(world, old))


async def _refused(world, lease):  # noqa: F811
    try:
        async with leases.held(world.pool, lease):
            return False
    except LeaseLost:
        return True
