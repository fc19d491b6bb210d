"""
How many requests a minute a token and an address may make.

Counted in the process; what comes near its limit is added up over all processes in Redis every second or two. So a
request costs two look-ups in a dictionary and none in Redis, an honest client costs Redis nothing, and one that floods
may overshoot by what it sends in that time.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

from prometheus_client import Counter
from redis.asyncio import Redis

from app.settings import Settings
from app.web.auth import Caller, Role
from app.web.problems import TooManyRequests
from tracking import outages

log = logging.getLogger(__name__)

LIMITED: Final = Counter("postrider_requests_limited", "Requests answered 429.", ["kind"])

MINUTE_S: Final = 60
SHARE_EVERY_S: Final = 1.5
SHARED_FROM: Final = 0.05
"""Part of its limit from which a count is shared: below, twenty processes together cannot reach it."""
MOST_KEYS: Final = 200_000
"""Tokens and addresses counted in a minute; those that come later in it are not."""
SHARE_AT_ONCE: Final = 1_000
"""Counts one round trip shares."""


class Kind(StrEnum):
    """What is counted; each has a limit of its own."""

    COURIER = "courier"
    STAFF = "staff"
    SERVICE = "service"
    ADDRESS = "address"
    SIGN_IN = "sign_in"


Key = tuple[Kind, Hashable]


class Rates:
    """Counts requests by the minute. One per process."""

    def __init__(self, redis: Redis, limits: Mapping[Kind, int], *, clock: Callable[[], float] = time.time) -> None:
        """`limits`: requests a minute, 0: any number; `clock`: seconds since the Unix epoch."""
        self._redis = redis
        self._limits = limits
        self._clock = clock
        self._minute = 0
        self._own: dict[Key, int] = {}
        self._told: dict[Key, int] = {}
        self._others: dict[Key, int] = {}

    def admit(self, kind: Kind, who: Hashable) -> None:
        """Count one request; raises TooManyRequests, with the seconds until there is room again."""
        limit = self._limits[kind]
        if not limit:
            return
        now = self._clock()
        minute = int(now) // MINUTE_S
        if minute != self._minute:
            self._begin(minute)
        key = (kind, who)
        n = self._own.get(key, 0) + 1
        if n == 1 and len(self._own) >= MOST_KEYS:
            return
        self._own[key] = n
        if n + self._others.get(key, 0) > limit:
            LIMITED.labels(kind.value).inc()
            raise TooManyRequests(retry_after_s=MINUTE_S - int(now) % MINUTE_S)

    def admit_caller(self, caller: Caller | None, address: str) -> None:
        """Count a request of that caller, if there is one, from that address; raises TooManyRequests."""
        self.admit(Kind.ADDRESS, address)
        if caller is not None:
            self.admit(KIND_OF[caller.role], caller.token_id)

    def _begin(self, minute: int) -> None:
        self._minute = minute
        for counts in (self._own, self._told, self._others):
            counts.clear()

    async def keep_shared(self, stop: asyncio.Event) -> None:
        """Add up with the other processes until `stop`; while Redis is away each counts for itself."""
        while not stop.is_set():
            try:
                await self.share()
            except outages.DRIVERS as exc:
                outages.tell(log, "rates not shared", exc, event="rates_not_shared")
            with suppress(TimeoutError):
                async with asyncio.timeout(SHARE_EVERY_S):
                    await stop.wait()

    async def share(self) -> None:
        """Tell Redis what was counted since the last time, and learn what the others counted."""
        minute = self._minute
        near = [key for key, n in self._own.items() if n >= SHARED_FROM * self._limits[key[0]]]
        for start in range(0, len(near), SHARE_AT_ONCE):
            keys = near[start : start + SHARE_AT_ONCE]
            own = {key: self._own[key] for key in keys if key in self._own}
            async with self._redis.pipeline(transaction=False) as pipe:
                for key, n in own.items():
                    name = f"pr:rate:{minute}:{key[0]}:{key[1]}"
                    pipe.incrby(name, n - self._told.get(key, 0))
                    pipe.expire(name, 2 * MINUTE_S)
                totals = (await pipe.execute())[::2]
            if self._minute != minute:
                return  # a new one began meanwhile
            for (key, n), total in zip(own.items(), totals, strict=True):
                self._told[key] = n
                self._others[key] = int(total) - n


KIND_OF: Final = {
    Role.COURIER: Kind.COURIER,
    Role.VIEWER: Kind.STAFF,
    Role.SUPPORT: Kind.STAFF,
    Role.DISPATCHER: Kind.STAFF,
    Role.ADMIN: Kind.SERVICE,
    Role.SERVICE: Kind.SERVICE,
}
"""An administrator's token may post for every courier, as a service's."""


def limits_of(settings: Settings) -> dict[Kind, int]:
    """The limits that are set."""
    return {
        Kind.COURIER: settings.rate_courier,
        Kind.STAFF: settings.rate_staff,
        Kind.SERVICE: settings.rate_service,
        Kind.ADDRESS: settings.rate_address,
        Kind.SIGN_IN: settings.rate_sign_in,
    }


def address_reader(settings: Settings) -> Callable[[Sequence[object] | None, str | None], str]:
    """`address_of` with the proxies that are set; its first argument is a connection's other end, address first."""
    proxies = frozenset(settings.trusted_proxies.split())

    def read(peer: Sequence[object] | None, forwarded_for: str | None) -> str:
        return address_of(str(peer[0]) if peer else "", forwarded_for, proxies)

    return read


def address_of(peer: str, forwarded_for: str | None, proxies: frozenset[str]) -> str:
    """
    Where a request comes from: the other end of the connection, or who that says it is for where it is a proxy of ours.

    `forwarded_for`: X-Forwarded-For; what stands left of the last address that is no proxy's, anybody may have written.
    """
    if peer not in proxies or not forwarded_for:
        return peer
    for address in reversed([part.strip() for part in forwarded_for.split(",")]):
        if address and address not in proxies:
            return address
    return peer
