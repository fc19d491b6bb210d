"""Regions over the API: made, set, refused with a pointer, and by whom."""

import asyncio
import json

import asyncpg
import pytest

from app.web.auth import Role
from dispatch import regions

PORTO = {
    "type": "Polygon",
    "coordinates": [[[-8.7, 41.1], [-8.5, 41.1], [-8.5, 41.2], [-8.7, 41.2], [-8.7, 41.1]]],
}


async def patched(client, **changes):
    return await client.patch("/v1/regions/default", json=changes)


async def test_region_is_made_read_and_listed(admin, client_of):
    wanted = {
        "name": "porto",
        "title": "Porto",
        "timezone": "Europe/Lisbon",
        "boundary": PORTO,
        "settings": {"alerts": {"stuck_after_s": 600}, "offers": {"offer_for_s": 45}},
    }
    made = await admin.post("/v1/regions", json=wanted)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    viewer = await client_of(Role.VIEWER)
    read = (await viewer.get("/v1/regions/porto")).json()
    assert {name: read[name] for name in wanted} == wanted
    assert [region["name"] for region in (await viewer.get("/v1/regions")).json()["items"]] == ["default", "porto"]
    courier = await admin.post("/v1/couriers", json={"name": "Ana", "mode": "foot", "region": "porto"})
    assert courier.status_code == 201


async def test_what_is_not_said_is_as_in_the_installation(admin):
    made = (await admin.post("/v1/regions", json={"name": "x"})).json()
    assert (made["title"], made["timezone"], made["boundary"], made["settings"]) == ("x", "UTC", None, {})


async def test_repeated_post_makes_one_region(admin):
    headers = {"Idempotency-Key": "once"}
    first, second = [await admin.post("/v1/regions", json={"name": "x"}, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    again = await admin.post("/v1/regions", json={"name": "x"})
    assert (again.status_code, again.json()["name"]) == (409, "x")


async def test_settings_are_merged_and_null_gives_one_back(admin):
    await patched(admin, settings={"alerts": {"stuck_after_s": 600}, "dispatch": {"weights": {"travel": 2}}})
    after = (await patched(admin, settings={"alerts": {"stuck_after_s": None, "late_after_s": 30}})).json()
    assert after["settings"] == {"alerts": {"late_after_s": 30}, "dispatch": {"weights": {"travel": 2}}}
    after = (await patched(admin, settings={"dispatch": None})).json()
    assert after["settings"] == {"alerts": {"late_after_s": 30}}


async def test_boundary_comes_and_goes_without_the_settings(admin):
    await patched(admin, settings={"dispatch": {"radius_m": 5000}})
    assert (await patched(admin, boundary=PORTO)).json()["boundary"] == PORTO
    bare = (await patched(admin, boundary=None, title="Town")).json()
    assert (bare["title"], bare["boundary"], bare["settings"]) == ("Town", None, {"dispatch": {"radius_m": 5000}})


async def test_second_of_two_who_change_the_same_version_is_told(admin):
    seen = (await admin.get("/v1/regions/default")).headers["ETag"]
    first = await admin.patch("/v1/regions/default", json={"title": "A"}, headers={"If-Match": seen})
    second = await admin.patch("/v1/regions/default", json={"title": "B"}, headers={"If-Match": seen})
    assert (first.status_code, second.status_code) == (200, 409)
    assert (await patched(admin, title="C", version=1)).status_code == 409
    assert (await admin.get("/v1/regions/default")).json()["title"] == "A"


async def test_all_that_is_wrong_is_told_at_once_with_its_place(admin):
    answer = await patched(
        admin,
        timezone="Europe/Nowhere",
        settings={
            "alerts": {"stuck_after_s": 0, "snuck_after_s": 5, "late_after_s": "soon"},
            "dispatch": {"weights": {"travel": -1, "a/b": 1}, "bundling": "always", "search_s": 1e9},
            "offers": {"ask": "everybody", "pause_after_expired": 1.5},
            "privacy": {"anything": 1},
            "desk": {"reasons": {"cancel": ["rain", ""], "retry": ["rain"] * 21}},
            "boundary": PORTO,
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-input")
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/timezone",
        "/settings/alerts/stuck_after_s",
        "/settings/alerts/snuck_after_s",
        "/settings/alerts/late_after_s",
        "/settings/dispatch/weights/travel",
        "/settings/dispatch/weights/a~1b",
        "/settings/dispatch/bundling",
        "/settings/dispatch/search_s",
        "/settings/offers/ask",
        "/settings/offers/pause_after_expired",
        "/settings/privacy/anything",
        "/settings/desk/reasons/cancel",
        "/settings/desk/reasons/retry",
        "/settings/boundary",
    ]
    assert (await admin.get("/v1/regions/default")).json()["version"] == 1


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"alerts": {"off_route_m": 50}}, "/settings/alerts"),
        ({"alerts": []}, "/settings/alerts"),
        ({"dispatch": {"weights": 3}}, "/settings/dispatch/weights"),
        ([], "/settings"),
    ],
)
async def test_settings_that_do_not_fit_each_other_are_refused(admin, given, pointer):
    answer = await patched(admin, settings=given)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])


@pytest.mark.parametrize(
    ("boundary", "pointer"),
    [
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "/boundary"),
        ({"type": "Polygon", "coordinates": []}, "/boundary"),
        ({"type": "Polygon", "coordinates": [[[10**400, 0], [1, 1], [1, 0], [0, 0]]]}, "/boundary"),
        ({"type": "Polygon", "coordinates": [[["nan", 0], [1, 1], [1, 0], ["nan", 0]]]}, "/boundary"),
        ({"type": "MultiPolygon", "coordinates": [[[[0, 89], [1, 89], [1, 90], [0, 89]]]]}, "/boundary"),
        ({"type": "Point", "coordinates": [0, 0]}, "/boundary/type"),
    ],
)
async def test_boundary_that_is_no_area_is_refused(admin, boundary, pointer):
    answer = await admin.post("/v1/regions", json={"name": "x", "boundary": boundary})
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])


@pytest.mark.parametrize("name", ["", "-x", "Porto", "a b", "x\n", "x" * 64, "é"])
async def test_name_that_is_no_name_is_refused(admin, name):
    answer = await admin.post("/v1/regions", json={"name": name})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/name")
    assert (await admin.post("/v1/regions", json={"name": "x" * 63})).status_code == 201


async def test_staff_look_and_an_administrator_writes(client_of):
    service, viewer = await client_of(Role.SERVICE), await client_of(Role.VIEWER)
    assert (await viewer.get("/v1/regions/default/settings/schema")).status_code == 200
    for client in (service, viewer):
        assert (await client.post("/v1/regions", json={"name": "x"})).status_code == 403
        assert (await patched(client, title="x")).status_code == 403


async def test_region_that_is_not_there_is_told_as_such(admin):
    for answer in (
        await admin.get("/v1/regions/atlantis"),
        await admin.get("/v1/regions/atlantis/settings/schema"),
        await admin.patch("/v1/regions/atlantis", json={}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "region-not-found")


async def test_change_is_in_the_audit_log_with_what_was_before(admin):
    await patched(admin, settings={"offers": {"offer_for_s": 30}})
    await patched(admin, settings={"offers": {"offer_for_s": 40}}, boundary=PORTO)
    row = (await admin.get("/v1/audit?subject=region:default")).json()["items"][0]
    assert row["action"] == "region.change"
    assert row["facts"]["before"]["settings"] == {"offers": {"offer_for_s": 30}}
    assert row["facts"]["after"]["settings"] == {"offers": {"offer_for_s": 40}}
    assert "coordinates" not in json.dumps(row["facts"])


async def test_there_are_no_more_regions_than_a_process_can_follow(admin, monkeypatch):
    monkeypatch.setattr(regions, "MAX_REGIONS", 3)
    answers = await asyncio.gather(*(admin.post("/v1/regions", json={"name": f"r{i}"}) for i in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "too-many-regions"}


async def test_what_was_written_by_other_means_keeps_nobody_from_mending_it(admin, settings):
    connection = await asyncpg.connect(settings.database_url)
    for odd in ("7", '{"alerts": 7, "boundary": 7, "later": 7}'):
        await connection.execute("UPDATE regions SET settings = $1::jsonb", odd)
        assert (await admin.get("/v1/regions")).status_code == 200
        assert (await patched(admin, title="Town", settings={"offers": {"offer_for_s": 30}})).status_code == 200
        mended = await patched(admin, settings={"alerts": None, "later": None, "offers": None})
        assert mended.json()["settings"] == {}
    await connection.close()
