"""`postrider demo`: everything on this machine, with a simulated city that uses the public API as phones do."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from app.machine.demo_queue import queue
from app.machine.opening import Opening
from app.machine.routing import routing
from app.machine.streets import streets
from app.machine.up import connected_url, up
from app.settings import Settings
from app.simulation import asked
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts
from app.simulation.run import run as simulate
from app.simulation.sink import Heard, sink
from app.wiring.resources import open_redis
from app.wiring.supervise import supervise
from tracking.pause import pause
from tracking.position import Mode

COURIERS = {"postgres": 200, "timescale": 40}
"""The WebAssembly database has one session for everybody, so its fleet is a modest one."""
ORDERS_PER_HOUR = {"postgres": 600.0, "timescale": 60.0}

SHUT_DOORS = 0.08
ON_SHIFT = 0.2
COOKING = 4
"""Kitchens that say what they make."""
TOMORROW = 0.5
"""Orders for tomorrow, for each courier: two to three for each of those who work by shifts."""

SUMMARY_EVERY_S = 300.0
"""The addresses are to stay in sight."""
TIMEOUT_S = 10.0


def summary(counts: Counts) -> str:
    """The service level so far, in a line."""
    on_time = counts.delivered - counts.delivered_late
    level = f"{100 * on_time / counts.delivered:.0f} % in the customer's window" if counts.delivered else "none yet"
    return (
        f"orders placed {counts.placed}, offers accepted {counts.accepted_offers} and rejected"
        f" {counts.rejected_offers}, collected {counts.picked_up}, delivered {counts.delivered} ({level}),"
        f" brought back {counts.returned}, breaks taken {counts.breaks}, given to others in time {counts.moved},"
        f" planned for tomorrow {counts.planned_ahead};"
        f" fixes sent {counts.sent}, accepted {counts.accepted}"
    )


async def demo(
    settings: Settings, environ: Mapping[str, str], stop: asyncio.Event, *, couriers: int | None = None
) -> None:
    """
    Run until `stop` is set. When the day is under way four addresses are printed: of the live map, of a
    kitchen's page, of a courier's, of a recipient's.

    Some couriers get into trouble on purpose after a minute (one freezes, one falls silent, one drives elsewhere, two
    have flat tyres), so that the alerts have something to say, and what comes late goes to others. Some doors stay
    shut and the goods go back; some kitchens say what they cook; a fifth of the couriers works by shifts, takes a
    break, and has tomorrow planned ahead.
    Raises what `up` raises, and SettingError for streets that cannot be used.
    """
    lived_in = await streets(settings.demo_osm, settings.data_dir, _say)
    source = None if lived_in is None else lived_in.source
    graphs = settings.data_dir if lived_in is None else lived_in.tiles.with_suffix(".ways").absolute()
    async with queue(settings, _say) as starting, routing(source, graphs, _say) as engines:
        chosen = {"POSTRIDER_DEMO": "1", "POSTRIDER_WEBHOOKS_PRIVATE": environ.get("POSTRIDER_WEBHOOKS_PRIVATE", "1")}
        if lived_in is not None and not settings.map_tiles:
            chosen["POSTRIDER_MAP_TILES"] = str(lived_in.tiles.absolute())
        if engines and not settings.osrm_url:
            chosen["POSTRIDER_OSRM_URL"] = ",".join(f"{mode}={url}" for mode, url in engines.items())
        if Mode.CAR in engines:
            engines[Mode.MOTORCYCLE] = engines[Mode.CAR]
        queue_url = await starting
        if queue_url:
            chosen["POSTRIDER_RABBITMQ_URL"] = queue_url
        await _run(settings, {**environ, **chosen}, stop, couriers, source, engines, queue_url)


async def _run(
    settings: Settings,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    couriers: int | None,
    source: Path | None,
    engines: Mapping[Mode, str],
    queue_url: str,
) -> None:
    by_webhook, from_queue = Heard(), Heard() if queue_url else None

    async def city(connected: Settings) -> None:
        token = (connected.data_dir / "admin.token").read_text().strip()
        url = connected_url(connected)
        fleet = couriers or COURIERS[settings.engine]
        params = SimulateParams(
            url=url,
            token=token,
            couriers=fleet,
            streets=source,
            engines=engines,
            orders_per_hour=ORDERS_PER_HOUR[settings.engine],
            freeze=(3,),
            silence=(7,),
            detour=(11,),
            slow=(5, 13),
            shut_doors=SHUT_DOORS,
            on_shift=ON_SHIFT,
            cooking=COOKING,
            tomorrow=round(TOMORROW * fleet),
            dispatch={"move_accepted": True},
        )

        counts = Counts()
        opening = Opening(connected, url, token, params.seed, source, _say)

        async def drive(over: asyncio.Event) -> None:
            redis = open_redis(connected, size=2)
            try:
                await simulate(params, over, counts, opening=opening, breaking=partial(asked.serve, redis))
            finally:
                await redis.aclose()

        async with asyncio.TaskGroup() as group:
            group.create_task(supervise("simulate", drive, stop))
            group.create_task(supervise("sink", partial(_show_events, url, token, by_webhook, from_queue), stop))
            if from_queue is not None:
                exchange = connected.rabbitmq_exchange
                group.create_task(supervise("queue", partial(_take_from, queue_url, exchange, from_queue), stop))
            while not stop.is_set():
                await pause(stop, SUMMARY_EVERY_S)
                _say(f"{summary(counts)}; {_heard(by_webhook, from_queue)}")

    await up(settings, environ, stop, beside=city)


async def _show_events(url: str, token: str, by_webhook: Heard, from_queue: Heard | None, stop: asyncio.Event) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S) as api,
        sink(api, by_webhook, from_queue) as address,
    ):
        ways = "by webhook" if from_queue is None else "by webhook and from a queue of RabbitMQ"
        _say(f"events, as another system is told them {ways}: {address}")
        await stop.wait()


async def _take_from(queue_url: str, exchange: str, from_queue: Heard, stop: asyncio.Event) -> None:
    from app.simulation.queue_sink import take  # noqa: PLC0415 - an extra

    await take(queue_url, exchange, from_queue, stop)


def _heard(by_webhook: Heard, from_queue: Heard | None) -> str:
    by_queue = "" if from_queue is None else f", {from_queue.n} from its queue"
    return f"events at another system: {by_webhook.n} by webhook{by_queue}"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what a person waits for
