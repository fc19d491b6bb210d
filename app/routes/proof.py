"""What proves a delivery: pictures from the courier's phone, the recipient's code, and who may see them."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post, put
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter, RawBody

from app.pictures.picture import media_type_of
from app.pictures.pictures import PICTURE_BYTES, Kind, Pictures, PictureShape
from app.shapes.orders import Code
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool
from dispatch.errors import NotYours, OrderNotOpen
from dispatch.orders.desk import read_order
from dispatch.orders.proof import ATTEMPTS, asked_from_row, code_of, is_proved, new_code, plain, wanted_of
from sql import queries


class ProofShape(msgspec.Struct, kw_only=True):
    """What proves that an order was handed over, or shall."""

    wanted: list[str]
    """Of `photo`, `signature`, `name`, `code`: what the courier needs at the door."""
    pictures: list[PictureShape]
    code: str | None = None
    """What the recipient names; told to support and above."""
    attempts_left: int | None = None
    """How many wrong codes are left."""


class NewCode(msgspec.Struct, kw_only=True):
    """Another code for the recipient; none: one is made."""

    code: Code | None = None


class CodeShape(msgspec.Struct, kw_only=True):
    """The code in force."""

    code: str


@put(
    "/v1/orders/{order_id:uuid}/pictures/{picture_id:uuid}",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    request_max_body_size=PICTURE_BYTES,
    tags=["courier"],
)
async def put_picture(
    order_id: FromPath[UUID],
    picture_id: FromPath[UUID],
    pool: Pool,
    caller: CurrentCaller,
    state: State,
    body: RawBody,
    kind: Annotated[Kind, QueryParameter()] = "photo",
) -> PictureShape:
    """
    Keep a picture of the door, or a signature: the body is the file (JPEG, PNG, WebP).

    The sender chooses its id, so that sending it again changes nothing. It is made smaller, and what the file tells
    beside it (EXIF) is left behind.
    """
    order = await read_order(pool, order_id)
    if caller.courier_id is not None and order.courier_id != caller.courier_id:
        raise NotYours(order_id=str(order_id))
    pictures: Pictures = state.pictures
    stored_at = await pictures.add(picture_id, order_id, kind, body, courier_id=caller.courier_id)
    return await pictures.shape_of(picture_id, kind, stored_at, datetime.now(UTC))


@get(
    "/v1/orders/{order_id:uuid}/proof",
    guards=[requires(Role.VIEWER)],
    tags=["orders"],
)
async def get_proof(order_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, state: State) -> ProofShape:
    """What proves that it was handed over, or what is needed to."""
    pictures: Pictures = state.pictures
    order = await read_order(pool, order_id)
    asked = asked_from_row(await pool.fetchrow(queries["proofs.asked"], order_id, order.region))
    shape = ProofShape(
        wanted=wanted_of(asked.settings, has_code=asked.needs_code) if is_proved(order) else [],
        pictures=await pictures.of_order(order_id, datetime.now(UTC)),
    )
    if order.is_open and caller.is_at_least(Role.SUPPORT) and "code" in shape.wanted:
        shape.code = await code_of(pool, order)
        shape.attempts_left = max(0, ATTEMPTS - asked.n_wrong)
    return shape


@post(
    "/v1/orders/{order_id:uuid}/code",
    guards=[requires(Role.SUPPORT)],
    status_code=200,
    tags=["orders"],
)
async def change_code(
    order_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, data: JSONBody[NewCode | None] = None
) -> CodeShape:
    """Give the recipient another code; wrong ones are counted anew."""
    order = await read_order(pool, order_id)
    if not order.is_open:
        raise OrderNotOpen(order_id=str(order_id), state=order.state.value)
    code = new_code() if data is None or data.code is None else plain(data.code)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(queries["proofs.set_code"], order_id, code)
        await audit(connection, caller, "order.code", f"order:{order_id}")
    return CodeShape(code=code)


@get("/pictures/{picture_id:uuid}", opt={"public": True}, security=[{}], tags=["recipient"])
async def show_picture(
    picture_id: FromPath[UUID],
    state: State,
    until: Annotated[int, QueryParameter(ge=0, lt=2**40)],
    sign: Annotated[str, QueryParameter(max_length=64)],
) -> Response[bytes]:
    """A picture, by an address that was signed here and ends within minutes."""
    now = datetime.now(UTC)
    content = await state.pictures.shown(picture_id, until, sign, now)
    if content is None:
        raise NotFoundException(detail="There is no such picture, or the address has ended.")
    left_s = max(0, until - int(now.timestamp()))
    headers = {"Cache-Control": f"private, max-age={left_s}", "X-Robots-Tag": "noindex"}
    return Response(content, media_type=media_type_of(content), headers=headers)


route_handlers: list[Any] = [put_picture, get_proof, change_code, show_picture]
