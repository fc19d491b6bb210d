"""Signing in and out, and who is signed in."""

import asyncio
from dataclasses import replace

import asyncpg
import httpx
import pytest

from app.machine.tokens import make_address
from app.settings import Settings
from app.web import sign_in
from app.web.auth import Role
from app.web.sign_in import make_code

OURS = {"origin": "http://postrider"}


@pytest.fixture
async def stranger(api):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://postrider") as client:
        yield client


async def sign_in_with(client, code):
    return await client.post("/v1/sign-in", json={"code": code})


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.DISPATCHER, Role.ADMIN])
async def test_a_code_signs_in_once_and_as_what_it_was_made_for(stranger, api, admin, role):
    code = await make_code(api.state.redis, role, "Anna")
    signed_in = await sign_in_with(stranger, code)
    assert signed_in.status_code == 200
    assert {key: signed_in.json()[key] for key in ("name", "role", "courier_id", "region", "regions")} == {
        "name": "Anna", "role": role, "courier_id": None, "region": "default", "regions": ["default"]
    }  # fmt: skip
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert code.lower() not in cookie
    assert (await stranger.get("/v1/me")).json() == signed_in.json()
    assert (await stranger.get("/v1/tokens")).status_code == (200 if role is Role.ADMIN else 403)
    again = await sign_in_with(stranger, code)
    assert (again.status_code, again.json()["code"]) == (401, "not-authenticated")
    rows = (await admin.get("/v1/audit", params={"actor": f"{role}:Anna"})).json()["items"]
    assert "session.begin" in [row["action"] for row in rows]


async def test_of_many_who_use_a_code_at_once_one_is_signed_in(stranger, api):
    code = await make_code(api.state.redis, Role.VIEWER, "Anna")
    answers = await asyncio.gather(*(sign_in_with(stranger, code) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 7]


async def test_a_code_expires_and_redis_knows_only_its_hash(stranger, api, monkeypatch):
    redis = api.state.redis
    code = await make_code(redis, Role.VIEWER, "Anna")
    (key,) = await redis.keys("pr:sign-in:*")
    assert 0 < await redis.ttl(key) <= sign_in.CODE_S
    assert code.encode() not in key + await redis.get(key)
    await redis.pexpire(key, 1)
    await asyncio.sleep(0.01)
    assert (await sign_in_with(stranger, code)).status_code == 401


async def test_a_code_is_not_lost_with_the_database(stranger, api, monkeypatch):
    code = await make_code(api.state.redis, Role.VIEWER, "Anna")
    with monkeypatch.context() as patch:

        async def away(*_):
            raise ConnectionRefusedError

        patch.setattr(asyncpg.Pool, "_acquire", away)
        assert (await sign_in_with(stranger, code)).status_code == 503
    assert (await sign_in_with(stranger, code)).status_code == 200


async def test_signing_out_ends_a_session_and_leaves_a_pasted_token_alone(stranger, api, client_of):
    await sign_in_with(stranger, await make_code(api.state.redis, Role.SUPPORT, "Anna"))
    session = stranger.cookies["postrider_session"]
    bearer = {"Authorization": f"Bearer {session}"}
    assert (await stranger.get("/v1/me", headers=bearer)).status_code == 200
    assert (await stranger.post("/v1/sign-out", headers={"origin": "http://evil.example"})).status_code == 204
    stranger.cookies.set("postrider_session", session)
    assert (await stranger.get("/v1/me")).status_code == 200  # another site ended nothing
    assert (await stranger.post("/v1/sign-out", headers=OURS)).status_code == 204
    assert (await stranger.get("/v1/me", headers=bearer)).status_code == 401

    support = await client_of(Role.SUPPORT)
    token = support.headers["authorization"].removeprefix("Bearer ")
    assert (await stranger.post("/v1/sign-in", json={"token": token})).status_code == 200
    assert (await stranger.post("/v1/sign-out", headers=OURS)).status_code == 204
    assert (await stranger.get("/v1/me")).status_code == 401
    assert (await support.get("/v1/me")).json()["role"] == "support"


async def test_any_token_is_told_whose_it_is(admin, client_of):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()["id"]
    phone, service = await client_of(Role.COURIER, courier), await client_of(Role.SERVICE)
    told = (await phone.get("/v1/me")).json()
    assert (told["role"], told["courier_id"], told["region"], told["regions"]) == (
        "courier", courier, "default", ["default"]
    )  # fmt: skip
    told = (await service.get("/v1/me")).json()
    assert (told["role"], told["courier_id"], told["regions"]) == ("service", None, ["default"])


@pytest.mark.parametrize("body", [{}, {"token": "a", "code": "b"}, {"code": ""}, {"code": "x" * 201}, {"code": 1}])
async def test_signing_in_needs_a_token_or_a_code(stranger, body):
    answer = await stranger.post("/v1/sign-in", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-input")


async def test_an_address_signs_in_where_the_settings_say_the_api_is(stranger, settings: Settings):
    address = await make_address(replace(settings, host="127.0.0.1", port=8123), Role.VIEWER, "Anna")
    before, _, code = address.partition("#code=")
    assert before == "http://127.0.0.1:8123/"
    assert (await sign_in_with(stranger, code)).json()["role"] == "viewer"
