"""Lists are compressed for who takes it, and nothing else is touched."""

import gzip
from types import SimpleNamespace

import pytest

from app.web.compression import BESIDE_BYTES, COMPRESSED, CompressionMiddleware
from tests.described import described

LIST = b'[{"name":"Anna"}]' * 200


async def ask(parts, *, accepts="gzip, br", opt=COMPRESSED, status=200, headers=()):
    """Status, headers and body of an answer that comes in parts."""
    sent = []

    async def app(scope, receive, send):
        length = [(b"content-length", str(len(parts[0])).encode())] if len(parts) == 1 else []
        await send({"type": "http.response.start", "status": status, "headers": [*length, *headers]})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "headers": [(b"accept-encoding", accepts.encode())],
        "route_handler": SimpleNamespace(opt=opt),
    }
    await CompressionMiddleware(app)(scope, None, send)
    start, *bodies = sent
    return start["status"], dict(start["headers"]), b"".join(body["body"] for body in bodies)


@pytest.mark.parametrize("times", [1, BESIDE_BYTES // len(LIST) + 1], ids=["short", "long"])
async def test_a_list_is_compressed_and_says_so_and_how_long_it_is(times):
    body = LIST * times
    status, headers, sent = await ask([body])
    assert (status, headers[b"content-encoding"], headers[b"vary"]) == (200, b"gzip", b"accept-encoding")
    assert int(headers[b"content-length"]) == len(sent) < len(body) / 5
    assert gzip.decompress(sent) == body


@pytest.mark.parametrize(
    "options",
    [
        {"accepts": "identity"},
        {"accepts": "gzip;q=0"},
        {"opt": {}},
        {"status": 404},
        {"headers": [(b"content-encoding", b"br")]},
    ],
    ids=str,
)
async def test_what_is_not_to_be_compressed_stays_as_it_is(options):
    _, headers, sent = await ask([LIST], **options)
    assert sent == LIST
    assert headers.get(b"content-encoding") in {None, b"br"}
    assert int(headers[b"content-length"]) == len(LIST)


async def test_short_answers_and_streams_stay_as_they_are():
    for parts in ([b"[]"], [LIST, LIST]):
        _, headers, sent = await ask(parts)
        assert sent == b"".join(parts)
        assert b"content-encoding" not in headers


def test_nothing_that_holds_a_secret_is_compressed():
    paths = {
        route.path
        for route in described().routes
        for handler in getattr(route, "route_handlers", ())
        if handler.opt.get("compressed")
    }
    assert "/v1/orders" in paths
    secretive = {"me", "sign-in", "sign-out", "sessions", "tokens", "users", "oauth", "webhooks", "channels", "share"}
    assert not [path for path in paths if secretive & set(path.split("/"))]
