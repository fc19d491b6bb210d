"""Webhooks: events to other systems over HTTP. `app.gateway` sends them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import delete, get, patch, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from app.gateway.address import check_url
from app.gateway.described import document
from app.gateway.events import POSITION, SHAPES, TEST, CloudEvent, event_of
from app.gateway.sender import alert_source
from app.gateway.signing import new_secret
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, CurrentSettings, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.looks import looks_at
from app.web.pages import LARGEST_ID, PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput, Conflict
from app.web.regions import known_region
from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from sql import queries
from tracking.position import Region

MOST_WEBHOOKS: Final = 200
OLD_SECRET_FOR: Final = timedelta(days=1)

Url = Annotated[str, msgspec.Meta(min_length=10, max_length=2000, pattern=r"^https?://[^\s/]+")]
TypePattern = Annotated[str, msgspec.Meta(pattern=r"^postrider\.[a-z_.]{0,60}\*?$")]
TypePatterns = Annotated[list[TypePattern], msgspec.Meta(max_length=64)]
RegionId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
Description = Annotated[str, msgspec.Meta(max_length=200)]


class Positions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Of which couriers the positions go there, and how often: with the type `postrider.courier.position`."""

    every_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 10
    """Of each courier the newest one, at most so often."""
    couriers: Annotated[list[UUID], msgspec.Meta(max_length=1000)] | None = None
    """Of these only, by our ids; none given: of all."""


class NewWebhook(msgspec.Struct, kw_only=True):
    """Where events shall go, and which."""

    url: Url
    types: TypePatterns = []
    """Types of events, such as `postrider.order.delivered`; `postrider.order.*` are all that begin so. None: all, but
    `postrider.courier.position` only where it is named."""
    positions: Positions | None = None
    region: RegionId | None = None
    """Of this region only."""
    description: Description = ""


class WebhookPatch(msgspec.Struct, kw_only=True):
    """What shall change."""

    url: Url | UnsetType = UNSET
    types: TypePatterns | UnsetType = UNSET
    positions: Positions | UnsetType = UNSET
    region: RegionId | UnsetType | None = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    """Turned on again, what waited is sent at once."""


class Webhook(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A system that is sent events."""

    id: UUID
    url: str
    types: list[str]
    description: str
    enabled: bool
    created_at: datetime
    n_waiting: int
    """Events that are still to be sent to it."""
    region: str | None = None
    positions: Positions | None = None
    off_reason: str | None = None
    failing_since: datetime | None = None
    """Nothing was taken since then."""


class WebhookWithSecret(Webhook, kw_only=True, omit_defaults=True):
    """With the secret that signs what is sent; shown once."""

    secret: str


class NewSecret(msgspec.Struct, kw_only=True):
    """A new secret, shown once; the one before signs as well until then."""

    secret: str
    old_until: datetime


class Delivery(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An attempt to send an event."""

    id: int
    event: CloudEvent
    """What was sent."""
    tried_at: datetime
    attempt: int
    took_ms: int
    status: int | None = None
    answer: str | None = None
    """The beginning of what came back."""
    error: str | None = None
    again_at: datetime | None = None
    """When it is tried again; none: it was taken, or given up."""


class Queued(msgspec.Struct, kw_only=True):
    """An event that is on its way now."""

    event_id: UUID


@get("/schema/events", opt={"public": True}, tags=["webhooks"], media_type="application/json")
async def describe_events() -> dict[str, Any]:
    """Every event with its shape, as AsyncAPI 3.0."""
    return document("1.0.0")


@get("/v1/webhooks", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def list_webhooks(pool: Pool) -> Page[Webhook]:
    """All of them, the oldest first."""
    return Page(items=[_shape(row) for row in await pool.fetch(queries["event_targets.list"], None)])


@get("/v1/webhooks/{webhook_id:uuid}", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def get_webhook(webhook_id: FromPath[UUID], pool: Pool) -> Webhook:
    """One of them."""
    return await _found(pool, webhook_id)


@post("/v1/webhooks", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def create_webhook(
    data: JSONBody[NewWebhook],
    pool: Pool,
    caller: CurrentCaller,
    installation: CurrentSettings,
    idempotency_key: IdempotencyKey = None,
) -> WebhookWithSecret:
    """
    Send events to an address from now on, signed as Standard Webhooks says.

    What the receiver does not answer with 2xx is sent again, for three days; redirects are not followed.
    """
    check_url(data.url, "/url", allow_private=installation.webhooks_private)
    _check_types(data.types)
    _check_positions(data.types, data.positions)
    async with pool.acquire() as connection, connection.transaction():
        before = await answered_before(connection, caller, idempotency_key, data)
        if before is not None:
            return msgspec.convert(before, WebhookWithSecret)
        if (await connection.fetchval(queries["event_targets.count"])) >= MOST_WEBHOOKS:
            raise Conflict(f"There are {MOST_WEBHOOKS} webhooks, as many as there may be.")
        region = None if data.region is None else await known_region(connection, data.region)
        secret = new_secret()
        row = await connection.fetchrow(
            queries["event_targets.insert"],
            *(data.url, data.description, data.types, region, [secret]),
            *_pace_of(data.positions or Positions()),
        )
        await audit(connection, caller, "webhook.create", f"webhook:{row['id']}", _facts(row))
        made = WebhookWithSecret(secret=secret, **_members(_shape({**row, "n_waiting": 0})))
        await remember_answer(connection, caller, idempotency_key, 201, made)
    return made


@patch("/v1/webhooks/{webhook_id:uuid}", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def change_webhook(
    webhook_id: FromPath[UUID],
    data: JSONBody[WebhookPatch],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    installation: CurrentSettings,
) -> Webhook:
    """Change what is given; what waits already goes where it points now."""
    if data.url is not UNSET:
        check_url(data.url, "/url", allow_private=installation.webhooks_private)
    if data.types is not UNSET:
        _check_types(data.types)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["event_targets.lock"], webhook_id)
        if row is None:
            raise _missing()
        wanted = dict(row) | {
            name: value
            for name in ("url", "types", "region", "description")
            if (value := getattr(data, name)) is not UNSET
        }
        if wanted["region"] is not None:
            await known_region(connection, wanted["region"])
        is_on = row["off_at"] is None if data.enabled is UNSET else data.enabled
        values = [wanted[name] for name in ("url", "description", "types", "region")]
        positions = _positions_of(row) if data.positions is UNSET else data.positions
        _check_positions(wanted["types"], None if data.positions is UNSET else positions)
        now = datetime.now(UTC)
        changed = await connection.fetchrow(
            queries["event_targets.change"], webhook_id, *values, is_on, now, *_pace_of(positions)
        )
        if is_on:
            await connection.execute(queries["event_targets.due_now"], webhook_id)
        await audit(connection, caller, "webhook.change", f"webhook:{webhook_id}", {**_facts(wanted), "enabled": is_on})
    if is_on and row["off_at"] is not None:
        await alert_rows.write(
            pool,
            redis,
            Region(changed["alert_region"]),
            source=alert_source(webhook_id),
            raised=[],
            resolved=[AlertChange(kind=AlertKind.WEBHOOK_OFF, facts={"reason": "turned on"})],
            now=now,
        )
    return await _found(pool, webhook_id)


@delete("/v1/webhooks/{webhook_id:uuid}", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def delete_webhook(webhook_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> None:
    """Send nothing there any more; what waited and what was delivered is forgotten."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(queries["event_targets.delete"], webhook_id) is None:
            raise _missing()
        await audit(connection, caller, "webhook.delete", f"webhook:{webhook_id}")


@post("/v1/webhooks/{webhook_id:uuid}/rotate", status_code=200, guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def rotate_secret(webhook_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> NewSecret:
    """A new secret; for a day everything is signed with the one before as well."""
    secret, until = new_secret(), datetime.now(UTC) + OLD_SECRET_FOR
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(queries["event_targets.rotate"], webhook_id, secret, until) is None:
            raise _missing()
        await audit(connection, caller, "webhook.rotate", f"webhook:{webhook_id}")
    return NewSecret(secret=secret, old_until=until)


@post("/v1/webhooks/{webhook_id:uuid}/test", status_code=202, guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def send_test(webhook_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> Queued:
    """Send it an event of type `postrider.test`, whatever else it wants; its deliveries tell what came of it."""
    found = await _found(pool, webhook_id)
    data = msgspec.json.encode({"target_id": webhook_id}).decode()
    async with pool.acquire() as connection, connection.transaction():
        event_id = await connection.fetchval(
            queries["outbox.put_for"], webhook_id, TEST, found.region or "", datetime.now(UTC), data
        )
        if event_id is None:
            raise _missing()
        await audit(connection, caller, "webhook.test", f"webhook:{webhook_id}")
    return Queued(event_id=event_id)


@get(
    "/v1/webhooks/{webhook_id:uuid}/deliveries",
    opt=looks_at("webhooks.deliveries"),
    guards=[requires(Role.ADMIN)],
    tags=["webhooks"],
)
async def list_deliveries(
    webhook_id: FromPath[UUID],
    pool: Pool,
    cursor: Annotated[str | None, QueryParameter()] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[Delivery]:
    """What was sent and what came back, the newest first."""
    await _found(pool, webhook_id)
    key = key_of(cursor, tuple[int])
    rows = await pool.fetch(queries["event_deliveries.list"], webhook_id, None if key is None else key[0], limit)
    items = [_delivery(row) for row in rows]
    return Page(items=items, next=cursor_of(items[-1].id) if len(items) == limit else None)


@post(
    "/v1/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:int}/resend",
    status_code=202,
    guards=[requires(Role.ADMIN)],
    tags=["webhooks"],
)
async def resend(webhook_id: FromPath[UUID], delivery_id: FromPath[int], pool: Pool, caller: CurrentCaller) -> Queued:
    """Send the event of a delivery once more, with the same id."""
    if not 0 < delivery_id <= LARGEST_ID:
        raise _missing("delivery")
    async with pool.acquire() as connection, connection.transaction():
        event_id = await connection.fetchval(queries["outbox.put_again"], webhook_id, delivery_id)
        if event_id is None:
            raise _missing("delivery")
        await audit(connection, caller, "webhook.resend", f"webhook:{webhook_id}", {"event_id": event_id})
    return Queued(event_id=event_id)


async def _found(pool: Any, webhook_id: UUID) -> Webhook:
    row = await pool.fetchrow(queries["event_targets.list"], webhook_id)
    if row is None:
        raise _missing()
    return _shape(row)


def _missing(what: str = "webhook") -> NotFoundException:
    return NotFoundException(detail=f"There is no such {what}.")


def _shape(row: Any) -> Webhook:
    names = ("id", "url", "types", "description", "created_at", "region", "off_reason", "failing_since", "n_waiting")
    positions = _positions_of(row) if POSITION in row["types"] else None
    return Webhook(enabled=row["off_at"] is None, positions=positions, **{name: row[name] for name in names})


def _positions_of(row: Any) -> Positions:
    return Positions(every_s=row["position_every_s"], couriers=row["position_couriers"])


def _pace_of(positions: Positions) -> tuple[int, list[UUID] | None]:
    return positions.every_s, positions.couriers


def _check_positions(types: list[str], positions: Positions | None) -> None:
    if positions is not None and POSITION not in types:
        raise BadInput("It gets no positions.", ("/positions", f"expected {POSITION} among the types"))


def _members(webhook: Webhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in Webhook.__struct_fields__}


def _facts(row: Any) -> dict[str, Any]:
    """For the audit log: an address may hold a password."""
    return {"host": urlsplit(row["url"]).hostname, "types": row["types"], "region": row["region"]}


def _delivery(row: Any) -> Delivery:
    names = ("tried_at", "attempt", "took_ms", "status", "answer", "error", "again_at")
    return Delivery(id=row["delivery_id"], event=event_of(row), **{name: row[name] for name in names})


def _check_types(types: list[str]) -> None:
    for i, pattern in enumerate(types):
        known = any(name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for name in SHAPES)
        if not known:
            raise BadInput(
                "There is no such type of event.", (f"/types/{i}", "expected a type, or its beginning and *")
            )


route_handlers: list[Any] = [
    describe_events,
    list_webhooks,
    get_webhook,
    create_webhook,
    change_webhook,
    delete_webhook,
    rotate_secret,
    send_test,
    list_deliveries,
    resend,
]
