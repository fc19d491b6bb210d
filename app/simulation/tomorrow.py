"""
The days of those who work by shifts: today's shift with a break, and tomorrow, whose orders are planned ahead.

What is there from an earlier start is kept: tomorrow's shifts are made once, today's gets its break anew. The day that
is planned is the one that most of them work in then, whenever the first start was.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import httpx

from app.simulation.habits import pause_of, shift_now, shift_of
from app.simulation.member import Member
from app.simulation.operator import Operator
from app.simulation.params import SimulateParams
from app.simulation.phones import Counts
from tracking.pause import pause

log = logging.getLogger(__name__)

MakeOrder = Callable[[datetime, timedelta], dict[str, Any]]
"""An order that is ready at an instant, promised so long after."""

AHEAD: Final = timedelta(hours=18)
"""Tomorrow's work begins so long from now, at the full hour."""
LASTS: Final = timedelta(hours=9)
PROMISED: Final = timedelta(hours=2)
THINKS_S: Final = 5
LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 4
"""Requests of these under way at once: what goes on now comes first."""


def tomorrow_of(now: datetime) -> tuple[datetime, datetime]:
    """When tomorrow's work begins and ends."""
    starts_at = (now + AHEAD).replace(minute=0, second=0, microsecond=0)
    return starts_at, starts_at + LASTS


async def give_shifts(operator: Operator, members: Sequence[Member], now: datetime) -> tuple[datetime, datetime]:
    """
    A shift now, and one tomorrow, for each; who cannot get one works on without.

    Returns when most of them work tomorrow.
    """
    gate = asyncio.Semaphore(AT_ONCE)
    spans: Counter[tuple[datetime, datetime]] = Counter()

    async def one(member: Member) -> None:
        async with gate, _told():
            url = f"/v1/couriers/{member.courier_id}/shifts"
            known = (await operator.ask("GET", url, params={"ending_after": now.isoformat()})).json()["items"]
            coming = [shift for shift in known if datetime.fromisoformat(shift["starts_at"]) > now]
            going_on = [shift for shift in known if shift not in coming]
            if not coming:
                coming = [(await operator.ask("POST", url, json=shift_of(*tomorrow_of(now)))).json()]
            begins, ends = min(_span(shift) for shift in coming)
            spans[begins, ends] += 1
            today = shift_now(now, begins)
            if going_on:
                del today["starts_at"]
                answer = await operator.ask("PATCH", f"{url}/{going_on[0]['id']}", json=today)
            else:
                answer = await operator.ask("POST", url, json=today)
            member.pause = pause_of([answer.json()], now)

    await asyncio.gather(*map(one, members))
    return max(sorted(spans), key=spans.__getitem__, default=tomorrow_of(now))


def _span(shift: dict[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(shift["starts_at"]), datetime.fromisoformat(shift["ends_at"])


def orders_of(make: MakeOrder, starts_at: datetime, ends_at: datetime, n: int, random: Random) -> list[dict[str, Any]]:
    """Orders for tomorrow, each in a window of its own."""
    span_s = (ends_at - starts_at - 2 * PROMISED).total_seconds()
    return [make(starts_at + PROMISED + timedelta(seconds=random.uniform(0, span_s)), PROMISED) for _ in range(n)]


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What is refused is told, and ends nothing else."""
    try:
        yield
    except httpx.HTTPStatusError as exc:
        log.warning("the day was not arranged: %s", exc.response.text, extra={"event": "day_not_arranged"})


async def plan_ahead(
    operator: Operator,
    orders: Sequence[dict[str, Any]],
    region: str,
    tomorrow: tuple[datetime, datetime],
    counts: Counts,
    stop: asyncio.Event,
) -> None:
    """Place tomorrow's orders, ask for the day's plan, look until it is ready, and apply it; raises HTTPStatusError."""
    for order in orders:
        if stop.is_set():
            return
        await operator.ask("POST", "/v1/orders", json=order)
        counts.placed_ahead += 1
    starts_at, ends_at = tomorrow
    day = {"region": region, "from": starts_at.isoformat(), "to": ends_at.isoformat(), "seconds": THINKS_S}
    asked = (await operator.ask("POST", "/v1/plans/day", json=day)).json()
    url = f"/v1/plans/day/{asked['id']}"
    while (plan := (await operator.ask("GET", url)).json())["state"] in {"waiting", "running"}:
        if await pause(stop, LOOK_EVERY_S):
            return
    if plan["state"] == "ready":
        counts.planned_ahead += (await operator.ask("POST", f"{url}/apply")).json()["n_orders"]
    else:
        log.warning("tomorrow has no plan: %s", plan["reason"], extra={"event": "no_plan_ahead"})


async def run_days(
    params: SimulateParams,
    operator: Operator,
    members: Sequence[Member],
    make: MakeOrder,
    counts: Counts,
    stop: asyncio.Event,
) -> None:
    """The region's settings, shifts for those who work by them, and tomorrow's plan; what is refused is told."""
    if not members and not params.dispatch:
        return
    now = datetime.now(UTC)
    async with _told():
        region = params.region or (await operator.ask("GET", "/v1/regions")).json()["items"][0]["name"]
        if params.dispatch:
            settings = {"settings": {"dispatch": dict(params.dispatch)}}
            await operator.ask("PATCH", f"/v1/regions/{region}", json=settings)
        tomorrow = await give_shifts(operator, members, now)
        if params.tomorrow:
            random = Random(f"tomorrow {params.seed}")  # noqa: S311 - a simulation, no secret
            orders = orders_of(make, *tomorrow, params.tomorrow, random)
            await plan_ahead(operator, orders, region, tomorrow, counts, stop)
