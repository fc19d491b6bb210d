"""A region that follows couriers on their shift only: nothing is kept of where they are otherwise."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from prometheus_client import REGISTRY

from app.web.auth import Role
from tests.acceptance.test_orders import HOME, RESTAURANT, dispatcher, town

__all__ = ["dispatcher", "town"]

OFF = {"lat": 41.23456, "lon": -8.76543}
"""Where nobody shall be seen."""


def fix(age_s=1.0, at=OFF):
    return {"fixed_at": (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat(), **at}


def in_s(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def dropped():
    return REGISTRY.get_sample_value("postrider_fixes_off_shift_total") or 0


@pytest.fixture
def presence(api):
    """Asked when the test says so; by itself every ten seconds."""

    async def refresh():
        await api.state.intake.presence.refresh(datetime.now(UTC))

    return refresh


@pytest.fixture
async def anna(admin, client_of, presence):
    """A courier and her phone, in a region that has the setting; she has no shift yet."""
    settings = {"privacy": {"on_shift_only": True}}
    assert (await admin.patch("/v1/regions/default", json={"settings": settings})).status_code == 200
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()["id"]
    await presence()
    return courier, await client_of(Role.COURIER, courier)


async def shift(admin, courier, begins_s, ends_s):
    made = await admin.post(
        f"/v1/couriers/{courier}/shifts", json={"starts_at": in_s(begins_s), "ends_at": in_s(ends_s)}
    )
    assert made.status_code == 201, made.text


async def posted(phone, *fixes):
    answer = await phone.post("/v1/positions", json=list(fixes))
    assert (answer.status_code, answer.json()) == (202, {"accepted": len(fixes), "quarantined": []})


async def position_of(admin, courier):
    answer = await admin.get(f"/v1/couriers/{courier}/position")
    return answer.json() if answer.status_code == 200 else None


async def everything_in_the_log(api):
    return [fields for _, fields in await api.state.redis.xrange("pr:{default}:log")]


async def test_off_shift_every_door_answers_as_usual_and_nothing_is_kept(
    admin, api, client_of, anna, presence, settings
):
    courier, phone = anna
    await shift(admin, courier, 3600, 7200)
    await presence()
    before = dropped()
    await posted(phone, fix(), fix(30))
    token = phone.headers["authorization"].removeprefix("Bearer ")
    osmand = {"lat": OFF["lat"], "lon": OFF["lon"], "timestamp": int(datetime.now(UTC).timestamp())}
    assert (await phone.get(f"/ingest/osmand/{token}", params=osmand)).status_code == 200
    owntracks = {"_type": "location", "tst": osmand["timestamp"], **OFF}
    assert (await phone.post(f"/ingest/owntracks/{token}", json=owntracks)).status_code == 200
    unusable = f"/ingest/osmand/{token}?lat={OFF['lat']}&lon=west&timestamp=soon"
    assert (await phone.get(unusable)).status_code == 200
    service = await client_of(Role.SERVICE)
    await posted(service, fix() | {"courier_id": courier})
    assert dropped() - before == 6
    assert await position_of(admin, courier) is None
    log = await everything_in_the_log(api)
    assert not any(fields.get(b"fixes") or fields.get(b"quarantine") for fields in log)


async def test_what_counts_is_when_a_fix_was_measured(admin, anna, presence):
    courier, phone = anna
    await shift(admin, courier, -3600, -600)
    await presence()
    await posted(phone, fix(4000), fix(3000, HOME), fix(700, HOME), fix(10))
    found = await position_of(admin, courier)
    assert (round(found["lat"], 5), round(found["age_s"] / 100)) == (HOME["lat"], 7)


async def test_whoever_has_no_shifts_is_followed_while_on_duty(admin, anna, presence):
    courier, phone = anna
    await posted(phone, fix(at=HOME))
    assert (await position_of(admin, courier))["lat"] == pytest.approx(HOME["lat"])
    assert (await admin.patch(f"/v1/couriers/{courier}", json={"on_duty": False})).status_code == 200
    await presence()
    await asyncio.sleep(0.01)
    await posted(phone, {"fixed_at": in_s(0), **OFF})
    assert (await position_of(admin, courier))["lat"] == pytest.approx(HOME["lat"])


async def test_whoever_is_taken_off_duty_during_a_shift_is_followed_no_more(admin, anna, presence):
    courier, phone = anna
    await shift(admin, courier, -3600, 3600)
    await presence()
    await posted(phone, fix(at=HOME))
    assert (await admin.patch(f"/v1/couriers/{courier}", json={"on_duty": False})).status_code == 200
    await presence()
    await asyncio.sleep(0.01)
    await posted(phone, {"fixed_at": in_s(0), **OFF})
    assert (await position_of(admin, courier))["lat"] == pytest.approx(HOME["lat"])


async def test_an_order_is_followed_to_its_end_after_the_shift(town, dispatcher, admin, presence, settings):
    ana, phone = await town.hire("Ana")
    order = await town.accepted(phone)
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).status_code == 200
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute(
        "INSERT INTO shifts (courier_id, starts_at, ends_at)"
        " VALUES ($1, now() - interval '2 hours', now() - interval '1 hour')",
        ana,
    )
    await connection.close()
    await admin.patch("/v1/regions/default", json={"settings": {"privacy": {"on_shift_only": True}}})
    await presence()
    near = RESTAURANT | {"lat": RESTAURANT["lat"] + 1e-4}
    await posted(phone, {"fixed_at": in_s(0), **near})
    assert (await position_of(admin, ana))["lat"] == pytest.approx(near["lat"], abs=1e-6)


async def test_another_region_is_followed_as_before(admin, client_of, anna, presence):
    made = await admin.post("/v1/regions", json={"name": "porto", "title": "Porto"})
    assert made.status_code == 201
    rui = (await admin.post("/v1/couriers", json={"name": "Rui", "mode": "car", "region": "porto"})).json()["id"]
    await shift(admin, rui, 3600, 7200)
    await presence()
    await posted(await client_of(Role.COURIER, rui), fix(at=HOME))
    assert (await position_of(admin, rui))["lat"] == pytest.approx(HOME["lat"])


async def test_an_api_that_starts_without_the_database_knows_it_from_redis(admin, anna, api, presence):
    courier, _ = anna
    await shift(admin, courier, 3600, 7200)
    await presence()
    known = api.state.intake.presence.shifts
    again = type(api.state.intake.presence)(_Away(), api.state.redis, back_s=1)
    await again.refresh(datetime.now(UTC))
    assert again.shifts == known
    assert known.regions == {"default"}


async def test_while_nobody_knows_uploads_are_refused_and_come_again(admin, anna, api):
    courier, phone = anna
    presence = api.state.intake.presence
    known, presence._known = presence._known, None
    answer = await phone.post("/v1/positions", json=[fix()])
    assert (answer.status_code, answer.json()["code"]) == (503, "log-unavailable")
    presence._known = known
    api.state.intake.ingest._lanes.clear()
    await posted(phone, fix(at=HOME))
    assert (await position_of(admin, courier))["lat"] == pytest.approx(HOME["lat"])


class _Away:
    async def fetch(self, *_, **__):
        raise ConnectionRefusedError
