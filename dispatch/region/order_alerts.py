"""Tells staff of orders that nobody has, and of goods left on board; an alert ends by itself with its cause."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from dispatch import alert_rows
from dispatch import aside as asides
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from dispatch.aside import REGION, Aside
from dispatch.orders.order import Order, OrderState
from dispatch.orders.rows import from_json
from dispatch.region.nobody import Ability, OrderAlertParams, Story, judge, left_on_board
from dispatch.region.settings import group_of, overlaid, settings_of
from dispatch.region.world import World
from dispatch.stop import OrderId
from sql import queries
from tracking import outages
from tracking.lease import Lease
from tracking.position import CourierId, LatLon, Mode, Region

log = logging.getLogger(__name__)

SOURCE: Final = "orders"
COUNTS_FOR = timedelta(days=2)
"""Offers made longer ago say nothing of an order any more."""
Key = tuple[AlertKind, CourierId | None, OrderId | None]


class OrderAlerts:
    """Raises and resolves them; holds nothing in memory, so that whoever takes over goes on."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis

    async def tell(self, world: World, lease: Lease, aside: Aside, *, offered: Collection[OrderId] = ()) -> None:
        """
        Judge the open orders of a region as they were before the turn; `offered`: what it has offered since.

        One that cannot be judged is set aside, and its alerts stay as they are. An outage is no reason not to plan:
        what is not told now is told by the next turn.
        """
        try:
            await self._tell(world, lease, aside, offered)
        except outages.DRIVERS as exc:
            outages.tell(log, "orders not judged", exc, event="orders_not_judged", region=world.region)

    async def _tell(self, world: World, lease: Lease, aside: Aside, offered: Collection[OrderId]) -> None:
        rows = await self._pool.fetch(queries["alerts.open_in_region"], world.region, SOURCE)
        open_now: set[Key] = {(AlertKind(row["kind"]), row["courier_id"], row["order_id"]) for row in rows}
        params = OrderAlertParams()
        with aside.bearing(REGION, doing="read settings.alerts"):
            params = overlaid(params, group_of(await settings_of(self._pool, world.region), "alerts"))
        verdicts: dict[Key, Mapping[str, Any] | None] = {}
        stories = await self._stories(world, aside)
        abilities = await self._abilities(world.region) if stories else []
        for order in world.orders:
            with aside.bearing(asides.order(order.id), doing="judge"):
                if order.id in offered:
                    order = replace(order, state=OrderState.ASSIGNED)  # noqa: PLW2901 - as it is now
                found = judge(order, stories.get(order.id, Story()), abilities, params, world.now, world.areas)
                verdicts |= {(kind, None, order.id): facts for kind, facts in found.items()}
        on_board = _on_board(world)
        for courier in world.couriers:
            with aside.bearing(asides.courier(courier.id), doing="judge"):
                facts = left_on_board(courier, params, world.now)
                for order in on_board.get(courier.id, ()):
                    verdicts[AlertKind.GOODS_ON_BOARD, courier.id, order.id] = facts
        gone = {key for key in open_now if key not in verdicts and not _is_aside(key, aside)}
        await alert_rows.write(
            self._pool,
            self._redis,
            world.region,
            source=SOURCE,
            raised=[_change(k, facts) for k, facts in verdicts.items() if facts is not None and k not in open_now],
            resolved=[_change(key, {"reason": "it is over"}) for key in open_now if _ends(key, verdicts, gone)],
            now=world.now,
            lease=lease,
        )

    async def _stories(self, world: World, aside: Aside) -> dict[OrderId, Story]:
        """Of the orders that nobody has accepted."""
        ids = [order.id for order in world.orders if order.state in {OrderState.PLACED, OrderState.ASSIGNED}]
        if not ids:
            return {}
        rows = await self._pool.fetch(queries["offers.stories"], ids, world.now - COUNTS_FOR)
        stories: dict[OrderId, Story] = {}
        for row in rows:
            with aside.bearing(asides.order(row["order_id"]), doing="judge"):
                stories[row["order_id"]] = _story(row)
        return stories

    async def _abilities(self, region: Region) -> list[Ability]:
        rows = await self._pool.fetch(queries["planning.abilities"], region)
        return [
            Ability(
                mode=Mode(row["mode"]),
                skills=frozenset(row["skills"]),
                capacity=tuple(row["capacity"]),
                partner=row["partner"],
                apart=row["apart"],
                areas=frozenset(row["areas"]),
                home=None if row["home_lat"] is None else LatLon(row["home_lat"], row["home_lon"]),
                range_m=row["range_m"],
            )
            for row in rows
        ]


def _story(row: Mapping[str, Any]) -> Story:
    reasons = from_json(row["reasons"]) if row["reasons"] is not None else {}
    return Story(
        n_expired=row["n_expired"],
        n_rejected=row["n_rejected"],
        reasons={code: why["n"] for code, why in reasons.items()},
    )


def _on_board(world: World) -> dict[CourierId, list[Order]]:
    found: dict[CourierId, list[Order]] = {}
    for order in world.orders:
        if order.is_on_board and order.courier_id is not None:
            found.setdefault(order.courier_id, []).append(order)
    return found


def _is_aside(key: Key, aside: Aside) -> bool:
    """Whether it could not be judged: then its alert stays as it is."""
    _, courier_id, order_id = key
    subjects = [] if order_id is None else [asides.order(order_id)]
    subjects += [] if courier_id is None else [asides.courier(courier_id)]
    return any(subject in aside.causes for subject in subjects)


def _ends(key: Key, verdicts: Mapping[Key, Mapping[str, Any] | None], gone: set[Key]) -> bool:
    return key in gone or (key in verdicts and verdicts[key] is None)


def _change(key: Key, facts: Mapping[str, Any] | None) -> AlertChange:
    kind, courier_id, order_id = key
    return AlertChange(kind=kind, courier_id=courier_id, order_id=order_id, facts=facts or {})
