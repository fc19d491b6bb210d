"""Another system, for the demo: it takes the events from a queue of RabbitMQ, and counts them."""

import asyncio
import json
from typing import Final

import aio_pika

from app.gateway.rabbitmq import close, connect, lost
from app.simulation.sink import Heard
from tracking.pause import first_to_end

PREFETCH: Final = 100


async def take(url: str, exchange: str, heard: Heard, stop: asyncio.Event) -> None:
    """Take all events until `stop` or the connection's end; the queue is there for so long. Raises for outages."""
    connection = await connect(url, "the demo's own: another system")
    try:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        events = await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("demo", exclusive=True)
        await queue.bind(events, "postrider.#")

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            heard.add(json.loads(message.body))
            await message.ack()

        await queue.consume(on_message)
        await first_to_end(lost(connection), stop.wait())
    finally:
        await close(connection)
