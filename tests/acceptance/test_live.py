"""`GET /v1/live` over bare ASGI: the test is the server, so it can read slowly, stop reading, and leave."""

import asyncio
import zlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec
import pytest
from prometheus_client import REGISTRY

from app.routes import live
from app.settings import Settings
from app.web.auth import Role
from tests.waiting import PATIENCE_S
from tracking import events


@pytest.fixture
def settings(database_url, redis_url):
    return Settings(database_url=database_url, redis_url=redis_url, live_tick_s=0.02, token_cache_s=0.05)


class Stream:
    """One open answer."""

    def __init__(self, api, token, *, path="/v1/live", headers=(), **query):
        self.events = asyncio.Queue()
        self.status = None
        self.text = b""
        self.is_compressed = False
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.last_id = None
        self.can_send = asyncio.Event()
        self.can_send.set()
        self.over = asyncio.Event()
        self._left = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode(query).encode(),
            "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"postrider"), *headers],
            "server": ("postrider", 80),
            "client": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(api(scope, self._receive, self._send))

    async def _receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        await self.can_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.is_compressed = (b"content-encoding", b"gzip") in message["headers"]
            return
        if not message.get("more_body", False):
            self.over.set()
        body = message.get("body", b"")
        self.text += self._gzip.decompress(body) if self.is_compressed else body
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n"))
            self.last_id = fields.get(b"id", self.last_id)
            name = fields.get(b"event", b"comment" if b"" in fields else b"retry").decode()
            await self.events.put((name, msgspec.json.decode(fields.get(b"data", b"null"))))

    async def until(self, wanted):
        """The data of the next event of that name."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                name, data = await self.events.get()
                if name == wanted:
                    return data

    def leave(self):
        self._left.set()


@pytest.fixture
async def watch(api, admin):
    streams = []

    def open_(token=None, **options):
        stream = Stream(api, token or admin.headers["authorization"].removeprefix("Bearer "), **options)
        streams.append(stream)
        return stream

    yield open_
    for stream in streams:
        stream.can_send.set()
        stream.leave()
        await asyncio.wait_for(stream.task, PATIENCE_S)


@asynccontextmanager
async def refused(stream, status):
    await asyncio.wait_for(stream.task, PATIENCE_S)
    assert stream.status == status
    yield


async def fix(admin, courier, lat):
    body = [{"courier_id": courier, "fixed_at": datetime.now(UTC).isoformat(), "lat": lat, "lon": -8.61}]
    assert (await admin.post("/v1/positions", json=body)).json()["accepted"] == 1


@pytest.fixture
async def anna(admin):
    return (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "bicycle"})).json()["id"]


async def test_stream_begins_with_a_snapshot_and_goes_on_with_changes(admin, anna, watch):
    await fix(admin, anna, 41.15)
    stream = watch()
    assert await stream.until("retry") is None
    (position,) = (await stream.until("snapshot"))["positions"]
    assert (position["courier_id"], position["lat"], position["status"]) == (anna, 41.15, "online")
    assert (await stream.until("pulse"))["connected"] is True
    await fix(admin, anna, 41.1501)
    (position,) = (await stream.until("delta"))["positions"]
    assert position["lat"] == 41.1501
    assert stream.status == 200


async def test_box_is_kept_and_nonsense_is_refused(admin, anna, watch):
    await fix(admin, anna, 41.15)
    assert (await watch(bbox="-9,41,-8,42").until("snapshot"))["positions"] != []
    assert (await watch(bbox="170,41,-170,42").until("snapshot"))["positions"] == []
    async with refused(watch(bbox="1,2,3"), 400), refused(watch(region="atlantis"), 400):
        pass


@pytest.mark.parametrize("by", ["header", "query"])
async def test_stream_resumes_where_it_stopped(admin, anna, watch, redis_url, by, api):
    await fix(admin, anna, 41.15)
    first = watch()
    await first.until("snapshot")
    first.leave()
    await events.publish(api.state.redis, "default", "alert.raised", {"kind": "stuck"})
    await fix(admin, anna, 41.1501)
    seen = first.last_id
    again = watch(headers=[(b"last-event-id", seen)]) if by == "header" else watch(last_event_id=seen.decode())
    assert (await again.until("delta"))["positions"][0]["lat"] == 41.1501
    assert (await again.until("alert"))["kind"] == "stuck"


async def test_stream_that_cannot_resume_is_reset(watch):
    stream = watch(last_event_id="nonsense")
    assert "reason" in await stream.until("reset")
    assert (await stream.until("snapshot"))["positions"] == []


async def test_viewer_that_stops_reading_is_cut_off_and_the_others_go_on(admin, anna, watch, monkeypatch):
    monkeypatch.setattr(live, "SEND_TIMEOUT_S", 0.2)
    before = REGISTRY.get_sample_value("postrider_live_dropped_total")
    await fix(admin, anna, 41.15)
    slow, quick = watch(), watch()
    await slow.until("snapshot")
    await quick.until("snapshot")
    slow.can_send.clear()
    await fix(admin, anna, 41.1501)
    assert (await quick.until("delta"))["positions"][0]["lat"] == 41.1501
    await asyncio.wait_for(slow.task, PATIENCE_S)
    assert REGISTRY.get_sample_value("postrider_live_dropped_total") == before + 1
    await fix(admin, anna, 41.1502)
    assert (await quick.until("delta"))["positions"][0]["lat"] == 41.1502


async def test_viewers_are_counted_until_they_leave(watch):
    stream = watch()
    await stream.until("snapshot")
    assert REGISTRY.get_sample_value("postrider_live_viewers") == 1
    stream.leave()
    await asyncio.wait_for(stream.task, PATIENCE_S)
    assert REGISTRY.get_sample_value("postrider_live_viewers") == 0


async def test_revoked_token_ends_the_stream(admin, watch, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    issued = (await admin.post("/v1/tokens", json={"role": "viewer", "name": "guest"})).json()
    stream = watch(issued["token"])
    await stream.until("snapshot")
    await stream.until("comment")
    await admin.delete(f"/v1/tokens/{issued['id']}")
    assert await stream.until("bye") == {}
    await asyncio.wait_for(stream.task, PATIENCE_S)


async def test_couriers_may_not_watch_the_fleet(admin, anna, client_of, watch):
    courier = await client_of(Role.COURIER, courier=anna)
    async with refused(watch(courier.headers["authorization"].removeprefix("Bearer ")), 403):
        pass


async def test_deleted_courier_leaves_the_map(admin, anna, watch):
    await fix(admin, anna, 41.15)
    stream = watch()
    await stream.until("snapshot")
    await admin.delete(f"/v1/couriers/{anna}")
    assert (await stream.until("courier"))["deleted"] is True
    assert (await watch().until("snapshot"))["positions"] == []


async def test_a_partner_sees_its_own_couriers_and_what_happens_to_its_own(admin, anna, watch, api):
    body = {"role": "viewer", "name": "acme", "partner": "acme"}
    token = (await admin.post("/v1/tokens", json=body)).json()["token"]
    theirs = (await admin.post("/v1/couriers", json={"name": "Boris", "mode": "car", "partner": "acme"})).json()["id"]
    stream = watch(token=token)
    seen = (await stream.until("snapshot"))["positions"]
    for courier in (anna, theirs):
        await fix(admin, courier, 41.15)
    while not seen:
        seen = (await stream.until("delta"))["positions"]
    assert {one["courier_id"] for one in seen} == {theirs}
    ids, end = {}, {"lat": 41.15, "lon": -8.61}
    for partner in ("other", None, "acme"):
        order = {"pickup": end, "dropoff": end, "partner": partner}
        ids[partner] = (await admin.post("/v1/orders", json=order)).json()["id"]
    assert (await stream.until("order"))["order_id"] == ids["acme"]


async def test_changed_orders_come_along_as_they_are_compressed_for_who_takes_that(watch, admin):
    plain, compressed = watch(), watch(headers=[(b"accept-encoding", b"gzip, deflate, br")])
    for stream in (plain, compressed):
        await stream.until("snapshot")
    body = {"pickup": {"lat": 41.15, "lon": -8.61}, "dropoff": {"lat": 41.16, "lon": -8.61, "instructions": "ring"}}
    made = (await admin.post("/v1/orders", json=body)).json()
    await admin.patch(f"/v1/orders/{made['id']}", json={"priority": 7})
    for stream, is_compressed in ((plain, False), (compressed, True)):
        seen = {"version": 0}
        while seen["version"] < 2:
            (seen,) = (await stream.until("orders"))["items"]
        told = (await admin.get(f"/v1/orders/{made['id']}")).json()
        assert seen == told
        assert stream.is_compressed is is_compressed
    boxed = watch(headers=[(b"accept-encoding", b"gzip")], bbox="-9,41,-8,42")
    await boxed.until("snapshot")
    assert boxed.is_compressed
