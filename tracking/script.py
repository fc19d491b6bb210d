"""Lua scripts of the Redis adapters: files in `lua/`, sent once, then called by their digest."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError


class Script:
    """One file of `lua/`; runs atomically, in one round trip."""

    def __init__(self, name: str) -> None:
        self._source = files("tracking").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[str], args: Sequence[str | int | float | bytes]) -> Any:
        """
        Run it and return what it returns.

        A Redis that has just started does not know the script: then its text is sent once more.
        """
        call: Callable[..., Awaitable[Any]] = redis.execute_command  # redis-py leaves it untyped
        try:
            return await call("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await call("EVAL", self._source, len(keys), *keys, *args)
