"""When couriers work: shifts with breaks, and going on and off duty."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from app.commands.duty import set_duty
from app.shapes.orders import Instant, Latitude, Longitude
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires, requires_any
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.instants import InstantQuery, check_instants, instant_of
from app.web.pages import Page
from app.web.problems import BadInput
from dispatch.errors import NotYours
from dispatch.orders import duty
from dispatch.orders.courier import Shift, ShiftBreak
from dispatch.orders.desk import Desk, at_desk
from dispatch.orders.recurring import shifts_by
from tracking.position import CourierId, LatLon


class BreakShape(msgspec.Struct, kw_only=True):
    """A pause: starts between `from` and `to`, lasts `duration_s`."""

    from_: Instant = msgspec.field(name="from")
    to: Instant
    duration_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)]


class ShiftPlace(msgspec.Struct, kw_only=True):
    """Where the courier is at the beginning of a shift, or must be at its end. WGS 84 degrees."""

    lat: Latitude
    lon: Longitude


class NewShift(msgspec.Struct, kw_only=True):
    """A shift to be."""

    starts_at: Instant
    ends_at: Instant
    breaks: Annotated[list[BreakShape], msgspec.Meta(max_length=16)] = []
    start: ShiftPlace | None = None
    end: ShiftPlace | None = None


class NewShifts(NewShift, kw_only=True):
    """A shift to be, once or by a rule."""

    repeats: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    """A recurrence rule (RFC 5545) such as `FREQ=WEEKLY;BYDAY=MO,TU;COUNT=20`, by the clock of the region."""


class ShiftChange(msgspec.Struct, kw_only=True):
    """What of a shift is another; the rest stays."""

    starts_at: Instant | msgspec.UnsetType = msgspec.UNSET
    ends_at: Instant | msgspec.UnsetType = msgspec.UNSET
    breaks: Annotated[list[BreakShape], msgspec.Meta(max_length=16)] | msgspec.UnsetType = msgspec.UNSET
    start: ShiftPlace | msgspec.UnsetType | None = msgspec.UNSET
    end: ShiftPlace | msgspec.UnsetType | None = msgspec.UNSET


class ShiftShape(NewShift, kw_only=True, omit_defaults=True):
    """A shift."""

    id: UUID
    courier_id: UUID
    series_id: UUID | None = None
    """Shared by the shifts that one rule made."""
    n_shifts: int = 1
    """Only in the answer to a new one: how many the rule made."""


class DutyShape(msgspec.Struct, kw_only=True):
    """Whether a courier takes orders now."""

    courier_id: UUID
    on_duty: bool
    version: int


@get("/v1/couriers/{courier_id:uuid}/shifts", guards=[requires_any], tags=["couriers"])
async def list_shifts(
    courier_id: FromPath[UUID],
    pool: Pool,
    caller: CurrentCaller,
    ending_after: InstantQuery = None,
    starting_before: InstantQuery = None,
) -> Page[ShiftShape]:
    """A courier's shifts, the earliest first; for staff and for the courier."""
    if caller.courier_id != courier_id and not caller.is_at_least(Role.VIEWER):
        raise NotYours(courier_id=str(courier_id))
    shifts = await duty.list_shifts(
        pool,
        CourierId(courier_id),
        ending_after=instant_of("ending_after", ending_after),
        starting_before=instant_of("starting_before", starting_before),
    )
    return Page(items=[_shape(courier_id, shift) for shift in shifts])


@post("/v1/couriers/{courier_id:uuid}/shifts", guards=[requires(Role.DISPATCHER)], tags=["couriers"])
async def add_shift(
    courier_id: FromPath[UUID],
    data: JSONBody[NewShifts],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> ShiftShape:
    """
    Add a shift; one that shares time with another answers 409. Whoever has shifts works only inside them.

    With `repeats` all shifts of the rule from this one on, or none; the first one is answered.
    """
    shift = _shift_of(data)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        before = await answered_before(desk.connection, caller, idempotency_key, [str(courier_id), data])
        if before is not None:
            return msgspec.convert(before, ShiftShape)
        shifts = (shift,) if data.repeats is None else await _repeated(desk, courier_id, data.repeats, shift)
        added = await duty.add_shifts(desk, CourierId(courier_id), shifts)
        facts = {"shift_id": added[0].id, "n_shifts": len(added)}
        await audit(desk.connection, caller, "shift.add", f"courier:{courier_id}", facts)
        shape = msgspec.structs.replace(_shape(courier_id, added[0]), n_shifts=len(added))
        await remember_answer(desk.connection, caller, idempotency_key, 201, shape)
    return shape


@patch("/v1/couriers/{courier_id:uuid}/shifts/{shift_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["couriers"])
async def change_shift(
    courier_id: FromPath[UUID],
    shift_id: FromPath[UUID],
    data: JSONBody[ShiftChange],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
) -> ShiftShape:
    """
    Change when a shift is, its breaks, where it begins or ends; one that would share time with another answers 409.

    Of a shift that was going on and is not any more, what is not collected goes to others.
    """

    def changed(shift: Shift) -> Shift:
        known = _shape(courier_id, shift)
        given = {
            name: value for name in ShiftChange.__struct_fields__ if (value := getattr(data, name)) is not msgspec.UNSET
        }
        kept = {name: getattr(known, name) for name in ShiftChange.__struct_fields__}
        return _shift_of(NewShift(**{**kept, **given}))

    async with at_desk(pool, redis, actor_of(caller)) as desk:
        shift = await duty.change_shift(desk, CourierId(courier_id), shift_id, changed)
        await audit(desk.connection, caller, "shift.change", f"courier:{courier_id}", {"shift_id": shift_id})
    return _shape(courier_id, shift)


@delete("/v1/couriers/{courier_id:uuid}/shifts/{shift_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["couriers"])
async def remove_shift(
    courier_id: FromPath[UUID],
    shift_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    following: FromQuery[bool] = False,
) -> None:
    """Remove a shift, with `following` also the later ones of its rule; removing one that is gone does nothing."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        if following:
            await duty.remove_following(desk, CourierId(courier_id), shift_id)
        else:
            await duty.remove_shift(desk, CourierId(courier_id), shift_id)
        await audit(desk.connection, caller, "shift.remove", f"courier:{courier_id}", {"shift_id": shift_id})


@post(
    "/v1/couriers/{courier_id:uuid}/on-duty",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def go_on_duty(
    courier_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[DutyShape]:
    """Take orders from now on; by the courier or a dispatcher."""
    return await _set_duty(courier_id, pool, redis, caller, on_duty=True)


@post(
    "/v1/couriers/{courier_id:uuid}/off-duty",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def go_off_duty(
    courier_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[DutyShape]:
    """Take no more orders: what is not collected goes to others; goods on board must be handed over first (409)."""
    return await _set_duty(courier_id, pool, redis, caller, on_duty=False)


async def _set_duty(courier_id: UUID, pool: Any, redis: Any, caller: Caller, *, on_duty: bool) -> Response[DutyShape]:
    if caller.courier_id != courier_id and not caller.is_at_least(Role.DISPATCHER):
        raise NotYours(courier_id=str(courier_id))
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        now = await set_duty(desk, CourierId(courier_id), caller, on_duty=on_duty)
    return Response(DutyShape(courier_id=courier_id, on_duty=now.on_duty, version=now.version))


async def _repeated(desk: Desk, courier_id: UUID, rule: str, first: Shift) -> tuple[Shift, ...]:
    zone = await duty.zone_of(desk, CourierId(courier_id))
    try:
        return shifts_by(rule, replace(first, series_id=uuid4()), zone)
    except ValueError as exc:
        raise BadInput(f"The rule cannot be used: {exc}.", ("/repeats", str(exc))) from exc


def _shift_of(data: NewShift) -> Shift:
    check_instants(data)
    try:
        return Shift(
            starts_at=data.starts_at,
            ends_at=data.ends_at,
            breaks=tuple(
                ShiftBreak(opens_at=pause.from_, closes_at=pause.to, duration_s=pause.duration_s)
                for pause in data.breaks
            ),
            start=_place_of(data.start),
            end=_place_of(data.end),
        )
    except ValueError as exc:
        raise BadInput(str(exc), ("", str(exc))) from exc


def _place_of(place: ShiftPlace | None) -> LatLon | None:
    return None if place is None else LatLon(place.lat, place.lon)


def _place_shape(at: LatLon | None) -> ShiftPlace | None:
    return None if at is None else ShiftPlace(lat=at.lat, lon=at.lon)


def _shape(courier_id: UUID, shift: Shift) -> ShiftShape:
    assert shift.id is not None  # it has been stored
    return ShiftShape(
        id=shift.id,
        courier_id=courier_id,
        series_id=shift.series_id,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        breaks=[
            BreakShape(from_=pause.opens_at, to=pause.closes_at, duration_s=pause.duration_s) for pause in shift.breaks
        ],
        start=_place_shape(shift.start),
        end=_place_shape(shift.end),
    )


route_handlers: list[Any] = [list_shifts, add_shift, change_shift, remove_shift, go_on_duty, go_off_duty]
