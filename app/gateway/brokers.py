"""Which ways out and in there are, by the settings: webhooks always, a broker where its address is set."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg

from app.gateway.events import POSITION
from app.gateway.inbox import Inbox
from app.gateway.ways import Way
from app.gateway.webhooks import Webhooks
from app.settings import Settings
from sql import queries
from tracking.pause import pause

log = logging.getLogger(__name__)

Start = Callable[[asyncio.Event], Awaitable[None]]


def _rabbitmq(settings: Settings) -> AbstractAsyncContextManager[Way] | None:
    if not settings.rabbitmq_url:
        return None
    from app.gateway.rabbitmq import RabbitEvents  # noqa: PLC0415 - an extra

    return RabbitEvents(settings.rabbitmq_url, settings.rabbitmq_exchange)


def _kafka(settings: Settings) -> AbstractAsyncContextManager[Way] | None:
    if not settings.kafka_servers:
        return None
    from app.gateway.kafka import Kafka, KafkaEvents  # noqa: PLC0415 - an extra

    return KafkaEvents(Kafka.of(settings))


def _mqtt(settings: Settings) -> AbstractAsyncContextManager[Way] | None:
    if not settings.mqtt_url:
        return None
    from app.gateway.mqtt import MqttEvents  # noqa: PLC0415 - an extra

    return MqttEvents(settings.mqtt_url)


BROKERS: Final[Mapping[str, Callable[[Settings], AbstractAsyncContextManager[Way] | None]]] = {
    "rabbitmq": _rabbitmq,
    "kafka": _kafka,
    "mqtt": _mqtt,
}


ALL_EVENTS: Final = "postrider.*"
SLOWEST_S: Final = 3600
LOOK_EVERY_S: Final = 10.0


@asynccontextmanager
async def ways_out(settings: Settings) -> AsyncIterator[Mapping[str, Way]]:
    """
    Every way by its kind, open.

    A broker whose library is not installed is told, and keeps no other way closed.
    """
    async with AsyncExitStack() as stack:
        ways: dict[str, Way] = {
            "webhook": await stack.enter_async_context(Webhooks(allow_private=settings.webhooks_private))
        }
        for kind, make in BROKERS.items():
            try:
                way = make(settings)
            except ImportError:
                log.exception("a library is missing", extra={"event": "extra_missing", "install": f"postrider[{kind}]"})
                continue
            if way is not None:
                ways[kind] = await stack.enter_async_context(way)
        yield ways


async def keep_brokers(
    settings: Settings,
    pool: asyncpg.Pool,
    ways: Collection[str],
    stop: asyncio.Event,
    *,
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """
    From now on events wait for the brokers that are set and to which there is a way, and for no others.

    A region that is not there yet has no events; it is looked for until it is.
    """
    while not await note_brokers(settings, pool, ways):
        facts = {"event": "region_of_brokers_missing", "region": settings.broker_region}
        log.warning("brokers are told of a region that is not there", extra=facts)
        if await pause(stop, look_every_s):
            return


async def note_brokers(settings: Settings, pool: asyncpg.Pool, ways: Collection[str]) -> bool:
    """As `keep_brokers`; whether the region is there."""
    set_ways = {
        "rabbitmq": settings.rabbitmq_url,
        "kafka": settings.kafka_servers,
        "mqtt": settings.mqtt_url,
    }
    region = settings.broker_region or None
    is_there = region is None or await pool.fetchval(queries["regions.settings"], region) is not None
    every_s = min(settings.broker_positions_s, SLOWEST_S)
    types = [ALL_EVENTS, POSITION] if every_s else []
    couriers = [UUID(one) for one in settings.broker_couriers.split()] or None
    wanted = [kind for kind in BROKERS if kind in ways]
    for kind in BROKERS:
        if not set_ways[kind] or (kind in wanted and not is_there):
            await pool.execute(queries["event_targets.dismiss"], kind)
        elif kind in wanted:
            await pool.execute(queries["event_targets.ensure"], kind)
            facts = f"{kind}, by the settings", types, every_s or SLOWEST_S, region, couriers
            await pool.execute(queries["event_targets.set_up"], kind, *facts)
    return is_there or not wanted


def ways_in(settings: Settings, inbox: Inbox) -> dict[str, Start]:
    """Each way in, to be kept alive by itself."""
    ways: dict[str, Start] = {}
    if settings.rabbitmq_url:

        async def take_from_rabbitmq(stop: asyncio.Event) -> None:
            from app.gateway.rabbitmq import RabbitCommands  # noqa: PLC0415 - an extra

            await RabbitCommands(settings.rabbitmq_url, settings.rabbitmq_queue, inbox).run(stop)

        ways["commands over rabbitmq"] = take_from_rabbitmq
    if settings.kafka_servers:

        async def take_from_kafka(stop: asyncio.Event) -> None:
            from app.gateway.kafka import Kafka, KafkaCommands  # noqa: PLC0415 - an extra

            await KafkaCommands(Kafka.of(settings), inbox).run(stop)

        ways["commands over kafka"] = take_from_kafka
    return ways
