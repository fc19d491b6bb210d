"""
The doors beside HTTP, one process of them: python -m benchmarks.streams --json.

    watch       5,000 couriers' streams over gRPC; a route changes, until its courier's stream says so
    mqtt        1,000 clients, 5 fixes a second each, of quality 1; until each is acknowledged, for it is in the log

Clients and servers share the machine with the process that is measured.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
import grpc
import msgspec
import redis.asyncio as aioredis

from app.client import postrider_pb2 as pb
from app.machine.servers import free_port
from benchmarks.whole import ROOT
from benchmarks.world import Phone, World, engine_of, hire, parser, report, world
from tracking import events
from tracking.position import Region

REGION: Final = Region("default")
STREAMS_A_CHANNEL: Final = 100
SETTLE_S: Final = 60.0
AGAIN_S: Final = 2.0
START_S: Final = 120.0
CHANGE: Final = (
    "INSERT INTO routes (courier_id, region, version, stops) VALUES ($1, 'default', 1, '[]')"
    " ON CONFLICT (courier_id) DO UPDATE SET version = routes.version + 1 RETURNING version"
)


@contextmanager
def doors(servers: World, environ: dict[str, str]) -> Iterator[None]:
    """The role, in a process of its own."""
    own = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "POSTRIDER_LOG_LEVEL": "ERROR"}
    process = subprocess.Popen([sys.executable, "-m", "app", "doors"], cwd=ROOT, env=os.environ | own | environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(120)


async def watch(servers: World, phones: Sequence[Phone], port: int, options: Any) -> dict[str, Any]:
    """Streams that are open, and how long a change takes to its stream."""
    dice, changed_at = Random(options.seed), dict[UUID, float]()
    ages: list[float] = []
    n_open = n_again = 0

    async def follow(channel: grpc.aio.Channel, phone: Phone) -> None:
        nonlocal n_open, n_again
        call = channel.unary_stream(
            "/postrider.v1.CourierService/WatchRoute",
            request_serializer=pb.WatchRouteRequest.SerializeToString,
            response_deserializer=pb.WatchRouteResponse.FromString,
        )
        request = pb.WatchRouteRequest(courier_id=str(phone.courier_id))
        said = (("authorization", f"Bearer {phone.token}"),)
        is_first = True
        while True:
            with suppress(grpc.aio.AioRpcError):  # refused for now: a phone comes again
                async for told in call(request, metadata=said, wait_for_ready=True):
                    if told.WhichOneof("change") != "route":
                        continue
                    if is_first:
                        n_open, is_first = n_open + 1, False
                    elif (began := changed_at.pop(phone.courier_id, None)) is not None:
                        ages.append(monotonic() - began)
            n_again += 1
            await asyncio.sleep(AGAIN_S * (0.5 + dice.random()))

    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(0, len(phones), STREAMS_A_CHANNEL)
    ]
    tasks = [asyncio.create_task(follow(channels[i // STREAMS_A_CHANNEL], phone)) for i, phone in enumerate(phones)]
    began = monotonic()
    while n_open < len(phones) and monotonic() - began < 2 * START_S:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    opened_s, n = monotonic() - began, int(options.changes * options.seconds)
    async with (
        asyncpg.create_pool(servers.database_url, min_size=0, max_size=4) as pool,
        aioredis.Redis.from_url(servers.redis_url) as redis,
    ):
        began = monotonic()
        for i in range(n):
            courier_id = dice.choice(phones).courier_id
            if courier_id not in changed_at:
                changed_at[courier_id] = monotonic()
                version = await pool.fetchval(CHANGE, courier_id)
                facts = {"courier_id": str(courier_id), "version": version}
                await events.publish(redis, REGION, "route.changed", facts)
            await asyncio.sleep(max(0.0, began + (i + 1) / options.changes - monotonic()))
        give_up_at = monotonic() + SETTLE_S
        while changed_at and monotonic() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()
    found = {"streams": n_open, "opened_in_s": round(opened_s, 1), "changes": n, "not_told": len(changed_at)}
    found["came_again"] = n_again
    return found | spread(ages)


async def is_up(port: int) -> None:
    """Until somebody listens there."""
    async with asyncio.timeout(START_S):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


def framed(first: int, body: bytes) -> bytes:
    """A packet. Source: MQTT 3.1.1, section 2.2."""
    size, head = len(body), bytearray((first,))
    while True:
        size, low = size >> 7, size & 0x7F
        head.append(low | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


def text(words: str) -> bytes:
    """A field of a packet."""
    return len(words.encode()).to_bytes(2) + words.encode()


async def mqtt(phones: Sequence[Phone], port: int, options: Any) -> dict[str, Any]:
    """Fixes at a rate from many clients; how many a second were acknowledged, and how long after they were sent."""
    ages: list[float] = []
    n_sent = n_lost = 0
    over = asyncio.Event()
    all_connected = asyncio.Barrier(len(phones) + 1)

    async def phone_of(phone: Phone, number: int) -> None:
        nonlocal n_sent, n_lost
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        flags, keep_alive = b"\xc2", (60).to_bytes(2)  # a user, a password, a clean session
        who = text(f"phone-{number}") + text("courier") + text(phone.token)
        writer.write(framed(0x10, text("MQTT") + b"\x04" + flags + keep_alive + who))
        assert (await reader.readexactly(4))[3] == 0, "not let in"
        sent_at: dict[int, float] = {}

        async def hear() -> None:
            with suppress(asyncio.IncompleteReadError):
                while True:
                    packet = await reader.readexactly(4)
                    ages.append(monotonic() - sent_at.pop(int.from_bytes(packet[2:])))

        hearing = asyncio.create_task(hear())
        await all_connected.wait()
        topic, packet_id, pause_s = text(f"owntracks/{number}/phone"), 0, 1 / options.fixes
        next_at = monotonic() + Random(number).random() * pause_s
        while not over.is_set():
            await asyncio.sleep(max(0.0, next_at - monotonic()))
            next_at += pause_s
            packet_id = packet_id % 65_535 + 1
            fix = {"_type": "location", "lat": 41.15 + packet_id / 1e6, "lon": -8.61, "acc": 5}
            body = msgspec.json.encode(fix | {"tst": int(datetime.now(UTC).timestamp())})
            sent_at[packet_id] = monotonic()
            writer.write(framed(0x32, topic + packet_id.to_bytes(2) + body))
            n_sent += 1
        give_up_at = monotonic() + SETTLE_S / 4
        while sent_at and monotonic() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        n_lost += len(sent_at)
        hearing.cancel()
        writer.close()

    await is_up(port)
    tasks = [asyncio.create_task(phone_of(phone, number)) for number, phone in enumerate(phones)]
    await all_connected.wait()
    began = monotonic()
    await asyncio.sleep(options.seconds)
    took_s, n_acknowledged = monotonic() - began, len(ages)
    over.set()
    await asyncio.gather(*tasks)
    found = {"clients": len(phones), "sent_per_s": round(n_sent / took_s)}
    return found | {"acknowledged_per_s": round(n_acknowledged / took_s), "not_acknowledged": n_lost} | spread(ages)


def spread(ages: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    if len(ages) < 2:
        return {}
    cuts = statistics.quantiles(ages, n=20)
    return {"p50_ms": round(statistics.median(ages) * 1000), "p95_ms": round(cuts[18] * 1000)}


def main() -> None:
    """Each part by itself."""
    options = parser("streams", __doc__)
    options.add_argument("--streams", type=int, default=5_000)
    options.add_argument("--changes", type=float, default=20.0, help="routes a second that change")
    options.add_argument("--clients", type=int, default=1_000, help="of MQTT")
    options.add_argument("--fixes", type=float, default=5.0, help="of each of them, a second")
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--part", nargs="*", default=["watch", "mqtt"])
    arguments = options.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ports = {"POSTRIDER_GRPC_PORT": str(free_port()), "POSTRIDER_MQTT_PORT": str(free_port())}
    limits = {"POSTRIDER_GRPC_STREAMS": str(arguments.streams + 10), "POSTRIDER_RATE_COURIER": "0"}
    results: dict[str, Any] = {}
    with world() as servers:
        phones = hire(servers, max(arguments.streams, arguments.clients))
        with doors(servers, ports | limits):
            if "watch" in arguments.part:
                watchers = phones[: arguments.streams]
                results["watch"] = asyncio.run(watch(servers, watchers, int(ports["POSTRIDER_GRPC_PORT"]), arguments))
            if "mqtt" in arguments.part:
                senders = phones[: arguments.clients]
                results["mqtt"] = asyncio.run(mqtt(senders, int(ports["POSTRIDER_MQTT_PORT"]), arguments))
        report("streams", arguments, engine_of(servers), results)


if __name__ == "__main__":
    main()
