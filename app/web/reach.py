"""
How far a caller reaches: people of some regions, or of a partner, meet only what is theirs.

One rule for every route, applied before it: what an address names (`{order_id}`, `{courier_id}` and so on, in the path
or the query) must lie within the caller's regions and be the partner's, or it is not found. A query of a region is held
to the caller's. A route that names neither is closed to them, unless it is told here that it holds itself to the reach
or has nothing of the kind: a new one is closed until somebody thought of it. Who has no bounds costs nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from litestar.enums import ScopeType
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from app.web.auth import Caller
from app.web.problems import BadInput
from sql import queries

NAMED: Final = ("order_id", "courier_id", "offer_id", "alert_id", "fence_id", "plan_id", "place_id", "item_id")
"""What may stand in an address; each has a query of that name in sql/queries/reach.sql."""


class Hold(StrEnum):
    """How a route is held to a caller's reach."""

    NAMED = "what it names"
    REGION = "the region that is asked for"
    ITSELF = "itself"
    FREE = "nothing to hold"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Of a caller with bounds."""

    regions: tuple[str, ...] = ()
    """None: all."""
    partner: str | None = None
    """None: everybody's."""

    def covers(self, region: str, partner: str | None) -> bool:
        """Whether something of that region and partner is within."""
        return (not self.regions or region in self.regions) and (self.partner is None or self.partner == partner)


ITSELF: Final = {
    ("POST", "/v1/couriers"),
    ("POST", "/v1/orders"),
    ("POST", "/v1/orders/bulk"),
    ("POST", "/v1/orders/import"),
    ("GET", "/v1/couriers/nearby"),
    ("GET", "/v1/regions"),
    ("GET", "/v1/regions/{name:str}"),
    ("GET", "/v1/regions/{name:str}/settings/schema"),
    ("POST", "/v1/plans/preview"),
    ("POST", "/v1/plans/windows"),
    ("POST", "/v1/plans/apply"),
    ("POST", "/v1/plans/day"),
    ("POST", "/v1/geofences"),
    ("POST", "/v1/pay/rules"),
    ("POST", "/v1/pay/rules/simulate"),
    ("POST", "/v1/pay/entries"),
    ("POST", "/v1/pay/entries/{entry_id:uuid}/reverse"),
    ("POST", "/v1/places"),
    ("POST", "/v1/stock/items"),
}
"""Their region comes with the body (`known_region`) or is a row of theirs."""
FREE: Final = ("/v1/me", "/v1/sessions", "/v1/geocode")
"""What begins so is the caller's own, or nobody's."""
NOT_FOR_PARTNERS: Final = {
    "/v1/plans/preview",
    "/v1/plans/windows",
    "/v1/plans/apply",
    "/v1/plans/day",
    "/v1/plans/day/{plan_id:uuid}",
    "/v1/plans/day/{plan_id:uuid}/apply",
    "/v1/presence/{page_id:uuid}",
    "/v1/pay/rules",
    "/v1/pay/rules/simulate",
    "/v1/pay/entries",
    "/v1/pay/entries/{entry_id:uuid}/reverse",
}
"""They tell of a region as a whole, with all its partners."""
MUST_NAME: Final = {"/v1/fence-events", "/v1/offers", "/v1/quarantine"}
"""A partner's people ask these of one courier or order at a time."""
WRITES_OF_REGIONS: Final = ("/v1/geofences",)
"""A partner's people may read what begins so, and change nothing of it."""

_reach: ContextVar[Reach | None] = ContextVar("reach", default=None)


def current_reach() -> Reach | None:
    """Of the caller of the request being served; None: no bounds."""
    return _reach.get()


def reach_of(caller: Caller | None) -> Reach | None:
    """How far the caller reaches; None: no bounds."""
    if caller is None or not (caller.regions or caller.partner is not None):
        return None
    return Reach(regions=caller.regions, partner=caller.partner)


def begin_reach(reach: Reach | None) -> None:
    """Take it for the current task."""
    _reach.set(reach)


def hold_of(method: str, path: str, parameters: Collection[str]) -> Hold:
    """How the route is held; `parameters`: the names of its handler's."""
    if any(f"{{{name}:" in path for name in NAMED):
        return Hold.NAMED
    if path.startswith(FREE):
        return Hold.FREE
    if (method, path) in ITSELF:
        return Hold.ITSELF
    if "region" in parameters:
        return Hold.REGION
    if path in MUST_NAME:
        return Hold.NAMED
    return Hold.CLOSED


def is_for_partners(method: str, path: str) -> bool:
    """Whether a partner's people may use the route at all."""
    return path not in NOT_FOR_PARTNERS and (method == "GET" or not path.startswith(WRITES_OF_REGIONS))


class ReachMiddleware:
    """Holds who has bounds to them, after it is known who asks and before the route is asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is beyond, or pass on."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        caller: Caller | None = scope.get("user")
        reach = reach_of(caller)
        begin_reach(reach)
        if reach is not None and not scope["route_handler"].opt.get("public", False):
            # Read here, not by Litestar, which would remember it: a region may be added.
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            state = scope["litestar_app"].state
            region = await hold(state.pool, reach, scope["method"], scope["route_handler"], scope["path_params"], query)
            if region is not None:
                scope["query_string"] = b"&".join(filter(None, (scope["query_string"], b"region=" + region.encode())))
        await self.app(scope, receive, send)


async def hold(
    pool: Any,
    reach: Reach,
    method: str,
    handler: BaseRouteHandler,
    params: Mapping[str, Any],
    query: Sequence[tuple[str, str]],
) -> str | None:
    """
    Refuse what is beyond the caller's reach; returns the region that the query lacks, where it can be one only.

    Whatever is named twice is held twice. Raises NotFoundException, PermissionDeniedException or BadInput.
    """
    path = next(iter(sorted(handler.paths)))
    parameters = handler.parsed_fn_signature.parameters
    how = hold_of(method, path, parameters)
    if how is Hold.CLOSED or (reach.partner is not None and not is_for_partners(method, path)):
        raise PermissionDeniedException(detail="This is for people of all regions and partners.")
    asked = [(name, value) for name, value in [*params.items(), *query] if name in NAMED]
    if not asked and (how is Hold.NAMED or (reach.partner is not None and path in MUST_NAME)):
        raise BadInput("Whose is it about?", ("/courier_id", "expected the id of a courier"))
    for name, value in asked:
        await _hold_to(pool, reach, name, value, is_whole=name in {"fence_id", "plan_id"})
    if "name" in params and path.startswith("/v1/regions/") and reach.regions and params["name"] not in reach.regions:
        raise NotFoundException(detail="There is no such region.")
    if "region" in parameters and reach.regions:
        wanted = [value for name, value in query if name == "region"]
        return _region(reach, wanted)
    return None


async def _hold_to(pool: Any, reach: Reach, name: str, value: Any, *, is_whole: bool) -> None:
    try:
        found_id = value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return  # the route refuses it, with its pointer
    row = await pool.fetchrow(queries[f"reach.{name}"], found_id)
    if row is None:
        return  # the route says that there is none
    if not reach.covers(row["region"], reach.partner if is_whole else row["partner"]):
        raise NotFoundException(detail="There is nothing of that id.")


def _region(reach: Reach, wanted: Sequence[str]) -> str | None:
    if wanted and set(wanted) <= set(reach.regions):
        return None
    if not wanted and len(reach.regions) == 1:
        return reach.regions[0]
    raise BadInput("There is no such region.", ("/region", f"expected one of: {', '.join(reach.regions)}"))


def partner_within_reach(wanted: str | None) -> str | None:
    """The partner that was named, or the caller's own; raises BadInput for another's."""
    reach = current_reach()
    if reach is None or reach.partner is None:
        return wanted
    if wanted not in {None, reach.partner}:
        raise BadInput("That is another's.", ("/partner", f"expected {reach.partner}, or none"))
    return reach.partner


async def couriers_within(pool: Any) -> frozenset[UUID] | None:
    """The couriers of the partner whose people the caller is one of; None: of everybody."""
    reach = current_reach()
    if reach is None or reach.partner is None:
        return None
    return frozenset(row["id"] for row in await pool.fetch(queries["reach.couriers_of_partner"], reach.partner))


async def orders_within(pool: Any, orders: Collection[UUID]) -> frozenset[UUID] | None:
    """Those of the orders that are the caller's partner's; None: all of them."""
    reach = current_reach()
    if reach is None or reach.partner is None:
        return None
    rows = await pool.fetch(queries["reach.orders_of_partner"], list(orders), reach.partner)
    return frozenset(row["id"] for row in rows)


async def must_reach(connection: Any, *, orders: Collection[UUID] = (), couriers: Collection[UUID] = ()) -> None:
    """Raises NotFoundException when a body names an order or a courier that is beyond the caller's reach."""
    reach = current_reach()
    if reach is not None and await connection.fetchval(
        queries["reach.beyond"], list(orders), list(couriers), list(reach.regions), reach.partner
    ):
        raise NotFoundException(detail="There is nothing of one of these ids.")
