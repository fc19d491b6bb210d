"""What is held of a recipient: `/v1/recipients/…`. The contact comes in the body, for addresses are written to logs."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, post
from litestar.params import JSONBody
from litestar.response import Stream

from app.commands.recipients import Contact, erase, exported
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool
from sql import queries

LINES: Final = "application/x-ndjson"


class Recipient(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who asks."""

    contact: Annotated[str, msgspec.Meta(min_length=2, max_length=200, pattern=r"\S\s*\S")]
    """A name, an e-mail address or a phone number, as orders have it."""


class RecipientHeld(msgspec.Struct, kw_only=True):
    """Orders whose contact names the person, as the one who sends or the one who gets it."""

    orders: int
    open: int
    """Under way: they are erased once they are closed."""
    pictures: int
    since: datetime | None
    until: datetime | None


class RecipientErased(msgspec.Struct, kw_only=True):
    """Of so many orders contact, address, instructions, proof with pictures, codes, links and comments are gone."""

    orders: int
    open: int
    """Left, for they are under way."""


@post("/v1/recipients/held", guards=[requires(Role.ADMIN)], status_code=200, tags=["recipients"])
async def count_recipient(data: JSONBody[Recipient], pool: Pool) -> Response[RecipientHeld]:
    """How much is held of a recipient or sender."""
    row = await pool.fetchrow(queries["recipients.held"], *Contact.of(data.contact).values)
    return Response(RecipientHeld(**dict(row)), headers={"cache-control": "no-store"})


@post(
    "/v1/recipients/export",
    guards=[requires(Role.ADMIN)],
    status_code=200,
    tags=["recipients"],
    media_type=LINES,
    response_description="Lines of JSON",
)
async def export_recipient(data: JSONBody[Recipient], pool: Pool, caller: CurrentCaller) -> Stream:
    """All that is held of a recipient or sender, for the person to have: a line of JSON for each order."""
    await audit(pool, caller, "recipient.export", "recipient")
    headers = {"Content-Disposition": 'attachment; filename="recipient.ndjson"', "cache-control": "no-store"}
    return Stream(exported(pool, Contact.of(data.contact)), media_type=LINES, headers=headers)


@post("/v1/recipients/erase", guards=[requires(Role.ADMIN)], status_code=200, tags=["recipients"])
async def erase_recipient(data: JSONBody[Recipient], pool: Pool, caller: CurrentCaller) -> RecipientErased:
    """Erase a recipient or sender from all orders that are closed; the orders stay, and name nobody."""
    contact = Contact.of(data.contact)
    n = await erase(pool, contact)
    left = await pool.fetchrow(queries["recipients.held"], *contact.values)
    await audit(pool, caller, "recipient.erase", "recipient", {"orders": n, "open": left["open"]})
    return RecipientErased(orders=n, open=left["open"])


route_handlers: list[Any] = [count_recipient, export_recipient, erase_recipient]
