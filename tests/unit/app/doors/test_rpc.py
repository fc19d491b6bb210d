"""The .proto against the API that it names, and the way between messages and JSON."""

import asyncio
import logging
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import grpc
import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from app.client import postrider_pb2 as pb
from app.doors.inside import Answer, Ask, Inside, events_of
from app.doors.rpc.calls import SERVICES, call_of, change_of, fixes_of, message_of
from app.doors.rpc.service import BATCH_FIXES, CALLS, OPENED_AT_ONCE, REASONS, Service, Upload, client_of
from app.doors.rpc.status import CODES, status_of
from app.main import ROUTES
from app.shapes.offers import OfferShape
from app.shapes.orders import OrderShape, StopShape, WindowShape
from app.web.problems import BadInput, problem_response, problem_types
from tests.waiting import until

ROOT = Path(__file__).parents[4]
SOME_ID = "2e7b350a-a911-4b66-a943-314f63bc3781"
METHODS = [method for service in SERVICES for method in service.methods]


def test_every_call_is_a_request_that_the_api_serves():
    served = {
        (method, path.replace(":uuid", ""))
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods
    }
    assert {(call_of(method).method, call_of(method).path) for method in METHODS} <= served


def test_proto_is_in_order_breaks_nobody_and_its_python_is_fresh():
    command = [sys.executable, ROOT / "app/doors/proto/build.py", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", problem_types())
def test_every_problem_has_a_status_with_its_code(code):
    status, _ = problem_types()[code]
    response = problem_response(status, code, "T", "D", headers={"Retry-After": "7"}, order_id=uuid4())
    headers = {name.lower(): value for name, value in response.headers.items()}
    found = status_of(Answer(status, headers, response.content))
    assert found.code is not grpc.StatusCode.UNKNOWN
    assert (found.code is grpc.StatusCode.INTERNAL) == (status not in CODES)
    told = status_pb2.Status.FromString(dict(found.trailing)["grpc-status-details-bin"])
    assert (told.code, told.message) == (found.code.value[0], "D")
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert told.details[0].Unpack(info)
    assert told.details[1].Unpack(retry)
    assert (info.reason, retry.retry_delay.seconds) == (code, 7)
    assert "order_id" in info.metadata


def test_what_no_problem_is_has_a_status_all_the_same():
    assert status_of(Answer(502, {}, b"<html>")).code is grpc.StatusCode.INTERNAL


def test_order_of_the_api_is_the_order_of_the_message():
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    stop = StopShape(lat=0.0, lon=-8.6, contact={"name": "Ana"}, window=WindowShape(from_=now), address="Rua 1")
    shape = OrderShape(
        id=uuid4(), region="default", state="placed", version=3, pickup=stop, dropoff=stop, placed_at=now,
        size={"units": 2},
    )  # fmt: skip
    call = call_of(next(method for method in METHODS if method.name == "PickedUp"))
    order = call.response_of(msgspec.json.decode(msgspec.json.encode(shape))).order
    assert (order.id, order.version, order.size["units"]) == (str(shape.id), 3, 2)
    assert order.pickup.contact["name"] == "Ana"
    assert order.pickup.window.from_time.ToDatetime(UTC) == now
    assert not order.HasField("ready_at")


def test_everything_a_courier_needs_of_an_offer_and_a_stop_is_in_their_messages():
    """What has a name in the API has the same in the .proto; what is not for couriers' apps is named here."""
    for shape, message, missing in (
        (OfferShape, pb.Offer, {"cost"}),
        (StopShape, pb.Stop, set()),
    ):
        names = {field.encode_name for field in msgspec.structs.fields(shape)}
        assert names - {field.name for field in message.DESCRIPTOR.fields} == missing


def test_change_of_a_route_holds_its_line_and_an_unknown_event_is_left_out():
    route = {"courier_id": "c", "version": 2, "stops": [], "geometry": {"coordinates": [[-8.6, 41.1]]}, "new": [1]}
    change = change_of("route", msgspec.json.encode(route))
    assert [(point.lat, point.lon) for point in change.route.geometry.points] == [(41.1, -8.6)]
    assert change_of("suggestion", b"{}").WhichOneof("change") == "suggestion"
    assert change_of("weather", b"{}") is None


@pytest.mark.parametrize("odd", ["", "x", "../../users", "a/b", "2e7b350a-a911-4b66-a943-314f63bc3781/.."])
def test_what_is_no_id_is_never_part_of_a_path(odd):
    call = call_of(next(method for method in METHODS if method.name == "Accept"))
    with pytest.raises(BadInput):
        call.path_of({"offer_id": odd})


def test_an_instant_that_json_cannot_say_is_bad_input():
    call = call_of(next(method for method in METHODS if method.name == "PickedUp"))
    with pytest.raises(BadInput):
        call.fields_of(pb.PickedUpRequest(order_id=str(uuid4()), at=Timestamp(seconds=10**15)))


def test_a_fix_without_a_place_or_a_time_stays_without():
    odd = pb.Fix(fixed_at=Timestamp(seconds=10**15))
    fixes = list(fixes_of(pb.PositionsRequest(fixes=[pb.Fix(lat=0.0), odd])))
    assert fixes == [{"lat": 0.0}, {"fixed_at": f"{10**15}.0"}]


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("ipv4:10.0.0.1:2000", ("10.0.0.1", 2000)),
        ("ipv6:%5B::1%5D:2000", ("::1", 2000)),
        ("ipv6:[::1]:2000", ("::1", 2000)),
        ("unix:/tmp/x", ("", 0)),
        ("", ("", 0)),
    ],
)
def test_where_a_call_comes_from(peer, client):
    assert client_of(peer) == client


async def test_events_are_whole_however_they_are_cut():
    text = b'retry: 5\n\n: here\n\nevent: route\ndata: {"a":\ndata: 1}\n\nevent: offer\nid: 3\ndata: {}\n\n'
    for size in range(1, len(text)):

        async def chunks(size=size):
            for start in range(0, len(text), size):
                yield text[start : start + size]

        assert [event async for event in events_of(chunks())] == [("route", b'{"a":\n1}'), ("offer", b"{}")]


class Api:
    """An API of one address: it keeps what was sent, and answers when it may."""

    def __init__(self, refuse_from=None):
        self.batches = []
        self.may_answer = asyncio.Event()
        self._refuse_from = refuse_from

    async def __call__(self, scope, receive, send):
        batch = msgspec.json.decode((await receive())["body"])
        await self.may_answer.wait()
        if self._refuse_from is not None and len(self.batches) >= self._refuse_from:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"Retry-After", b"5")]})
            await send({"type": "http.response.body", "body": b'{"code": "log-full"}'})
            return
        self.batches.append(batch)
        bad = [i for i, fix in enumerate(batch) if "lat" not in fix]
        told = {"accepted": len(batch) - len(bad), "quarantined": [{"index": i, "reason": "unreadable"} for i in bad]}
        await send({"type": "http.response.start", "status": 202})
        await send({"type": "http.response.body", "body": msgspec.json.encode(told)})


async def requests(n, read):
    for i in range(n):
        yield pb.PositionsRequest(fixes=[pb.Fix(lat=1.0) if i % 10 else pb.Fix()])
        read.append(i)
        await asyncio.sleep(0)


async def test_what_came_while_a_batch_was_stored_is_the_next_batch_and_no_more_is_read():
    api, read = Api(), []
    upload = Upload(Inside(api), Ask(method="POST", path="/v1/positions"))
    work = asyncio.create_task(upload.take(requests(5 * BATCH_FIXES, read)))
    before = -1
    while len(read) > before:
        before = len(read)
        await asyncio.sleep(0.01)
    assert len(read) <= 2 * BATCH_FIXES + 1
    api.may_answer.set()
    assert await work is None
    assert sum(map(len, api.batches)) == 5 * BATCH_FIXES
    assert max(map(len, api.batches)) <= BATCH_FIXES
    assert upload.accepted + upload.quarantined == 5 * BATCH_FIXES
    assert [one["index"] for one in upload.reasons] == list(range(0, 5 * BATCH_FIXES, 10))[:REASONS]


async def test_a_refused_batch_ends_the_stream_and_what_is_stored_is_told():
    api = Api(refuse_from=1)
    api.may_answer.set()
    upload = Upload(Inside(api), Ask(method="POST", path="/v1/positions"))
    refused = await upload.take(requests(3 * BATCH_FIXES, []))
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert upload.accepted + upload.quarantined == len(api.batches[0])


async def test_whoever_hangs_up_ends_the_request():
    over = asyncio.Event()

    async def endless(scope, receive, send):
        try:
            await send({"type": "http.response.start", "status": 200})
            while True:
                await send({"type": "http.response.body", "body": b"event: a\ndata: 1\n\n", "more_body": True})
        finally:
            over.set()

    async with Inside(endless).open(Ask(method="GET", path="/")) as stream:
        assert await anext(events_of(stream.chunks())) == ("a", b"1")
    assert over.is_set()


@pytest.mark.parametrize("status", [200, 403])
async def test_an_answer_is_over_with_its_last_part_though_the_server_waits_for_us_to_hang_up(status):
    async def patient(scope, receive, send):
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b", "more_body": False})
        await receive()
        await receive()

    async with Inside(patient).open(Ask(method="GET", path="/")) as stream:
        found = stream.head.body if stream.head.is_refused else b"".join([chunk async for chunk in stream.chunks()])
    assert found == b"ab"


async def test_a_stream_that_breaks_says_so():
    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        raise RuntimeError("broken")

    async with Inside(broken).open(Ask(method="GET", path="/")) as stream:
        with pytest.raises(RuntimeError, match="broken"):
            _ = [chunk async for chunk in stream.chunks()]


def test_message_leaves_out_what_it_does_not_know():
    assert message_of(pb.Order, {"id": "x", "plan_cost": {"before": 1}, "ready_at": None}).id == "x"


class Vanished:
    """The context of a call whose peer has gone: nothing can be sent, and a call is aborted once."""

    def __init__(self):
        self._is_aborted = False

    def invocation_metadata(self):
        return ()

    def peer(self):
        return "ipv4:10.0.0.1:2000"

    async def write(self, message):
        raise grpc.aio.InternalError("Failed to execute the batch")

    async def abort(self, *_):
        if self._is_aborted:
            raise grpc.aio.UsageError("Abort already called!")
        self._is_aborted = True
        raise grpc.aio.InternalError("Failed to execute the batch")


def handler_of(app, name, streams=1):
    """What a server is given for a call."""
    handlers = Service(Inside(app), streams=streams).handlers()
    service = next(one for one in SERVICES if name in one.methods_by_name)
    details = SimpleNamespace(method=f"/{service.full_name}/{name}", invocation_metadata=())
    return next(found for one in handlers if (found := one.service(details)) is not None)


def errors_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def answers(status, body, more_body=False):
    """An API that says this to everybody."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": more_body})
        await asyncio.Event().wait() if more_body else None

    return app


@pytest.mark.parametrize(
    ("name", "message", "app"),
    [
        ("Accept", pb.AcceptRequest(offer_id=SOME_ID), answers(503, b"{}")),
        ("Accept", pb.AcceptRequest(offer_id="odd"), answers(200, b"{}")),
        ("WatchRoute", pb.WatchRouteRequest(courier_id=SOME_ID), answers(403, b"{}")),
        ("WatchRoute", pb.WatchRouteRequest(courier_id=SOME_ID), answers(200, b"")),
        (
            "WatchRoute",
            pb.WatchRouteRequest(courier_id=SOME_ID),
            answers(200, b'event: offer_closed\ndata: {"id": "x"}\n\n', more_body=True),
        ),
    ],
    ids=["refused", "bad input", "stream refused", "stream over", "stream"],
)
async def test_a_peer_that_has_gone_is_counted_and_no_defect(caplog, name, message, app):
    handler, before = handler_of(app, name), CALLS.labels(name, "gone")._value.get()
    with pytest.raises(asyncio.CancelledError):
        await (handler.unary_stream or handler.unary_unary)(message, Vanished())
    assert CALLS.labels(name, "gone")._value.get() == before + 1
    assert errors_of(caplog) == []


PHONE = f"""
import sys, grpc
from app.client import postrider_pb2 as pb
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
call = channel.unary_unary(
    "/postrider.v1.CourierService/Accept", request_serializer=pb.AcceptRequest.SerializeToString
)
call(pb.AcceptRequest(offer_id="{SOME_ID}"))
"""


async def test_a_phone_that_is_killed_while_it_is_refused_leaves_no_error_behind(caplog):
    """The whole way, with gRPC's own server; its loop is busy until the phone is dead, so that it hears of it late."""
    phones, n_ended = [], 0

    async def app(scope, receive, send):
        nonlocal n_ended
        phones[0].kill()
        phones[0].wait()
        time.sleep(0.2)  # noqa: ASYNC251 - the loop is busy
        n_ended += 1
        await answers(503, b"{}")(scope, receive, send)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(Service(Inside(app), streams=1).handlers()))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    phones.append(subprocess.Popen([sys.executable, "-c", PHONE, str(port)], cwd=ROOT))  # noqa: ASYNC220
    try:
        await until(lambda: n_ended)
    finally:
        phones[0].kill()
        phones[0].wait()
        await server.stop(None)
    assert errors_of(caplog) == []


class Listening(Vanished):
    """The context of a call whose peer listens."""

    def __init__(self):
        super().__init__()
        self.told = []

    async def write(self, message):
        self.told.append(message)


async def test_of_phones_that_come_back_at_once_all_are_let_in_and_few_at_a_time():
    n_opening = most = 0

    async def app(scope, receive, send):
        nonlocal n_opening, most
        n_opening += 1
        most = max(most, n_opening)
        for _ in range(3):
            await asyncio.sleep(0)
        n_opening -= 1
        await answers(200, b'event: offer_closed\ndata: {"id": "x"}\n\n', more_body=True)(scope, receive, send)

    n = 5 * OPENED_AT_ONCE
    handler, phones = handler_of(app, "WatchRoute", streams=n), [Listening() for _ in range(n)]
    watching = [
        asyncio.create_task(handler.unary_stream(pb.WatchRouteRequest(courier_id=SOME_ID), phone)) for phone in phones
    ]
    await until(lambda: all(phone.told for phone in phones))
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    assert most == OPENED_AT_ONCE
