"""A track that real engines put back on the streets it came from."""

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from app.settings import Settings
from app.wiring.travel import track_matching, travel_times
from dispatch.travel.times import Source
from dispatch.travel.trace import MICROS, Seen
from tests.engines import PORTO_CENTRE
from tests.waiting import PATIENCE_S
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOISE_DEG = 0.00006
"""Some 7 m: the usual error of a phone between houses."""


def along(way, step_m):
    """Points of a line, so far apart."""
    left = 0.0
    yield way[0]
    for a, b in pairwise(way):
        length, gone = distance_m(a, b), 0.0
        while length - gone >= step_m - left:
            gone, left = gone + step_m - left, 0.0
            yield LatLon(a.lat + (b.lat - a.lat) * gone / length, a.lon + (b.lon - a.lon) * gone / length)
        left += length - gone


def length_m(points):
    return sum(distance_m(a, b) for a, b in pairwise(points))


@pytest.mark.parametrize("name", ["osrm", "valhalla"])
async def test_noisy_track_comes_back_to_the_streets_it_was_made_on(name, request):
    server = request.getfixturevalue(f"{name}_server")
    settings = Settings(**{f"{name}_url": server.url, "travel_engines": name, "travel_timeout_s": PATIENCE_S})
    ends = [PORTO_CENTRE, LatLon(PORTO_CENTRE.lat + 0.012, PORTO_CENTRE.lon - 0.011)]
    async with travel_times(settings, redis=None) as travel, track_matching(settings) as matching:
        way = (await travel.route(Mode.CAR, ends, NOON, budget_s=PATIENCE_S)).geometry
        assert len(way) > 10
        chance = random.Random(5)
        true = list(along(way, 25.0))
        fixes = [
            Seen(
                LatLon(at.lat + chance.gauss(0, NOISE_DEG), at.lon + chance.gauss(0, NOISE_DEG)),
                (1_780_000_000 + 5 * n) * MICROS,
                8.0,
            )
            for n, at in enumerate(true)
        ]
        matched = await matching.match(Mode.CAR, fixes, budget_s=PATIENCE_S)
    assert matched.source is Source(name)
    assert matched.share > 0.9
    line = [at for _, at in matched.points]
    near_m = sorted(min(distance_m(at, on) for on in along(line, 5.0)) for at in true)
    assert near_m[len(near_m) * 9 // 10] < 12  # nine of ten places are where the courier was
    # The noise makes the raw line longer; the street has its own length.
    assert abs(length_m(line) - length_m(way)) < 0.1 * length_m(way)
