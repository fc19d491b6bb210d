"""
How many requests a minute a token and an address may make.

Counted in the process; what comes near its limit is added up over all processes in Redis every second or two. So a
request costs two look-ups in a dictionary and none in Redis, an honest client costs Redis nothing, and one that floods
may overshoot by what it sends in that time.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from prometheus_client import Counter
from redis.asyncio import Redis

from app.logs import current_address
from app.settings import Settings
from app.web.auth import Caller, Role
from app.web.problems import TooManyRequests
from tracking import outages
from tracking.pause import pause

log = logging.getLogger(__name__)

LIMITED: Final = Counter("postrider_requests_limited", "Requests answered 429.", ["kind"])

MINUTE_S: Final = 60
SHARE_EVERY_S: Final = 1.5
SHARED_FROM: Final = 0.05
"""Part of its limit from which a count is shared: below, twenty processes together cannot reach it."""
QUESTIONS_OF_LINK: Final = 10
"""A minute: a person looks, chooses, and thinks again."""
MOST_KEYS: Final = 200_000
"""Of each kind, counted in a minute; those that come later in it are not."""
SHARE_AT_ONCE: Final = 1_000
"""Counts one round trip shares."""


class Kind(StrEnum):
    """What is counted; each has a limit of its own."""

    COURIER = "courier"
    STAFF = "staff"
    SERVICE = "service"
    ADDRESS = "address"
    SIGN_IN = "sign_in"
    PASSWORD = "password"  # noqa: S105 - the name of a count
    """Of one name from one address."""
    NAME = "name"
    """Of one name from anywhere: whoever tries from elsewhere cannot keep the person out as easily."""

    LINK = "link"
    """Questions to the planner behind one recipient's link."""


KIND_OF: Final = {
    Role.COURIER: Kind.COURIER,
    Role.PLACE: Kind.STAFF,
    Role.VIEWER: Kind.STAFF,
    Role.AUDITOR: Kind.STAFF,
    Role.SUPPORT: Kind.STAFF,
    Role.DISPATCHER: Kind.STAFF,
    Role.ADMIN: Kind.SERVICE,
    Role.SERVICE: Kind.SERVICE,
}
"""An administrator's token may post for every courier, as a service's."""


@dataclass(slots=True)
class _Counts:
    """Of one kind, in the minute that is."""

    kind: Kind
    limit: int
    own: dict[Hashable, int] = field(default_factory=dict)
    """What this process counted."""
    told: dict[Hashable, int] = field(default_factory=dict)
    """What of it Redis knows."""
    others: dict[Hashable, int] = field(default_factory=dict)
    """What the other processes counted, when Redis was last asked."""


class Rates:
    """Counts requests by the minute. One per process."""

    def __init__(self, redis: Redis, limits: Mapping[Kind, int], *, clock: Callable[[], float] = time.time) -> None:
        """`limits`: requests a minute, 0: any number; `clock`: seconds since the Unix epoch."""
        self._redis = redis
        self._clock = clock
        self._until = 0.0
        self._counts = {kind: _Counts(kind, limit) for kind, limit in limits.items()}
        self._of_address = self._counts[Kind.ADDRESS]
        self._of_courier = self._counts[Kind.COURIER]
        self._of_role = {role: self._counts[kind] for role, kind in KIND_OF.items()}

    def admit(self, kind: Kind, who: Hashable) -> None:
        """Count one request; raises TooManyRequests, with the seconds until there is room again."""
        self._admit(self._counts[kind], who, self._clock())

    def admit_caller(self, caller: Caller | None) -> None:
        """Count a request of that caller, if there is one, and of the address it came from; raises TooManyRequests."""
        now = self._clock()
        self._admit(self._of_address, current_address(), now)
        if caller is not None:
            # Of phones there are ten thousand a second, and a role is hashed in Python.
            is_phone = caller.role is Role.COURIER
            self._admit(self._of_courier if is_phone else self._of_role[caller.role], caller.token_id.int, now)

    def _admit(self, counts: _Counts, who: Hashable, now: float) -> None:
        if not counts.limit:
            return
        if now >= self._until:
            self._begin_minute(now)
        n = counts.own.get(who, 0) + 1
        if n == 1 and len(counts.own) >= MOST_KEYS:
            return
        counts.own[who] = n
        if n > counts.limit or (counts.others and n + counts.others.get(who, 0) > counts.limit):
            LIMITED.labels(counts.kind.value).inc()
            raise TooManyRequests(retry_after_s=math.ceil(self._until - now))

    def _begin_minute(self, now: float) -> None:
        self._until = (int(now) // MINUTE_S + 1) * MINUTE_S
        for counts in self._counts.values():
            counts.own.clear()
            counts.told.clear()
            counts.others.clear()

    async def keep_shared(self, stop: asyncio.Event) -> None:
        """Add up with the other processes until `stop`; while Redis is away each counts for itself."""
        while not stop.is_set():
            try:
                await self.share()
            except outages.DRIVERS as exc:
                outages.tell(log, "rates not shared", exc, event="rates_not_shared")
            await pause(stop, SHARE_EVERY_S)

    async def share(self) -> None:
        """Tell Redis what was counted since the last time, and learn what the others counted."""
        for counts in self._counts.values():
            near = [who for who, n in counts.own.items() if n >= SHARED_FROM * counts.limit]
            for start in range(0, len(near), SHARE_AT_ONCE):
                await self._share(counts, near[start : start + SHARE_AT_ONCE])

    async def _share(self, counts: _Counts, near: Sequence[Hashable]) -> None:
        until = self._until
        own = {who: counts.own[who] for who in near if who in counts.own}
        async with self._redis.pipeline(transaction=False) as pipe:
            for who, n in own.items():
                name = f"pr:rate:{int(until)}:{counts.kind}:{who}"
                pipe.incrby(name, n - counts.told.get(who, 0))
                pipe.expire(name, 2 * MINUTE_S)
            totals = (await pipe.execute())[::2]
        if self._until == until:  # else another minute began meanwhile
            for (who, n), total in zip(own.items(), totals, strict=True):
                counts.told[who], counts.others[who] = n, int(total) - n


def limits_of(settings: Settings) -> dict[Kind, int]:
    """The limits that are set."""
    return {
        Kind.COURIER: settings.rate_courier,
        Kind.STAFF: settings.rate_staff,
        Kind.SERVICE: settings.rate_service,
        Kind.ADDRESS: settings.rate_address,
        Kind.SIGN_IN: settings.rate_sign_in,
        Kind.PASSWORD: settings.rate_password,
        Kind.NAME: 10 * settings.rate_password,
        Kind.LINK: QUESTIONS_OF_LINK,
    }
