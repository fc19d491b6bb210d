"""Too many requests: 429 where a program reads the answer, never at the doors of phones."""

from dataclasses import replace

import pytest

from app.settings import Settings
from app.web.auth import Role


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
        assert 8 <= len(limited) < 20  # a new minute may begin meanwhile
        assert limited[-1].json()["code"] == "too-many-requests"
        assert 1 <= int(limited[-1].headers["retry-after"]) <= 60
    for _ in range(20):
        assert (await phone.get(f"/ingest/osmand/{token}?id=x")).status_code == 200
    assert (await admin.get("/v1/couriers")).status_code == 200


async def test_signing_in_is_throttled(admin):
    answers = [await admin.post("/v1/sign-in", json={"token": "guessed"}) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {401, 429}
