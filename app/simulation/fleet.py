"""The simulated couriers, and the loop that moves them."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic
from typing import Any, Final

import httpx

from app.simulation.city import City
from app.simulation.courier import SimulatedCourier
from app.simulation.habits import collects_soon_due
from app.simulation.member import Member
from app.simulation.names import name_of, phone_number
from app.simulation.operator import Operator
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts, Phone
from app.simulation.ways import Ways
from tracking.pause import pause
from tracking.position import Mode

MODES: Final = ((Mode.BICYCLE, 0.4), (Mode.MOTORCYCLE, 0.3), (Mode.CAR, 0.2), (Mode.FOOT, 0.1))
"""Mix of a European city's couriers."""
MOST_REQUESTS: Final = 32
"""Requests under way at once, of the whole fleet."""
TOKEN_LIFE: Final = timedelta(days=2)
STAND_IN_AFTER_S: Final = 60.0
FLAT_TYRE: Final = 0.15
"""Share of the speed that is left, walking beside the bicycle: not stuck, but late."""
WANDER_M: Final = 2000.0
"""A courier without orders drifts to places about this near."""


class Fleet:
    """The couriers, and the loop that moves them."""

    def __init__(
        self, params: SimulateParams, client: httpx.AsyncClient, city: City, ways: Ways, counts: Counts
    ) -> None:
        self.params = params
        self.town = city.town
        self._waits_at = [kitchen.at for kitchen in city.kitchens]
        """Couriers wait where the orders come from."""
        self.ways = ways
        self.counts = counts
        self.members: list[Member] = []
        self.operator = Operator(params, client)
        self.series = f"{datetime.now(UTC):%d%H%M}"
        """References of orders begin with it: of each start their own."""
        self._client = client
        self._limit = asyncio.Semaphore(MOST_REQUESTS)
        self._began = monotonic()
        self._stopped_until: dict[int, float] = {}
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
            page = (await self.operator.ask("GET", "/v1/couriers", params=query)).json()
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
            phone = {"phone": phone_number(random)}
            body: dict[str, Any] = {"name": name_of(number), "mode": mode, "external_id": external_id}
            body |= {"max_orders": 4, "attributes": phone}
            if self.params.region:
                body["region"] = self.params.region
            courier_id = (await self.operator.ask("POST", "/v1/couriers", json=body)).json()["id"]
        expires_at = (datetime.now(UTC) + TOKEN_LIFE).isoformat()
        issued = await self.operator.ask(
            "POST", f"/v1/couriers/{courier_id}/tokens", json={"name": "simulated", "expires_at": expires_at}
        )
        start = self.town.nearest(random.choice(self._waits_at))
        return Member(
            number,
            courier_id,
            SimulatedCourier(mode=mode, at=self.town.corners[start], random=random),
            Phone(self._client, self._limit, issued.json()["token"], self.counts),
        )

    async def live(self, member: Member, stop: asyncio.Event) -> None:
        """One courier's day: move, look, post, every few seconds, each at a moment of its own."""
        every_s = self.params.interval_s
        due = monotonic() + member.body.random.uniform(0, every_s)
        member.stepped_at = monotonic()
        while not stop.is_set():
            if await pause(stop, max(0.0, due - monotonic())):
                return
            missed = max(0, int((monotonic() - due) // every_s))
            self.counts.due += missed
            self.counts.skipped += missed
            due += (1 + missed) * every_s
            await self._move(member)
            member.phone.note(member.body.read(), datetime.now(UTC))
            if not self._has_trouble("silence", self.params.silence, member):
                await member.phone.upload()

    def stop_moving(self, member: Member) -> None:
        """The courier stays where that is, for as long as trouble lasts."""
        self._stopped_until[member.number] = monotonic() + self.params.trouble_for_s
        member.body.is_frozen = True

    async def _move(self, member: Member) -> None:
        now = monotonic()
        body = member.body
        is_stopped = now < self._stopped_until.get(member.number, now)
        body.is_frozen = is_stopped or self._has_trouble("freeze", self.params.freeze, member)
        body.slowed = FLAT_TYRE if self._has_trouble("slow", self.params.slow, member) else 1.0
        body.step(now - member.stepped_at)
        member.stepped_at = now
        if self._has_trouble("detour", self.params.detour, member):
            if body.has_arrived:
                self._wander(member)
            member.heading_for = None
        elif member.stops:
            if member.heading_for != member.stops[0]:
                stop = member.stops[0]
                body.go(await self.ways.between(body.at, stop.place, body.mode))
                body.waits_s = 0.0
                member.heading_for = stop  # only now: whoever heads for a stop and has no way left is there
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

    def _has_trouble(self, kind: str, numbers: tuple[int, ...], member: Member) -> bool:
        """Whether it is the courier's time of trouble; all but silence begin when the courier goes to a stop."""
        since_s = monotonic() - self._began - self.params.trouble_after_s
        if not numbers or since_s < 0:
            return False
        victims = self._victims.setdefault(kind, {})
        if member.number not in victims:
            waits_for_orders = kind != "silence" and self.params.orders_per_hour > 0
            if waits_for_orders and (not member.stops or member.body.has_arrived or self._is_a_victim(member)):
                return False
            # Who was named may get no order for long: then the next one who is under way stands in.
            if kind == "slow" and not collects_soon_due(member, datetime.now(UTC)):
                return False
            is_named = member.number in numbers
            stands_in = waits_for_orders and since_s > STAND_IN_AFTER_S
            if len(victims) >= len(numbers) or not (is_named or stands_in):
                return False
            victims[member.number] = since_s
        return since_s - victims[member.number] < self.params.trouble_for_s

    def _is_a_victim(self, member: Member) -> bool:
        return any(member.number in victims for victims in self._victims.values())
