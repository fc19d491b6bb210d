"""
`postrider simulate`: a fleet of made-up couriers that post through the public HTTP API, as phones do.

Couriers are created at the first start and found again at the next one. The same seed makes the same town and the same
couriers; when orders are asked for, they are placed, offered, accepted, collected and delivered by the couriers.
"""

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic
from typing import Any, Final

import httpx

from app.simulation.courier import SimulatedCourier
from app.simulation.orders import Business, Stop
from app.simulation.phones import Counts, Phone
from app.simulation.town import Town
from tracking.position import LatLon, Mode

log = logging.getLogger(__name__)

MODES: Final = ((Mode.BICYCLE, 0.4), (Mode.MOTORCYCLE, 0.3), (Mode.CAR, 0.2), (Mode.FOOT, 0.1))
"""Mix of a European city's couriers."""
NAMES: Final = [
    "Ada",
    "Alba",
    "Alma",
    "Amir",
    "Ana",
    "Anouk",
    "Aris",
    "Bela",
    "Bruno",
    "Carla",
    "Chiara",
    "Clara",
    "Dario",
    "Dina",
    "Edda",
    "Elif",
    "Elio",
    "Emil",
    "Enzo",
    "Eva",
    "Fabio",
    "Femke",
    "Filip",
    "Finn",
    "Freya",
    "Gil",
    "Greta",
    "Hana",
    "Hugo",
    "Ida",
    "Ines",
    "Iris",
    "Ivan",
    "Jana",
    "Jonas",
    "Juna",
    "Kai",
    "Karim",
    "Lara",
    "Leo",
    "Lena",
    "Lina",
    "Luca",
    "Luis",
    "Maja",
    "Malik",
    "Mara",
    "Marta",
    "Mila",
    "Milo",
    "Mina",
    "Nadia",
    "Nela",
    "Nico",
    "Nils",
    "Nina",
    "Noa",
    "Nora",
    "Olga",
    "Oskar",
    "Pablo",
    "Petra",
    "Rafa",
    "Rita",
    "Roman",
    "Rosa",
    "Rui",
    "Sami",
    "Sara",
    "Silas",
    "Sofia",
    "Tarek",
    "Tilda",
    "Timo",
    "Tomas",
    "Vera",
    "Viktor",
    "Yara",
    "Yusuf",
    "Zoe",
]
TIMEOUT_S: Final = 10.0
MOST_REQUESTS: Final = 32
"""Requests under way at once, of the whole fleet."""
TOKEN_LIFE: Final = timedelta(days=2)
STAND_IN_AFTER_S: Final = 60.0
WANDER_M: Final = 2000.0
"""A courier without orders drifts to places about this near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateParams:
    """The fleet to simulate."""

    url: str
    token: str
    """Of a dispatcher, a service or an administrator: it creates couriers, their device tokens, and orders."""
    couriers: int = 200
    interval_s: float = 5.0
    """Each courier posts so often."""
    lat: float = 41.1579
    lon: float = -8.6291
    """Centre of the town; by default Porto."""
    radius_m: float = 3000.0
    seed: int = 1
    duration_s: float | None = None
    """Ends by itself after so long; None: when interrupted."""
    orders_per_hour: float = 0.0
    ready_in_s: tuple[float, float] = (90, 420)
    """Orders are ready so long after they were placed, shortest and longest."""
    think_s: tuple[float, float] = (1, 6)
    """A courier looks at an offer for so long, shortest and longest."""
    freeze: tuple[int, ...] = ()
    """Numbers of couriers (from 1) that stop moving, though they go on posting."""
    silence: tuple[int, ...] = ()
    """Numbers of couriers that stop posting."""
    detour: tuple[int, ...] = ()
    """Numbers of couriers that drive somewhere else than their route says."""
    trouble_after_s: float = 60.0
    """When those three begin; with orders, a freeze and a detour wait until the courier is on the way to a stop."""
    trouble_for_s: float = 600.0
    """How long they last; then all go on as if nothing had been."""
    region: str | None = None


@dataclass(slots=True)
class Member:
    """A courier of the fleet with the phone."""

    number: int
    courier_id: str
    body: SimulatedCourier
    phone: Phone
    stops: list[Stop] = field(default_factory=list)
    """What the server wants done, next first; empty: nothing."""
    heading_for: Stop | None = None
    stepped_at: float = 0.0


class Fleet:
    """The couriers, and the loop that moves them."""

    def __init__(self, params: SimulateParams, client: httpx.AsyncClient, town: Town, counts: Counts) -> None:
        self.params = params
        self.town = town
        self.counts = counts
        self.members: list[Member] = []
        self._client = client
        self._limit = asyncio.Semaphore(MOST_REQUESTS)
        self._began = monotonic()
        self._victims: dict[str, dict[int, float]] = {}
        """For each trouble who has it, and since when."""

    async def enlist(self) -> None:
        """Find or create the couriers and give each phone a token."""
        known = await self._known()
        gate = asyncio.Semaphore(8)

        async def one(number: int) -> Member:
            async with gate:
                return await self._member(number, known)

        self.members = await asyncio.gather(*(one(number) for number in range(1, self.params.couriers + 1)))

    async def _known(self) -> dict[str, str]:
        """Ids of the couriers of earlier runs, by external id."""
        found: dict[str, str] = {}
        query: dict[str, Any] = {"limit": 500}
        while True:
            page = (await self._ask("GET", "/v1/couriers", params=query)).json()
            found |= {item["external_id"]: item["id"] for item in page["items"] if item.get("external_id")}
            if not page.get("next"):
                return found
            query["cursor"] = page["next"]

    async def _member(self, number: int, known: dict[str, str]) -> Member:
        random = Random(f"{self.params.seed} {number}")  # noqa: S311 - a simulation, no secret
        mode = random.choices([mode for mode, _ in MODES], [share for _, share in MODES])[0]
        external_id = f"sim-{self.params.seed}-{number}"
        courier_id = known.get(external_id)
        if courier_id is None:
            name = f"{NAMES[(number - 1) % len(NAMES)]} {number}"
            body: dict[str, Any] = {"name": name, "mode": mode, "external_id": external_id, "max_orders": 4}
            if self.params.region:
                body["region"] = self.params.region
            courier_id = (await self._ask("POST", "/v1/couriers", json=body)).json()["id"]
        expires_at = (datetime.now(UTC) + TOKEN_LIFE).isoformat()
        issued = await self._ask(
            "POST", f"/v1/couriers/{courier_id}/tokens", json={"name": "simulated", "expires_at": expires_at}
        )
        start = random.randrange(len(self.town.corners))
        return Member(
            number,
            courier_id,
            SimulatedCourier(mode=mode, at=self.town.corners[start], random=random),
            Phone(self._client, self._limit, issued.json()["token"], self.counts),
        )

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A request with the operator's token; a server that restarts is waited for. Raises HTTPStatusError."""
        pause_s = 0.2
        while True:
            with suppress(httpx.TransportError):
                headers = {"Authorization": f"Bearer {self.params.token}"}
                answer = await self._client.request(method, path, headers=headers, **request)
                if answer.status_code not in {502, 503, 504}:
                    return answer.raise_for_status()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)

    async def live(self, member: Member, stop: asyncio.Event) -> None:
        """One courier's day: move, look, post, every few seconds, each at a moment of its own."""
        every_s = self.params.interval_s
        due = monotonic() + member.body.random.uniform(0, every_s)
        member.stepped_at = monotonic()
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - monotonic())):
                    await stop.wait()
            if stop.is_set():
                return
            due = max(due + every_s, monotonic())
            self._move(member)
            member.phone.note(member.body.read(), datetime.now(UTC))
            if not self._has_trouble("silence", self.params.silence, member):
                await member.phone.upload()

    def _move(self, member: Member) -> None:
        now = monotonic()
        body = member.body
        body.is_frozen = self._has_trouble("freeze", self.params.freeze, member)
        body.step(now - member.stepped_at)
        member.stepped_at = now
        if self._has_trouble("detour", self.params.detour, member):
            if body.has_arrived:
                self._wander(member)
            member.heading_for = None
        elif member.stops:
            if member.heading_for != member.stops[0]:
                member.heading_for = member.stops[0]
                body.go([*self._way(body.at, member.stops[0].place), member.stops[0].place])
        elif body.has_arrived and body.waits_s <= 0:
            member.heading_for = None
            self._wander(member)

    def _wander(self, member: Member) -> None:
        body = member.body
        here = self.town.nearest(body.at)
        step = max(5, round(WANDER_M / 140))
        there = here
        for _ in range(step):
            there = body.random.choice(self.town.streets[there])[0]
        if there != here:
            body.go(self.town.path(self.town.way(here, there)))
        body.waits_s = body.random.uniform(5, 60)

    def _way(self, start: LatLon, end: LatLon) -> Sequence[LatLon]:
        return self.town.path(self.town.way(self.town.nearest(start), self.town.nearest(end)))

    def _has_trouble(self, kind: str, numbers: tuple[int, ...], member: Member) -> bool:
        """Whether it is the courier's time of trouble; a freeze and a detour begin when the courier goes to a stop."""
        since_s = monotonic() - self._began - self.params.trouble_after_s
        if not numbers or since_s < 0:
            return False
        victims = self._victims.setdefault(kind, {})
        if member.number not in victims:
            waits_for_orders = kind != "silence" and self.params.orders_per_hour > 0
            if waits_for_orders and (not member.stops or member.body.has_arrived or self._is_a_victim(member)):
                return False
            # Who was named may get no order for long: then the next one who is under way stands in.
            is_named = member.number in numbers
            stands_in = waits_for_orders and since_s > STAND_IN_AFTER_S
            if len(victims) >= len(numbers) or not (is_named or stands_in):
                return False
            victims[member.number] = since_s
        return since_s - victims[member.number] < self.params.trouble_for_s

    def _is_a_victim(self, member: Member) -> bool:
        return any(member.number in victims for victims in self._victims.values())


async def run(params: SimulateParams, stop: asyncio.Event | None = None, counts: Counts | None = None) -> Counts:
    """
    Simulate until `stop` is set, the time is over, or SIGINT or SIGTERM comes; returns what happened.

    `counts` is kept up to date meanwhile.

    Raises httpx.HTTPStatusError when the token may not create couriers.
    """
    stop = stop or _until_interrupted()
    counts = counts or Counts()
    limits = httpx.Limits(max_connections=MOST_REQUESTS, max_keepalive_connections=MOST_REQUESTS)
    town = await asyncio.to_thread(Town.build, LatLon(params.lat, params.lon), params.radius_m, params.seed)
    async with httpx.AsyncClient(base_url=params.url, timeout=TIMEOUT_S, limits=limits) as client:
        fleet = Fleet(params, client, town, counts)
        await fleet.enlist()
        log.info("fleet enlisted", extra={"event": "fleet_enlisted", "couriers": len(fleet.members)})
        async with asyncio.TaskGroup() as group:
            for member in fleet.members:
                group.create_task(fleet.live(member, stop))
            if params.orders_per_hour > 0:
                business = Business(params, fleet, client)
                group.create_task(business.place_orders(stop))
                group.create_task(business.follow_events(stop))
                group.create_task(business.serve_stops(stop))
                group.create_task(_close_at(stop, business))
            if params.duration_s is not None:
                group.create_task(_end_after(params.duration_s, stop))
    return counts


async def _close_at(stop: asyncio.Event, business: Business) -> None:
    await stop.wait()
    business.close()


async def _end_after(duration_s: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            await stop.wait()
    stop.set()


def _until_interrupted() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
