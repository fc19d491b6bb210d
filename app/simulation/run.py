"""
`postrider simulate`: a fleet of made-up couriers that post through the public HTTP API, as phones do.

Couriers are created at the first start and found again at the next one. The same seed makes the same town and the same
couriers; when orders are asked for, they are placed, offered, accepted, collected and delivered by the couriers.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Final

import httpx

from app.simulation.asked import Breakage, Broken
from app.simulation.city import City, made_up
from app.simulation.fleet import MOST_REQUESTS, Fleet
from app.simulation.mischief import Mischief
from app.simulation.orders import Business
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts
from app.simulation.tomorrow import run_days
from app.simulation.town import Town
from app.simulation.ways import Ways
from tracking.pause import pause
from tracking.position import LatLon

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
TELL_EVERY_S: Final = 5.0

Later = Coroutine[None, None, None]
Opening = Callable[[Fleet, City], Awaitable[Later | None]]
Breaking = Callable[[Callable[[Breakage], Awaitable[Broken]], asyncio.Event], Later]


async def run(
    params: SimulateParams,
    stop: asyncio.Event | None = None,
    counts: Counts | None = None,
    *,
    say: Callable[[str], None] | None = None,
    opening: Opening | None = None,
    breaking: Breaking | None = None,
) -> Counts:
    """
    Simulate until `stop` is set, the time is over, or SIGINT or SIGTERM comes; returns what happened.

    `counts` is kept up to date meanwhile, and `say` is told of it every few seconds. `opening` is waited for before
    anybody moves: it says where the couriers are and what they have to do already, and what is to be done beside.
    `breaking` runs beside, and has something broken when somebody wants it.

    Raises httpx.HTTPStatusError when the token may not create couriers.
    """
    stop = stop or _until_interrupted()
    counts = counts or Counts()
    limits = httpx.Limits(max_connections=MOST_REQUESTS, max_keepalive_connections=MOST_REQUESTS)
    city = await asyncio.to_thread(_city, params)
    async with httpx.AsyncClient(base_url=params.url, timeout=TIMEOUT_S, limits=limits) as client:
        if say is not None:
            say(f"{params.couriers} couriers towards {params.url}")
        fleet = Fleet(params, client, city, Ways(city.town, params.engines, client), counts)
        await fleet.enlist()
        log.info("fleet enlisted", extra={"event": "fleet_enlisted", "couriers": len(fleet.members)})
        business = Business(params, fleet, client, city)
        await business.kitchens.open()  # before anybody orders there, or is told of their pages
        async with asyncio.TaskGroup() as group:
            if opening is not None and (later := await opening(fleet, city)) is not None:
                group.create_task(later)
            for member in fleet.members:
                group.create_task(fleet.live(member, stop))
            if params.orders_per_hour > 0:
                group.create_task(business.place_orders(stop))
                group.create_task(business.cook(stop))
                group.create_task(business.follow_events(stop))
                group.create_task(business.serve_stops(stop))
                group.create_task(_close_at(stop, business))
                if breaking is not None:
                    mischief = Mischief(fleet, business, Random())  # noqa: S311 - a simulation, no secret
                    group.create_task(breaking(mischief.do, stop))
                by_shifts = [member for member in fleet.members if business.habits.works_by_shifts(member.number)]
                group.create_task(run_days(params, fleet.operator, by_shifts, business.order, counts, stop))
            if say is not None:
                group.create_task(_tell(counts, say, stop))
            if params.duration_s is not None:
                group.create_task(_end_after(params.duration_s, stop))
    return counts


def _city(params: SimulateParams) -> City:
    """The streets of the file, else a made-up town whose kitchens have numbers and whose people have no address."""
    if params.streets is not None:
        from app.simulation.osm_city import city_of  # noqa: PLC0415 - of the extra `map`

        return city_of(params.streets)
    town = Town.build(LatLon(params.lat, params.lon), params.radius_m, params.seed)
    return made_up(town, Random(f"orders {params.seed}"))  # noqa: S311 - a simulation, no secret


async def _tell(counts: Counts, say: Callable[[str], None], stop: asyncio.Event) -> None:
    """A line every few seconds: how many fixes a second, and how things stand."""
    sent = counts.sent
    while not stop.is_set():
        if await pause(stop, TELL_EVERY_S):
            return
        rate, sent = (counts.sent - sent) / TELL_EVERY_S, counts.sent
        say(
            f"{rate:.0f} fixes/s; sent {counts.sent} of {counts.due}, accepted {counts.accepted},"
            f" quarantined {counts.quarantined}, failed requests {counts.failed_requests}"
        )


async def _close_at(stop: asyncio.Event, business: Business) -> None:
    await stop.wait()
    business.close()


async def _end_after(duration_s: float, stop: asyncio.Event) -> None:
    await pause(stop, duration_s)
    stop.set()


def _until_interrupted() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
