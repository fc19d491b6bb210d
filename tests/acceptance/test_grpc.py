"""gRPC, by a client that knows nothing but the .proto."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from app.client import postrider_pb2 as pb
from app.doors import role
from app.machine.servers import free_port
from app.settings import Settings
from app.web.auth import Role
from tests.acceptance.test_orders import dispatcher, town
from tests.waiting import PATIENCE_S, until

__all__ = ["dispatcher", "town"]

ROOT = Path(__file__).parents[2]


class Phone:
    """Calls by name; what it is told on its stream."""

    def __init__(self, channel, token):
        self.metadata = (("authorization", f"Bearer {token}"),)
        self._channel = channel

    def __getattr__(self, name):
        service = next(one for one in pb.DESCRIPTOR.services_by_name.values() if name in one.methods_by_name)
        method = service.methods_by_name[name]
        request, response = (getattr(pb, one.name) for one in (method.input_type, method.output_type))
        kind = ("stream" if method.client_streaming else "unary") + ("_stream" if method.server_streaming else "_unary")
        call = getattr(self._channel, kind)(
            f"/{service.full_name}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return lambda *given, timeout=None, **fields: call(
            *given or [request(**fields)], metadata=self.metadata, timeout=timeout, wait_for_ready=True
        )


def details_of(error):
    """The problem that came with a status."""
    told = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    found = {}
    for detail in told.details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            one = kind()
            if detail.Unpack(one):
                found[kind] = one
    return found


@asynccontextmanager
async def refused(code, reason=None):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield caught
    assert caught.value.code() is code, caught.value
    if reason is not None:
        assert details_of(caught.value)[error_details_pb2.ErrorInfo].reason == reason


async def told(stream, name):
    """The next of that name."""
    async with asyncio.timeout(PATIENCE_S):
        async for change in stream:
            if change.WhichOneof("change") == name:
                return getattr(change, name)
    raise AssertionError(f"the stream ended without {name}")


def fix(courier_id=None, **facts):
    now = Timestamp()
    now.FromDatetime(facts.pop("at", None) or datetime.now(UTC))
    return pb.Fix(**{"courier_id": courier_id, "fixed_at": now, "lat": 41.15, "lon": -8.61, "accuracy_m": 5, **facts})


@pytest.fixture
def settings(database_url, redis_url):
    return Settings(
        database_url=database_url, redis_url=redis_url, token_cache_s=0.05, grpc_port=free_port(), grpc_streams=2
    )


@pytest.fixture
async def channel(api, settings):
    stop = asyncio.Event()
    server = asyncio.create_task(role.doors(settings, api)["grpc"](stop))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as opened:
        yield opened
        stop.set()
        await server


def phone_of(channel, client):
    return Phone(channel, client.headers["Authorization"].removeprefix("Bearer "))


async def test_courier_is_offered_an_order_and_delivers_it(channel, town, dispatcher):
    """The whole way by gRPC, told twice at each step; and it is the order that HTTP shows."""
    ana, http = await town.hire("Ana")
    phone = phone_of(channel, http)
    stream = phone.WatchRoute(courier_id=ana)
    assert list((await told(stream, "route")).stops) == []
    order = await town.place()
    offer = await told(stream, "offer")
    assert (offer.order_id, offer.state, offer.pickup.lat) == (order["id"], "open", order["pickup"]["lat"])
    assert (await phone.Reject(offer_id=offer.id, reason="a flat tyre")).offer.reason == "a flat tyre"
    assert (await told(stream, "offer_closed")).id == offer.id
    await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": ana})
    offer = await told(stream, "offer")
    for _ in range(2):
        assert (await phone.Accept(offer_id=offer.id)).order.state == "accepted"
    shown = await told(stream, "route")
    while [stop.state for stop in shown.stops] != ["accepted", "accepted"]:
        shown = await told(stream, "route")
    assert len(shown.geometry.points) > 1
    for _ in range(2):
        assert (await phone.Arrived(order_id=order["id"])).kind == "pickup"
    for _ in range(2):
        assert (await phone.PickedUp(order_id=order["id"], note="two bags")).order.state == "picked_up"
    assert (await phone.Delivered(order_id=order["id"], proof=pb.Proof(name="Rui"))).order.state == "delivered"
    shown = await town.order(order["id"])
    assert (shown["state"], shown["proof"]) == ("delivered", {"name": "Rui"})
    given = await town.accepted(http)
    assert (await phone.GiveBack(order_id=given["id"], reason="no room")).order.state == "placed"
    other = await town.accepted(http)
    assert (await phone.Failed(order_id=other["id"], reason="closed")).order.state == "failed"
    stream.cancel()


async def test_a_courier_sees_what_to_collect_and_says_what_was_missing(channel, town, dispatcher):
    place = (
        await town.staff.post("/v1/places", json={"name": "Adega", "lat": 41.15, "lon": -8.61, "prepare_s": 0})
    ).json()
    ana, http = await town.hire("Ana")
    phone = phone_of(channel, http)
    lines = [{"item": "cola", "quantity": 3}, {"item": "soup"}]
    order = await town.accepted(http, pickup={"place_id": place["id"]}, lines=lines)
    stream = phone.WatchRoute(courier_id=ana)
    pickup, dropoff = (await told(stream, "route")).stops
    assert [(line.item, line.quantity) for line in pickup.lines] == [("cola", 3), ("soup", 1)]
    assert not dropoff.lines
    missing = [pb.OrderLine(item="cola", quantity=2), pb.OrderLine(item="soup")]
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "bad-input"):
        await phone.PickedUp(order_id=order["id"], missing=[*missing, pb.OrderLine(item="soup")])
    assert (await phone.PickedUp(order_id=order["id"], missing=missing)).order.state == "picked_up"
    events = (await town.staff.get(f"/v1/orders/{order['id']}/events")).json()["items"]
    [facts] = [event["facts"] for event in events if event["action"] == "picked_up"]
    assert facts["missing"] == [{"item": "cola", "quantity": 2}, {"item": "soup", "quantity": 1}]
    stream.cancel()


async def test_what_is_refused_has_a_status_and_says_why(channel, town, settings):
    ana, http = await town.hire("Ana", None)
    _, eve = await town.hire("Eve", None)
    phone, stranger = phone_of(channel, http), Phone(channel, "pr_c_nobody")
    order = await town.place()
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "not-authenticated"):
        await stranger.PickedUp(order_id=order["id"])
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "not-yours"):
        await phone.PickedUp(order_id=order["id"])
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "not-yours"):
        await told(phone_of(channel, eve).WatchRoute(courier_id=ana), "route")
    async with refused(grpc.StatusCode.NOT_FOUND, "offer-not-found"):
        await phone.Accept(offer_id=ana)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "bad-input") as caught:
        await phone.Accept(offer_id="../../users")
    [violation] = details_of(caught.value)[error_details_pb2.BadRequest].field_violations
    assert (violation.field, violation.description) == ("offer_id", "expected a UUID")
    async with refused(grpc.StatusCode.INVALID_ARGUMENT) as caught:
        await phone.Failed(order_id=order["id"])
    [violation] = details_of(caught.value)[error_details_pb2.BadRequest].field_violations
    assert "reason" in violation.description
    async with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await phone.PickedUp(order_id=order["id"], at=Timestamp(seconds=10**15))
    async with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        await told(phone.WatchRoute(courier_id=ana, timeout=0.05), "nothing")


async def test_streams_are_bounded_and_end_with_the_token(channel, town, admin, monkeypatch):
    monkeypatch.setattr("app.routes.route.LOOK_EVERY_S", 0.05)
    ana, http = await town.hire("Ana", None)
    phone = phone_of(channel, http)
    streams = [phone.WatchRoute(courier_id=ana) for _ in range(2)]
    for stream in streams:
        await told(stream, "route")
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "too-many-requests") as caught:
        await told(phone.WatchRoute(courier_id=ana), "route")
    assert details_of(caught.value)[error_details_pb2.RetryInfo].retry_delay.seconds
    streams[0].cancel()

    async def has_room():
        with suppress(grpc.aio.AioRpcError):
            return await told(phone.WatchRoute(courier_id=ana), "route")

    assert await until(has_room)
    tokens = (await admin.get("/v1/tokens")).json()["items"]
    mine = next(token for token in tokens if token["courier_id"] == ana)
    await admin.delete(f"/v1/tokens/{mine['id']}")
    async with refused(grpc.StatusCode.UNAVAILABLE, "unavailable"):
        await told(streams[1], "nothing")


async def test_fixes_of_a_gateway_are_stored_and_odd_ones_set_aside(channel, town, client_of, settings):
    ana, http = await town.hire("Ana", None)
    gateway = phone_of(channel, await client_of(Role.SERVICE))
    began = datetime.now(UTC) - timedelta(minutes=5)
    odd = [
        fix(ana, lat=99.0),
        fix(lat=41.1),
        pb.Fix(courier_id=ana, lat=1, lon=1, fixed_at=Timestamp(seconds=10**15)),
        pb.Fix(courier_id="nobody", lat=1, lon=1, fixed_at=Timestamp(seconds=10**9)),
        fix(ana, lat=float("nan")),
    ]

    async def sent():
        for i in range(10):
            yield pb.PositionsRequest(fixes=[fix(ana, at=began + timedelta(seconds=i))])
        yield pb.PositionsRequest(fixes=odd)
        yield pb.PositionsRequest()

    done = await gateway.Positions(sent())
    assert (done.accepted, done.quarantined) == (10, len(odd))
    assert sorted(one.index for one in done.reasons) == [10, 11, 12, 13, 14]
    assert (await town.staff.get(f"/v1/couriers/{ana}/position")).json()["lat"] == 41.15

    async def own():
        yield pb.PositionsRequest(fixes=[fix(lat=41.2, at=began + timedelta(seconds=60))])

    assert (await phone_of(channel, http).Positions(own())).accepted == 1
    viewer = phone_of(channel, await client_of(Role.VIEWER))
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "not-allowed") as caught:
        await viewer.Positions(own())
    assert details_of(caught.value)[error_details_pb2.ErrorInfo].metadata["accepted"] == "0"


async def test_it_says_how_it_is_and_what_it_serves(channel):
    health = health_pb2_grpc.HealthStub(channel)

    async def serves():
        answer = await health.Check(health_pb2.HealthCheckRequest(service="postrider.v1.CourierService"))
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    await channel.channel_ready()
    await until(serves)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask])):
        names = {one.name for one in answer.list_services_response.service}
    assert names >= {"postrider.v1.CourierService", "postrider.v1.PositionService", "grpc.health.v1.Health"}
