"""`POST /v1/demo/break`: breaks something in the simulated city. Only the API of `postrider demo` has it."""

from typing import Any

import msgspec
from litestar import post
from litestar.exceptions import ServiceUnavailableException
from litestar.params import JSONBody

from app.simulation.asked import Breakage, Broken, ask
from app.web.auth import Role, requires
from app.web.dependencies import RedisClient


class ToBreak(msgspec.Struct, kw_only=True):
    """What to break."""

    what: Breakage


@post("/v1/demo/break", guards=[requires(Role.SUPPORT)], status_code=200, include_in_schema=False)
async def break_something(data: JSONBody[ToBreak], redis: RedisClient) -> Broken:
    """Break it, and say what was broken."""
    told = await ask(redis, data.what)
    if told is None:
        raise ServiceUnavailableException(detail="Nobody simulates just now.")
    return told


route_handlers: list[Any] = [break_something]
