"""A day planned ahead: `/v1/plans/day`, asked for, looked at, applied."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.response import ServerSentEvent, ServerSentEventMessage

from app.shapes.orders import Instant, ReasonShape, reasons_shape
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.instants import check_instants
from app.web.problems import BadInput
from app.web.regions import known_region
from app.wiring.day_plans import DayPlanner
from app.wiring.whatif import Thinker
from dispatch.errors import DayPlanNotFound
from dispatch.orders.depots import Depot, depots_of
from dispatch.orders.desk import at_desk
from dispatch.orders.rows import from_json
from dispatch.region import day_plans as plans_of_days
from dispatch.region.day_plans import DayPlan, DayRoute
from sql import queries

LONGEST: Final = timedelta(hours=36)
FARTHEST: Final = timedelta(days=31)
LOOK_EVERY_S: Final = 1.0
OVER: Final = ("ready", "failed", "cancelled", "applied")


class WaveQuestion(msgspec.Struct, kw_only=True):
    """Which wave: the first that leaves the depot in that time."""

    depot: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """One with `wave_every_s`; may be left out where there is one only."""


class DayQuestion(msgspec.Struct, kw_only=True):
    """Which day, or which wave of it, and how long to think about it."""

    region: str | None = None
    from_: Instant = msgspec.field(name="from")
    to: Instant
    seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    wave: WaveQuestion | None = None
    """Only what leaves a depot next, and what waits there for a later wave."""


class DayAsked(msgspec.Struct, kw_only=True):
    """Where to look."""

    id: UUID


class DayProgressShape(msgspec.Struct, kw_only=True):
    """How far it is."""

    share: float = 0.0
    """Of the time, up to 1."""
    n_orders: int = 0
    n_unassigned: int = 0
    travel_s: int = 0


class DayStopShape(msgspec.Struct, kw_only=True):
    """A stop with its planned times."""

    order_id: UUID
    kind: Literal["pickup", "dropoff"]
    arrives_at: datetime
    starts_at: datetime
    leaves_at: datetime
    late_s: int


class DayRouteShape(msgspec.Struct, kw_only=True):
    """What a courier would do in a shift."""

    courier_id: UUID
    shift_id: UUID
    starts_at: datetime
    ends_at: datetime
    stops: list[DayStopShape]
    cost: dict[str, int]
    start_depot: str | None
    """Where the shift begins and ends, by the name of the depot that the plan chose; null: it chose none."""
    end_depot: str | None


class DayLeftShape(msgspec.Struct, kw_only=True):
    """An order that nobody could take, and why."""

    order_id: UUID
    reasons: list[ReasonShape]


class DayCourierLeftShape(msgspec.Struct, kw_only=True):
    """A courier with a shift who could not be planned with, and why."""

    courier_id: UUID
    cause: str


class DayWaitsShape(msgspec.Struct, kw_only=True):
    """An order that does not leave with the wave."""

    order_id: UUID
    reason: Literal["company", "not_ready", "no_vehicle"]
    """It is better taken with what is yet to come; it cannot be loaded now; or there is no room for it now."""
    until: datetime
    """The next wave that is in time for it."""
    share: float | None
    """In which share of the days that may come it left with this wave; null: nobody had to look."""


class DayWaveShape(msgspec.Struct, kw_only=True):
    """The wave, the next ones that were planned with, and what waits for these."""

    depot: str
    leaves_at: list[datetime]
    waiting: list[DayWaitsShape]


class DayPlanShape(msgspec.Struct, kw_only=True):
    """A plan: how far it is, and when it is ready the routes, and what is left out."""

    id: UUID
    region: str
    from_: datetime = msgspec.field(name="from")
    to: datetime
    seconds: float
    state: Literal["waiting", "running", "ready", "failed", "cancelled", "applied"]
    progress: DayProgressShape
    created_at: datetime
    finished_at: datetime | None
    reason: str | None
    """Why it failed."""
    routes: list[DayRouteShape]
    unassigned: list[DayLeftShape]
    couriers_left_out: list[DayCourierLeftShape]
    wave: DayWaveShape | None
    """Null: a plan of all of the day, or not made yet."""


class DayDroppedShape(msgspec.Struct, kw_only=True):
    """An order that was not as the plan saw it."""

    order_id: UUID
    reason: Literal["changed", "not_open", "shift_changed", "courier_gone"]


class DayAppliedShape(msgspec.Struct, kw_only=True):
    """What became of the plan."""

    id: UUID
    n_orders: int
    """In routes now."""
    couriers: list[UUID]
    dropped: list[DayDroppedShape]


@post("/v1/plans/day", guards=[requires(Role.DISPATCHER)], status_code=202, tags=["plans"])
async def ask_for_day(
    data: JSONBody[DayQuestion],
    pool: Pool,
    caller: CurrentCaller,
    day_plans: DayPlanner,
    idempotency_key: IdempotencyKey = None,
) -> DayAsked:
    """
    Plan a day that has not begun, for everybody who has a shift in it: orders that nobody has and that open then.

    With `wave` what a depot has to hand over, decided for the first wave that leaves it in that time: what goes now,
    with who is there, and what waits, for it is better taken with what past weeks say is yet to come.
    Nothing is changed before it is applied. One plan of a region is made at a time.
    """
    check_instants(data)
    now = datetime.now(UTC)
    if not data.from_ < data.to <= data.from_ + LONGEST:
        raise BadInput("That is no day.", ("/to", f"expected later than `from`, by {LONGEST} at most"))
    if not now - LONGEST <= data.from_ <= now + FARTHEST:
        raise BadInput("That is no day to be planned.", ("/from", f"expected within {FARTHEST.days} days"))
    region = await known_region(pool, data.region)
    depot = None if data.wave is None else _with_waves(await depots_of(pool, region), data.wave.depot)
    if depot is not None and not depot.waves(data.from_, data.to, 1):
        raise BadInput("No wave leaves the depot in that time.", ("/to", f"expected later than a wave of {depot.name}"))
    async with pool.acquire() as connection, connection.transaction():
        before = await answered_before(connection, caller, idempotency_key, data)
        if before is not None:
            return msgspec.convert(before, DayAsked)
        asked = DayAsked(
            id=await day_plans.ask(
                connection,
                region,
                data.from_,
                data.to,
                seconds=data.seconds,
                by=actor_of(caller).id,
                wave_depot=None if depot is None else depot.name,
            )
        )
        facts = {"id": str(asked.id)} | ({} if depot is None else {"wave_of": depot.name})
        await audit(connection, caller, "plan.day", f"region:{region}", facts)
        await remember_answer(connection, caller, idempotency_key, 202, asked)
    day_plans.begin(asked.id)
    return asked


def _with_waves(depots: Sequence[Depot], name: str | None) -> Depot:
    """The depot that is named, or the only one with waves."""
    known = [depot for depot in depots if depot.wave_every_s is not None]
    found = [depot for depot in known if name in {None, depot.name}]
    if len(found) != 1:
        names = ", ".join(depot.name for depot in known) or "none, no depot of the region has `wave_every_s`"
        raise BadInput("There is no such depot.", ("/wave/depot", f"expected one of: {names}"))
    return found[0]


@get("/v1/plans/day/{plan_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["plans"])
async def get_day(plan_id: FromPath[UUID], request: Request[Any, Any, Any], pool: Pool) -> Response[DayPlanShape]:
    """
    How far it is, and the plan when it is ready.

    With `Accept: text/event-stream`: `progress` once a second while it is made, then `plan`.
    """
    shape = await _read(pool, plan_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        stream: Any = ServerSentEvent(
            _stream(pool, plan_id), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        return stream  # type: ignore[no-any-return]  # litestar's streams are responses of another content
    return Response(shape)


@delete("/v1/plans/day/{plan_id:uuid}", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["plans"])
async def cancel_day(plan_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> DayPlanShape:
    """Give up a plan that is being made; one that is finished stays as it is."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(queries["day_plans.cancel"], plan_id, datetime.now(UTC)) is not None:
            await audit(connection, caller, "plan.day.cancel", f"plan:{plan_id}")
    return await _read(pool, plan_id)


@post("/v1/plans/day/{plan_id:uuid}/apply", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["plans"])
async def apply_day(
    plan_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller, what_if: Thinker
) -> DayAppliedShape:
    """
    Make a ready plan the routes of its couriers, which the dispatcher then keeps and repairs.

    What changed since the plan was made is left out, and told.
    """
    async with what_if.applying.one(), at_desk(pool, redis, actor_of(caller)) as desk:
        done = await plans_of_days.apply(desk, plan_id)
        facts = {"n_orders": len(done.order_ids), "n_dropped": len(done.dropped)}
        await audit(desk.connection, caller, "plan.day.apply", f"plan:{plan_id}", facts)
        desk.ask_for_plan(done.region)
    return DayAppliedShape(
        id=plan_id,
        n_orders=len(done.order_ids),
        couriers=sorted(done.couriers),
        dropped=[msgspec.convert(msgspec.to_builtins(one), DayDroppedShape) for one in done.dropped],
    )


async def _read(pool: Any, plan_id: UUID) -> DayPlanShape:
    row = await pool.fetchrow(queries["day_plans.get"], plan_id)
    if row is None:
        raise DayPlanNotFound(id=str(plan_id))
    plan = None if row["plan"] is None else msgspec.convert(from_json(row["plan"]), DayPlan)
    return DayPlanShape(
        id=row["id"],
        region=row["region"],
        from_=row["starts_at"],
        to=row["ends_at"],
        seconds=row["seconds"],
        state=row["state"],
        progress=msgspec.convert(from_json(row["progress"]), DayProgressShape),
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        reason=row["reason"],
        routes=[] if plan is None else [_route(route) for route in plan.routes],
        unassigned=[]
        if plan is None
        else [DayLeftShape(order_id=left.order_id, reasons=reasons_shape(left.reasons)) for left in plan.unassigned],
        couriers_left_out=[]
        if plan is None
        else [DayCourierLeftShape(courier_id=left.courier_id, cause=left.cause) for left in plan.couriers_left_out],
        wave=None
        if plan is None or plan.wave is None
        else msgspec.convert(msgspec.to_builtins(plan.wave), DayWaveShape),
    )


def _route(route: DayRoute) -> DayRouteShape:
    return DayRouteShape(
        courier_id=route.courier_id,
        shift_id=route.shift_id,
        starts_at=route.starts_at,
        ends_at=route.ends_at,
        stops=[
            DayStopShape(
                order_id=stop.order_id,
                kind="pickup" if stop.kind == "pickup" else "dropoff",
                arrives_at=datetime.fromtimestamp(stop.arrives_at, UTC),
                starts_at=datetime.fromtimestamp(stop.starts_at, UTC),
                leaves_at=datetime.fromtimestamp(stop.leaves_at, UTC),
                late_s=stop.late_s,
            )
            for stop in route.stops
        ],
        cost=route.cost,
        start_depot=None if route.begins_at is None else route.begins_at.depot,
        end_depot=None if route.ends_in is None else route.ends_in.depot,
    )


async def _stream(pool: Any, plan_id: UUID) -> AsyncIterator[ServerSentEventMessage]:
    while True:
        row = await pool.fetchrow(queries["day_plans.glance"], plan_id)
        if row is None:
            return
        if row["state"] in OVER:
            yield _message("plan", await _read(pool, plan_id))
            return
        progress = msgspec.convert(from_json(row["progress"]), DayProgressShape)
        yield _message("progress", {"state": row["state"], **msgspec.to_builtins(progress)})
        await asyncio.sleep(LOOK_EVERY_S)


def _message(event: str, body: Any) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=event, data=msgspec.json.encode(body).decode(), sep="\n")


route_handlers: list[Any] = [ask_for_day, get_day, cancel_day, apply_day]
