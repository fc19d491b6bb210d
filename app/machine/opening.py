"""How the demo opens: the day is under way, and addresses are printed, one for each of those who look at it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import httpx

from app.machine.day_so_far import Diary
from app.machine.up import desk_line
from app.settings import Settings
from app.simulation.city import City
from app.simulation.day import Day, Story
from app.simulation.fleet import Fleet
from app.simulation.names import name_of
from app.simulation.places import take_places
from app.simulation.run import Later
from app.wiring.resources import open_pool, open_redis
from dispatch.orders.order import Order, OrderState
from tracking.position import CourierId, Region

PAST: Final = timedelta(hours=5)
PAST_ORDERS: Final = 1.5
"""For each courier, in all of `PAST`."""
FIRST_PART: Final = 5
"""One of so many of them."""
STUCK_AFTER_S: Final = 240
"""Nobody who looks at a demo waits for long."""
KNOWN: Final = {"porto": "Europe/Lisbon", "helsinki": "Europe/Helsinki"}
"""Cities of the cut-outs that are at hand, and their time zones."""
RULES_OF_PAY: Final = Path(__file__).with_name("demo_pay.yaml")
PAID_SINCE: Final = timedelta(days=7)
TIMEOUT_S: Final = 10.0


@dataclass(slots=True)
class Opening:
    """Once a start: whoever simulates after a failure finds the day as it is."""

    settings: Settings
    """With the servers' addresses."""
    url: str
    token: str
    seed: int
    source: Path | None
    """Cut-out of the city; None: it is made up."""
    say: Callable[[str], None]
    is_done: bool = False

    async def __call__(self, fleet: Fleet, city: City) -> Later | None:
        """Write what is being done, and put the couriers where it has them; what is over follows while they move."""
        if self.is_done:
            return None
        self.say("the day so far: orders, and where everybody is")
        async with self._diary(fleet) as (api, diary):
            await self._settle(api, diary.region)
            day, before = self._day(city, fleet), await diary.last_written()
            await diary.close_old()
            now = await diary.now()
            stories = list(day.open(now))
            await take_places(fleet, stories, now)  # before the orders: nobody tells arrivals of who is nowhere
            orders = await diary.write(stories, 1, tells=True)
        since = now - PAST if before is None else max(before, now - PAST)
        n_past = round(PAST_ORDERS * len(fleet.members) * ((now - since) / PAST))
        self.is_done = True
        return self._remember(fleet, orders, list(day.past(n_past, since, now)))

    async def _remember(self, fleet: Fleet, orders: Sequence[Order], past: Sequence[Story]) -> None:
        """A part of it comes first: whoever looks now sees the figures of a whole day, if not all of its orders."""
        first, others = past[::FIRST_PART], [story for n, story in enumerate(past) if n % FIRST_PART]
        async with self._diary(fleet) as (api, diary):
            await diary.write(first, len(orders) + 1, tells=False)
            await self.tell(api, fleet, orders)
            await diary.write(others, len(orders) + len(first) + 1, tells=False)

    @asynccontextmanager
    async def _diary(self, fleet: Fleet) -> AsyncIterator[tuple[httpx.AsyncClient, Diary]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        pool = await open_pool(self.settings, size=2)
        redis = open_redis(self.settings, size=2)
        try:
            async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=TIMEOUT_S) as api:
                region = Region((await api.get("/v1/me")).raise_for_status().json()["region"])
                ids = [CourierId(UUID(member.courier_id)) for member in fleet.members]
                yield api, Diary(pool=pool, redis=redis, region=region, couriers=ids, series=fleet.series)
        finally:
            await redis.aclose()
            await pool.close()

    def _day(self, city: City, fleet: Fleet) -> Day:
        random = Random(f"day {self.seed} {fleet.series}")  # noqa: S311 - a simulation, no secret
        modes = [member.body.mode for member in fleet.members]
        return Day(city=city, kitchens=city.busy_kitchens(self.seed), modes=modes, random=random)

    async def _settle(self, api: httpx.AsyncClient, region: str) -> None:
        """The region bears the city's name and clock, and pays its couriers, unless somebody has set it otherwise."""
        known = (await api.get(f"/v1/regions/{region}")).raise_for_status().json()
        change: dict[str, Any] = {}
        city = "" if self.source is None else self.source.name.split(".")[0]
        if city.lower() in KNOWN and known["timezone"] == "UTC":
            change = {"title": city.capitalize(), "timezone": KNOWN[city.lower()]}
        if "alerts" not in known["settings"]:
            change["settings"] = {"alerts": {"stuck_after_s": STUCK_AFTER_S}}
        if change:
            (await api.patch(f"/v1/regions/{region}", json={**change, "version": known["version"]})).raise_for_status()
        if not (await api.get("/v1/pay/rules", params={"region": region})).raise_for_status().json()["items"]:
            since = (datetime.now(UTC) - PAID_SINCE).isoformat()
            rules = {"region": region, "rules": RULES_OF_PAY.read_text(), "in_force_from": since}
            (await api.post("/v1/pay/rules", json=rules)).raise_for_status()

    async def tell(self, api: httpx.AsyncClient, fleet: Fleet, orders: Sequence[Order]) -> None:
        """Print where the desk is, a kitchen, the courier who brings something, and whoever waits for it."""
        self.say(await desk_line(self.settings))
        for place in (await api.get("/v1/places", params={"limit": 1})).raise_for_status().json()["items"]:
            made = (await api.post(f"/v1/places/{place['id']}/invitations")).raise_for_status().json()
            self.say(f"a kitchen's page: {_whole(made['url'], self.url)} ({place['name']}; signs in once)")
        shown = next((order for order in reversed(orders) if order.state is OrderState.PICKED_UP), None)
        if shown is None:
            return
        invited = await api.post(f"/v1/couriers/{shown.courier_id}/invitations", json={})
        if invited.is_success:
            name = next(name_of(one.number) for one in fleet.members if one.courier_id == str(shown.courier_id))
            self.say(f"a courier's page: {_whole(invited.json()['url'], self.url)} ({name}; signs in once)")
        shared = (await api.post(f"/v1/orders/{shown.id}/share")).raise_for_status().json()
        assert shown.dropoff.contact is not None  # everybody of the day has a name
        self.say(f"a recipient's page: {_whole(shared['url'], self.url)} ({shown.dropoff.contact['name']})")


def _whole(url: str, base: str) -> str:
    return url if url.startswith("http") else f"{base}{url}"
