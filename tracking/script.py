"""Lua scripts of the Redis adapters: files in `lua/`, sent once, then called by their digest."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Keys = Sequence[str]
Args = Sequence[str | int | float | bytes]


class Script:
    """One file of `lua/`; runs atomically, in one round trip."""

    def __init__(self, name: str) -> None:
        self._source = files("tracking").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Keys, args: Args) -> Any:
        """
        Run it and return what it returns.

        A Redis that has just started does not know the script: then its text is sent once more.
        """
        call: Callable[..., Awaitable[Any]] = redis.execute_command  # redis-py leaves it untyped
        try:
            return await call("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await call("EVAL", self._source, len(keys), *keys, *args)

    async def run_many(self, redis: Redis, calls: Sequence[tuple[Keys, Args]]) -> list[Any]:
        """Run it once for each call, by itself, but all in one round trip; what each of them returns."""
        if len(calls) <= 1:
            return [await self.run(redis, *call) for call in calls]
        async with redis.pipeline(transaction=False) as pipe:
            for keys, args in calls:
                pipe.execute_command("EVALSHA", self._digest, len(keys), *keys, *args)
            try:
                return await pipe.execute()
            except NoScriptError:
                pass
        return [await self.run(redis, *call) for call in calls]

    async def run_and_replicate(
        self,
        redis: Redis,
        keys: Keys,
        args: Args,
        *,
        replicas: int,
        within_ms: int,
    ) -> tuple[Any, int]:
        """
        Run it, and wait until so many replicas have what it wrote, or the time is over; how many have it.

        One round trip on one connection: WAIT asks for what its own connection wrote.
        """

        async def both(*command: Any) -> tuple[Any, int]:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.execute_command(*command, len(keys), *keys, *args)
                pipe.execute_command("WAIT", replicas, within_ms)
                answer, reached = await pipe.execute()
            return answer, int(reached)

        try:
            return await both("EVALSHA", self._digest)
        except NoScriptError:
            return await both("EVAL", self._source)
