"""Too many requests: 429 where a program reads the answer, never at the doors of phones."""

from dataclasses import replace

import pytest

from app.main import in_front
from app.settings import Settings
from app.web.address import Proxies
from app.web.auth import Role
from tests.rsgi import RsgiTransport


@pytest.fixture
def settings(database_url, redis_url) -> Settings:
    return replace(
        Settings(database_url=database_url, redis_url=redis_url), rate_courier=5, rate_staff=8, rate_sign_in=3
    )


async def test_a_token_beyond_its_rate_is_told_when_to_come_back_and_its_phone_is_served(admin, client_of):
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    phone, viewer = await client_of(Role.COURIER, courier), await client_of(Role.VIEWER)
    token = phone.headers["authorization"].removeprefix("Bearer ")
    for client, path in ((phone, f"/v1/couriers/{courier}/route"), (viewer, "/v1/couriers")):
        answers = [await client.get(path) for _ in range(20)]
        limited = [answer for answer in answers if answer.status_code == 429]
        assert 0 < len(limited) < 20  # a new minute may begin meanwhile
        assert limited[-1].json()["code"] == "too-many-requests"
        assert 1 <= int(limited[-1].headers["retry-after"]) <= 60
    for _ in range(20):
        assert (await phone.get(f"/ingest/osmand/{token}?id=x")).status_code == 200
    assert (await admin.get("/v1/couriers")).status_code == 200


async def test_whom_a_proxy_speaks_for_is_counted_and_on_record_alike(admin, client_of, api):
    """One setting says whose `X-Forwarded-For` is believed: the rates and the audit log cannot differ."""
    for trusted, is_told in (("", False), ("127.0.0.0/8", True)):
        api.state.proxies = Proxies(trusted)
        client = await client_of(Role.ADMIN)
        answers = []
        for n in range(8):
            client.headers["X-Forwarded-For"] = f"6.6.6.6, 203.0.113.{n}"
            answers.append(await client.post("/v1/sign-in", json={"token": "guessed"}))
        assert {answer.status_code for answer in answers} == ({401} if is_told else {401, 429})
        await client.post("/v1/couriers", json={"name": trusted or "nobody", "mode": "car"})
        (row,) = (await admin.get("/v1/audit", params={"limit": 1})).json()["items"]
        assert row["ip"] == ("203.0.113.7" if is_told else "127.0.0.1")


async def test_both_ways_in_count_the_address_that_a_proxy_tells(admin, client_of, api):
    api.state.proxies = Proxies("127.0.0.1")
    courier = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    fast, slow = await client_of(Role.COURIER, courier), await client_of(Role.COURIER, courier)
    fast._transport = RsgiTransport(in_front(api))
    for client, address in ((fast, "203.0.113.1"), (slow, "203.0.113.2")):
        headers = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", address)]
        answer = await client.post("/v1/positions", json=[], headers=headers)
        assert answer.status_code == 202
        assert address in api.state.rates._of_address.own
    assert "6.6.6.6" not in api.state.rates._of_address.own


async def test_signing_in_is_throttled(admin):
    answers = [await admin.post("/v1/sign-in", json={"token": "guessed"}) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {401, 429}
