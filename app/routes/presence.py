"""Who else is at the desk, and who has an order open: `PUT /v1/presence/{page}`. Redis knows it, and not for long."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import put
from litestar.params import FromPath, FromQuery

from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.regions import known_region
from tracking.log import RegionKeys

LASTS_S: Final = 45
"""A page that says nothing for so long is gone; pages speak every 15 s."""
MOST: Final = 200
"""Pages remembered at one place; of more, those that spoke last."""


class Present(msgspec.Struct, kw_only=True):
    """The names of the others, each once."""

    here: list[str]
    """Who looks at the region."""
    order: list[str]
    """Who has that order open."""


@put("/v1/presence/{page_id:uuid}", guards=[requires(Role.VIEWER)], tags=["sessions"])
async def be_present(
    page_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    region: FromQuery[str | None] = None,
    order_id: FromQuery[UUID | None] = None,
    left: FromQuery[UUID | None] = None,
) -> Present:
    """
    Say that a page is open, on which order, and which it has just `left`; a page makes up its id.

    Answers who else is there. `region` defaults to the installation's only one.
    """
    keys = RegionKeys(await known_region(pool, region))
    now = datetime.now(UTC).timestamp()
    member = msgspec.msgpack.encode((page_id.bytes, caller.name))
    places = [keys.present("desk"), *([] if order_id is None else [keys.present(str(order_id))])]
    async with redis.pipeline(transaction=False) as pipe:
        if left is not None and left != order_id:
            pipe.zrem(keys.present(str(left)), member)
        for place in places:
            pipe.zadd(place, {member: now})
            pipe.zremrangebyscore(place, "-inf", now - LASTS_S)
            pipe.zremrangebyrank(place, 0, -MOST - 1)
            pipe.expire(place, LASTS_S)
            pipe.zrange(place, 0, -1)
        answers = await pipe.execute()
    here, *order = [_names(answer, caller.name) for answer in answers if isinstance(answer, list)]
    return Present(here=here, order=order[0] if order else [])


def _names(members: list[bytes], own: str) -> list[str]:
    return sorted({name for _, name in (msgspec.msgpack.decode(member) for member in members)} - {own})


route_handlers: list[Any] = [be_present]
