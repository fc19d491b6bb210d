"""Channels: messages to people by chat, e-mail, SMS and the like. `app.messages` sends them."""

from datetime import datetime, time
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import delete, get, patch, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from app.messages import text
from app.messages.services import Services
from app.pages.writing import words
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.pages import Page
from app.web.problems import BadInput, Conflict
from app.web.regions import known_region
from dispatch.alert_kind import AlertKind
from sql import queries

MOST_CHANNELS: Final = 200
DAY_S: Final = 86_400
PATCHABLE: Final = ("url", "kinds", "region", "language", "group_s", "after_s", "description")

Url = Annotated[str, msgspec.Meta(min_length=4, max_length=2000, pattern=r"^[a-zA-Z][a-zA-Z0-9+.-]*://\S+$")]
RegionId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
Clock = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]

Kinds = Annotated[list[Annotated[str, msgspec.Meta(max_length=40)]], msgspec.Meta(max_length=64)]
Language = Literal["en", "ru"]
GroupS = Annotated[int, msgspec.Meta(ge=0, le=3600)]
AfterS = Annotated[int, msgspec.Meta(ge=0, le=DAY_S)]
Description = Annotated[str, msgspec.Meta(max_length=200)]


class QuietHours(msgspec.Struct, kw_only=True):
    """When nothing is said, by the clocks of the region; what comes then is said at the end."""

    from_: Clock = msgspec.field(name="from")
    to: Clock


class ChannelFacts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Who is told what, and when."""

    audience: Literal["staff", "recipients"] = "staff"
    kinds: Kinds = []
    """Staff: kinds of alerts. Recipients: `placed`, `on_its_way`, `arriving`, `delivered`. None: all."""
    region: RegionId | None = None
    """Of this region only."""
    language: Language = "en"
    """Of what is said; recipients whose contact has a `language` are told in that."""
    quiet: QuietHours | None = None
    group_s: GroupS | None = None
    """Alerts that come within so many seconds are said together; none: 30."""
    after_s: AfterS = 0
    """Told only of alerts that nobody has acknowledged so long after they were raised: for who is to be woken then."""
    description: Description = ""


class NewChannel(ChannelFacts, kw_only=True, omit_defaults=True):
    """A way to tell people."""

    url: Url
    """A service as Apprise writes it: `slack://…`, `mailto://…`, `twilio://…/{phone}`; `{phone}` and `{email}` are the
    recipient's, from the contact of the drop-off."""


class ChannelPatch(msgspec.Struct, kw_only=True):
    """What shall change; whom it tells does not: that is another channel."""

    url: Url | UnsetType = UNSET
    kinds: Kinds | UnsetType = UNSET
    region: RegionId | UnsetType | None = UNSET
    language: Language | UnsetType = UNSET
    quiet: QuietHours | UnsetType | None = UNSET
    group_s: GroupS | UnsetType = UNSET
    after_s: AfterS | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Channel(ChannelFacts, kw_only=True, omit_defaults=True):
    """A way to tell people; its address has secrets, and is not shown again."""

    id: UUID
    service: str
    created_at: datetime
    n_waiting: int
    said_at: datetime | None = None
    """When something was said last."""
    last_error: str | None = None
    """Why that did not work since."""


class Trial(msgspec.Struct, kw_only=True):
    """Where a test for recipients goes to."""

    phone: Annotated[str, msgspec.Meta(max_length=40)] = ""
    email: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Tried(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of a test."""

    sent: bool
    error: str | None = None


@get("/v1/channels", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def list_channels(pool: Pool) -> Page[Channel]:
    """All of them, the oldest first."""
    return Page(items=[_shape(row) for row in await pool.fetch(queries["channels.list"], None)])


@post("/v1/channels", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def create_channel(
    data: JSONBody[NewChannel], pool: Pool, caller: CurrentCaller, state: State, idempotency_key: IdempotencyKey = None
) -> Channel:
    """
    Tell people of alerts, or recipients of their orders, from now on.

    Private addresses are refused when something is sent, unless the installation allows them for webhooks.
    """
    _check(data)
    service = await _service_of(state, data.url)
    async with pool.acquire() as connection, connection.transaction():
        before = await answered_before(connection, caller, idempotency_key, data)
        if before is not None:
            return msgspec.convert(before, Channel)
        if await connection.fetchval(queries["channels.count"]) >= MOST_CHANNELS:
            raise Conflict(f"There are {MOST_CHANNELS} channels, as many as there may be.")
        region = None if data.region is None else await known_region(connection, data.region)
        default_s = 30 if data.audience == "staff" else 0
        channel_id = await connection.fetchval(
            queries["channels.add"],
            *(data.url, service, data.description, data.audience, data.kinds, region, data.language),
            *_clocks(data.quiet),
            default_s if data.group_s is None else data.group_s,
            data.after_s,
        )
        facts = {"service": service, "audience": data.audience, "kinds": data.kinds, "region": region}
        await audit(connection, caller, "channel.create", f"channel:{channel_id}", facts)
        shape = _shape(await connection.fetchrow(queries["channels.list"], channel_id))
        await remember_answer(connection, caller, idempotency_key, 201, shape)
    return shape


@patch("/v1/channels/{channel_id:uuid}", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def change_channel(
    channel_id: FromPath[UUID], data: JSONBody[ChannelPatch], pool: Pool, caller: CurrentCaller, state: State
) -> Channel:
    """Change what is given; what waits already is said where it points now, at once if it was left alone."""
    service = None if data.url is UNSET else await _service_of(state, data.url)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["channels.lock"], channel_id)
        if row is None:
            raise _missing()
        before = {name: row[name] for name in ("audience", *PATCHABLE)} | {"quiet": _quiet_of(row)}
        given = {name: value for name in (*PATCHABLE, "quiet") if (value := getattr(data, name)) is not UNSET}
        wanted = NewChannel(**before | given)
        _check(wanted)
        if wanted.region is not None:
            await known_region(connection, wanted.region)
        await connection.execute(
            queries["channels.change"],
            channel_id,
            *(wanted.url, service or row["service"], wanted.description, wanted.kinds, wanted.region, wanted.language),
            *_clocks(wanted.quiet),
            *(wanted.group_s, wanted.after_s),
        )
        facts = {name: value for name, value in given.items() if name != "url"} | {"service": service or row["service"]}
        await audit(connection, caller, "channel.change", f"channel:{channel_id}", msgspec.to_builtins(facts))
        return _shape(await connection.fetchrow(queries["channels.list"], channel_id))


@delete("/v1/channels/{channel_id:uuid}", guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def delete_channel(channel_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> None:
    """Say nothing there any more; what waited is forgotten."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(queries["channels.delete"], channel_id) is None:
            raise _missing()
        await audit(connection, caller, "channel.delete", f"channel:{channel_id}")


@post("/v1/channels/{channel_id:uuid}/test", status_code=200, guards=[requires(Role.ADMIN)], tags=["webhooks"])
async def try_channel(
    channel_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, state: State, data: JSONBody[Trial | None] = None
) -> Tried:
    """Say something there at once, and what came of it; for recipients to the phone or address that is given."""
    row = await pool.fetchrow(queries["channels.get"], channel_id)
    if row is None:
        raise _missing()
    url = text.address_of(row["url"], msgspec.to_builtins(data or Trial()))
    if url is None:
        raise BadInput("To whom?", ("", "expected the phone or email that the channel's address needs"))
    services: Services = state.services
    told = await services.send(url, "Postrider", words("en")["m_test"])
    await audit(pool, caller, "channel.test", f"channel:{channel_id}", {"sent": told.is_sent})
    return Tried(sent=told.is_sent, error=told.error)


async def _service_of(state: State, url: str) -> str:
    """Which service has such an address; raises BadInput where none has."""
    services: Services = state.services
    found = await services.check(url)
    if not found.is_sent:
        raise BadInput("The address cannot be used.", ("/url", found.error or "expected a service"))
    return found.service


def _clocks(quiet: QuietHours | None) -> tuple[time | None, time | None]:
    return (None, None) if quiet is None else (time.fromisoformat(quiet.from_), time.fromisoformat(quiet.to))


def _quiet_of(row: Any) -> QuietHours | None:
    if row["quiet_from"] is None:
        return None
    return QuietHours(from_=f"{row['quiet_from']:%H:%M}", to=f"{row['quiet_to']:%H:%M}")


def _check(data: NewChannel) -> None:
    known = set(text.STEPS) if data.audience == "recipients" else {kind.value for kind in AlertKind}
    for i, kind in enumerate(data.kinds):
        if kind not in known:
            raise BadInput("There is no such kind.", (f"/kinds/{i}", f"expected one of: {', '.join(sorted(known))}"))
    if data.audience == "recipients":
        if not text.is_for_one(data.url):
            raise BadInput("To whom?", ("/url", "expected {phone} or {email} where the recipient's stands"))
        if data.after_s or data.group_s:
            raise BadInput("Recipients are told at once.", ("/after_s", "expected 0, and the same of group_s"))


def _missing() -> NotFoundException:
    return NotFoundException(detail="There is no such channel.")


def _shape(row: Any) -> Channel:
    names = ("id", "service", "description", "audience", "kinds", "region", "language", "group_s", "after_s")
    more = ("created_at", "said_at", "last_error", "n_waiting")
    return Channel(quiet=_quiet_of(row), **{name: row[name] for name in (*names, *more)})


route_handlers: list[Any] = [list_channels, create_channel, change_channel, delete_channel, try_channel]
