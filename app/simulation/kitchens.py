"""The busiest kitchens of a simulated town are places: what is ordered there is cooked, and said to be ready."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import httpx

from app.simulation.city import Spot
from app.simulation.operator import Operator

log = logging.getLogger(__name__)

MENU: Final = (("Francesinha", 8), ("Bacalhau", 10), ("Caldo verde", 4), ("Bifana", 3), ("Pastel de nata", 2))
"""What is cooked, with its minutes."""
POT: Final = {"Caldo verde": {"batch": 8, "shelf_life_minutes": 180, "ahead_minutes": 1}}
"""What is made ahead of orders, once some weeks of them are known."""
BROUGHT: Final = "Pastel de nata"
"""Comes from a baker, so many for a kitchen: it runs out, and is ordered no more."""
SO_MANY: Final = 20
GOOD_FOR: Final = timedelta(days=7)
HANDS: Final = 5
"""The demo's kitchens get an order every two or three minutes: half of the hands are busy."""
LATE_SHARE: Final = 0.1
LATE_MINUTES: Final = 4
SOON: Final = timedelta(seconds=5)
PLACES: Final = 1000
"""Of a page, the most that the API lists."""


class Dishes(NamedTuple):
    """What an order at a place is of."""

    place_id: str
    lines: Sequence[Mapping[str, Any]]
    minutes: int
    """What takes longest; all is made side by side."""


class Step(NamedTuple):
    """What a kitchen says of an order."""

    order_id: str
    word: str
    body: Mapping[str, Any]


class Kitchens:
    """Those of a town that cook."""

    def __init__(self, operator: Operator, spots: Sequence[Spot], *, seed: int, region: str | None = None) -> None:
        self._operator = operator
        self._spots = spots
        self._seed = seed
        self._region = region
        self._random = Random(f"kitchens that cook {seed}")  # noqa: S311 - a simulation, no secret
        self._ids: dict[Spot, str] = {}
        self._late: set[str] = set()

    async def open(self) -> None:
        """Find the places of the start before, or make them. Raises HTTPStatusError."""
        if not self._spots:
            return
        found = (await self._operator.ask("GET", "/v1/places", params={"limit": PLACES})).json()["items"]
        known = {place["external_id"]: place["id"] for place in found}
        for number, spot in enumerate(self._spots, 1):
            name = f"kitchen-{self._seed}-{number}"
            self._ids[spot] = known.get(name) or await self._make(name, spot)
        await self._bring(datetime.now(UTC))

    async def _bring(self, now: datetime) -> None:
        """What is not made there, once a kitchen."""
        kept = (await self._operator.ask("GET", "/v1/stock/items", params={"limit": PLACES})).json()["items"]
        if BROUGHT not in {goods.get("item") for goods in kept}:
            goods = {"item": BROUGHT} | ({"region": self._region} if self._region else {})
            await self._operator.ask("POST", "/v1/stock/items", json=goods)
        for place_id in self._ids.values():
            brought = {
                "id": str(uuid5(NAMESPACE_URL, f"{BROUGHT} for {place_id}")),
                "kind": "receive",
                "item": BROUGHT,
                "quantity": SO_MANY,
                "lot": "first",
                "best_before": (now + GOOD_FOR).date().isoformat(),
            }
            try:
                await self._operator.ask(
                    "POST", f"/v1/places/{place_id}/stock/movements", json={"movements": [brought]}
                )
            except httpx.HTTPStatusError as exc:  # closed down meanwhile
                log.warning("nothing brought: %s", exc.response.status_code, extra={"event": "kitchen_not_supplied"})

    async def _make(self, name: str, spot: Spot) -> str:
        place: dict[str, Any] = {
            "external_id": name,
            "name": spot.name or spot.address,
            "lat": spot.at.lat,
            "lon": spot.at.lon,
            "address": spot.words,
            "capacity": HANDS,
            "recipes": [{"item": item, "minutes": minutes} | POT.get(item, {}) for item, minutes in MENU],
        }
        if self._region:
            place["region"] = self._region
        made: str = (await self._operator.ask("POST", "/v1/places", json=place)).json()["id"]
        return made

    def dishes(self, spot: Spot) -> Dishes | None:
        """What somebody orders that is made there; None where nobody says what is."""
        place_id = self._ids.get(spot)
        if place_id is None:
            return None
        chosen = [self._random.choice(MENU) for _ in range(self._random.randint(1, 2))]
        lines = [{"item": item, "quantity": 1} for item, _ in chosen]
        return Dishes(place_id, lines, max(minutes for _, minutes in chosen))

    async def cook(self, now: datetime) -> None:
        """Look at every board once, and do what is due; a kitchen that is closed down meanwhile keeps no other."""
        for place_id in self._ids.values():
            try:
                await self._cook_at(f"/v1/places/{place_id}/tasks", now)
                await self._cook_ahead(f"/v1/places/{place_id}/ahead", now)
            except httpx.HTTPStatusError as exc:
                status = exc.response.status_code
                log.warning("kitchen not looked at: %s", status, extra={"event": "kitchen_not_looked_at"})

    async def _cook_at(self, path: str, now: datetime) -> None:
        tasks = (await self._operator.ask("GET", path)).json()["items"]
        for step in self.due(tasks, now):
            try:
                await self._operator.ask("POST", f"{path}/{step.order_id}/{step.word}", json=step.body)
            except httpx.HTTPStatusError as exc:  # collected or cancelled meanwhile
                log.info("not said: %s", exc.response.status_code, extra={"event": "place_word_refused"})

    async def _cook_ahead(self, path: str, now: datetime) -> None:
        for go in (await self._operator.ask("GET", path)).json()["items"]:
            said = {"item": go["item"]}
            if go["state"] == "suggested" and _instant(go["starts_at"]) <= now:
                await self._operator.ask("POST", f"{path}/start", json=said | {"amount": go["amount"]})
            elif go["state"] == "started" and _instant(go["ends_at"]) <= now + SOON:
                await self._operator.ask("POST", f"{path}/ready", json=said)

    def due(self, tasks: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Step]:
        """What is to be said of the tasks of a place now; some take longer than they should, once."""
        for task in tasks:
            order_id, ends_at = task["order_id"], task["ends_at"]
            if task["state"] == "waiting" and task["starts_at"] and _instant(task["starts_at"]) <= now:
                yield Step(order_id, "start", {})
            elif task["state"] == "started" and ends_at and _instant(ends_at) <= now + SOON:
                if order_id not in self._late and self._random.random() < LATE_SHARE:
                    self._late.add(order_id)
                    yield Step(order_id, "delay", {"minutes": LATE_MINUTES, "reason": "One of them burnt"})
                else:
                    self._late.discard(order_id)
                    yield Step(order_id, "ready", {})


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
