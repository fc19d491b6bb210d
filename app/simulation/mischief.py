"""Breaks something in the simulated city, for whoever wants to see what happens then."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, assert_never
from uuid import UUID

import httpx

from app.simulation.asked import Breakage, Broken
from app.simulation.day import PROMISED
from app.simulation.fleet import Fleet
from app.simulation.names import name_of
from app.simulation.orders import Business

STORM: Final = 50
READY_IN_S: Final = (120, 600)
LATE_BY: Final = timedelta(minutes=20)
PAGE: Final = 500


class Mischief:
    """Does it with the operator's token, or to the couriers themselves."""

    def __init__(self, fleet: Fleet, business: Business, random: Random) -> None:
        self._fleet = fleet
        self._business = business
        self._random = random

    async def do(self, what: Breakage) -> Broken:
        """Break it, and say what was broken; also when there was nothing to break."""
        try:
            match what:
                case Breakage.COURIER:
                    return self._stop_somebody()
                case Breakage.STORM:
                    return await self._storm()
                case Breakage.KITCHEN:
                    return await self._delay()
                case _:
                    assert_never(what)
        except httpx.HTTPStatusError as exc:
            return Broken(text=f"Nothing was broken: the API answered {exc.response.status_code}.")

    def _stop_somebody(self) -> Broken:
        moving = [
            one for one in self._fleet.members if one.stops and not one.body.has_arrived and not one.body.is_frozen
        ]
        if not moving:
            return Broken(text="Nobody is on the way to anybody now.")
        member = self._random.choice(moving)
        self._fleet.stop_moving(member)
        return Broken(text=f"{name_of(member.number)} has stopped moving.", courier_id=UUID(member.courier_id))

    async def _storm(self) -> Broken:
        before = self._fleet.counts.placed
        for _ in range(STORM):
            ready_at = datetime.now(UTC) + timedelta(seconds=self._random.uniform(*READY_IN_S))
            await self._business.place(self._business.order(ready_at, PROMISED))
        return Broken(text=f"{self._fleet.counts.placed - before} orders came in at once.")

    async def _delay(self) -> Broken:
        query = {"state": ["placed", "assigned", "accepted"], "limit": PAGE}
        orders = (await self._fleet.operator.ask("GET", "/v1/orders", params=query)).json()["items"]
        now = datetime.now(UTC)
        soon = [one for one in orders if one.get("ready_at") and _instant(one["ready_at"]) < now + timedelta(hours=1)]
        if not soon:
            return Broken(text="No kitchen has anything to be collected now.")
        [(kitchen, _)] = Counter(one["pickup"].get("address") for one in soon).most_common(1)
        theirs = [one for one in soon if one["pickup"].get("address") == kitchen]
        n = 0
        for one in theirs:
            ready_at = max(_instant(one["ready_at"]), now) + LATE_BY
            change = {"ready_at": ready_at.isoformat()}
            try:
                await self._fleet.operator.ask("PATCH", f"/v1/orders/{one['id']}", json=change)
                n += 1
            except httpx.HTTPStatusError:
                pass  # collected, or cancelled, meanwhile
        return Broken(text=f"{kitchen or 'A kitchen'} is twenty minutes late; orders that wait for it: {n}.")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
