"""A courier's phone becomes the courier's by a link, once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from app.routes.invitations import INVITATION_LIVES
from app.web.auth import Role

PAGE = {"Accept": "text/html", "Accept-Language": "ru;q=0.1,en"}


@pytest.fixture
async def phone(api):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://postrider") as client:
        yield client


async def hire(admin):
    return (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "foot"})).json()["id"]


async def invite(staff, courier_id):
    answer = await staff.post(f"/v1/couriers/{courier_id}/invitations")
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_courier_comes_in_by_a_link_that_looking_at_does_not_use_up(admin, client_of, phone, settings):
    courier_id = await hire(admin)
    made = await invite(await client_of(Role.SUPPORT), courier_id)
    assert timedelta(0) < datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC) <= INVITATION_LIVES
    for _ in range(3):
        shown = await phone.get(made["url"], headers=PAGE)
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        assert "Anna" in shown.text
        assert "<svg" in shown.text
        assert "set-cookie" not in shown.headers
    others = await phone.post(made["url"], headers={"Sec-Fetch-Site": "cross-site"})
    assert others.status_code == 403
    answers = await asyncio.gather(*(phone.post(made["url"], headers=PAGE) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [303, 404, 404, 404, 404]
    [joined] = [answer for answer in answers if answer.status_code == 303]
    assert joined.headers["location"] == "/courier"
    cookie = joined.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    me = (await phone.get("/v1/me")).json()
    assert (me["role"], me["courier_id"]) == ("courier", courier_id)
    assert (await phone.get(f"/v1/couriers/{courier_id}/route")).status_code == 200
    fix = {"fixed_at": datetime.now(UTC).isoformat(), "lat": 41.15, "lon": -8.61}
    ours, others = {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}
    assert (await phone.post("/v1/positions", json=fix, headers=ours)).json()["accepted"] == 1
    assert (await phone.post("/v1/positions", json=fix, headers=others)).status_code == 401
    assert "used already" in (await phone.get(made["url"], headers=PAGE)).text
    rows = (await admin.get("/v1/audit", params={"subject": f"courier:{courier_id}"})).json()["items"]
    assert {"courier.invite", "session.begin"} <= {row["action"] for row in rows}
    connection = await asyncpg.connect(settings.database_url)
    kept = await connection.fetchval("SELECT string_agg(i::text, '') FROM invitations AS i")
    await connection.close()
    assert made["url"].rpartition("/")[2] not in kept


async def test_the_settings_of_phone_apps_are_shown_once_and_work(admin, phone):
    courier_id = await hire(admin)
    url = (await invite(admin, courier_id))["url"]
    shown = await phone.post(f"{url}/app", headers=PAGE)
    assert shown.status_code == 200
    for app in ("Traccar Client", "OwnTracks", "OsmAnd", "GPSLogger"):
        assert app in shown.text
    assert shown.text.count("<svg") == 4
    osmand = re.search(r"http://postrider(/ingest/osmand/[\w-]+)<", shown.text).group(1)
    at = {"lat": "41.15", "lon": "-8.61", "timestamp": str(int(datetime.now(UTC).timestamp()))}
    assert (await phone.get(osmand, params=at)).status_code == 200
    seen = (await admin.get(f"/v1/couriers/{courier_id}/position")).json()
    assert (seen["lat"], seen["lon"]) == (41.15, -8.61)
    again = await phone.post(f"{url}/app", headers=PAGE)
    assert (again.status_code, "does not work any more" in again.text) == (404, True)
    assert (await phone.post(url)).status_code == 303  # the page is another use of it


async def test_an_invitation_ends_with_its_time_and_with_its_courier(admin, phone, settings):
    late, gone = await hire(admin), await hire(admin)
    urls = [(await invite(admin, courier_id))["url"] for courier_id in (late, gone)]
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("UPDATE invitations SET expires_at = now() WHERE courier_id = $1::text::uuid", late)
    await connection.close()
    await admin.delete(f"/v1/couriers/{gone}")
    for url in (*urls, "/join/nothing"):
        assert (await phone.get(url, headers=PAGE)).status_code == 404
        assert (await phone.post(url)).json()["code"] == "not-found"
        assert (await phone.post(f"{url}/app")).status_code == 404
    assert (await admin.post(f"/v1/couriers/{gone}/invitations")).status_code == 404


async def test_a_page_says_who_else_is_signed_in(admin, phone):
    url = (await invite(admin, await hire(admin)))["url"]
    phone.headers["Authorization"] = admin.headers["Authorization"]
    assert "is signed in in this browser" in (await phone.get(url, headers=PAGE)).text
    said = await phone.get(url, headers={"Accept": "text/html", "Accept-Language": "ru"})
    assert ('lang="ru"' in said.text, "Здравствуйте" in said.text) == (True, True)
