"""What is put back region by region, while one server of a cluster is away."""

from redis.exceptions import ConnectionError  # noqa: A004 - redis-py's

from tracking.history.refill import Refill

AWAY = "away"


class Regions:
    """Of three the first is on a server that does not answer; it stands for live state and history, too."""

    def __init__(self):
        self.done = []

    async def regions(self):
        return [AWAY, "b", "c"]

    async def last_positions(self, region):
        return [region]

    async def find_many(self, courier_ids):
        return {}

    async def is_complete(self, region):
        if region == AWAY:
            raise ConnectionError("refused")
        return region == "c"

    async def refill(self, region, columns):
        self.done.append((region, columns))
        return 1

    async def prune(self, region):
        await self.is_complete(region)
        self.done.append(region)

    async def all_columns(self, _):
        return [], {}


async def test_one_server_that_is_away_keeps_no_other_region_from_what_is_due_there():
    there = Regions()
    refill = Refill(there, there, there)
    assert await refill.refill_where_needed() == 1
    assert there.done == [("b", ["b"])]
    there.done.clear()
    await refill.prune()
    assert there.done == ["b", "c"]
