"""Serves the calls: each becomes a request of the API's own, and its answer the call's."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Final
from urllib.parse import unquote

import grpc
import msgspec
from google.protobuf.descriptor import MethodDescriptor
from prometheus_client import Counter, Gauge

from app.doors.inside import Answer, Ask, Inside, events_of
from app.doors.rpc.calls import SERVICES, Call, call_of, change_of, fixes_of
from app.doors.rpc.status import status_of
from app.web.problems import BadInput, TooManyRequests, answer_known, answer_unknown

log = logging.getLogger(__name__)

STREAMS: Final = Gauge("postrider_grpc_streams", "Streams that are open.", multiprocess_mode="livesum")
CALLS: Final = Counter("postrider_grpc_calls", "Calls that ended, by how.", ["call", "code"])

PASSED_ON: Final = ("authorization", "traceparent", "x-forwarded-for")
"""Of a call's metadata, to the API."""
BATCH_FIXES: Final = 1_000
"""Fixes of a stream that are stored together, at most; as many wait meanwhile, and then it is not read."""
REASONS: Final = 1_000
"""Quarantined fixes of a stream that its answer tells one by one."""
AGAIN_AFTER_S: Final = 5
OPENED_AT_ONCE: Final = 32
"""
Streams whose first answer is being made; the others wait for their turn. Thousands of phones come back at once after a
restart, and would wait for a connection of the database for longer than a request does.
"""
OVER: Final = Answer(
    503,
    {"retry-after": "1"},
    b'{"code":"unavailable","detail":"The stream is over, for the server ends or the token does; begin it anew."}',
)

Context = Any
"""grpc.aio.ServicerContext, which has no types."""
Handler = Callable[[Any, Context], Awaitable[Any]]


class Service:
    """The services of the .proto."""

    def __init__(self, inside: Inside, *, streams: int) -> None:
        """`streams`: so many may be open."""
        self._inside = inside
        self._room = streams
        self._turns = asyncio.Semaphore(OPENED_AT_ONCE)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """For a server; a method that the .proto has and this does not is served as a plain request."""
        return [
            grpc.method_handlers_generic_handler(
                service.full_name, {method.name: self._handler(method) for method in service.methods}
            )
            for service in SERVICES
        ]

    def _handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler:
        call = call_of(method)
        how = {"request_deserializer": call.request.FromString, "response_serializer": call.response.SerializeToString}
        if method.server_streaming:

            async def watch(message: Any, context: Context) -> None:
                await self._answered(method.name, self._watch(call, message, context), context)

            return grpc.unary_stream_rpc_method_handler(watch, **how)
        work = self._store if method.client_streaming else self._ask

        async def answer(message: Any, context: Context) -> Any:
            return await self._answered(method.name, work(call, message, context), context)

        kind = grpc.stream_unary_rpc_method_handler if method.client_streaming else grpc.unary_unary_rpc_method_handler
        return kind(answer, **how)

    async def _answered(self, name: str, work: Awaitable[Any], context: Context) -> Any:
        """What `work` gives; a problem becomes the call's status, a defect is told to the log only."""
        code = "cancelled"
        try:
            try:
                done = await work
                code = "ok"
            except (grpc.aio.AbortError, grpc.aio.InternalError):
                code = "refused"
                raise
            except (BadInput, TooManyRequests) as exc:
                code = "refused"
                await _refuse(context, _plain(answer_known(exc)))
            except Exception as exc:  # noqa: BLE001 - every call is answered, and no words of an error leave the process
                code = "failed"
                await _refuse(context, _plain(answer_unknown(exc)))
        except grpc.aio.InternalError as exc:  # nothing can be sent any more: the peer has gone, and nobody is answered
            code = "gone"
            raise asyncio.CancelledError from exc
        finally:
            CALLS.labels(name, code).inc()
        return done

    async def _ask(self, call: Call, message: Any, context: Context) -> Any:
        fields = call.fields_of(message)
        ask = _ask_of(context, call.method, call.path_of(fields), call.body_of(fields))
        answer = await self._inside.ask(ask)
        if answer.is_refused:
            await _refuse(context, answer)
        return call.response_of(msgspec.json.decode(answer.body))

    async def _watch(self, call: Call, message: Any, context: Context) -> None:
        ask = _ask_of(context, call.method, call.path_of(call.fields_of(message)))
        with self._one_stream():
            async with AsyncExitStack() as opened:
                async with self._turns:
                    stream = await opened.enter_async_context(self._inside.open(ask))
                if stream.head.is_refused:
                    await _refuse(context, stream.head)
                async for name, data in events_of(stream.chunks()):
                    if (change := change_of(name, data)) is not None:
                        await context.write(change)
        await _refuse(context, OVER)

    async def _store(self, call: Call, requests: AsyncIterator[Any], context: Context) -> Any:
        with self._one_stream():
            upload = Upload(self._inside, _ask_of(context, call.method, call.path))
            if (refused := await upload.take(requests)) is not None:
                await _refuse(context, refused, accepted=upload.accepted, quarantined=upload.quarantined)
            told = {"accepted": upload.accepted, "quarantined": upload.quarantined, "reasons": upload.reasons}
            return call.response_of(told)

    @contextmanager
    def _one_stream(self) -> Iterator[None]:
        """A place among the streams that may be open; raises TooManyRequests where there is none."""
        if self._room <= 0:
            raise TooManyRequests(retry_after_s=AGAIN_AFTER_S)
        self._room -= 1
        STREAMS.inc()
        try:
            yield
        finally:
            self._room += 1
            STREAMS.dec()


class Upload:
    """
    Fixes of a stream on their way to the log: what came while a batch was stored is the next batch.

    Never more than two batches are in memory; then nothing is read, and the sender waits.
    """

    def __init__(self, inside: Inside, ask: Ask) -> None:
        self._inside = inside
        self._asked = ask
        self._waiting: list[dict[str, Any]] = []
        self._came, self._taken = asyncio.Event(), asyncio.Event()
        self.accepted = 0
        self.quarantined = 0
        self.reasons: list[dict[str, Any]] = []

    async def take(self, requests: AsyncIterator[Any]) -> Answer | None:
        """Store all of them; the refusal of the batch at which it ended, if any."""
        reader = asyncio.create_task(self._read(requests))
        reader.add_done_callback(lambda _: self._came.set())
        try:
            while not reader.done() or self._waiting:
                await self._came.wait()
                batch, self._waiting = self._waiting, []
                if not reader.done():
                    self._came.clear()
                self._taken.set()
                if batch and (refused := await self._store(batch)) is not None:
                    return refused
            await reader  # raises what reading raised
        finally:
            reader.cancel()
        return None

    async def _read(self, requests: AsyncIterator[Any]) -> None:
        async for request in requests:
            for fix in fixes_of(request):
                if len(self._waiting) >= BATCH_FIXES:
                    self._taken.clear()
                    await self._taken.wait()
                self._waiting.append(fix)
                self._came.set()

    async def _store(self, batch: list[dict[str, Any]]) -> Answer | None:
        asked = self._asked
        ask = Ask(
            method=asked.method,
            path=asked.path,
            headers=asked.headers,
            client=asked.client,
            body=msgspec.json.encode(batch),
        )
        answer = await self._inside.ask(ask)
        if answer.is_refused:
            return answer
        receipt = msgspec.json.decode(answer.body)
        before = self.accepted + self.quarantined
        for item in receipt["quarantined"][: REASONS - len(self.reasons)]:
            self.reasons.append({"index": before + item["index"], "reason": item["reason"]})
        self.accepted += receipt["accepted"]
        self.quarantined += len(receipt["quarantined"])
        return None


def _ask_of(context: Context, method: str, path: str, body: bytes = b"") -> Ask:
    metadata: Mapping[str, Any] = dict(context.invocation_metadata() or ())
    headers = [(name, value) for name in PASSED_ON if isinstance(value := metadata.get(name), str)]
    return Ask(method=method, path=path, headers=headers, client=client_of(context.peer()), body=body)


def client_of(peer: str) -> tuple[str, int]:
    """Address and port of `ipv4:10.0.0.1:2000` or `ipv6:[::1]:2000`; of a socket of the machine none."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return "", 0
    host, _, port = rest.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _plain(response: Any) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


async def _refuse(context: Context, answer: Answer, **facts: object) -> None:
    """End the call with the problem; raises grpc.aio.AbortError."""
    status = status_of(answer, **facts)
    await context.abort(status.code, status.words, status.trailing)
