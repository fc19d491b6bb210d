"""People: who may come in, by which proof, and what becomes of their sessions."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from app.machine.users import NameTaken, NewPerson, add_person, ensure_first
from app.web.auth import Role
from app.web.passwords import Passwords

OURS = {"origin": "http://postrider"}
PASSWORD = "a river of seven stones"


@pytest.fixture
async def pool(settings):
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=2) as made:
        yield made


@pytest.fixture(autouse=True)
def cheap(api):
    api.state.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
async def browser(api):
    """`browser()`: a stranger's page, with cookies of its own."""
    clients = []

    def make():
        transport = httpx.ASGITransport(app=api)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://postrider", headers=OURS))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


async def add(admin, name, role="support", **more):
    answer = await admin.post("/v1/users", json={"name": name, "role": role, "password": PASSWORD, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def sign_in(page, name="anna", password=PASSWORD, **more):
    return await page.post("/v1/sign-in", json={"name": name, "password": password, **more})


@pytest.mark.parametrize("role", ["viewer", "auditor", "support", "dispatcher", "admin"])
async def test_a_person_signs_in_by_name_and_password_and_may_what_the_role_may(admin, browser, role):
    made = await add(admin, "Anna Sá", role, regions=["default"], partner="acme")
    page = browser()
    for name, password in (("anna", PASSWORD), ("Anna Sá", "another password"), ("nobody", PASSWORD)):
        answer = await sign_in(page, name, password)
        assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")
    answer = await sign_in(page, "anna sá")
    assert answer.status_code == 200
    me = answer.json()
    assert {name: me[name] for name in ("name", "role", "user_id", "regions", "partner")} == {
        "name": "Anna Sá", "role": role, "user_id": made["id"], "regions": ["default"], "partner": "acme"
    }  # fmt: skip
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await page.get("/v1/me")).json() == me
    assert (await page.get("/v1/users")).status_code == 403  # it tells of everybody
    await admin.patch(f"/v1/users/{made['id']}", json={"regions": [], "partner": None})
    assert (await page.get("/v1/users")).status_code == (200 if role in {"admin", "auditor"} else 403)
    assert (await page.get("/v1/audit")).status_code == (200 if role in {"admin", "auditor"} else 403)
    rows = (await admin.get("/v1/audit", params={"actor": f"{role}:Anna Sá"})).json()["items"]
    assert [row["facts"]["by"] for row in rows if row["action"] == "session.begin"] == ["password"]


async def test_a_change_of_the_role_holds_for_sessions_at_once_and_a_removed_person_is_out(admin, browser):
    user, page = await add(admin, "anna", "admin"), browser()
    await sign_in(page)
    path = f"/v1/users/{user['id']}"
    assert (await page.get("/v1/users")).status_code == 200
    changed = await admin.patch(path, json={"role": "viewer"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["role"], changed.headers["etag"]) == (200, "viewer", '"2"')
    assert (await admin.patch(path, json={"role": "admin"}, headers={"If-Match": '"1"'})).status_code == 409
    assert (await page.get("/v1/users")).status_code == 403
    assert (await page.get("/v1/me")).json()["role"] == "viewer"
    assert (await admin.delete(path)).status_code == 204
    assert (await page.get("/v1/me")).status_code == 401
    assert (await sign_in(browser())).status_code == 401
    assert (await admin.get(path)).json()["code"] == "user-not-found"
    await add(admin, "Anna")  # the name is free


async def test_what_cannot_be_a_user_is_refused_with_its_pointer(admin):
    await add(admin, "anna")
    for body, pointer in (
        ({"role": "service"}, "/role"),
        ({"regions": ["nowhere"]}, "/regions/0"),
        ({"password": "short"}, "/password"),
        ({"password": "boris boris boris"}, "/password"),
        ({"name": " boris"}, "/name"),
        ({"partner": ""}, "/partner"),
    ):
        answer = await admin.post("/v1/users", json={"name": "boris", "role": "viewer", "password": PASSWORD, **body})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    again = await admin.post("/v1/users", json={"name": "ANNA", "role": "viewer"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await admin.get(f"/v1/users/{uuid4()}")).status_code == 404


async def test_the_last_administrator_stays_one_also_when_two_leave_at_once(admin, browser, pool):
    users = [await add(admin, name, "admin") for name in ("anna", "boris")]
    pages = [browser(), browser()]
    for page, user in zip(pages, users, strict=True):
        await sign_in(page, user["name"])
    await pool.execute("UPDATE tokens SET revoked_at = now() WHERE idle_s IS NULL")  # no token is left, either
    answers = await asyncio.gather(
        *(page.patch(f"/v1/users/{one['id']}", json={"role": "viewer"}) for page, one in zip(pages, users, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 503])
    roles = await pool.fetch("SELECT role FROM users ORDER BY role")
    assert [row["role"] for row in roles] == ["admin", "viewer"]


async def test_who_is_invited_or_lost_the_password_sets_one_before_anything_else(admin, browser):
    invited = (await admin.post("/v1/users", json={"name": "anna", "role": "dispatcher"})).json()
    user = f"/v1/users/{invited['id']}"
    former = browser()
    for n in range(2):
        address = invited["address"]
        if n == 1:
            reset = await admin.post(f"{user}/reset-password")
            assert (await former.get("/v1/me")).status_code == 401
            assert (await sign_in(browser())).status_code == 401
            address = reset.json()["address"]
        page = browser()
        code = re.search("#code=(.+)", address)[1]
        assert (await page.post("/v1/sign-in", json={"code": code})).json()["must_change_password"]
        refused = await page.get("/v1/couriers")
        assert (refused.status_code, refused.json()["code"]) == (403, "password-change-required")
        new = PASSWORD + "x" * n
        assert (await page.post("/v1/me/password", json={"new": "anna"})).status_code == 400
        assert (await page.post("/v1/me/password", json={"new": new})).status_code == 204
        assert (await page.get("/v1/couriers")).status_code == 200
        assert (await sign_in(former, password=new)).status_code == 200
        assert (await browser().post("/v1/sign-in", json={"code": code})).status_code == 401
    assert "address" not in (await admin.get(user)).text.replace('"address":null', "").replace("address_expires", "")


async def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(admin, browser):
    await add(admin, "anna")
    here, there = browser(), browser()
    for page in (here, there):
        await sign_in(page)
    listed = (await here.get("/v1/sessions")).json()["items"]
    assert [one["is_this"] for one in listed].count(True) == 1
    assert len(listed) == 2
    new = "eight ponds, and no river"
    wrong = await here.post("/v1/me/password", json={"new": new, "current": "a guess of some length"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/current")
    assert (await here.post("/v1/me/password", json={"new": new, "current": PASSWORD})).status_code == 204
    assert [(await page.get("/v1/me")).status_code for page in (here, there)] == [200, 401]
    assert (await sign_in(there)).status_code == 401
    assert (await sign_in(there, password=new)).status_code == 200


async def test_a_second_factor_is_asked_for_and_each_code_works_once(admin, browser):
    await add(admin, "anna")
    page = browser()
    await sign_in(page)
    setup = (await page.post("/v1/me/second-factor")).json()
    assert setup["address"].startswith("otpauth://totp/Postrider:anna?secret=")
    app = pyotp.TOTP(setup["secret"])
    assert (await sign_in(browser())).status_code == 200  # not confirmed yet
    wrong = await page.post("/v1/me/second-factor/confirm", json={"totp": "000 000x"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/totp")
    now = datetime.now(UTC).timestamp()
    # Clocks differ: this code confirms, the next one signs in; either is good in two half minutes to come.
    confirmed = await page.post("/v1/me/second-factor/confirm", json={"totp": app.at(now)})
    codes = confirmed.json()["codes"]
    assert len(set(codes)) == 10
    asked = await sign_in(page)
    assert (asked.status_code, asked.json()["code"]) == (401, "second-factor-required")
    following = app.at(now + 30)
    assert (await sign_in(page, password="another password", totp=following)).json()["code"] == "not-authenticated"
    answers = await asyncio.gather(*(sign_in(browser(), totp=following) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]
    answers = await asyncio.gather(*(sign_in(browser(), totp=codes[3].upper()) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]
    assert (await page.get("/v1/me/second-factor")).json() == {"is_set": True}
    assert (await page.post("/v1/me/second-factor")).status_code == 409
    assert (await page.post("/v1/me/second-factor/remove", json={"password": "a guess of length"})).status_code == 400
    assert (await page.post("/v1/me/second-factor/remove", json={"password": PASSWORD})).status_code == 204
    assert (await sign_in(browser())).status_code == 200


async def test_a_session_is_over_when_idle_and_when_old_and_can_be_ended_by_its_person_only(admin, browser, api, pool):
    await add(admin, "anna"), await add(admin, "boris", "viewer")
    anna, boris = browser(), browser()
    await sign_in(anna), await sign_in(boris, "boris")
    for change in ("idle_s = 1, seen_at = now() - interval '1 minute'", "expires_at = now() - interval '1 s'"):
        page = browser()
        await sign_in(page)
        assert (await page.get("/v1/me")).status_code == 200
        session = next(one for one in (await page.get("/v1/sessions")).json()["items"] if one["is_this"])
        await pool.execute(f"UPDATE tokens SET {change} WHERE id = $1", session["id"])
        await api.state.authenticator._check_all()
        assert (await page.get("/v1/me")).status_code == 401
    # What is asked for is noted, so that the session goes on.
    await pool.execute("UPDATE tokens SET seen_at = now() - interval '1 hour' WHERE idle_s > 3600")
    await anna.get("/v1/me")
    await api.state.authenticator._tell_seen()
    (session,) = (await anna.get("/v1/sessions")).json()["items"]
    assert datetime.now(UTC).timestamp() - datetime.fromisoformat(session["seen_at"]).timestamp() < 600
    assert (await boris.delete(f"/v1/sessions/{session['id']}")).status_code == 404
    assert (await anna.delete(f"/v1/sessions/{session['id']}")).status_code == 204
    assert (await anna.get("/v1/me")).status_code == 401
    assert (await boris.get("/v1/me")).status_code == 200


async def test_guessing_is_throttled_by_name_and_address_and_keeps_nobody_else_out(admin, browser, api, monkeypatch):
    await add(admin, "anna"), await add(admin, "boris")
    monkeypatch.setattr(api.state.rates._counts["password"], "limit", 3)
    answers = [(await sign_in(browser(), "anna", f"a guess, number {n}")).status_code for n in range(8)]
    assert answers[-1] == 429 or answers[3] == 429  # a new minute may begin meanwhile
    assert (await sign_in(browser(), "boris")).status_code == 200


async def test_a_session_changes_nothing_from_another_site(admin, browser):
    await add(admin, "anna", "admin")
    page = browser()
    await sign_in(page)
    body = {"name": "boris", "role": "viewer"}
    for headers in ({"origin": "http://elsewhere"}, {"sec-fetch-site": "cross-site"}):
        assert (await page.post("/v1/users", json=body, headers=headers)).status_code == 401
    assert (await page.post("/v1/users", json=body)).status_code == 201


async def test_a_token_is_no_person(client_of):
    admin = await client_of(Role.ADMIN)
    assert (await admin.post("/v1/me/password", json={"new": PASSWORD})).status_code == 403
    assert (await admin.post("/v1/me/second-factor")).status_code == 403


async def test_the_first_person_is_made_once_and_others_from_the_command_line(settings, browser, admin):
    before, _, code = (await ensure_first(replace(settings, host="127.0.0.1", port=8123))).partition("#code=")
    assert before == "http://127.0.0.1:8123/"
    assert await ensure_first(settings) is None
    page = browser()
    me = (await page.post("/v1/sign-in", json={"code": code})).json()
    assert (me["name"], me["role"], me["must_change_password"]) == ("admin", "admin", True)
    assert await add_person(settings, NewPerson(name="anna", role=Role.AUDITOR, password=PASSWORD)) is None
    assert (await sign_in(page)).json()["role"] == "auditor"
    with pytest.raises(NameTaken):
        await add_person(settings, NewPerson(name="Anna", role=Role.VIEWER))
    rows = (await admin.get("/v1/audit", params={"action": "user.add"})).json()["items"]
    assert [row["facts"]["name"] for row in rows] == ["anna", "admin"]


async def test_who_is_disabled_is_out_at_once_and_comes_back_as_the_same_person(admin, browser):
    anna, page = await add(admin, "Anna"), browser()
    await sign_in(page)
    path = f"/v1/users/{anna['id']}"
    off = await admin.patch(path, json={"disabled": True})
    assert (off.status_code, off.json()["disabled"]) == (200, True)
    assert (await page.get("/v1/me")).status_code == 401
    assert (await sign_in(page)).status_code == 401
    address = (await admin.post(f"{path}/reset-password")).json()["address"]
    code = {"code": address.rpartition("=")[2]}
    assert (await page.post("/v1/sign-in", json=code)).status_code == 401, "an address lets nobody in, either"
    on = await admin.patch(path, json={"disabled": False})
    assert (on.json()["id"], on.json()["disabled"]) == (anna["id"], False)
    assert (await page.get("/v1/me")).status_code == 401, "what has ended stays so"
    invited = (await admin.post(f"{path}/reset-password")).json()["address"].rpartition("=")[2]
    assert (await page.post("/v1/sign-in", json={"code": invited})).status_code == 200


async def test_a_disabled_administrator_does_not_count_as_one(admin, browser, pool):
    first, second = await add(admin, "Ada", "admin"), await add(admin, "Bo", "admin")
    page = browser()
    await sign_in(page, "ada")
    await pool.execute("UPDATE tokens SET revoked_at = now() WHERE role = 'admin' AND idle_s IS NULL")
    assert (await page.patch(f"/v1/users/{second['id']}", json={"disabled": True})).status_code == 200
    assert (await page.patch(f"/v1/users/{first['id']}", json={"disabled": True})).status_code == 409
    assert (await page.patch(f"/v1/users/{first['id']}", json={"role": "viewer"})).status_code == 409


async def test_an_administrator_sees_where_somebody_is_signed_in_and_ends_it(admin, browser, client_of):
    anna, page, other = await add(admin, "Anna"), browser(), browser()
    await sign_in(page)
    await sign_in(other)
    path = f"/v1/users/{anna['id']}/sessions"
    auditor = await client_of(Role.AUDITOR)
    assert [one["is_this"] for one in (await auditor.get(path)).json()["items"]] == [False, False]
    assert (await auditor.delete(path)).status_code == 403
    assert (await admin.delete(path)).status_code == 204
    assert [(await one.get("/v1/me")).status_code for one in (page, other)] == [401, 401]
    assert (await admin.get(path)).json()["items"] == []
    assert (await admin.get(f"/v1/users/{uuid4()}/sessions")).status_code == 404
