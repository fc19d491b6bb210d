"""What keeps a maps API and us from harming each other: a circuit breaker, limits on rate and spending."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic, time
from typing import Final, Protocol

from redis.asyncio import Redis

from dispatch.travel import metrics
from tracking import outages
from tracking.script import Script

log = logging.getLogger(__name__)

Clock = Callable[[], float]


class Circuit(StrEnum):
    """States of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """One request is trying whether the engine is back."""


class CircuitBreaker:
    """
    Leaves an engine alone for `recovery_s` after `n_failures` in a row, then lets one request try.

    Source: M. Nygard, "Release It!", 2007, chapter 5. Not shared between processes: each finds out for itself, so one
    process with a broken network does not cut off the others.
    """

    def __init__(self, *, n_failures: int = 5, recovery_s: float = 5.0, clock: Clock = monotonic) -> None:
        self._n_failures = n_failures
        self._recovery_s = recovery_s
        self._clock = clock
        self._n_in_a_row = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> Circuit:
        """The state now; OPEN turns into HALF_OPEN by the request that tries."""
        if self._trying:
            return Circuit.HALF_OPEN
        return Circuit.CLOSED if self._opened_at is None else Circuit.OPEN

    def admits(self) -> bool:
        """May a request go out now? Whoever is told yes must call one of the other three."""
        if self._opened_at is None:
            return True
        if self._trying or self._clock() < self._opened_at + self._recovery_s:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """The engine answered."""
        self._n_in_a_row = 0
        self._opened_at = None
        self._trying = False

    def failed(self) -> None:
        """The engine did not answer, or not in time."""
        self._n_in_a_row += 1
        if self._trying or self._n_in_a_row >= self._n_failures:
            self._opened_at = self._clock()
        self._trying = False

    def skipped(self) -> None:
        """The request was not sent after all."""
        self._trying = False


REQUESTS_A_MINUTE: Final = 4
"""Of the largest kind, that a minute's spending allows: the nearest pairs are asked first, the rest when there is some
left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much may be asked of an engine; None: no limit. Days and minutes begin at UTC boundaries."""

    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    spend_per_minute: float | None = None
    """In the currency of the price."""
    spend_per_day: float | None = None
    price_per_1000: float = 0.0
    """Of 1,000 elements (pairs of a matrix, or routes)."""

    @property
    def most_elements(self) -> int | None:
        """What one request may ask for, so that a minute's allowance is good for several of them; None: anything."""
        spends = [spend for spend in (self.spend_per_minute, self.spend_per_day) if spend is not None]
        if not spends or self.price_per_1000 <= 0:
            return None
        return max(1, int(1000 * min(spends) / self.price_per_1000 / REQUESTS_A_MINUTE))

    @property
    def is_limited(self) -> bool:
        """Does it limit anything?"""
        return any(
            limit is not None
            for limit in (self.requests_per_minute, self.requests_per_day, self.spend_per_minute, self.spend_per_day)
        )


class Meter(Protocol):
    """Counts what is asked."""

    async def take(self, n_elements: int) -> bool:
        """Count one request of so many elements; False, and nothing counted, when a limit would be passed."""
        ...


LIMITED: Final = "limited"
"""Suffix of a key that lives for a minute after a request was not sent because a limit was reached."""


async def limited_engines(redis: Redis, engines: Sequence[str], *, prefix: str = "pr:travel") -> list[str]:
    """Of the engines those that some process wanted to ask within the last minute, and could not by our limits."""
    return [engine for engine in engines if await redis.exists(f"{prefix}:{{{engine}}}:{LIMITED}")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was asked of an engine, and what that cost; counted where there is a limit."""

    requests: int
    money: float


async def used_on(redis: Redis, engine: str, now_s: float, *, prefix: str = "pr:travel") -> Used:
    """By all processes, on the UTC day that `now_s` falls on."""
    day = int(now_s) // DAY_S
    keys = [f"{prefix}:{{{engine}}}:{name}:d{day}" for name in ("requests", "spend")]
    requests, micros = [int(value or 0) for value in await redis.mget(keys)]
    return Used(requests=requests, money=micros / _MICRO)


_MICRO: Final = 1_000_000
MINUTE_S: Final = 60
DAY_S: Final = 86_400

_take = Script("take")


def _counters(allowance: Allowance, n_elements: int, now_s: float) -> list[tuple[str, int, int, int]]:
    """The counters a request moves: (name, step, limit, seconds kept). Money is counted in millionths."""
    minute, day = int(now_s) // MINUTE_S, int(now_s) // DAY_S
    price = round(n_elements * allowance.price_per_1000 / 1000 * _MICRO)
    found = []
    for name, step, limit, kept_s in (
        (f"requests:m{minute}", 1, allowance.requests_per_minute, 2 * MINUTE_S),
        (f"requests:d{day}", 1, allowance.requests_per_day, 2 * DAY_S),
        (f"spend:m{minute}", price, allowance.spend_per_minute, 2 * MINUTE_S),
        (f"spend:d{day}", price, allowance.spend_per_day, 2 * DAY_S),
    ):
        if limit is not None:
            found.append((name, step, int(limit * _MICRO) if name.startswith("spend") else int(limit), kept_s))
    return found


class SharedMeter:
    """Counts in Redis, for all processes together. While Redis does not answer, a limited engine is not asked."""

    def __init__(
        self, allowance: Allowance, redis: Redis, *, engine: str, prefix: str = "pr:travel", clock: Clock = time
    ) -> None:
        self._allowance = allowance
        self._clock = clock
        self._redis = redis
        # One hash tag: all counters of an engine live on one node of a cluster, as the script needs.
        self._prefix = f"{prefix}:{{{engine}}}:"
        self._engine = engine

    async def take(self, n_elements: int) -> bool:
        """See Meter."""
        counters = _counters(self._allowance, n_elements, self._clock())
        if not counters:
            return True
        keys = [self._prefix + name for name, _, _, _ in counters]
        arguments = [value for _, step, limit, kept_s in counters for value in (step, limit, kept_s)]
        try:
            granted = bool(await _take.run(self._redis, keys, arguments))
            if not granted:
                await self._redis.set(self._prefix + LIMITED, "1", ex=MINUTE_S)
        except outages.DRIVERS as exc:
            outages.tell(log, "limits could not be checked", exc, event="meter_failed")
            return False
        if granted:
            metrics.SPENT.labels(self._engine).inc(n_elements * self._allowance.price_per_1000 / 1000)
        return granted
