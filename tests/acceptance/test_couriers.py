from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from app.web.auth import Role
from tests.waiting import until


async def test_courier_is_added_found_changed_and_removed(admin):
    made = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "bicycle", "external_id": "a-1"})).json()
    assert made["region"] == "default"
    assert (await admin.get(f"/v1/couriers/{made['id']}")).json() == made

    changed = await admin.patch(f"/v1/couriers/{made['id']}", json={"mode": "car", "version": 1})
    assert (changed.json()["mode"], changed.json()["version"], changed.headers["etag"]) == ("car", 2, '"2"')
    assert changed.json()["name"] == "Anna"

    assert (await admin.delete(f"/v1/couriers/{made['id']}")).status_code == 204
    gone = await admin.get(f"/v1/couriers/{made['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "courier-not-found")


async def test_change_that_expects_an_older_version_is_refused(admin):
    made = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "foot"})).json()
    await admin.patch(f"/v1/couriers/{made['id']}", json={"name": "Berta"})
    late = await admin.patch(f"/v1/couriers/{made['id']}", json={"name": "Clara"}, headers={"If-Match": '"1"'})
    assert late.status_code == 409
    assert (await admin.get(f"/v1/couriers/{made['id']}")).json()["name"] == "Berta"


async def test_external_id_is_unique_and_free_again_after_removal(admin):
    body = {"name": "Anna", "mode": "foot", "external_id": "a-1"}
    first = (await admin.post("/v1/couriers", json=body)).json()
    twice = await admin.post("/v1/couriers", json=body)
    assert (twice.status_code, twice.json()["external_id"]) == (409, "a-1")
    await admin.delete(f"/v1/couriers/{first['id']}")
    assert (await admin.post("/v1/couriers", json=body)).status_code == 201


async def test_pages_of_the_fleet_hold_every_courier_once(admin):
    ids = [(await admin.post("/v1/couriers", json={"name": f"c{n}", "mode": "car"})).json()["id"] for n in range(5)]
    seen, query = [], {"limit": 2}
    while True:
        page = (await admin.get("/v1/couriers", params=query)).json()
        seen += [item["id"] for item in page["items"]]
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert seen == ids


async def test_bad_input_says_what_and_where(admin):
    answer = await admin.post("/v1/couriers", json={"name": "Anna", "mode": "rocket"})
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["errors"][0]["pointer"]) == (400, "bad-input", "/mode")


async def test_unknown_region_is_bad_input(admin):
    answer = await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car", "region": "atlantis"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/region")


async def test_bad_cursor_is_bad_input(admin):
    assert (await admin.get("/v1/couriers", params={"cursor": "nonsense"})).status_code == 400


async def test_device_token_works_until_revoked(admin, client_of):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()
    issued = await admin.post(f"/v1/couriers/{courier['id']}/tokens")
    assert issued.status_code == 201
    assert issued.json()["token"].startswith(issued.json()["prefix"])
    headers = {"Authorization": f"Bearer {issued.json()['token']}"}
    assert (await admin.get("/v1/couriers", headers=headers)).status_code == 403
    assert (await admin.delete(f"/v1/tokens/{issued.json()['id']}")).status_code == 204
    assert (await admin.get("/v1/couriers", headers=headers)).status_code == 401


async def test_token_for_an_unknown_courier_is_not_found(admin):
    assert (await admin.post(f"/v1/couriers/{uuid4()}/tokens")).status_code == 404


async def test_dispatcher_cannot_revoke_an_administrators_token(admin, client_of):
    dispatcher = await client_of(Role.DISPATCHER)
    other = (await admin.post("/v1/tokens", json={"role": "admin", "name": "other"})).json()
    assert (await dispatcher.delete(f"/v1/tokens/{other['id']}")).status_code == 404


async def test_viewer_reads_but_does_not_change(client_of):
    viewer = await client_of(Role.VIEWER)
    assert (await viewer.get("/v1/couriers")).status_code == 200
    refused = await viewer.post("/v1/couriers", json={"name": "Anna", "mode": "car"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")


async def test_who_did_what_is_in_the_audit_log(admin):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()
    await admin.patch(f"/v1/couriers/{courier['id']}", json={"name": "Berta"})
    entries = (await admin.get("/v1/audit", params={"subject": f"courier:{courier['id']}"})).json()["items"]
    assert [entry["action"] for entry in entries] == ["courier.change", "courier.add"]
    assert entries[0]["facts"] == {"before": {"name": "Anna"}, "after": {"name": "Berta"}}
    assert entries[0]["actor"] == "admin:test admin"


async def test_repeated_key_adds_no_second_courier(admin):
    body, headers = {"name": "Anna", "mode": "car"}, {"Idempotency-Key": "k1"}
    first = await admin.post("/v1/couriers", json=body, headers=headers)
    again = await admin.post("/v1/couriers", json=body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await admin.post("/v1/couriers", json={**body, "name": "Berta"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_erased_courier_leaves_no_positions_behind(admin, settings, writer):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()
    fix = {"courier_id": courier["id"], "fixed_at": datetime.now(UTC).isoformat(), "lat": 41.15, "lon": -8.61}
    assert (await admin.post("/v1/positions", json=[fix, {**fix, "lat": 0, "lon": 0}])).json()["accepted"] == 1
    connection = await asyncpg.connect(settings.database_url)
    stored = "SELECT (SELECT count(*) FROM positions) + (SELECT count(*) FROM quarantine) = 2"
    await until(lambda: connection.fetchval(stored))
    assert (await admin.get(f"/v1/couriers/{courier['id']}/position")).status_code == 200

    assert (await admin.delete(f"/v1/couriers/{courier['id']}", params={"erase": True})).status_code == 204
    assert await connection.fetchval("SELECT count(*) FROM positions") == 0
    assert await connection.fetchval("SELECT count(*) FROM quarantine") == 0
    assert await connection.fetchval("SELECT name FROM couriers") == "erased"
    await connection.close()
    assert (await admin.get("/v1/couriers/nearby", params={"lat": 41.15, "lon": -8.61})).json() == {"couriers": []}
