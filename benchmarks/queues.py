"""
Fixes and orders as queues, step by step; no I/O.

    phones ──door──▶ log ──┬──▶ one reader
                           └──▶ another: what the slowest has not read holds up the door once the log is full

Of each place it is counted what has come there since the beginning: what waits before it is the difference to the
place before, so nothing can be lost on the way. What the door does not take stays with the phones, as it does there.
Many come in a step, so they are a stream (a fluid queue: L. Kleinrock, "Queueing Systems" II, 1976, chapter 2); what
one waits within a step is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

Span = tuple[float, float]
"""From and until, in seconds since the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Takes what has come, in order, at most so much a second."""

    per_s: float
    away: tuple[Span, ...] = ()
    """Then it takes nothing."""

    def takes(self, at_s: float, step_s: float) -> float:
        """At most so much in the step that begins then."""
        is_away = any(since <= at_s < until for since, until in self.away)
        return 0.0 if is_away else self.per_s * step_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How much had come to each place by the end of each step."""

    step_s: float
    offered: Sequence[float]
    """Measured by the phones."""
    taken: Sequence[float]
    """Into the log."""
    done: Mapping[str, Sequence[float]]
    """By each reader."""

    def most_at_phones(self) -> float:
        """What waited there at the worst moment."""
        return _most(self.offered, self.taken)

    def most_unread(self) -> float:
        """What waited in the log for its slowest reader at the worst moment."""
        return max(_most(self.taken, done) for done in self.done.values())

    def oldest_s(self, reader: str, since_s: float = 0.0) -> float:
        """How old a fix was at most when that reader was done with it; of those that came from then on."""
        return oldest_s(self.offered, self.done[reader], self.step_s, since_s)

    def is_even_at_s(self, since_s: float) -> float:
        """When, from then on, for the first time nothing waits anywhere; inf: never."""
        first = round(since_s / self.step_s)
        for step in range(first, len(self.offered)):
            if all(done[step] >= self.offered[step] for done in self.done.values()):
                return (step + 1) * self.step_s
        return inf


def flow(came: Sequence[float], door: Station, readers: Mapping[str, Station], *, room: float, step_s: float) -> Flow:
    """`came`: how much comes to the phones in each step; `room`: of what some reader has not read, in the log."""
    total = through = 0.0
    behind = dict.fromkeys(readers, 0.0)
    offered: list[float] = []
    taken: list[float] = []
    done: dict[str, list[float]] = {name: [] for name in readers}
    for step, n in enumerate(came):
        at_s = step * step_s
        total += n
        through = min(total, through + door.takes(at_s, step_s), min(behind.values()) + room)
        for name, reader in readers.items():
            behind[name] = min(through, behind[name] + reader.takes(at_s, step_s))
            done[name].append(behind[name])
        offered.append(total)
        taken.append(through)
    return Flow(step_s=step_s, offered=offered, taken=taken, done=done)


def oldest_s(came: Sequence[float], left: Sequence[float], step_s: float, since_s: float = 0.0) -> float:
    """How long one waited at most between two places; inf: some have not left by the end."""
    longest = until = 0
    before = 0.0
    for step, n in enumerate(came):
        if n > before and step * step_s >= since_s:
            until = max(until, step)
            while until < len(left) and left[until] < n:
                until += 1
            if until == len(left):
                return inf
            longest = max(longest, until - step)
        before = n
    return longest * step_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Orders that were decided on together."""

    n: float
    oldest_s: float
    """Since the first of them came."""


def rounds(
    came: Sequence[float], cost_s: Callable[[float], float], *, away: Span = (0.0, 0.0), step_s: float
) -> list[Round]:
    """
    Round after round by one process: each decides on what has come by its beginning, and takes `cost_s` of so much.

    A round begins as soon as a whole order waits; what comes meanwhile is for the next one.
    """
    found: list[Round] = []
    total, decided, at_s, first_s = 0.0, 0.0, 0.0, None
    for step, n in enumerate(came):
        total += n
        now_s = (step + 1) * step_s
        if first_s is None and total - decided >= 1:
            first_s = now_s
        if first_s is None or now_s < at_s or away[0] <= now_s < away[1]:
            continue
        waiting = total - decided
        took_s = cost_s(waiting)
        found.append(Round(n=waiting, oldest_s=now_s - first_s + took_s))
        decided, at_s, first_s = total, now_s + took_s, None
    return found


def within_s(found: Sequence[Round], share: float) -> float:
    """So long such a share of all orders waited at most for their decision (as the oldest of their round)."""
    left, longest_s = share * sum(one.n for one in found), 0.0
    for one in sorted(found, key=lambda one: one.oldest_s):
        if left <= 0:
            break
        left, longest_s = left - one.n, one.oldest_s
    return longest_s


def _most(came: Sequence[float], left: Sequence[float]) -> float:
    return max((a - b for a, b in zip(came, left, strict=True)), default=0.0)
