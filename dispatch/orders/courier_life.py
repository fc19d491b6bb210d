"""A courier's life with us: taken on, changed, let go, erased; each function within its caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from dispatch.errors import ExternalIdInUse
from dispatch.orders.rows import from_json, to_json
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId, LatLon, Mode, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierFacts:
    """What we are told of a courier."""

    name: str
    mode: Mode
    region: Region
    external_id: str | None = None
    capacity: Sequence[int] = ()
    skills: Sequence[str] = ()
    max_orders: int = 8
    on_duty: bool = True
    areas: Sequence[UUID] = ()
    home: LatLon | None = None
    range_m: int | None = None
    partner: str | None = None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierRecord(CourierFacts):
    """A courier as the database has it."""

    id: CourierId
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What is left to do for a courier who was let go."""

    region: Region
    token_hashes: tuple[bytes, ...]
    """Tokens that were revoked just now."""


async def add(connection: Any, facts: CourierFacts) -> CourierRecord:
    """Take a courier on; raises ExternalIdInUse."""
    return _record(await _written(connection, facts, queries["couriers.add"]))


async def get(connection: Any, courier_id: UUID) -> CourierRecord:
    """The courier; raises CourierNotFound. `connection` may be a pool."""
    row = await connection.fetchrow(queries["couriers.find"], courier_id)
    if row is None:
        raise CourierNotFound(courier_id=courier_id)
    return _record(row)


async def find_many(
    connection: Any,
    *,
    region: str | None,
    mode: Mode | None,
    external_id: str | None,
    on_duty: bool | None,
    name_part: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
    partner: str | None = None,
) -> list[CourierRecord]:
    """Couriers with what is asked for, the oldest first, from after one on."""
    rows = await connection.fetch(
        queries["couriers.list"],
        region,
        mode,
        external_id,
        on_duty,
        name_part,
        *(after or (None, None)),
        limit,
        partner,
    )
    return [_record(row) for row in rows]


async def change(connection: Any, courier_id: CourierId, facts: CourierFacts, *, version: int) -> CourierRecord | None:
    """
    Write what is known of a courier now.

    None when the courier is not in that version any more; raises ExternalIdInUse.
    """
    await connection.execute(queries["couriers.let_go_of_external_id"], courier_id, facts.external_id)
    row = await _written(connection, facts, queries["couriers.change"], courier_id, version)
    return None if row is None else _record(row)


async def remove(connection: Any, courier_id: UUID, *, even_removed: bool = False) -> Leaving:
    """
    Let a courier go and revoke the courier's tokens.

    Raises CourierNotFound; also for a courier who was let go before, unless `even_removed`.
    """
    row = await connection.fetchrow(queries["couriers.find_even_deleted"], courier_id)
    if row is None or (row["deleted_at"] is not None and not even_removed):
        raise CourierNotFound(courier_id=courier_id)
    await connection.execute(queries["couriers.let_go_of_external_id"], courier_id, None)
    await connection.execute(queries["couriers.remove"], courier_id)
    revoked = await connection.fetch(queries["couriers.revoke_tokens"], courier_id)
    return Leaving(region=Region(row["region"]), token_hashes=tuple(token["hash"] for token in revoked))


async def _written(connection: Any, facts: CourierFacts, query: str, *before: object) -> Any:
    try:
        async with connection.transaction():  # so that the caller's is not lost with it
            return await connection.fetchrow(
                query,
                *before,
                facts.external_id,
                facts.name,
                facts.mode.value,
                facts.region,
                facts.capacity,
                facts.skills,
                facts.max_orders,
                facts.on_duty,
                to_json(facts.attributes),
                facts.areas,
                *((None, None) if facts.home is None else facts.home.latlon),
                facts.range_m,
                facts.partner,
            )
    except asyncpg.UniqueViolationError as exc:
        raise ExternalIdInUse("A courier with this external_id exists.", external_id=facts.external_id) from exc


def _record(row: Any) -> CourierRecord:
    """The only place that knows the columns."""
    values = {field.name: row[field.name] for field in fields(CourierRecord) if field.name != "home"}
    home = None if row["home_lat"] is None or row["home_lon"] is None else LatLon(row["home_lat"], row["home_lon"])
    values |= {"mode": Mode(row["mode"]), "attributes": from_json(row["attributes"]), "home": home}
    return CourierRecord(**values)
