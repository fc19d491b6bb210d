"""What is held of a courier: counted before it is erased, and handed out to the person."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Stream

from app.commands.held import FIXES, KINDS, Fate, counted, exported
from app.web.auth import Role, requires
from app.web.dependencies import Pool
from app.web.looks import looks_at
from app.web.pages import Page
from app.wiring.intake import Intake
from app.wiring.reads import NearReads
from sql import queries
from tracking.errors import CourierNotFound

LINES: Final = "application/x-ndjson"


class Held(msgspec.Struct, kw_only=True):
    """A kind of rows."""

    kind: str
    n: int
    on_erase: Fate
    """Deleted, or kept for what refers to them and leading to nobody."""


@get("/v1/couriers/{courier_id:uuid}/held", guards=[requires(Role.ADMIN)], tags=["couriers"])
async def count_held(courier_id: FromPath[UUID], pool: Pool) -> Response[Page[Held]]:
    """How much is held of a courier, and what erasing would do about it."""
    await _known(pool, courier_id)
    found = await counted(pool, courier_id)
    fates = {**KINDS, FIXES: Fate.DELETED}
    items = [Held(kind=kind, n=n, on_erase=fates[kind]) for kind, n in found.items()]
    return Response(Page(items=items), headers={"cache-control": "no-store"})


@get(
    "/v1/couriers/{courier_id:uuid}/export",
    opt=looks_at("courier.export"),
    guards=[requires(Role.ADMIN)],
    tags=["couriers"],
    media_type=LINES,
    response_description="Lines of JSON",
)
async def export_courier(courier_id: FromPath[UUID], state: State, pool: Pool, reads: NearReads) -> Stream:
    """
    All that is held of a courier, for the person to have: a line of JSON for each row; `record` says what it is.

    Of recipients and staff nothing that names them is in it. Also of a courier that was removed.
    """
    await _known(pool, courier_id)
    intake: Intake = state.intake
    lines = exported(reads, intake.reader, courier_id, datetime.now(UTC))
    headers = {
        "Content-Disposition": f'attachment; filename="courier-{courier_id}.ndjson"',
        "cache-control": "no-store",
    }
    return Stream(lines, media_type=LINES, headers=headers)


async def _known(pool: Any, courier_id: UUID) -> None:
    if await pool.fetchrow(queries["couriers.find_even_deleted"], courier_id) is None:
        raise CourierNotFound(courier_id=courier_id)


route_handlers: list[Any] = [count_held, export_courier]
