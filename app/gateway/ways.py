"""A way out: takes a few events to one target, and says what became of each; no I/O here."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from tracking.pause import heed_cancellation

Row = Mapping[str, Any]

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event on its way."""

    row: Row
    """Of the outbox."""
    body: bytes
    """The CloudEvent as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt: a status, or an error and no status."""

    took_ms: int = 0
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    is_away: bool = False
    """Nobody was there to take anything: no fault of the event, whose attempts are not counted for it."""
    is_alone: bool = False
    """Only this event was refused: the others go on."""

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


TAKEN: Final = Outcome(status=200)


def away(error: str) -> Outcome:
    """The outcome where the receiver was not there."""
    return Outcome(error=error, is_away=True)


async def each_confirmed(confirmations: Sequence[Awaitable[object]]) -> list[Outcome]:
    """What became of events that a broker confirms one by one: whichever is not, is sent again."""
    answers = await asyncio.gather(*confirmations, return_exceptions=True)
    heed_cancellation()  # that of a confirmation is its connection's end, not ours
    return [
        away(f"{type(answer).__name__}: {answer}") if isinstance(answer, BaseException) else TAKEN for answer in answers
    ]


class Way(Protocol):
    """By which a kind of target is reached; one per process."""

    @property
    def at_once(self) -> int:
        """Events of different subjects on their way to one target."""

    @property
    def longest_rest(self) -> timedelta:
        """A target that takes nothing is left alone for so long at most."""

    @property
    def has_log(self) -> bool:
        """Whether each attempt is written down (`event_deliveries`), for who looks after the target."""

    async def send(self, target: Row, letters: Sequence[Letter], now: datetime) -> Sequence[Outcome]:
        """An attempt each, in the order of the letters; whatever goes wrong with the target is an outcome."""
