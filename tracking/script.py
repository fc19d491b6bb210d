"""Lua scripts of the Redis adapters: files in `lua/`, sent once, then called by their digest."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AskError, NoScriptError

from tracking.cluster import server_of

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

    async def run_each(
        self,
        redis: Redis,
        calls: Sequence[tuple[Keys, Args]],
        *,
        replicas: int = 0,
        within_ms: int = 1,
    ) -> list[tuple[Any, int] | Exception]:
        """
        Run it once for each call, all in one round trip to the server that has the first one's keys.

        For each what it returned and how many replicas have it (waiting until so many have, or the time is over; WAIT
        asks for what its own connection wrote), or why it failed. What the server does not take, for it does not know
        the script or has not the keys any more, is run by itself. Raises what redis raises when there is no answer.
        """
        answers: list[Any] = [NoScriptError()]
        reached = 0
        if len(calls) > 1:
            async with server_of(redis, calls[0][0][0]) as server, server.pipeline(transaction=False) as pipe:
                for keys, args in calls:
                    pipe.execute_command("EVALSHA", self._digest, len(keys), *keys, *args)
                if replicas:
                    pipe.execute_command("WAIT", replicas, within_ms)
                answers = await pipe.execute(raise_on_error=False)
            if replicas:
                if isinstance(waited := answers.pop(), Exception):
                    raise waited
                reached = int(waited)
        found: list[tuple[Any, int] | Exception] = []
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, NoScriptError | AskError):
                found.append(await self._run_and_replicate(redis, *call, replicas=replicas, within_ms=within_ms))
            else:
                found.append(answer if isinstance(answer, Exception) else (answer, reached))
        return found

    async def _run_and_replicate(
        self, redis: Redis, keys: Keys, args: Args, *, replicas: int, within_ms: int
    ) -> tuple[Any, int]:
        if not replicas:
            return await self.run(redis, keys, args), 0

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
