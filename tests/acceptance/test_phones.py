"""Phone apps as they are, against the API in this process: places of a token, replies, what is quarantined."""

import asyncio
import base64
import gzip
import re
import time
import zlib
from datetime import UTC, datetime

import brotli
import httpx
import pytest
import pytest_asyncio

from app.main import in_front
from app.routes.phones import AnyMethod
from app.routes.phones_fast import fast_phones
from app.web.auth import Role
from app.web.metrics import ObserveMiddleware
from app.web.rsgi import Rsgi
from tests.rsgi import RsgiTransport

WHERE = {"lat": 41.15, "lon": -8.61}


@pytest_asyncio.fixture
async def anna(admin):
    answer = await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car", "external_id": "anna-1"})
    return answer.json()["id"]


@pytest_asyncio.fixture
async def token(client_of, anna):
    phone = await client_of(Role.COURIER, anna)
    return phone.headers["Authorization"].removeprefix("Bearer ")


@pytest_asyncio.fixture(params=["short", "documented"])
async def stranger(request, api, client_of):
    """A client without a token of its own, by either way in."""
    client = await client_of(Role.VIEWER)
    client.headers.pop("Authorization")
    if request.param == "short":
        client._transport = RsgiTransport(in_front(api))
    return client


@pytest_asyncio.fixture
async def ways(api):
    """A client of the short way, which here has nothing behind it, and one of the documented way."""

    async def nothing(scope, receive, send):
        raise AssertionError(f"{scope['method']} {scope['path']} did not go the short way")

    short = RsgiTransport(Rsgi(nothing, {phone.key: phone for phone in fast_phones(api.state)}))
    documented = httpx.ASGITransport(app=ObserveMiddleware(AnyMethod(api), body_within_s=30, proxies=api.state.proxies))
    async with (
        httpx.AsyncClient(transport=short, base_url="http://postrider") as one,
        httpx.AsyncClient(transport=documented, base_url="http://postrider") as other,
    ):
        yield one, other


async def test_both_ways_in_answer_alike(ways, token, client_of, anna, settings):
    staff = (await client_of(Role.VIEWER)).headers["Authorization"].removeprefix("Bearer ")
    service = (await client_of(Role.SERVICE)).headers["Authorization"].removeprefix("Bearer ")
    query = f"lat=41.15&lon=-8.61&timestamp={int(time.time())}"
    too_large = b"x" * (settings.request_body_limit_bytes + 1)
    overland = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [-8.6, 41.1]}, "properties": {}}
    requests = [
        *((method, f"/{token}?{query}", {}) for method in ("GET", "POST")),
        ("POST", f"/{token}/?{query}", {}),
        ("POST", f"?token={token}&token=nobody&{query}", {}),
        ("GET", f"?{query}", {"headers": basic("anna", token)}),
        ("GET", f"/?{query}", {"headers": {"Authorization": f"Bearer {token}"}}),
        ("POST", f"/{token}", {"data": {"id": anna, **WHERE}}),
        ("POST", f"/{token}?speed_unit=miles", {"json": {"_type": "location", "tst": 1, **WHERE}}),
        ("POST", f"/{token}", {"json": {"locations": [overland]}}),
        ("POST", f"/{token}", {"content": too_large}),
        ("POST", f"/{token}", {"content": iter_of(b"lat=41", b"&lon=-8.61")}),
        ("POST", f"/{token}", {"content": b"\x1f\x9d", "headers": {"Content-Encoding": "compress"}}),
        ("GET", "", {}),
        ("POST", "/nobody", {}),
        ("POST", f"/nobody?token={token}", {}),
        ("GET", f"/{staff}?{query}", {}),
        ("GET", f"/{service}?{query}&id=anna-1", {}),
        ("GET", f"/{service}?{query}&id=nobody", {}),
    ]
    for door in ("osmand", "owntracks", "gpslogger"):
        for method, rest, more in requests:
            answers = [
                await way.request(
                    method, f"/ingest/{door}{rest}", **{k: v() if callable(v) else v for k, v in more.items()}
                )
                for way in ways
            ]
            assert [told(answers[0])] == [told(answers[1])], (door, method, rest)


def iter_of(*parts):
    """Makes a body that comes in parts, without its length."""

    async def body():
        for part in parts:
            yield part

    return body


def told(answer):
    """What a client sees of an answer; the server itself tells the length of those that went the short way."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-trace-id", "content-length"}}
    content = answer.content
    if answer.is_error:
        content = {name: value for name, value in answer.json().items() if name != "trace_id"}
    assert len(answer.headers["x-trace-id"]) == 32
    return answer.status_code, headers, content


async def test_an_address_with_more_in_it_than_a_token_is_not_there(stranger, token):
    for path in (f"/ingest/osmand/{token}/more", f"/ingest/osmand//{token}/more", "/ingest/elsewhere"):
        answer = await stranger.post(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_both_ways_in_are_counted_by_the_same_routes(ways, token, admin):
    async def counts():
        text = (await admin.get("/metrics")).text
        line = r'postrider_http_request_seconds_count\{method="GET",route="(/ingest[^"]*)",status="(\d+)"\} (\S+)'
        return {(route, status): float(n) for route, status, n in re.findall(line, text)}

    for way in ways:
        before = await counts()
        for path in (f"/ingest/osmand/{token}", f"/ingest/gpslogger?token={token}", "/ingest/owntracks/nobody"):
            await way.get(path)
        grown = {key: n - before.get(key, 0) for key, n in (await counts()).items() if n != before.get(key, 0)}
        assert grown == {
            ("/ingest/osmand/{token}", "200"): 1,
            ("/ingest/gpslogger", "200"): 1,
            ("/ingest/owntracks/{token}", "401"): 1,
        }


@pytest.fixture
def position_of(admin):
    async def get(courier_id):
        answer = await admin.get(f"/v1/couriers/{courier_id}/position")
        return answer.json() if answer.status_code == 200 else None

    return get


async def quarantined_in_log(api):
    entries = await api.state.intake.log.tail("default", "0", block_ms=None)
    return [(item.source, item.reason) for entry in entries for item in entry.quarantined()]


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_token_is_found_wherever_an_app_can_put_it(stranger, token, anna, position_of):
    query = f"lat=41.1&lon=-8.6&timestamp={int(time.time()) - 60}"
    ways = [
        (f"/ingest/osmand/{token}?{query}", {}),
        (f"/ingest/osmand/{token}/?{query}", {}),
        (f"/ingest/osmand?token={token}&{query}", {}),
        (f"/ingest/osmand?{query}", basic("anna", token)),
        (f"/ingest/osmand?{query}", {"Authorization": f"Bearer {token}"}),
    ]
    for i, (url, headers) in enumerate(ways):
        for method in ("GET", "POST"):
            answer = await stranger.request(method, url.replace("lat=41.1", f"lat=41.1{i}"), headers=headers)
            assert (answer.status_code, answer.content) == (200, b"")
        assert (await position_of(anna))["lat"] == 41.1


async def test_unknown_token_is_refused_by_every_door(stranger):
    for door in ("osmand", "owntracks", "gpslogger"):
        for url in (f"/ingest/{door}", f"/ingest/{door}/nobody", f"/ingest/{door}?token=nobody"):
            assert (await stranger.post(url, content=b"{}")).status_code == 401


async def test_traccar_client_10_is_shown_in_metres_a_second(stranger, token, anna, position_of):
    form = {
        "id": "48241179",
        **WHERE,
        "timestamp": int(time.time()) - 5,
        "speed": "19.44",
        "bearing": "88",
        "batt": "71",
    }
    answer = await stranger.post(f"/ingest/osmand?token={token}", data=form)
    assert (answer.status_code, answer.content) == (200, b"")
    shown = await position_of(anna)
    assert shown["speed_mps"] == pytest.approx(10.0, abs=0.01)


async def test_traccar_client_9_json_is_shown(stranger, token, anna, position_of):
    at = datetime.now(UTC).isoformat()
    coords = {"latitude": 41.15, "longitude": -8.61, "accuracy": 5, "speed": 7.5, "heading": -1, "altitude": 5}
    body = {"location": {"timestamp": at, "coords": coords, "battery": {"level": 0.5}}, "device_id": "48241179"}
    assert (await stranger.post(f"/ingest/osmand/{token}/", json=body)).status_code == 200
    shown = await position_of(anna)
    assert (shown["speed_mps"], shown["course_deg"], shown["battery_pct"]) == (7.5, None, 50.0)


async def test_owntracks_is_answered_with_an_empty_list(stranger, token, anna, position_of):
    message = {
        "_type": "location",
        "tid": "JJ",
        **WHERE,
        "tst": int(time.time()) - 3,
        "vel": 36,
        "topic": "owntracks/jane/phone",
    }
    answer = await stranger.post("/ingest/owntracks", json=message, headers=basic("jane", token))
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["content-type"].startswith("application/json")
    assert (await position_of(anna))["speed_mps"] == 10.0
    for kind in ("lwt", "dump", "transition", "encrypted"):
        answer = await stranger.post("/ingest/owntracks", json={"_type": kind}, headers=basic("jane", token))
        assert (answer.status_code, answer.json()) == (200, [])


async def test_gpslogger_without_a_content_type_is_shown(stranger, token, anna, position_of):
    body = f"lat=41.15&lon=-8.61&timestamp={int(time.time()) - 3}&spd=5.5&dir=0.0&acc=0.0".encode()
    answer = await stranger.post("/ingest/gpslogger", content=body, headers=basic("anna", token))
    assert answer.status_code == 200
    shown = await position_of(anna)
    assert (shown["speed_mps"], shown["course_deg"], shown["accuracy_m"]) == (5.5, None, None)


async def test_heartbeat_is_a_contact_without_a_position(stranger, token, anna, position_of, api):
    assert (
        await stranger.post(f"/ingest/osmand/{token}", data={"id": "1", "notificationToken": "abc"})
    ).status_code == 200
    assert await position_of(anna) is None
    await stranger.get(f"/ingest/osmand/{token}?lat=41.15&lon=-8.61&timestamp={int(time.time()) - 50}")
    await stranger.get(f"/ingest/osmand/{token}?id=1")
    shown = await position_of(anna)
    assert shown["contact_age_s"] < 10 < shown["age_s"]
    assert await quarantined_in_log(api) == []


async def test_whatever_a_known_phone_sends_is_answered_2xx_and_kept(stranger, token, api, settings):
    sent = [
        ("GET", f"/ingest/osmand/{token}?lat=north&lon=1", b"", {}, "unreadable"),
        ("POST", f"/ingest/osmand/{token}", b"{", {}, "unreadable"),
        ("POST", f"/ingest/osmand/{token}", b"\xff\xfe", {}, "unreadable"),
        ("POST", f"/ingest/osmand/{token}", b"\x1f\x8bnot gzip", {"Content-Encoding": "gzip"}, "unreadable"),
        ("POST", f"/ingest/osmand/{token}", b"x" * (settings.request_body_limit_bytes + 1), {}, "unreadable"),
        ("GET", f"/ingest/osmand/{token}?lat=1&lon=2&timestamp={int(time.time()) + 3600}", b"", {}, "future"),
        ("GET", f"/ingest/osmand/{token}?lat=0&lon=0", b"", {}, "null_island"),
        ("GET", f"/ingest/osmand/{token}?lat=100&lon=0", b"", {}, "out_of_range"),
        ("GET", f"/ingest/osmand/{token}?lat=1&lon=2&mock=true", b"", {}, "mock"),
        ("GET", f"/ingest/osmand/{token}?lat=1&lon=2&valid=0", b"", {}, "invalid"),
        ("POST", f"/ingest/owntracks/{token}", b"nonsense", {}, "unreadable"),
        ("POST", f"/ingest/owntracks/{token}", b'{"_type":"encrypted"}', {}, "encrypted"),
        ("GET", f"/ingest/gpslogger/{token}?lat=1&lon=2&timestamp=soon", b"", {}, "unreadable"),
        ("POST", f"/ingest/osmand/{token}", b"hello", {}, "unreadable"),
        ("POST", f"/ingest/osmand/{token}", b"\x1f\x9d\x90", {"Content-Encoding": "compress"}, "unreadable"),
    ]
    for method, url, body, headers, _ in sent:
        answer = await stranger.request(method, url, content=body, headers=headers)
        assert answer.status_code == 200, url
    assert [reason for _, reason in await quarantined_in_log(api)] == [reason for *_, reason in sent]


async def test_device_identifier_may_be_made_up_but_not_another_couriers(
    admin, stranger, token, anna, api, position_of
):
    await admin.post("/v1/couriers", json={"name": "Boris", "mode": "car", "external_id": "boris-1"})
    for device in ("anna-1", anna, "48241179"):
        assert (await stranger.get(f"/ingest/osmand/{token}?id={device}&lat=41&lon=-8")).status_code == 200
    assert await quarantined_in_log(api) == []
    assert (await stranger.get(f"/ingest/osmand/{token}?id=boris-1&lat=42&lon=-8")).status_code == 200
    assert await quarantined_in_log(api) == [("osmand", "wrong_device")]
    assert (await position_of(anna))["lat"] == 41.0


@pytest.mark.parametrize(("unit", "expected"), [("kmh", 10.0), ("mps", 36.0), (None, 18.52)])
async def test_speed_unit_of_the_token_and_of_the_url(admin, stranger, anna, position_of, unit, expected):
    issued = await admin.post(f"/v1/couriers/{anna}/tokens", json={"speed_unit": unit} if unit else {})
    token = issued.json()["token"]
    await stranger.get(f"/ingest/osmand/{token}?lat=41&lon=-8&speed=36&timestamp={int(time.time()) - 9}")
    assert (await position_of(anna))["speed_mps"] == pytest.approx(expected, abs=0.01)
    await stranger.get(f"/ingest/osmand/{token}?speed_unit=kmh&lat=41&lon=-8&speed=72")
    assert (await position_of(anna))["speed_mps"] == pytest.approx(20.0)


async def test_service_token_names_the_courier_by_its_identifier(client_of, anna, position_of):
    gateway = await client_of(Role.SERVICE)
    assert (await gateway.get("/ingest/osmand?id=anna-1&lat=41&lon=-8")).status_code == 200
    assert (await position_of(anna))["lat"] == 41.0
    assert (await gateway.get("/ingest/osmand?id=nobody&lat=41&lon=-8")).status_code == 403


async def test_every_method_brings_a_fix(api, token, anna, position_of):
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=AnyMethod(api)), base_url="http://postrider"
    ) as phone:
        for i, method in enumerate(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "TRACE"]):
            for door in ("osmand", "owntracks", "gpslogger"):
                at = int(time.time()) - 600 + 60 * i
                answer = await phone.request(method, f"/ingest/{door}/{token}?lat=41.15{i}&lon=-8.6&timestamp={at}")
                assert answer.status_code == 200, (method, door)
            assert (await position_of(anna))["lat"] == float(f"41.15{i}"), method


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=utf-8; charset=utf-8",
        "application/json; charset=utf-8; charset=UTF-8",
        "charset=x; charset=y",
        "text/plain;;;",
        "multipart/form-data",
    ],
)
async def test_whatever_the_content_type_says_the_body_is_read(stranger, token, anna, position_of, content_type):
    for door in ("osmand", "owntracks", "gpslogger"):
        body = f"lat=41.15&lon=-8.61&timestamp={int(time.time())}"
        answer = await stranger.post(
            f"/ingest/{door}/{token}", content=body.encode(), headers={"Content-Type": content_type}
        )
        assert answer.status_code == 200
    assert (await position_of(anna))["lat"] == 41.15


async def test_encoded_bodies_and_a_place_beside_a_broken_one_are_stored(stranger, token, anna, position_of, api):
    now = int(time.time())
    for i, (name, encode) in enumerate(
        {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress}.items()
    ):
        body = f"lat=41.15{i}&lon=-8.61&timestamp={now - 600 + 60 * i}".encode()
        answer = await stranger.post(
            f"/ingest/osmand/{token}", content=encode(body), headers={"Content-Encoding": name}
        )
        assert answer.status_code == 200
        assert (await position_of(anna))["lat"] == float(f"41.15{i}")
    broken = gzip.compress(b"x" * 99)[:-4]
    url = f"/ingest/osmand/{token}?lat=41.157&lon=-8.61&timestamp={now}"
    assert (await stranger.post(url, content=broken, headers={"Content-Encoding": "gzip"})).status_code == 200
    assert (await position_of(anna))["lat"] == 41.157
    assert await quarantined_in_log(api) == [("osmand", "unreadable")]


async def test_overland_hears_what_it_waits_for(stranger, token):
    at = datetime.now(UTC).isoformat()
    point = {"type": "Point", "coordinates": [30.33, 59.93]}
    body = {"locations": [{"type": "Feature", "geometry": point, "properties": {"timestamp": at}}]}
    answer = await stranger.post(f"/ingest/osmand/{token}", json=body)
    assert (answer.status_code, answer.json()) == (200, {"result": "ok"})


async def kept(admin, n):
    """The quarantine once it holds that many, after the writer had time to store more."""
    while len(items := (await admin.get("/v1/quarantine")).json()["items"]) < n:
        await asyncio.sleep(0.1)
    return items


async def test_same_unusable_thing_sent_again_is_kept_once(stranger, token, admin, writer):
    for body in (b"hello", b"hello", b"hello", b"something else"):
        assert (await stranger.post(f"/ingest/osmand/{token}", content=body)).status_code == 200
    # In the order of the log, so that what came before the last is stored, too.
    assert [item["payload"] for item in await kept(admin, 2)] == ["something else", "hello"]


async def test_payloads_in_quarantine_are_shown_to_administrators_only(stranger, token, admin, client_of, writer):
    await stranger.post(f"/ingest/osmand/{token}", content=b"hello")
    [shown] = await kept(admin, 1)
    assert shown["payload"] == "hello"
    for role in (Role.VIEWER, Role.SUPPORT, Role.DISPATCHER, Role.SERVICE):
        [seen] = (await (await client_of(role)).get("/v1/quarantine")).json()["items"]
        assert seen == {**shown, "payload": None}
