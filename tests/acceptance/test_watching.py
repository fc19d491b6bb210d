"""Geofences, alerts and stops over HTTP."""

from datetime import UTC, datetime, timedelta
from itertools import groupby
from threading import get_ident
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.routes import stops
from app.web.auth import Role
from app.wiring import folding
from tests.unit.tracking.watching.tracks import walk
from tracking.batch import PositionColumns, instant
from tracking.history.history import History
from tracking.position import Fix, LatLon, Mode, Position
from tracking.watching import motion

YARD = {
    "name": "yard",
    "geometry": {"type": "Point", "coordinates": [-8.61, 41.15]},
    "radius_m": 120,
    "tags": ["depot"],
    "active": [{"from": "06:00", "to": "22:00", "weekdays": [0, 1, 2, 3, 4]}],
    "timezone": "Europe/Lisbon",
    "dwell_s": 300,
}
BLOCK = {
    "name": "block with a court",
    "geometry": {
        "type": "Polygon",
        "coordinates": [
            [[-8.62, 41.14], [-8.60, 41.14], [-8.60, 41.16], [-8.62, 41.16], [-8.62, 41.14]],
            [[-8.612, 41.148], [-8.608, 41.148], [-8.608, 41.152], [-8.612, 41.152], [-8.612, 41.148]],
        ],
    },
}


@pytest.fixture
async def pool(settings):
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=2) as made:
        yield made


async def hire(admin):
    return (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"})).json()["id"]


async def test_fences_are_added_listed_changed_and_removed(admin):
    yard = await admin.post("/v1/geofences", json=YARD)
    assert yard.status_code == 201
    assert yard.json()["active"] == [{"from": "06:00", "to": "22:00", "weekdays": [0, 1, 2, 3, 4]}]
    block = (await admin.post("/v1/geofences", json=BLOCK)).json()
    listed = (await admin.get("/v1/geofences")).json()["items"]
    assert [fence["id"] for fence in listed] == [yard.json()["id"], block["id"]]
    assert [f["name"] for f in (await admin.get("/v1/geofences?tag=depot")).json()["items"]] == ["yard"]
    page = (await admin.get("/v1/geofences?limit=1")).json()
    rest = (await admin.get("/v1/geofences", params={"limit": 1, "cursor": page["next"]})).json()
    assert rest["items"][0]["id"] == block["id"]
    path = f"/v1/geofences/{block['id']}"
    moved = await admin.patch(path, json={"name": "Moved", "geometry": YARD["geometry"], "radius_m": 70, "version": 1})
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"2"')
    expected = block | {"name": "Moved", "geometry": YARD["geometry"], "radius_m": 70, "version": 2}
    assert (moved.json(), (await admin.get(path)).json()) == (expected, expected)
    late = await admin.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "conflict", 2)
    half = await admin.patch(path, json={"geometry": BLOCK["geometry"]})
    assert (half.status_code, half.json()["errors"][0]["pointer"]) == (400, "/radius_m")
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.patch(path, json={"name": "Gone"})).json()["code"] == "geofence-not-found"
    gone = await admin.delete(f"/v1/geofences/{block['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "geofence-not-found")
    actions = [row["action"] for row in (await admin.get("/v1/audit")).json()["items"]]
    assert {"geofence.add", "geofence.change", "geofence.remove"} <= set(actions)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"radius_m": None}, "/radius_m"),
        ({"geometry": BLOCK["geometry"]}, "/radius_m"),
        (
            {
                "radius_m": None,
                "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]},
            },
            "/geometry",
        ),
        ({"geometry": {"type": "Point", "coordinates": [0, 90]}}, "/geometry"),
        ({"active": [{"from": "25:00", "to": "26:00"}]}, "/active"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"region": "nowhere"}, "/region"),
    ],
)
async def test_what_is_no_fence_is_refused_with_the_place_of_the_fault(admin, change, pointer):
    answer = await admin.post("/v1/geofences", json=YARD | change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_only_dispatchers_make_fences(client_of):
    support = await client_of(Role.SUPPORT)
    assert (await support.post("/v1/geofences", json=YARD)).status_code == 403
    assert (await support.get("/v1/geofences")).status_code == 200


async def test_an_alert_is_listed_acknowledged_once_and_remembered(admin, client_of, pool):
    courier_id = await hire(admin)
    alert_id = await pool.fetchval(
        "INSERT INTO alerts (kind, region, courier_id, raised_at, facts) "
        """VALUES ('stuck', 'default', $1, now(), '{"still_s": 312}') RETURNING id""",
        courier_id,
    )
    (alert,) = (await admin.get("/v1/alerts?state=open&limit=500")).json()["items"]
    assert (alert["id"], alert["state"], alert["facts"]) == (str(alert_id), "open", {"still_s": 312})
    support = await client_of(Role.SUPPORT)
    viewer = await client_of(Role.VIEWER)
    assert (await viewer.post(f"/v1/alerts/{alert_id}/acknowledge", json={})).status_code == 403
    first = (await support.post(f"/v1/alerts/{alert_id}/acknowledge", json={})).json()
    again = (await admin.post(f"/v1/alerts/{alert_id}/acknowledge")).json()
    assert first["state"] == "acknowledged"
    assert again["acknowledged_by"] == first["acknowledged_by"] == "support:test support"
    await pool.execute("UPDATE alerts SET resolved_at = now()")
    assert (await admin.get("/v1/alerts?state=open")).json()["items"] == []
    (alert,) = (await admin.get("/v1/alerts?state=resolved&kind=stuck", params={"courier_id": courier_id})).json()[
        "items"
    ]
    assert alert["state"] == "resolved"
    unknown = await support.post(f"/v1/alerts/{uuid4()}/acknowledge")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "alert-not-found")


async def test_an_alert_is_given_to_somebody_and_rests_until_an_instant_on_record(admin, client_of, pool):
    courier_id = await hire(admin)
    alert_id = await pool.fetchval(
        "INSERT INTO alerts (kind, region, courier_id, raised_at) VALUES ('silent', 'default', $1, now()) RETURNING id",
        courier_id,
    )
    support = await client_of(Role.SUPPORT)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=15)
    viewer = await client_of(Role.VIEWER)
    for step, body in (("assign", {"to": "Anna"}), ("snooze", {"until": until.isoformat()})):
        assert (await viewer.post(f"/v1/alerts/{alert_id}/{step}", json=body)).status_code == 403
        assert (await support.post(f"/v1/alerts/{alert_id}/{step}", json=body)).status_code == 200
        unknown = await support.post(f"/v1/alerts/{uuid4()}/{step}", json=body)
        assert unknown.json()["code"] == "alert-not-found"
    (alert,) = (await admin.get("/v1/alerts", params={"courier_id": courier_id, "state": "open"})).json()["items"]
    assert (alert["assigned_to"], datetime.fromisoformat(alert["snoozed_until"])) == ("Anna", until)
    subject = {"subject": f"alert:{alert_id}"}
    told = (await admin.get("/v1/audit", params=subject)).json()["items"]
    assert [(line["action"], line["facts"]["before"]) for line in told] == [
        ("alert.snooze", None),
        ("alert.assign", None),
    ]

    for instant_ in ("2026-01-01T00:00:00Z", (until + timedelta(days=8)).isoformat(), "9999-12-31T00:00:00Z"):
        refused = await support.post(f"/v1/alerts/{alert_id}/snooze", json={"until": instant_})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/until")
    woken = (await support.post(f"/v1/alerts/{alert_id}/snooze", json={"until": None})).json()
    given_back = (await support.post(f"/v1/alerts/{alert_id}/assign", json={"to": None})).json()
    assert (woken["snoozed_until"], given_back["assigned_to"]) == (None, None)
    await pool.execute("UPDATE alerts SET resolved_at = now()")
    for step, body in (("assign", {"to": "Anna"}), ("snooze", {"until": until.isoformat()})):
        over = await support.post(f"/v1/alerts/{alert_id}/{step}", json=body)
        assert (over.status_code, over.json()["code"]) == (409, "alert-resolved")


def recent(fixes):
    """The same walk, ending now."""
    shift_us = round(datetime.now(UTC).timestamp()) * 1_000_000 - fixes[-1].at_us
    return [f._replace(at_us=f.at_us + shift_us) for f in fixes]


async def store(pool, courier_id, fixes):
    positions = [
        Position(
            courier_id=UUID(courier_id),
            fix=Fix(at=LatLon(f.lat, f.lon), fixed_at=instant(f.at_us), accuracy_m=f.accuracy_m),
            received_at=datetime.now(UTC),
        )
        for f in fixes
    ]
    await History(pool).insert_many(PositionColumns.from_positions(positions, Mode.BICYCLE))


async def test_stops_show_stays_trips_and_gaps_of_history(admin, pool):
    courier_id = await hire(admin)
    first = walk([(0, 0, 0), (0, 0, 200), (900, 0, 150), (900, 0, 100)])
    second = [f._replace(at_us=f.at_us + 3_600_000_000) for f in first]
    await store(pool, courier_id, recent([*first, *second])[::-1])
    items = (await admin.get(f"/v1/couriers/{courier_id}/stops")).json()["items"]
    assert [item["kind"] for item in items] == ["stay", "trip", "stay", "gap", "stay", "trip", "stay"]
    assert items[1]["distance_m"] == pytest.approx(900, rel=0.1)
    assert 3000 < items[3]["duration_s"] < 3600
    assert items[3]["straight_m"] == pytest.approx(900, rel=0.1)
    assert items[-1]["departed_at"] is None
    hour_ago = (datetime.now(UTC) - timedelta(hours=1, seconds=60)).isoformat()
    later = (await admin.get(f"/v1/couriers/{courier_id}/stops", params={"from": hour_ago})).json()["items"]
    assert later == items[2:]
    paged, params = [], {"limit": 2}
    while "cursor" in params or not paged:
        page = (await admin.get(f"/v1/couriers/{courier_id}/stops", params=params)).json()
        assert len(page["items"]) <= 2
        paged += page["items"]
        params = {"limit": 2} | ({"cursor": page["next"]} if "next" in page else {})
    assert paged == items


async def test_many_fixes_are_folded_in_bounded_pieces_and_not_in_the_event_loop(admin, pool, monkeypatch):
    monkeypatch.setattr(stops, "FIXES_AT_ONCE", 40)
    monkeypatch.setattr(stops, "MOST_FIXES", 80)
    folded = []

    def fold(state, samples, params):
        listed = list(samples)
        folded.append((len(listed), get_ident()))
        return motion.fold(state, listed, params)

    monkeypatch.setattr(folding, "fold", fold)
    courier_id = await hire(admin)
    fixes = recent(walk([(0, 0, 0), (0, 0, 900), (900, 0, 150), (900, 0, 300)]))
    await store(pool, courier_id, fixes)
    items, params, n_pages = [], {}, 0
    while params or not n_pages:
        folded.clear()
        page = (await admin.get(f"/v1/couriers/{courier_id}/stops", params=params)).json()
        assert sum(n for n, _ in folded) <= 80
        assert all(n <= 40 and thread != get_ident() for n, thread in folded)
        items, n_pages = [*items, *page["items"]], n_pages + 1
        params = {"cursor": page["next"]} if "next" in page else {}
    assert n_pages > 2
    kinds = [kind for kind, _ in groupby(item["kind"] for item in items)]
    assert kinds == ["stay", "trip", "stay"], "a stay of more fixes than one page bears is cut, and nothing is lost"
    assert sum(item["n_fixes"] for item in items if item["kind"] == "stay") >= 220


async def test_a_span_too_long_or_without_a_zone_is_refused(admin):
    courier_id = await hire(admin)
    for params in ({"from": "2026-01-01T00:00:00Z"}, {"from": "2026-01-01T00:00:00"}, {"from": "2999-01-01T00:00:00Z"}):
        answer = await admin.get(f"/v1/couriers/{courier_id}/stops", params=params)
        assert answer.status_code == 400
    assert (await admin.get(f"/v1/couriers/{uuid4()}/stops")).status_code == 404


async def test_a_courier_sees_only_their_own_visits(admin, client_of):
    ana, bea = await hire(admin), await hire(admin)
    phone = await client_of(Role.COURIER, courier=ana)
    assert (await phone.get(f"/v1/couriers/{ana}/visits")).json() == {"items": []}
    assert (await phone.get(f"/v1/couriers/{bea}/visits")).status_code == 403
    assert (await phone.get(f"/v1/couriers/{ana}/stops")).status_code == 403
