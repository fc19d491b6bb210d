"""Pay: rules of a region by version, what they would have brought, and the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, Response, get, post
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from app.shapes.pay import (
    CourierPay,
    NewPayEntry,
    NewPayRules,
    PayEntry,
    PayRules,
    PaySimulated,
    PaySimulation,
    PaySum,
    Reversal,
    entry_shape,
    simulated_shape,
)
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.csv_lines import csv_lines
from app.web.dependencies import CurrentCaller, Pool
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.instants import From, To, check_instants, instant_of
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput, Conflict
from app.web.reach import must_reach
from app.web.regions import known_region
from dispatch.errors import NotYours, PayEntryNotFound, PayRulesNotFound
from dispatch.orders.rows import to_json
from dispatch.pay.accrual import for_tip
from dispatch.pay.books import known
from dispatch.pay.days import span_of, zone_of
from dispatch.pay.money import digits_of, text_of
from dispatch.pay.rules import Rules
from dispatch.pay.simulating import LONGEST, TooMuchToSimulate, simulate
from dispatch.pay.source import Unusable, read
from sql import queries
from tracking.errors import CourierNotFound

CSV: Final = "text/csv"
MOST_ROWS: Final = 100_000
"""Of a file."""
LONGEST_AGO: Final = timedelta(days=31)
DEFAULT_SPAN: Final = timedelta(days=31)
NAMES: Final = ("id", "courier_id", "kind", "rule", "version", "at", "day", "order_id", "reverses", "reason")
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)]
Format = Annotated[
    Literal["json", "csv"] | None, QueryParameter(name="format", description="Unset: by the header Accept.")
]


@dataclass
class PayOperation(Operation):
    """JSON or CSV."""

    def __post_init__(self) -> None:
        """Document both."""
        if self.responses is not None and isinstance(found := self.responses.get("200"), OpenAPIResponse):
            assert found.content is not None
            found.content[CSV] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get("/v1/pay/rules", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["pay"])
async def list_rules(
    pool: Pool, region: FromQuery[str | None] = None, cursor: FromQuery[str | None] = None, limit: Limit = 100
) -> Page[PayRules]:
    """The versions of a region's rules, the newest first."""
    before = key_of(cursor, tuple[int])
    key = None if before is None else min(before[0], 2**31 - 1)
    rows = await pool.fetch(queries["pay.list_rules"], await known_region(pool, region), key, limit)
    items = [_rules_shape(row) for row in rows]
    return Page(items=items, next=cursor_of(items[-1].version) if len(items) == limit else None)


@post("/v1/pay/rules", guards=[requires(Role.ADMIN)], tags=["pay"])
async def add_rules(
    data: JSONBody[NewPayRules], pool: Pool, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> PayRules | dict[str, Any]:
    """
    Put rules in force for a region, from an instant on.

    Rules are never changed, only followed by others. All of a region's have one currency, for its ledger adds up.
    """
    check_instants(data)
    rules = _read(data.rules)
    async with pool.acquire() as connection, connection.transaction():
        if (before := await answered_before(connection, caller, idempotency_key, data)) is not None:
            return before  # type: ignore[no-any-return]
        region = await known_region(connection, data.region)
        await connection.execute(queries["pay.hold_region"], region)
        now = datetime.now(UTC)
        since = data.in_force_from or now
        if since < now - LONGEST_AGO:
            raise BadInput(
                "That is too long ago.", ("/in_force_from", f"expected {LONGEST_AGO.days} days ago or later")
            )
        rows = await connection.fetch(queries["pay.list_rules"], region, None, 1)
        if rows and known(rows[0]["source"]).currency != rules.currency:
            expected = f"expected {known(rows[0]['source']).currency}, the currency of the region's ledger"
            raise BadInput("The ledger has another currency.", ("/rules", expected))
        row = await connection.fetchrow(queries["pay.add_rules"], region, since, data.rules, data.note, caller.actor)
        if since <= now:
            zone = zone_of(await connection.fetchval(queries["pay.timezone"], region))
            await connection.execute(queries["pay.look_again"], region, since)
            await connection.execute(queries["pay.look_at_days_again"], region, since.astimezone(zone).date())
        shape = _rules_shape(row)
        facts = {"region": region, "version": shape.version, "in_force_from": shape.in_force_from}
        await audit(connection, caller, "pay.rules", f"region:{region}", facts)
        await remember_answer(connection, caller, idempotency_key, 201, shape)
    return shape


@post("/v1/pay/rules/simulate", guards=[requires(Role.ADMIN)], status_code=200, tags=["pay"])
async def simulate_rules(data: JSONBody[PaySimulation], pool: Pool) -> PaySimulated:
    """
    What a period would have brought each courier by other rules, beside what was booked; nothing is booked.

    Tips, corrections and reversals stand in neither.
    """
    if not timedelta(0) <= data.to - data.from_ < LONGEST:
        raise BadInput("The period cannot be used.", ("/to", f"expected from <= to, {LONGEST.days} days at most"))
    if (data.rules is None) == (data.version is None):
        raise BadInput("By which rules?", ("/rules", "expected `rules` or `version`, and not both"))
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        region = await known_region(connection, data.region)
        if data.rules is not None:
            rules = _read(data.rules)
        elif source := await connection.fetchval(queries["pay.source"], region, min(data.version or 0, 2**31 - 1)):
            rules = known(source)
        else:
            raise PayRulesNotFound(region=region, version=data.version)
        zone = zone_of(await connection.fetchval(queries["pay.timezone"], region))
        try:
            span_of(data.from_, zone), span_of(data.to, zone)
            found = await simulate(connection, region, zone, rules, data.from_, data.to, datetime.now(UTC))
        except (TooMuchToSimulate, OverflowError) as exc:
            raise BadInput(
                "The period cannot be used.", ("/from", str(exc) or "expected a day of these years")
            ) from exc
    return PaySimulated(
        region=region,
        currency=rules.currency,
        digits=rules.digits,
        from_=data.from_,
        to=data.to,
        booked=sum(one.booked for one in found),
        simulated=sum(one.simulated for one in found),
        difference=sum(one.difference for one in found),
        couriers=[simulated_shape(one) for one in found],
    )


@get(
    "/v1/couriers/{courier_id:uuid}/pay",
    guards=[requires(Role.ADMIN, Role.AUDITOR, Role.COURIER)],
    operation_class=PayOperation,
    tags=["pay"],
)
async def get_courier_pay(
    courier_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    pool: Pool,
    caller: CurrentCaller,
    from_text: From = None,
    to_text: To = None,
    cursor: FromQuery[str | None] = None,
    limit: Limit = 100,
    file_format: Format = None,
) -> Response[CourierPay]:
    """
    What a courier earned from `from` (today's midnight by the region's clock) until before `to` (now), by rule and by
    entry; for the courier and administrators. As CSV all entries.
    """
    if caller.role is Role.COURIER and caller.courier_id != courier_id:
        raise NotYours(courier_id=str(courier_id))
    courier = await pool.fetchrow(queries["pay.courier"], courier_id)
    if courier is None:
        raise CourierNotFound(courier_id=str(courier_id))
    zone = zone_of(courier["timezone"])
    until = instant_of("to", to_text) or datetime.now(UTC)
    since = instant_of("from", from_text) or span_of(until.astimezone(zone).date(), zone)[0]
    after = _after(cursor)
    if _wants_csv(request, file_format):
        return _csv(pool, f"pay-{courier_id}.csv", None, courier_id, since, until)
    rows = await pool.fetch(queries["pay.entries"], None, courier_id, since, until, after, limit)
    sums = await pool.fetch(queries["pay.sums"], courier_id, since, until)
    in_force = await pool.fetchrow(queries["pay.in_force"], courier["region"], until)
    rules = None if in_force is None else known(in_force["source"])
    currency = sums[0]["currency"] if sums else None if rules is None else rules.currency
    shown = [row for row in sums if row["currency"] == currency]
    shape = CourierPay(
        courier_id=courier_id,
        region=courier["region"],
        timezone=zone.key,
        currency=currency,
        digits=2 if currency is None else digits_of(currency),
        from_=since,
        to=until,
        total=sum(row["amount"] for row in shown),
        sums=[_sum_shape(row, rules) for row in shown],
        items=[entry_shape(row) for row in rows],
        next=cursor_of(rows[-1]["n"]) if len(rows) == limit else None,
    )
    return Response(shape, headers={"cache-control": "no-store"})


@get("/v1/pay/entries", guards=[requires(Role.ADMIN, Role.AUDITOR)], operation_class=PayOperation, tags=["pay"])
async def list_entries(
    request: Request[Any, Any, Any],
    pool: Pool,
    region: FromQuery[str | None] = None,
    courier_id: FromQuery[UUID | None] = None,
    from_text: From = None,
    to_text: To = None,
    cursor: FromQuery[str | None] = None,
    limit: Limit = 100,
    file_format: Format = None,
) -> Response[Page[PayEntry]]:
    """
    The ledger, in the order in which it was written, of what was earned from `from` (31 days before `to`) until before
    `to` (now). As CSV all of it, 100,000 rows at most.
    """
    until = instant_of("to", to_text) or datetime.now(UTC)
    since = instant_of("from", from_text) or until - DEFAULT_SPAN
    if _wants_csv(request, file_format):
        return _csv(pool, "pay.csv", region, courier_id, since, until)
    rows = await pool.fetch(queries["pay.entries"], region, courier_id, since, until, _after(cursor), limit)
    items = [entry_shape(row) for row in rows]
    return Response(Page(items=items, next=cursor_of(rows[-1]["n"]) if len(rows) == limit else None))


@post("/v1/pay/entries", guards=[requires(Role.ADMIN)], tags=["pay"])
async def add_entry(
    data: JSONBody[NewPayEntry], pool: Pool, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> PayEntry | dict[str, Any]:
    """Book a tip, of which the courier has what the rules say, or a correction by hand, which needs a reason."""
    check_instants(data)
    if data.kind == "correction" and data.reason is None:
        raise BadInput("A correction needs a reason.", ("/reason", "expected words"))
    if data.amount == 0 or (data.kind == "tip" and data.amount < 0):
        raise BadInput("That is no amount.", ("/amount", "expected minor units that are not 0, of a tip above 0"))
    async with pool.acquire() as connection, connection.transaction():
        if (before := await answered_before(connection, caller, idempotency_key, data)) is not None:
            return before  # type: ignore[no-any-return]
        courier = await connection.fetchrow(queries["pay.courier"], data.courier_id)
        if courier is None:
            raise CourierNotFound(courier_id=str(data.courier_id))
        await must_reach(connection, couriers=[data.courier_id])
        now = datetime.now(UTC)
        at = min(data.at or now, now)
        in_force = await connection.fetchrow(queries["pay.in_force"], courier["region"], at)
        if in_force is None:
            raise PayRulesNotFound("The region has no rules of pay yet.", region=courier["region"])
        rules = known(in_force["source"])
        line = for_tip(rules, data.amount) if data.kind == "tip" else None
        amount = data.amount if line is None else line.amount
        if amount == 0:
            raise BadInput("The rules leave nothing of it.", ("/amount", "expected a tip of which a share is left"))
        row = await connection.fetchrow(
            queries["pay.book"],
            *(data.courier_id, courier["region"], data.kind, f"entry:{uuid4()}", line.rule if line else data.kind),
            *(in_force["version"], 1, amount, rules.currency, at, at.astimezone(zone_of(courier["timezone"])).date()),
            *(data.order_id, to_json(line.facts if line else {}), None, caller.actor, caller.role.value, data.reason),
        )
        shape = entry_shape(row)
        facts = {"entry_id": shape.id, "amount": shape.amount, "reason": data.reason}
        await audit(connection, caller, f"pay.{data.kind}", f"courier:{data.courier_id}", facts)
        await remember_answer(connection, caller, idempotency_key, 201, shape)
    return shape


@post("/v1/pay/entries/{entry_id:uuid}/reverse", guards=[requires(Role.ADMIN)], tags=["pay"])
async def reverse_entry(
    entry_id: FromPath[UUID], data: JSONBody[Reversal], pool: Pool, caller: CurrentCaller
) -> PayEntry:
    """Take an entry back by another one of the opposite amount, once; what was accrued is not accrued again."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["pay.entry"], entry_id)
        if row is None:
            raise PayEntryNotFound(id=str(entry_id))
        await must_reach(connection, couriers=[row["courier_id"]])
        if row["kind"] == "reversal":
            raise Conflict("That is a reversal itself: book a correction.", id=str(entry_id))
        try:
            made = await connection.fetchrow(
                queries["pay.book"],
                *(row["courier_id"], row["region"], "reversal", f"entry:{entry_id}", row["rule"], row["version"], 1),
                *(-row["amount"], row["currency"], row["at"], row["day"], row["order_id"], "{}", entry_id),
                *(caller.actor, caller.role.value, data.reason),
            )
        except asyncpg.UniqueViolationError as exc:
            raise Conflict("It was reversed before.", id=str(entry_id)) from exc
        shape = entry_shape(made)
        facts = {"entry_id": entry_id, "amount": shape.amount, "reason": data.reason}
        await audit(connection, caller, "pay.reverse", f"courier:{shape.courier_id}", facts)
    return shape


def _read(source: str) -> Rules:
    try:
        return read(source)
    except Unusable as exc:
        errors = [("/rules", str(fault)) for fault in exc.faults]
        raise BadInput("The rules cannot be used.", *errors) from exc


def _rules_shape(row: Any) -> PayRules:
    return PayRules(
        region=row["region"],
        version=row["version"],
        in_force_from=row["in_force_from"],
        rules=row["source"],
        note=row["note"],
        created_at=row["created_at"],
        created_by=row["created_by"],
    )


def _sum_shape(row: Any, rules: Rules | None) -> PaySum:
    title = row["rule"] if rules is None else rules.title_of(row["rule"])
    return PaySum(rule=row["rule"], title=title, kind=row["kind"], amount=row["amount"], n=row["n"])


def _after(cursor: str | None) -> int:
    key = key_of(cursor, tuple[int])
    return 0 if key is None else int(key[0])


def _wants_csv(request: Request[Any, Any, Any], file_format: str | None) -> bool:
    return (file_format or ("csv" if request.accept.best_match(["application/json", CSV]) == CSV else "json")) == "csv"


def _csv(
    pool: Any, name: str, region: str | None, courier_id: UUID | None, since: datetime, until: datetime
) -> Response[Any]:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Stream(_lines(pool, region, courier_id, since, until), media_type=CSV, headers=headers)


async def _lines(
    pool: Any, region: str | None, courier_id: UUID | None, since: datetime, until: datetime
) -> AsyncIterator[str]:
    yield csv_lines([[*NAMES, "amount", "currency"]])
    after = 0
    for _ in range(MOST_ROWS // PAGE_LIMIT):
        rows = await pool.fetch(queries["pay.entries"], region, courier_id, since, until, after, PAGE_LIMIT)
        yield csv_lines([*(row[name] for name in NAMES), _amount(row), row["currency"]] for row in rows)
        if len(rows) < PAGE_LIMIT:
            return
        after = rows[-1]["n"]


def _amount(row: Any) -> Any:
    """A number, not text: a spreadsheet adds these up, and takes a minus sign for nothing else."""
    return Decimal(text_of(row["amount"], digits_of(row["currency"])))


route_handlers: list[Any] = [
    list_rules, add_rules, simulate_rules, get_courier_pay, list_entries, add_entry, reverse_entry
]  # fmt: skip
