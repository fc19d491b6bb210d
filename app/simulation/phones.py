"""The phones of a simulated fleet: each with its own device token, its buffer, and the requests that an app sends."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
import msgspec

from app.simulation.courier import Reading

log = logging.getLogger(__name__)

BUFFER: Final = 2000
"""Fixes a phone keeps while the server does not answer (almost three hours); then the oldest go."""
UPLOAD: Final = 200
"""Fixes sent at once after an outage."""


@dataclass(slots=True)
class Counts:
    """What the fleet's phones did and were told."""

    sent: int = 0
    accepted: int = 0
    quarantined: int = 0
    failed_requests: int = 0
    accepted_offers: int = 0
    rejected_offers: int = 0
    picked_up: int = 0
    delivered: int = 0
    delivered_late: int = 0
    """After the end of the customer's window."""
    failed_doors: int = 0
    """Nobody opened."""
    returned: int = 0
    breaks: int = 0
    moved: int = 0
    """Accepted, and given to somebody else before they were collected."""
    placed: int = 0
    placed_ahead: int = 0
    """For tomorrow."""
    planned_ahead: int = 0
    """Of these in routes."""
    due: int = 0
    """Fixes that the couriers' interval asks for."""
    skipped: int = 0
    """Fixes never made: this machine did not come round in time."""
    unsent: int = 0
    """Fixes that wait in the phones, for the server has not answered them, or the courier was silent on purpose."""
    forgotten: int = 0
    """Fixes that the phones had no room for any more."""

    def missing(self) -> list[str]:
        """Why fewer fixes were sent than were due; empty when all were."""
        whys = {
            "this machine was too slow to make them": self.skipped,
            "wait in the phones: the server did not answer, or the courier was silent": self.unsent,
            "were thrown away: the phones had no room any more": self.forgotten,
        }
        if self.sent >= self.due:
            return []
        return [f"{self.sent} of {self.due} fixes were sent", *(f"  {n} {why}" for why, n in whys.items() if n)]


@dataclass(slots=True)
class Phone:
    """One courier's phone."""

    client: httpx.AsyncClient
    """Shared by the fleet; the token goes with each request."""
    limit: asyncio.Semaphore
    """Shared too: so many requests are under way at once."""
    token: str
    counts: Counts
    waiting: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=BUFFER))

    def note(self, reading: Reading, at: datetime) -> None:
        """Keep a fix until it is sent."""
        self.counts.due += 1
        if len(self.waiting) == BUFFER:
            self.counts.forgotten += 1
        else:
            self.counts.unsent += 1
        self.waiting.append(_fix(reading, at))

    async def upload(self) -> None:
        """Send what waits; what was not answered stays for the next time."""
        while self.waiting:
            fixes = [self.waiting[i] for i in range(min(UPLOAD, len(self.waiting)))]
            answer = await self.request("POST", "/v1/positions", fixes)
            if answer is None:
                return
            for _ in fixes:
                self.waiting.popleft()
            self.counts.sent += len(fixes)
            self.counts.unsent -= len(fixes)
            self.counts.accepted += answer.get("accepted", 0)
            self.counts.quarantined += len(answer.get("quarantined", ()))

    async def request(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """The decoded answer, or None when there was none or the server refused; refusals are counted, not raised."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        async with self.limit:
            try:
                answer = await self.client.request(
                    method, path, headers=headers, content=None if body is None else msgspec.json.encode(body)
                )
            except httpx.TransportError:
                self.counts.failed_requests += 1
                return None
        if answer.is_success:
            decoded: dict[str, Any] = answer.json() if answer.content else {}
            return decoded
        if answer.status_code not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
            self.counts.failed_requests += 1
            log.debug("request refused", extra={"event": "simulated_refused", "status": answer.status_code})
        return None


def _fix(reading: Reading, at: datetime) -> dict[str, Any]:
    fix = {
        "fixed_at": at.astimezone(UTC),
        "lat": reading.lat,
        "lon": reading.lon,
        "accuracy_m": reading.accuracy_m,
        "speed_mps": reading.speed_mps,
        "battery_pct": reading.battery_pct,
    }
    if reading.course_deg is not None:
        fix["course_deg"] = reading.course_deg
    return fix
