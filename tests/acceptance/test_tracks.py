"""`GET /v1/couriers/{id}/track` over what the writer stored."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from dispatch.travel.matching import TrackMatching
from dispatch.travel.times import Source
from dispatch.travel.trace import Snap
from tracking.batch import PositionColumns
from tracking.history.history import History
from tracking.position import Fix, LatLon, Mark, Mode, Position

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
N = 30


@pytest_asyncio.fixture
async def courier_id(api, admin):
    """A courier with a fix every 5 s, one of them 100 km off and one of poor accuracy."""
    found = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()["id"]
    rows = [
        Position(
            courier_id=UUID(found),
            fix=Fix(
                at=LatLon(42.15 if i == 10 else 41.15 + i / 1e4, -8.61),
                fixed_at=START + timedelta(seconds=5 * i),
                speed_mps=2.0,
                accuracy_m=900.0 if i == 20 else 5.0,
            ),
            received_at=START + timedelta(seconds=5 * i),
            mark=Mark.POOR_ACCURACY if i == 20 else Mark.NONE,
        )
        for i in range(N)
    ]
    await History(api.state.pool).insert_many(PositionColumns.from_positions(rows, Mode.CAR))
    return found


SPAN = {"from": START.isoformat(), "to": (START + timedelta(minutes=5)).isoformat()}


async def test_track_leaves_marked_fixes_out_unless_asked_for(admin, courier_id):
    url = f"/v1/couriers/{courier_id}/track"
    answer = await admin.get(url, params=SPAN)
    assert answer.headers["content-type"].startswith("application/geo+json")
    assert len(answer.json()["geometry"]["coordinates"]) == len(answer.json()["properties"]["fixed_at"]) == N - 2
    everything = (await admin.get(url, params={**SPAN, "marked": "true"})).json()
    assert [(i, mark) for i, mark in enumerate(everything["properties"]["marks"]) if mark] == [(10, 1), (20, 2)]


async def test_pages_follow_one_another_by_link(admin, courier_id):
    url, times = f"/v1/couriers/{courier_id}/track", []
    answer = await admin.get(url, params={**SPAN, "limit": 10, "resolution": "raw"})
    for _ in range(5):
        times += answer.json()["properties"]["fixed_at"]
        if "next" not in answer.links:
            break
        answer = await admin.get(answer.links["next"]["url"])
    assert len(times) == len(set(times)) == N - 2
    assert times == sorted(times)


async def test_every_format_and_resolution_is_given(admin, courier_id):
    url = f"/v1/couriers/{courier_id}/track"
    rows = list(csv.reader(io.StringIO((await admin.get(url, params={**SPAN, "format": "csv"})).text)))
    assert len(rows) == N - 1
    gpx = await admin.get(url, params={**SPAN, "format": "gpx"})
    assert gpx.text.count("<trkpt") == N - 2
    moving = json.loads((await admin.get(url, params={**SPAN, "format": "mfjson"})).text)
    assert len(moving["temporalGeometry"]["datetimes"]) == N - 2
    for resolution, n in (("1m", 3), ("1h", 1)):
        feature = (await admin.get(url, params={**SPAN, "resolution": resolution})).json()
        assert len(feature["geometry"]["coordinates"]) == n


async def test_long_spans_are_rolled_up_unless_asked_otherwise(admin, courier_id):
    url = f"/v1/couriers/{courier_id}/track"
    for days, resolution in ((1, "raw"), (7, "1m"), (90, "1h")):
        span = {"from": (START - timedelta(days=days - 1)).isoformat(), "to": (START + timedelta(days=1)).isoformat()}
        assert (await admin.get(url, params=span)).headers["x-resolution"] == resolution


@pytest.mark.parametrize(
    "params",
    [
        {"from": "yesterday"},
        {"from": "2026-11-23T12:00:00"},
        {"from": "2026-11-23T12:00:00Z", "to": "2026-11-22T12:00:00Z"},
        {"cursor": "x"},
        {"format": "shapefile"},
        {"limit": "0"},
        {"matched": "true", "limit": "10"},
        {"matched": "true", "resolution": "1m"},
        {"matched": "true", "marked": "true"},
        {"matched": "true", "from": "2026-11-20T12:00:00Z", "to": "2026-11-23T12:00:00Z"},
    ],
)
async def test_what_cannot_be_asked_for_is_said(admin, courier_id, params):
    answer = await admin.get(f"/v1/couriers/{courier_id}/track", params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-input")


class NextStreet:
    """Knows one street, some 80 m to the east of everybody."""

    source = Source.OSRM
    modes = frozenset({Mode.CAR})
    n_fixes = 100

    async def match(self, mode, fixes):
        places = [LatLon(fix.at.lat, -8.609) for fix in fixes]
        return (tuple(Snap(n, at, (places[n - 1], at) if n else ()) for n, at in enumerate(places)),)


async def test_track_on_the_streets_says_who_knew_them_and_stays_as_measured_where_nobody_does(api, admin, courier_id):
    url = f"/v1/couriers/{courier_id}/track"
    raw = (await admin.get(url, params=SPAN)).json()
    alone = await admin.get(url, params={**SPAN, "matched": "true"})
    assert alone.headers["x-matched"] == "none; why=no_engine"
    assert alone.json()["geometry"] == raw["geometry"]
    assert alone.json()["properties"]["matched"] == {"by": None, "share": 0.0, "why": "no_engine"}
    api.state.matching = TrackMatching([NextStreet()])
    answer = await admin.get(url, params={**SPAN, "matched": "true"})
    assert answer.headers["x-matched"] == "osrm; share=1.0"
    matched = answer.json()
    assert {lon for lon, _ in matched["geometry"]["coordinates"]} == {-8.609}
    times = matched["properties"]["fixed_at"]
    assert len(times) == len(matched["geometry"]["coordinates"])
    assert (times[0], times[-1]) == (raw["properties"]["fixed_at"][0], raw["properties"]["fixed_at"][-1])
    rows = list(
        csv.DictReader(io.StringIO((await admin.get(url, params={**SPAN, "matched": "true", "format": "csv"})).text))
    )
    assert [row["fixed_at"] for row in rows] == times


async def test_looking_at_a_track_is_audited_and_an_unknown_courier_is_not_found(admin, courier_id):
    await admin.get(f"/v1/couriers/{courier_id}/track", params=SPAN)
    actions = [row["action"] for row in (await admin.get("/v1/audit")).json()["items"]]
    assert "courier.track" in actions
    assert (await admin.get(f"/v1/couriers/{uuid4()}/track")).status_code == 404
