"""Many orders at once: `POST /v1/orders/import`."""

from collections import Counter
from dataclasses import replace
from typing import Any, Literal, NoReturn
from uuid import UUID

import msgspec
from litestar import Request, post
from litestar.params import FromQuery

from app.commands.locating import CurrentGeocoding, in_words, located_lines
from app.commands.orders import place_one
from app.shapes.order_lines import Batch, Line, batch_of
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.problems import BadInput
from dispatch.errors import ExternalIdInUse, OutOfStock, PlaceFull
from dispatch.orders.desk import Desk, at_desk


class ImportedLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of a line."""

    line: int
    status: Literal["created", "exists", "invalid"]
    id: UUID | None = None
    error: str | None = None


class _Looked(Exception):
    """The batch was only to be looked at: nothing of it stays."""


class Imported(msgspec.Struct, kw_only=True):
    """What became of a batch; `results` in the order of its lines."""

    n_created: int
    n_exist: int
    n_invalid: int
    results: list[ImportedLine]
    warnings: list[str] = []
    """What was in the batch and nobody reads."""


@post(
    "/v1/orders/import",
    guards=[requires(Role.DISPATCHER)],
    status_code=200,
    tags=["orders"],
    opt={"keeps_anything": True},  # a line that cannot be borne is told as such, and hinders no other
)
async def import_orders(
    request: Request[Any, Any, Any],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    geocoding: CurrentGeocoding,
    idempotency_key: IdempotencyKey = None,
    preview: FromQuery[bool] = False,
) -> Imported:
    """
    Place the orders of a batch, NDJSON (`application/x-ndjson`) or CSV (`text/csv`), in one transaction.

    A line that cannot be used is told with its reason and hinders no other; one whose `external_id` is in use counts
    as `exists`, so a batch may be sent again. CSV columns: `external_id`, `pickup_lat`, `pickup_lon`,
    `pickup_address`, `pickup_from`, `pickup_to`, `pickup_name`, `pickup_phone`, the same with `dropoff_`,
    `dropoff_latest`, `ready_at`, `units`, `weight_g`, `volume_ml`, `mode`, `skills` (joined by `;` or `|`), `priority`,
    …; separated by comma, semicolon or tab, in UTF-8 or in what `charset=` of the content type says. Each record
    stands for itself, with its own line number; what nobody reads is told in `warnings`. Coordinates that are missing
    are looked up by the address, of the first 200 such lines.

    `preview=true` places nothing and answers what would become of each line; what is not there has no `id`.
    """
    body = await request.body()
    batch = batch_of(body, request.headers.get("content-type", ""))
    batch = replace(batch, lines=await located_lines(batch.lines, geocoding))
    if preview:
        return await _look_at(batch, pool, redis, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        before = await answered_before(desk.connection, caller, idempotency_key, body)
        if before is not None:
            return msgspec.convert(before, Imported)
        answer = await _place_all(desk, batch, caller)
        counts = {"created": answer.n_created, "exists": answer.n_exist, "invalid": answer.n_invalid}
        await audit(desk.connection, caller, "order.import", "orders", counts)
        await remember_answer(desk.connection, caller, idempotency_key, 200, answer)
    return answer


def _leave_nothing() -> NoReturn:
    raise _Looked


async def _look_at(batch: Batch, pool: Any, redis: Any, caller: Caller) -> Imported:
    try:
        async with at_desk(pool, redis, actor_of(caller)) as desk:
            answer = await _place_all(desk, batch, caller)
            _leave_nothing()
    except _Looked:
        gone = {one.id for one in answer.results if one.status == "created"}
        for one in answer.results:
            one.id = None if one.id in gone else one.id
        return answer


async def _place_all(desk: Desk, batch: Batch, caller: Caller) -> Imported:
    results = [await _place(desk, line, caller) for line in batch.lines]
    counts = Counter(one.status for one in results)
    return Imported(
        n_created=counts["created"],
        n_exist=counts["exists"],
        n_invalid=counts["invalid"],
        results=results,
        warnings=batch.warnings,
    )


async def _place(desk: Desk, line: Line, caller: Caller) -> ImportedLine:
    if line.order is None:
        return ImportedLine(line=line.number, status="invalid", error=line.error)
    try:
        order = await place_one(desk, line.order, caller)
    except ExternalIdInUse as exc:
        return ImportedLine(line=line.number, status="exists", id=exc.facts.get("id"))  # type: ignore[arg-type]  # our own fact
    except (PlaceFull, OutOfStock) as exc:
        return ImportedLine(line=line.number, status="invalid", error=str(exc))
    except BadInput as exc:
        return ImportedLine(line=line.number, status="invalid", error=in_words(exc))
    return ImportedLine(line=line.number, status="created", id=order.id)


route_handlers: list[Any] = [import_orders]
