"""
`GET /v1/live`: the live map's stream, as server-sent events (WHATWG HTML, section 9.2).

    event: snapshot   {"at", "positions": [position, …]}           everybody in the box, first
    event: delta      {"at", "positions": […], "gone": [id, …]}    who moved, and who left the box, at most once a tick
    event: order, offer, route, alert, stay, fence, courier        what happened: {"type", "at", …ids}
    event: orders     {"items": [order, …]}                        those orders as they are now; who lacks one asks
    event: pulse      {"at", "as_of", "connected"}                 every 5 s: how fresh all of this is
    event: reset      {"reason"}                                   too much was missed: a snapshot follows
    event: bye        {}                                           the token is no longer valid

An event's id says how far the viewer has seen; a stream opened with it goes on from there, in any process.

Whoever takes gzip gets it: what viewers of the same part of the map are told alike is compressed once for all of them
(`app.web.squeezed`).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Any, Final

import asyncpg
import msgspec
from litestar import MediaType, Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, HeaderParameter
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from redis.asyncio import Redis

from app.commands.orders import shapes_of_many
from app.settings import Settings
from app.web.auth import AuthenticationUnavailable, Authenticator, Role, requires
from app.web.dependencies import Pool, Tokens
from app.web.looks import looks_at
from app.web.partner_feed import PartnerFeed
from app.web.problems import BadInput
from app.web.reach import current_reach, reach_of
from app.web.regions import within_reach
from app.web.squeezed import Gzip, Wire, encode, encoded
from app.web.static import takes_gzip
from app.wiring.params import feed_of
from sql import queries
from tracking.feed.feed import DROPPED, SENT_BYTES, Feed, RegionFeed
from tracking.feed.rows import Rows
from tracking.feed.sightings import LogSightings
from tracking.feed.view import Message, Told, View
from tracking.feed.viewport import Viewport
from tracking.streams import Tails

log = logging.getLogger(__name__)

RETRY_MS: Final = 2000
PULSE_S: Final = 5.0
HEARTBEAT_S: Final = 15.0
"""A comment so often keeps proxies from closing the connection; the token is looked at again as often."""
SEND_TIMEOUT_S: Final = 10.0
"""A viewer that takes nothing for so long is cut off; it comes back and resumes."""

EventStream = "text/event-stream"


class LiveStream(ASGIResponse):
    """An answer that goes on until the viewer leaves, stops reading, or is no longer allowed to look."""

    def __init__(
        self,
        feed: Feed,
        region: str,
        view: View,
        authenticator: Authenticator,
        token: str,
        theirs: PartnerFeed | None = None,
        *,
        is_compressed: bool = False,
    ) -> None:
        super().__init__(media_type=EventStream)
        self._feed = feed
        self._region = region
        self._view = view
        self._authenticator = authenticator
        self._token = token
        self._theirs = theirs
        self._reach = current_reach()
        self._wire: Wire = Gzip() if is_compressed else Wire()

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until one of the ends."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            (b"vary", b"accept-encoding"),
            *self._wire.headers,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left = asyncio.create_task(_until_left(receive))
        try:
            async with contextlib.aclosing(self._chunks(left)) as chunks:
                async for chunk in chunks:
                    async with asyncio.timeout(SEND_TIMEOUT_S):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    SENT_BYTES.inc(len(chunk))
            if not left.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            DROPPED.inc()
            log.info("viewer dropped", extra={"event": "viewer_dropped", "region": self._region})
        finally:
            left.cancel()

    async def _chunks(self, left: "asyncio.Task[None]") -> AsyncGenerator[bytes]:
        wire = self._wire
        yield wire.head + wire.one(b"retry: %d\n\n" % RETRY_MS)
        region = await self._feed.region(self._region)
        pulse_at = heartbeat_at = monotonic()
        was_connected = True
        async with contextlib.aclosing(self._feed.watch(region, self._view)) as ticks:
            async for messages in ticks:
                if left.done():
                    return
                now = monotonic()
                shown = messages if self._theirs is None else await self._theirs.kept(messages)
                parts = [wire.alike(shown) if isinstance(shown, Told) else wire.one(encoded(shown))]
                if now >= pulse_at or region.is_connected != was_connected:
                    was_connected = region.is_connected
                    pulse_at = now + PULSE_S
                    parts.append(wire.one(encode(_pulse(region))))
                if now >= heartbeat_at:
                    heartbeat_at = now + HEARTBEAT_S
                    parts.append(wire.one(b": heartbeat\n\n"))
                    if not await self._is_still_allowed():
                        yield wire.one(b"event: bye\ndata: {}\n\n")
                        return
                if chunk := b"".join(parts):
                    yield chunk
        # The process ends: spread the viewers' return over a few seconds.
        yield wire.one(b"retry: %d\n\n" % (RETRY_MS + hash(id(self)) % 3000))

    async def _is_still_allowed(self) -> bool:
        try:
            caller = await self._authenticator.caller(self._token)
        except AuthenticationUnavailable:
            return True  # an outage is no reason to blind the staff
        if caller is not None and caller.expires_at is not None and caller.expires_at < datetime.now(UTC):
            return False
        if caller is None or reach_of(caller) != self._reach:
            return False  # who has other bounds now begins anew
        return caller.is_at_least(Role.VIEWER)


class LiveResponse(Response[None]):
    """Carries the stream through Litestar."""

    def __init__(self, stream: LiveStream) -> None:
        super().__init__(None, media_type=EventStream)
        self._stream = stream

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """The stream itself."""
        return self._stream


def _pulse(region: RegionFeed) -> Message:
    body = {"at": datetime.now(UTC), "as_of": region.as_of, "connected": region.is_connected}
    return Message("pulse", msgspec.json.encode(body))


def open_feed(settings: Settings, redis: Redis, tails: Tails, pool: asyncpg.Pool) -> Feed:
    """The feed of this process; follows no region before somebody looks at it."""

    async def read(ids: Sequence[str]) -> bytes:
        return msgspec.json.encode({"items": await shapes_of_many(pool, ids)})

    return Feed(
        redis,
        LogSightings(redis),
        feed_of(settings),
        tails=tails,
        rows=lambda _: Rows("orders", "order_id", read),
    )


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@get(
    "/v1/live",
    opt=looks_at("couriers.live"),
    guards=[requires(Role.VIEWER)],
    tags=["positions"],
    media_type=EventStream,
    responses={200: ResponseSpec(data_container=str, description="Server-sent events.", media_type=MediaType.TEXT)},
)
async def live(
    request: Request[Any, Any, Any],
    pool: Pool,
    authenticator: Tokens,
    bbox: FromQuery[str | None] = None,
    region: FromQuery[str | None] = None,
    last_event_id: FromQuery[str | None] = None,
    resumes: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> LiveResponse:
    """
    Where the couriers are, as it changes.

    `bbox` is `west,south,east,north` in degrees, west greater than east across the antimeridian; without it the whole
    region. `region` defaults to the installation's first. `last_event_id` stands for the header
    where that cannot be set.
    """
    try:
        box = None if bbox is None else Viewport.parse(bbox)
    except ValueError as exc:
        raise BadInput("The box cannot be used.", ("/bbox", str(exc))) from exc
    regions = within_reach([row["id"] for row in await pool.fetch(queries["couriers.regions"])])
    name = region or regions[0]
    if name not in regions:
        raise BadInput("There is no such region.", ("/region", f"expected one of: {', '.join(regions)}"))
    feed: Feed = request.app.state.feed
    await feed.region(name)  # a region that cannot be read is answered with 503, before the stream begins
    view = View.resume(box, resumes or last_event_id)
    is_compressed = takes_gzip(request.headers.get("accept-encoding", ""))
    reach = current_reach()
    theirs = None if reach is None or reach.partner is None else PartnerFeed(pool, reach.partner)
    return LiveResponse(LiveStream(feed, name, view, authenticator, request.auth, theirs, is_compressed=is_compressed))


route_handlers: list[Any] = [live]
