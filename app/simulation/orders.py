"""
The business of a simulated town: kitchens that get orders, and couriers that answer offers, collect and deliver.

Couriers are told what happens as their apps would be, by events; what they then do goes through the courier's side of
the API with their own tokens.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, cast

import httpx
import msgspec

from app.client import Postrider, Refused
from app.client.shapes import NewOrderShape
from app.simulation.city import City, Spot
from app.simulation.day import PROMISED
from app.simulation.fleet import Fleet
from app.simulation.habits import RETURNING, Habits, is_time_for_break, step_at
from app.simulation.kitchens import Kitchens
from app.simulation.member import Member, Pause, Stop
from app.simulation.names import full_name, phone_number
from app.simulation.params import SimulateParams
from tracking.pause import pause
from tracking.position import LatLon

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 30.0
"""A courier with stops looks at the route so often even when nothing was told: events may be lost."""
FIRST: Final = 5000
"""References are counted from here; below are those of the day before the start."""
EXPRESS: Final = timedelta(minutes=12)
"""After the food is ready, of a share of the orders: what is held up is late soon."""
EXPRESS_SHARE: Final = 0.2
COOKS_EVERY_S: Final = 10.0
REJECTED: Final = 0.04
"""Share of offers that couriers turn down."""
FREE_AGAIN: Final = ("placed", "assigned", "accepted")
"""States of an order that a courier had accepted and that went to somebody else: it was not cancelled."""


class Business:
    """Places orders and plays the couriers' part in them."""

    def __init__(self, params: SimulateParams, fleet: Fleet, client: httpx.AsyncClient, city: City) -> None:
        self._params = params
        busy = city.busy_kitchens(params.seed)[: params.cooking]
        self.kitchens = Kitchens(fleet.operator, busy, seed=params.seed, region=params.region)
        self._fleet = fleet
        self._client = client
        self._shop = Postrider(params.url, params.token, client)
        self._random = Random(f"orders {params.seed}")  # noqa: S311 - a simulation, no secret
        self._kitchens = city.busy_kitchens(params.seed)
        self._homes = city.homes
        self.habits = Habits(seed=params.seed, shut_doors=params.shut_doors, on_shift=params.on_shift)
        self._n = FIRST
        self._by_id = {member.courier_id: member for member in fleet.members}
        self._dirty: set[str] = set(self._by_id)
        self._serving: set[str] = set()
        self._woken = asyncio.Event()
        self._offers: set[str] = set()
        """Offers being looked at."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def place_orders(self, stop: asyncio.Event) -> None:
        """Place orders at random moments, so many an hour on average."""
        while not stop.is_set():
            pause_s = self._random.expovariate(self._params.orders_per_hour / 3600)
            if await pause(stop, pause_s):
                return
            ready_at = datetime.now(UTC) + timedelta(seconds=self._random.uniform(*self._params.ready_in_s))
            is_express = self._random.random() < EXPRESS_SHARE
            await self.place(self.order(ready_at, EXPRESS if is_express else PROMISED))

    async def place(self, order: dict[str, Any]) -> None:
        """Place one, as a shop does; it is counted if it was taken."""
        with suppress(httpx.TransportError, Refused):
            await self._shop.place_order(cast("NewOrderShape", order))
            self._fleet.counts.placed += 1

    def _operator(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._params.token}"}

    def order(self, ready_at: datetime, promised: timedelta) -> dict[str, Any]:
        """An order from a kitchen to a home, ready then and promised so long after."""
        kitchen, home = self._random.choice(self._kitchens), self._random.choice(self._homes)
        self._n += 1
        dishes = self.kitchens.dishes(kitchen)
        if dishes is not None:  # nobody promises what cannot be made by then
            ready_at = max(ready_at, datetime.now(UTC) + timedelta(minutes=dishes.minutes))
        order: dict[str, Any] = {
            "external_id": f"{self._fleet.series}-{self._n}",
            "pickup": {**_end(kitchen), "service_s": 60},
            "dropoff": {
                **_end(home),
                "contact": {"name": full_name(self._random), "phone": phone_number(self._random)},
                "window": {"to": (ready_at + promised).isoformat()},
                "service_s": 90,
            },
            "ready_at": ready_at.isoformat(),
        }
        if dishes is not None:
            order["pickup"]["place_id"] = dishes.place_id
            order |= {"lines": dishes.lines, "ready_is_estimate": True}
        if self._params.region:
            order["region"] = self._params.region
        return order

    async def cook(self, stop: asyncio.Event) -> None:
        """Have the kitchens that are places say what they do, until `stop`."""
        while not stop.is_set():
            cooking = asyncio.create_task(self.kitchens.cook(datetime.now(UTC)))
            self._keep(cooking)  # the server may be away for as long as it likes: `close` ends that
            await asyncio.wait([cooking])
            if not cooking.cancelled():
                cooking.result()
            if await pause(stop, COOKS_EVERY_S):
                return

    async def follow_events(self, stop: asyncio.Event) -> None:
        """Hear what happens to the fleet's couriers, through restarts of the server."""
        last_id = ""
        while not stop.is_set():
            query = {"last_event_id": last_id} if last_id else {}
            # One box at the pole: positions are not wanted, only events.
            query["bbox"] = "0,89.9,1,90"
            with suppress(httpx.TransportError, httpx.HTTPStatusError):
                async with self._client.stream(
                    "GET", "/v1/live", params=query, headers=self._operator(), timeout=httpx.Timeout(10, read=30)
                ) as answer:
                    answer.raise_for_status()
                    self._dirty.update(self._by_id)
                    async for name, event_id, data in _events(answer, stop):
                        last_id = event_id or last_id
                        self._heard(name, data)
            if await pause(stop, 1.0):
                return

    def _heard(self, name: str, data: dict[str, Any]) -> None:
        member = self._by_id.get(str(data.get("courier_id", "")))
        if member is None:
            return
        if data.get("type") == "offer.made":
            offer_id = str(data["offer_id"])
            if offer_id not in self._offers:
                self._offers.add(offer_id)
                self._keep(asyncio.create_task(self._answer(member, offer_id)))
        elif name in {"route", "order"}:
            self._dirty.add(member.courier_id)
            self._woken.set()

    async def _answer(self, member: Member, offer_id: str) -> None:
        """Look at an offer for some seconds, then take it or not."""
        await asyncio.sleep(self._random.uniform(*self._params.think_s))
        self._offers.discard(offer_id)
        if self._random.random() < REJECTED:
            await member.phone.request("POST", f"/v1/offers/{offer_id}/reject", {"reason": "too far"})
            self._fleet.counts.rejected_offers += 1
        elif await member.phone.request("POST", f"/v1/offers/{offer_id}/accept") is not None:
            self._fleet.counts.accepted_offers += 1
            self._dirty.add(member.courier_id)
            self._woken.set()

    async def serve_stops(self, stop: asyncio.Event) -> None:
        """Keep the couriers' routes up to date, and do what is to be done where they arrive."""
        looked_at = asyncio.get_running_loop().time()
        while not stop.is_set():
            now = asyncio.get_running_loop().time()
            if now - looked_at > LOOK_AGAIN_S:
                looked_at = now
                self._dirty.update(member.courier_id for member in self._fleet.members if member.stops)
            while self._dirty:
                await self._look(self._by_id[self._dirty.pop()])
            for member in self._fleet.members:
                if member.courier_id in self._serving:
                    continue
                if member.pause is not None and is_time_for_break(member, datetime.now(UTC)):
                    self._begin(member, self._rest(member, member.pause))
                elif self._is_there(member):
                    self._begin(member, self._serve(member, member.stops[0]))
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._woken.wait()

    def _begin(self, member: Member, doing: Coroutine[Any, Any, None]) -> None:
        self._serving.add(member.courier_id)
        self._keep(asyncio.create_task(doing))

    def _is_there(self, member: Member) -> bool:
        return bool(member.stops) and member.heading_for == member.stops[0] and member.body.has_arrived

    async def _look(self, member: Member) -> None:
        route = await member.phone.request("GET", f"/v1/couriers/{member.courier_id}/route?geometry=false")
        if route is None:
            return
        before = {stop.order_id for stop in member.stops if (stop.kind, stop.state) == ("pickup", "accepted")}
        member.stops = [
            Stop(
                order_id=stop["order_id"],
                kind=stop["kind"],
                place=LatLon(stop["lat"], stop["lon"]),
                ready_at=_instant(stop.get("ready_at")),
                due_at=_instant((stop.get("window") or {}).get("to")),
                state=stop["state"],
                break_at=_instant(stop.get("break_at")),
            )
            for stop in route["stops"]
        ]
        for order_id in before - {stop.order_id for stop in member.stops}:
            with suppress(httpx.HTTPError):
                order = (await self._fleet.operator.ask("GET", f"/v1/orders/{order_id}")).json()
                self._fleet.counts.moved += order["state"] in FREE_AGAIN
        for offer in route.get("offers", ()):
            if offer["state"] == "offered":
                self._heard("offer", {"type": "offer.made", "offer_id": offer["id"], "courier_id": member.courier_id})

    async def _serve(self, member: Member, stop: Stop) -> None:
        try:
            service_s = self._random.uniform(*self._params.service_s)
            if stop.kind == "pickup" and stop.ready_at is not None:
                service_s = max(service_s, (stop.ready_at - datetime.now(UTC)).total_seconds())
            await asyncio.sleep(service_s)
            is_door = stop.kind == "dropoff" and stop.state != RETURNING
            member.n_doors += is_door
            is_shut = is_door and self.habits.stays_shut(member.number, member.n_doors)
            step, said = step_at(stop, is_shut=is_shut)
            if await member.phone.request("POST", f"/v1/orders/{stop.order_id}/{step}", said) is not None:
                counts = self._fleet.counts
                counts.picked_up += step == "picked-up"
                counts.delivered += step == "delivered"
                counts.failed_doors += step == "failed"
                counts.returned += step == "returned"
                is_late = stop.due_at is not None and stop.due_at < datetime.now(UTC)
                counts.delivered_late += step == "delivered" and is_late
            await self._look(member)
        finally:
            self._serving.discard(member.courier_id)

    async def _rest(self, member: Member, planned: Pause) -> None:
        """Take the break: told when it begins and when it is over; where the server refuses, it is not taken."""
        try:
            member.pause = None
            url = f"/v1/couriers/{member.courier_id}/breaks"
            if await member.phone.request("POST", f"{url}/start", {"duration_s": planned.duration_s}) is None:
                return
            member.body.waits_s = planned.duration_s
            await asyncio.sleep(planned.duration_s)
            self._fleet.counts.breaks += await member.phone.request("POST", f"{url}/end") is not None
            await self._look(member)
        finally:
            self._serving.discard(member.courier_id)

    def close(self) -> None:
        """Leave what is being answered or served."""
        for task in self._tasks:
            task.cancel()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _end(spot: Spot) -> dict[str, Any]:
    end: dict[str, Any] = {"lat": round(spot.at.lat, 6), "lon": round(spot.at.lon, 6)}
    if spot.words:
        end["address"] = spot.words
    return end


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def _events(answer: httpx.Response, stop: asyncio.Event) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """(name, id, data) of server-sent events."""
    name, event_id, data = "", "", ""
    async for line in answer.aiter_lines():
        if stop.is_set():
            return
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            event_id = value
        elif field == "data":
            data = value
        elif not line and data:
            yield name, event_id, msgspec.json.decode(data, type=dict[str, Any])
            name, event_id, data = "", "", ""
