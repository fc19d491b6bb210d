"""`POST /v1/positions` and what is read back, through the API in this process."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import brotli
import httpx
import pytest
import pytest_asyncio
import zstandard

from app.machine.tokens import make_token
from app.main import create_app, in_front
from app.settings import Settings
from app.web.auth import Role
from tests.rsgi import RsgiTransport


def fix(age_s=1.0, lat=41.15, lon=-8.61, **more):
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    return {"fixed_at": at.isoformat(), "lat": lat, "lon": lon, **more}


async def new_courier(admin, name="Anna", mode="bicycle"):
    answer = await admin.post("/v1/couriers", json={"name": name, "mode": mode})
    assert answer.status_code == 201
    return answer.json()["id"]


@pytest_asyncio.fixture
async def phone_of(api, client_of):
    """`await phone_of(courier_id)`: that courier's device; by the fast way in, or by Litestar's."""

    async def make(courier_id=None, role=Role.COURIER, *, fast=True):
        client = await client_of(role, courier_id)
        if fast:
            client._transport = RsgiTransport(in_front(api))
        return client

    return make


UNREADABLE = [b"", b"\x00\xff\xfe", b"{", b"[1,", b'{"fixes": 3}', b"null", b"[" * 5000]


async def test_both_ways_in_answer_alike(admin, phone_of, settings):
    courier_id = await new_courier(admin)
    fast, slow = await phone_of(courier_id), await phone_of(courier_id, fast=False)
    gzipped = {"Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * (settings.request_body_limit_bytes + 1))
    requests = [
        *({"json": body} for body in (fix(), [fix(1), fix(2)], {"fixes": [fix(1), fix(lat=91)]}, [], [1, fix()])),
        *({"content": body} for body in UNREADABLE),
        {"content": gzip.compress(b"[]"), "headers": gzipped},
        {"content": bomb, "headers": gzipped},
        {"json": fix(), "headers": {"Authorization": "Bearer nobody"}},
        {"json": fix(), "headers": {"Authorization": ""}},
        {"json": fix(), "headers": {"Authorization": (await phone_of(role=Role.VIEWER)).headers["Authorization"]}},
    ]
    for request in requests:
        answers = [await way.post("/v1/positions", **request) for way in (fast, slow)]
        bodies = [{name: value for name, value in a.json().items() if name != "trace_id"} for a in answers]
        assert bodies[0] == bodies[1]
        assert answers[0].status_code == answers[1].status_code
        names = ("content-type", "content-security-policy", "x-content-type-options", "www-authenticate")
        assert [answers[0].headers.get(name) for name in names] == [answers[1].headers.get(name) for name in names]
        assert all(len(a.headers["x-trace-id"]) == 32 for a in answers)


async def test_every_shape_of_an_upload_is_accepted(admin, phone_of):
    phone = await phone_of(await new_courier(admin))
    for body, n in ((fix(), 1), ([fix(1), fix(2)], 2), ({"fixes": [fix(1), fix(2)]}, 2), ([], 0)):
        answer = await phone.post("/v1/positions", json=body)
        assert (answer.status_code, answer.json()) == (202, {"accepted": n, "quarantined": []})


async def test_last_position_is_the_newest_good_fix(admin, phone_of):
    courier_id = await new_courier(admin)
    phone = await phone_of(courier_id)
    newest = fix(3, speed_mps=5.5, course_deg=360, accuracy_m=8, battery_pct=81.4, altitude_m=93.2)
    await phone.post("/v1/positions", json=[fix(20), newest, fix(10), fix(1, accuracy_m=900)])
    view = (await admin.get(f"/v1/couriers/{courier_id}/position")).json()
    assert (view["lat"], view["lon"], view["status"], view["courier_id"]) == (41.15, -8.61, "online", courier_id)
    assert datetime.fromisoformat(view["fixed_at"]) == datetime.fromisoformat(newest["fixed_at"])
    assert (view["speed_mps"], view["course_deg"], view["accuracy_m"], view["battery_pct"]) == (5.5, 0.0, 8.0, 81.0)
    assert 3 <= view["age_s"] < 30
    assert view["contact_age_s"] < view["age_s"]


async def test_one_bad_fix_never_refuses_the_rest(admin, phone_of):
    phone = await phone_of(await new_courier(admin))
    body = [
        fix(),
        {"lat": 1.0, "lon": 2.0},
        fix(lat="north"),
        fix(lat=91.0),
        "not a fix",
        fix(-3600),
        fix(unheard_of={"deep": [1]}, another=None),
        {**fix(), "fixed_at": "2026-11-23T12:00:00"},
        fix(lat=0, lon=0),
        fix(mock=True),
        fix(speed_mps=-4),
        fix(8 * 86_400),
    ]
    answer = await phone.post("/v1/positions", json=body)
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 3,
        "quarantined": [
            {"index": 1, "reason": "unreadable"},
            {"index": 2, "reason": "unreadable"},
            {"index": 3, "reason": "out_of_range"},
            {"index": 4, "reason": "unreadable"},
            {"index": 5, "reason": "future"},
            {"index": 7, "reason": "unreadable"},
            {"index": 8, "reason": "null_island"},
            {"index": 9, "reason": "mock"},
            {"index": 11, "reason": "too_old"},
        ],
    }


async def test_bad_optional_value_is_unknown_and_counted_and_the_place_is_kept(admin, phone_of):
    courier_id = await new_courier(admin)
    phone = await phone_of(courier_id)
    before = await counters(admin)
    bad = [
        {"battery_pct": 113},
        {"speed_mps": -1},
        {"speed_mps": 400},
        {"course_deg": 361},
        {"accuracy_m": -3},
        {"altitude_m": 99_999},
        {"battery_pct": "full"},
        {"battery_pct": True},
    ]
    answer = await phone.post("/v1/positions", json=[fix(20 - i, **more) for i, more in enumerate(bad)])
    assert answer.json() == {"accepted": len(bad), "quarantined": []}
    answer = await phone.post("/v1/positions", content=json.dumps(fix(3, altitude_m=float("nan"))).encode())
    assert answer.json() == {"accepted": 1, "quarantined": []}
    view = (await admin.get(f"/v1/couriers/{courier_id}/position")).json()
    assert (view["lat"], view["altitude_m"], view["status"]) == (41.15, None, "online")
    after = await counters(admin)
    name = "postrider_fix_values_dropped_total"
    grown = {
        field: after[key] - before.get(key, 0) for field in FIELDS if (key := f'{name}{{field="{field}"}}') in after
    }
    assert grown == {"battery_pct": 3, "speed_mps": 2, "course_deg": 1, "accuracy_m": 1, "altitude_m": 2}


FIELDS = ("accuracy_m", "speed_mps", "course_deg", "altitude_m", "battery_pct")


async def test_unreadable_body_of_a_known_phone_is_quarantined_not_refused(admin, phone_of):
    phone = await phone_of(await new_courier(admin))
    for body in UNREADABLE:
        answer = await phone.post("/v1/positions", content=body)
        assert answer.status_code == 202
        assert answer.json() == {"accepted": 0, "quarantined": [{"index": 0, "reason": "unreadable"}]}


async def test_gzip_body_is_understood_and_a_broken_one_quarantined(admin, phone_of):
    phone = await phone_of(await new_courier(admin))
    body = gzip.compress(json.dumps([fix(i) for i in range(50)]).encode())
    good = await phone.post("/v1/positions", content=body, headers={"Content-Encoding": "gzip"})
    assert (good.status_code, good.json()["accepted"]) == (202, 50)
    cut = await phone.post("/v1/positions", content=body[:-20], headers={"Content-Encoding": "gzip"})
    assert (cut.status_code, cut.json()["quarantined"]) == (202, [{"index": 0, "reason": "unreadable"}])


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("gzip", lambda text: gzip.compress(text[:40]) + gzip.compress(text[40:])),
        ("gzip", lambda text: gzip.compress(b"") + gzip.compress(text)),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("deflate", zlib.compress),
        ("deflate", lambda text: zlib.compress(text)[2:-4]),
        ("gzip", bytes),
    ],
)
async def test_whatever_encoding_a_library_writes_nothing_is_lost(admin, phone_of, name, encode):
    phone = await phone_of(await new_courier(admin))
    text = json.dumps([fix(i) for i in range(20)]).encode()
    answer = await phone.post("/v1/positions", content=encode(text), headers={"Content-Encoding": name})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 20, "quarantined": []})


async def test_unknown_encoding_is_refused_by_both_ways_in(admin, phone_of):
    courier_id = await new_courier(admin)
    for phone in (await phone_of(courier_id), await phone_of(courier_id, fast=False)):
        answer = await phone.post("/v1/positions", content=b"\x1f\x9d", headers={"Content-Encoding": "compress"})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


async def test_body_and_batch_limits_are_said_as_problems(admin, phone_of, settings):
    phone = await phone_of(await new_courier(admin))
    limit = settings.request_body_limit_bytes
    bomb = gzip.compress(b" " * (limit + 1))
    for answer in (
        await phone.post("/v1/positions", content=bomb, headers={"Content-Encoding": "gzip"}),
        await phone.post("/v1/positions", content=b" " * (limit + 1)),
        await phone.post("/v1/positions", content=b"[" + b"{}," * settings.batch_limit_fixes + b"{}]"),
    ):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "too-large"


async def test_stranger_is_refused_and_staff_may_not_post(api, phone_of, client_of):
    viewer = await phone_of(role=Role.VIEWER)
    refused = await viewer.post("/v1/positions", json=fix())
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    viewer.headers["Authorization"] = "Bearer nobody"
    refused = await viewer.post("/v1/positions", json=fix())
    assert (refused.status_code, refused.json()["code"]) == (401, "not-authenticated")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_service_posts_for_any_courier(admin, phone_of):
    anna, boris = await new_courier(admin), await new_courier(admin, "Boris")
    service = await phone_of(role=Role.SERVICE)
    body = [fix(1, courier_id=anna), fix(2, courier_id=boris), fix(3), fix(4, courier_id=str(uuid4()))]
    answer = await service.post("/v1/positions", json=body)
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 2,
        "quarantined": [{"index": 2, "reason": "no_courier"}, {"index": 3, "reason": "unknown_courier"}],
    }
    for courier_id in (anna, boris):
        assert (await admin.get(f"/v1/couriers/{courier_id}/position")).status_code == 200


async def test_phone_cannot_post_for_another_courier(admin, phone_of):
    anna, boris = await new_courier(admin), await new_courier(admin, "Boris")
    phone = await phone_of(anna)
    answer = await phone.post("/v1/positions", json=[fix(1, courier_id=anna), fix(2, courier_id=boris)])
    assert answer.json() == {"accepted": 1, "quarantined": [{"index": 1, "reason": "wrong_courier"}]}
    assert (await admin.get(f"/v1/couriers/{boris}/position")).status_code == 404


async def test_phone_an_hour_ahead_is_quarantined_not_shown(admin, phone_of):
    courier_id = await new_courier(admin)
    phone = await phone_of(courier_id)
    assert (await phone.post("/v1/positions", json=fix(-3600))).json()["accepted"] == 0
    answer = await admin.get(f"/v1/couriers/{courier_id}/position")
    assert (answer.status_code, answer.json()["code"]) == (404, "position-not-found")


async def test_position_of_an_unknown_courier_is_not_found(admin):
    answer = await admin.get(f"/v1/couriers/{uuid4()}/position")
    assert (answer.status_code, answer.json()["code"]) == (404, "courier-not-found")


async def test_nearby_lists_fresh_couriers_nearest_first(admin, phone_of):
    ids = [await new_courier(admin, f"courier {i}", "car" if i % 2 else "foot") for i in range(4)]
    for i, courier_id in enumerate(ids):
        phone = await phone_of(courier_id)
        await phone.post("/v1/positions", json=fix(3600 if i == 1 else 5, lon=-8.61 + i / 1000))
    answer = await admin.get("/v1/couriers/nearby", params={"lat": 41.15, "lon": -8.61, "radius_m": 1000})
    assert [item["courier_id"] for item in answer.json()["couriers"]] == [ids[0], ids[2], ids[3]]
    distances = [item["distance_m"] for item in answer.json()["couriers"]]
    assert distances == sorted(distances)
    assert distances[1] == pytest.approx(167.5, abs=1)
    on_foot = await admin.get("/v1/couriers/nearby", params={"lat": 41.15, "lon": -8.61, "mode": "foot", "limit": 1})
    assert [item["courier_id"] for item in on_foot.json()["couriers"]] == [ids[0]]
    assert (await admin.get("/v1/couriers/nearby", params={"lat": 95, "lon": 0})).status_code == 400


async def test_redis_down_is_said_at_once_and_postgresql_down_is_not_felt(own_postgres, own_redis):
    """The phone hears 503 with Retry-After from the one, and nothing of the other."""
    postgres, store = own_postgres(), own_redis()
    settings = Settings(database_url=postgres.url, redis_url=store.url)
    api = create_app(settings)
    token, _ = await device(settings)
    async with api.lifespan(), client_with(api, token) as phone:
        assert (await phone.post("/v1/positions", json=fix(9))).status_code == 202
        postgres.kill()
        for i in range(3):
            assert (await phone.post("/v1/positions", json=fix(8 - i))).status_code == 202
        store.kill()
        for path in ("/v1/positions", f"/ingest/osmand/{token}?lat=41.15&lon=-8.61"):
            answer = await phone.post(path, json=fix(2))
            assert (answer.status_code, answer.json()["code"]) == (503, "log-unavailable")
            assert int(answer.headers["retry-after"]) > 0


async def test_full_log_is_answered_with_503_and_retry_after(database_url, redis_url):
    settings = Settings(database_url=database_url, redis_url=redis_url, log_limit_fixes=3)
    api = create_app(settings)
    token, _ = await device(settings)
    async with api.lifespan(), client_with(api, token) as phone:
        assert (await phone.post("/v1/positions", json=[fix(i) for i in range(3)])).status_code == 202
        answer = await phone.post("/v1/positions", json=fix(9))
        assert (answer.status_code, answer.json()["code"]) == (503, "log-full")
        assert int(answer.headers["retry-after"]) > 0


async def test_what_happens_to_fixes_is_counted(admin, phone_of):
    phone = await phone_of(await new_courier(admin))
    before = await counters(admin)
    await phone.post("/v1/positions", json=[fix(1), fix(2), fix(-3600)])
    after = await counters(admin)
    grown = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    assert grown["postrider_fixes_accepted_total"] == 2
    assert grown['postrider_fixes_quarantined_total{reason="future"}'] == 1
    assert grown["postrider_fix_age_seconds_count"] == 2
    assert grown["postrider_ingest_commits_total"] == 1


async def counters(client):
    text = (await client.get("/metrics")).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if "_created" not in name}


async def device(settings):
    """A courier's token and id, made without the API."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        courier_id = await connection.fetchval(
            "INSERT INTO couriers (name, mode, region) VALUES ('Anna', 'car', 'default') RETURNING id"
        )
    finally:
        await connection.close()
    return await make_token(settings.database_url, Role.COURIER, "phone", courier=str(courier_id)), courier_id


def client_with(api, token):
    return httpx.AsyncClient(
        transport=RsgiTransport(in_front(api)),
        base_url="http://postrider",
        headers={"Authorization": f"Bearer {token}"},
    )
