"""The bridge from Granian's interface to ASGI."""

import asyncio
import gc

import httpx
import pytest
from granian.rsgi import ProtocolClosed

from app.web.rsgi import Rsgi
from tests.rsgi import Protocol, RsgiTransport, Scope


def request(method="GET", path="/", **more):
    return Scope(httpx.Request(method, f"http://postrider{path}", **more))


async def asked(app, *parts, scope=None):
    protocol = Protocol(parts)
    await Rsgi(app, {}).__rsgi__(scope or request(), protocol)
    return protocol


async def test_body_arrives_in_the_parts_it_was_sent_in_and_then_the_client_is_waited_for():
    heard = []

    async def app(scope, receive, send):
        while not heard or heard[-1].get("more_body"):
            heard.append(await receive())
        await send({"type": "http.response.start", "status": 204, "headers": [(b"x-a", b"b")]})
        await send({"type": "http.response.body", "body": b""})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.01)

    protocol = await asked(app, b"one", b"two")
    assert b"".join(message["body"] for message in heard) == b"onetwo"
    assert (protocol.status, protocol.headers, protocol.sent) == (204, [("x-a", "b")], [b""])


async def test_a_client_that_hangs_up_while_sending_is_a_disconnect():
    async def app(scope, receive, send):
        assert (await receive())["body"] == b"half"
        assert (await receive())["type"] == "http.disconnect"
        raise OSError("nobody is there")

    with pytest.raises(OSError, match="nobody"):
        await asked(app, b"half", ProtocolClosed())


async def test_a_stream_is_sent_part_by_part_and_ends_when_the_client_is_gone():
    sent = []

    async def app(scope, receive, send):
        await receive()
        gone = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
            sent.append(number)
        assert (await gone)["type"] == "http.disconnect"
        with pytest.raises(OSError, match="hung up"):
            await send({"type": "http.response.body", "body": b"more", "more_body": True})

    protocol = Protocol(())
    serving = asyncio.create_task(Rsgi(app, {}).__rsgi__(request(), protocol))
    while len(sent) < 3:
        await asyncio.sleep(0)
    protocol.gone.set()
    await serving
    assert protocol.sent == [b"", b"0", b"1", b"2"]


@pytest.mark.parametrize("wraps", [False, True])
async def test_a_client_that_leaves_a_stream_is_no_failure_of_the_application(wraps):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await asyncio.sleep(0)
                await send({"type": "http.response.body", "body": b"more", "more_body": True})
        except OSError as exc:
            if wraps:
                raise RuntimeError("exception caught after the answer began") from exc
            raise

    protocol = Protocol(())
    serving = asyncio.create_task(Rsgi(app, {}).__rsgi__(request(), protocol))
    while not protocol.sent:
        await asyncio.sleep(0)
    protocol.gone.set()
    await serving


async def test_what_fails_in_the_middle_of_a_stream_is_a_failure():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        await asked(app)


async def test_an_application_that_fails_before_its_answer_is_answered_500():
    async def app(scope, receive, send):
        raise ValueError

    protocol = Protocol(())
    with pytest.raises(ValueError):  # noqa: PT011 - the test's own
        await Rsgi(app, {}).__rsgi__(request(), protocol)
    assert protocol.status == 500


async def test_an_address_is_told_decoded_and_encoded():
    async def app(scope, receive, send):
        assert scope["path"] == "/a b/é"
        assert scope["raw_path"] == b"/a%20b/%C3%A9"
        assert scope["query_string"] == b"q=%20"
        assert scope["client"] == ("127.0.0.1", 12345)
        assert (b"x-a", b"1") in scope["headers"]
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    protocol = await asked(app, scope=request(path="/a%20b/é?q=%20", headers=[("X-A", "1")]))
    assert protocol.status == 200


@pytest.mark.parametrize("name", ["Cookie", "Authorization"])
async def test_credentials_the_server_cannot_read_are_told_and_not_taken_for_none(name):
    async def app(scope, receive, send):
        raise AssertionError

    scope = request(headers=[(name, "a=é".encode())])
    protocol = Protocol(())
    await Rsgi(app, {}).__rsgi__(scope, protocol)
    answer = httpx.Response(protocol.status, content=protocol.sent[0])
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-input")
    assert answer.json()["errors"][0]["pointer"] == f"/{name.lower()}"


async def test_doors_are_served_without_asgi():
    async def door(scope, protocol):
        protocol.response_bytes(202, [], b"in")

    app = Rsgi(None, {("POST", "/in"): door})
    async with httpx.AsyncClient(transport=RsgiTransport(app), base_url="http://postrider") as client:
        assert (await client.post("/in")).content == b"in"


async def test_a_door_may_be_for_any_name_in_a_folder_and_no_deeper():
    async def door(scope, protocol):
        protocol.response_bytes(200, [], b"in")

    async def behind(scope, receive, send):
        await send({"type": "http.response.start", "status": 404})
        await send({"type": "http.response.body"})

    app = Rsgi(behind, {("POST", "/in"): door, ("POST", "/in/*"): door})
    async with httpx.AsyncClient(transport=RsgiTransport(app), base_url="http://postrider") as client:
        for path in ("/in", "/in/", "/in/a", "/in/a/"):
            assert (await client.post(path)).status_code == 200, path
        for path in ("/in/a/b", "/in//", "/in/a//", "/other/a", "/"):
            assert (await client.post(path)).status_code == 404, path
        assert (await client.get("/in/a")).status_code == 404


class Lifespan:
    def __init__(self, fails=None):
        self.fails, self.began, self.ended = fails, None, None

    async def __call__(self, scope, receive, send):
        assert (await receive())["type"] == "lifespan.startup"
        if self.fails == "by an error":
            raise ValueError(self.fails)
        if self.fails is not None:
            await send({"type": "lifespan.startup.failed", "message": self.fails})
            return
        self.began = asyncio.current_task()
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self.ended = asyncio.current_task()
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture(autouse=True)
def collector():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_worker_leaves_the_program_itself_out_of_what_the_collector_looks_at():
    before = gc.get_threshold()
    with asyncio.Runner() as runner:
        app = Rsgi(Lifespan(), {})
        app.__rsgi_init__(runner.get_loop())
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() > before
        assert gc.isenabled()  # circles that requests make still go
        app.__rsgi_del__(runner.get_loop())


def test_lifespan_begins_and_ends_in_one_task():
    with asyncio.Runner() as runner:
        lifespan = Lifespan()
        app = Rsgi(lifespan, {})
        app.__rsgi_init__(runner.get_loop())
        assert lifespan.began is not None
        assert lifespan.ended is None
        app.__rsgi_del__(runner.get_loop())
        assert lifespan.ended is lifespan.began


@pytest.mark.parametrize("fails", ["by an error", "by its word"])
def test_a_start_that_fails_is_an_error_of_the_worker(fails):
    with asyncio.Runner() as runner:
        app = Rsgi(Lifespan(fails), {})
        with pytest.raises((ValueError, RuntimeError), match=fails):
            app.__rsgi_init__(runner.get_loop())
