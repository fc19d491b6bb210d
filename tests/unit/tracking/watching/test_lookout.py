"""Which geofences a watcher looks at, while people change them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from sql import queries
from tracking.lease import Lease
from tracking.position import Region
from tracking.watching.lookout import Lookout, WatchParams

YARD, GATE = (UUID(int=n) for n in (1, 2))
POLE = '{"type": "Point", "coordinates": [0, 90]}'


def row(fence_id, lon, *, version=1, geometry=None):
    shape = geometry or f'{{"type": "Point", "coordinates": [{lon}, 41.1]}}'
    made = datetime(2026, 1, 1, tzinfo=UTC)
    values = {"id": fence_id, "name": "yard", "geometry": shape, "radius_m": 100, "tags": [], "active": "[]"}
    return values | {"timezone": "UTC", "dwell_s": None, "created_at": made, "version": version}


class Table:
    """The rows of `geofences`, as far as a watcher asks for them."""

    def __init__(self, *rows):
        self.rows = {one["id"]: one for one in rows}
        self.n_read = 0

    async def fetch(self, sql, what):
        if sql == queries["geofences.ids_in_force"]:
            return list(self.rows.values())
        self.n_read += len(what)
        return [self.rows[one] for one in what]


@pytest.fixture
def lookout_of():
    def make(table):
        lease = Lease(job="watch", region=Region("default"), token=1)
        return Lookout(
            lease, pool=table, redis=None, findings=None, position_log=None, observers=[], params=WatchParams()
        )

    return make


async def where(lookout, *lons):
    await lookout.load_fences()
    return [len(lookout._index.inside(41.1, lon)) for lon in lons]


async def test_a_fence_that_is_moved_is_looked_at_where_it_is_now_and_read_no_more_than_once(lookout_of):
    table = Table(row(YARD, -8.6), row(GATE, -8.5))
    lookout = lookout_of(table)
    assert await where(lookout, -8.6, -8.5, -8.4) == [1, 1, 0]
    table.rows[YARD] = row(YARD, -8.4, version=2)
    assert await where(lookout, -8.6, -8.5, -8.4) == [0, 1, 1]
    assert await where(lookout, -8.6, -8.5, -8.4) == [0, 1, 1]
    assert table.n_read == 3
    del table.rows[YARD]
    assert await where(lookout, -8.6, -8.5, -8.4) == [0, 1, 0]


async def test_a_fence_that_made_no_sense_is_looked_at_when_it_is_mended_and_the_other_way_round(lookout_of):
    table = Table(row(YARD, -8.6, geometry=POLE), row(GATE, -8.5))
    lookout = lookout_of(table)
    assert await where(lookout, -8.6, -8.5) == [0, 1]
    await lookout.load_fences()
    assert table.n_read == 2  # what makes no sense is not read again and again
    table.rows[YARD] = row(YARD, -8.6, version=2)
    table.rows[GATE] = row(GATE, -8.5, version=2, geometry=POLE)
    assert await where(lookout, -8.6, -8.5) == [1, 0]
