"""Web Push: a browser asks to be told of offers (couriers) or alerts (staff) while the page is closed."""

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import delete, get, put
from litestar.params import JSONBody

from app.gateway.address import check_url
from app.messages.push import public_key_of
from app.web.auth import Role, requires_any
from app.web.dependencies import CurrentCaller, CurrentSettings, Pool
from app.web.problems import BadInput, Conflict
from sql import queries

MOST: Final = 10
"""Browsers of one session or token."""

Key = Annotated[str, msgspec.Meta(min_length=16, max_length=200, pattern="^[A-Za-z0-9_-]+=*$")]
Endpoint = Annotated[str, msgspec.Meta(min_length=12, max_length=2000, pattern=r"^https?://[^\s/]+")]


class PushKeys(msgspec.Struct, kw_only=True):
    """Of the browser."""

    p256dh: Key
    auth: Key


class Subscription(msgspec.Struct, kw_only=True):
    """As the browser's `PushSubscription` says it."""

    endpoint: Endpoint
    keys: PushKeys
    language: Literal["en", "ru"] = "en"


class Ended(msgspec.Struct, kw_only=True):
    """Which browser."""

    endpoint: Endpoint


class PushKey(msgspec.Struct, kw_only=True):
    """The installation's, for `applicationServerKey`."""

    public_key: str


@get("/v1/me/push", guards=[requires_any], tags=["sessions"])
async def get_push_key(pool: Pool) -> PushKey:
    """What a browser needs to subscribe."""
    return PushKey(public_key=public_key_of(await pool.fetchval(queries["installation.secret"])))


@put("/v1/me/push", guards=[requires_any], status_code=204, tags=["sessions"])
async def subscribe(
    data: JSONBody[Subscription], pool: Pool, caller: CurrentCaller, installation: CurrentSettings
) -> None:
    """
    Tell this browser: a courier of offers, staff of alerts; as long as the session or token lasts.

    Staff who are bound to several regions or to a partner cannot be told of alerts.
    """
    check_url(data.endpoint, "/endpoint", allow_private=installation.webhooks_private)
    if caller.courier_id is None:
        if not caller.is_at_least(Role.VIEWER):
            raise BadInput("A service has no browser.", ("", "expected the token of a person"))
        if caller.partner is not None or len(caller.regions) > 1:
            raise Conflict("Alerts are told to people of all regions or of one.")
    if await pool.fetchval(queries["channels.n_of_token"], caller.token_id, data.endpoint) >= MOST:
        raise Conflict(f"There are {MOST} browsers, as many as there may be.")
    push = msgspec.json.encode({"endpoint": data.endpoint, "keys": data.keys}).decode()
    region = caller.regions[0] if caller.regions else None
    audience = "staff" if caller.courier_id is None else "courier"
    await pool.execute(
        queries["channels.add_push"], push, audience, caller.courier_id, caller.token_id, region, data.language
    )


@delete("/v1/me/push", guards=[requires_any], status_code=204, tags=["sessions"])
async def unsubscribe(data: JSONBody[Ended], pool: Pool, caller: CurrentCaller) -> None:
    """Tell this browser nothing any more."""
    await pool.execute(queries["channels.delete_push"], caller.token_id, data.endpoint)


route_handlers: list[Any] = [get_push_key, subscribe, unsubscribe]
