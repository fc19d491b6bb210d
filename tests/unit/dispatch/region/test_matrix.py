"""The travel matrix of a snapshot, from what answers for travel times."""

from datetime import UTC, datetime

import numpy as np

from dispatch.region.matrix import Places, travel_matrix
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOORS = [LatLon(41.15 + i / 500, -8.61 + (i % 7) / 300) for i in range(4)]
STANDS = [LatLon(41.16, -8.62), LatLon(41.17, -8.63)]


async def test_matrix_tells_the_way_from_everywhere_to_every_door_and_nothing_else():
    places = Places()
    doors = [places.number(at) for at in DOORS]
    stands = [places.number(at) for at in STANDS]
    assert places.number(DOORS[0]) == doors[0]
    assert places.number(STANDS[1]) == stands[1]
    chain = TravelChain(engines=(), great_circle=GreatCircle())
    travel = await travel_matrix(chain, list(places.known), len(DOORS), [Mode.BICYCLE, Mode.CAR], NOON, budget_s=1.0)
    assert set(travel.durations_s) == {Mode.BICYCLE, Mode.CAR}
    assert travel.sources == {Mode.BICYCLE: "default", Mode.CAR: "default"}
    for table in (*travel.durations_s.values(), *travel.distances_m.values()):
        assert table.shape == (6, 6)
        assert (np.diag(table)[doors] == 0).all()
        assert (table[np.ix_(stands, doors)] > 0).all()
        assert (table[:, stands] == 0).all()
    assert (travel.durations_s[Mode.BICYCLE][stands] >= travel.durations_s[Mode.CAR][stands]).all()
