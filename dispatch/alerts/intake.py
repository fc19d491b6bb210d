"""
It is us, not them: whether couriers fell silent, or what they post to; no I/O.

Couriers who lose their signal, their battery or their patience fall silent one by one. When a large share of those at
work in a region, or in the whole installation, falls silent at about the same time, or when the API itself is away
and nobody was heard of since, the fault is on our side (or their operator's). Then nobody is judged by their silence,
and nothing is taken away from anybody, until the intake has been well for a grace time.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from dispatch.alert_kind import AlertKind
from dispatch.alerts.facts import AlertParams

MICROS = 1_000_000

BY_SILENCE = frozenset({AlertKind.SILENT, AlertKind.FROZEN, AlertKind.STUCK})
"""What cannot be told of a courier while the intake is silent, or has only just come back."""


class Quiet(msgspec.Struct, frozen=True, array_like=True):
    """How many of a region's couriers at work were not heard of lately."""

    n: int
    """At work, and heard of within the day."""
    quiet: int
    """Most of them who fell silent at about the same time, and still are."""
    fell_us: int
    """When the last of those was heard of; 0: there are none."""


def quiet_of(contacts_us: Iterable[int], params: AlertParams, *, now_us: int) -> Quiet:
    """
    How quiet a region is, from when each courier at work was last heard of.

    Half of what makes a single courier silent: the rest may take a while to be missed, for not all post equally often.
    """
    heard = sorted(us for us in contacts_us if us >= now_us - params.silent_at_most_s * MICROS)
    quiet = heard[: bisect_right(heard, now_us - params.silent_after_s * MICROS // 2)]
    most, fell_us = 0, 0
    for i, us in enumerate(quiet):
        together = bisect_right(quiet, us + params.silent_after_s * MICROS) - i
        if together >= most:
            most, fell_us = together, quiet[i + together - 1]
    return Quiet(len(heard), most, fell_us)


def silence(
    own: Quiet, others: Collection[Quiet], params: AlertParams, *, newest_us: int, beat_us: int | None, now_us: int
) -> Mapping[str, Any] | None:
    """
    Why it is us, as the facts of an alert; None: it is not.

    `others`: the other regions; `newest_us`: when anybody at work in this one was last heard of; `beat_us`: when the
    API last said that it is there.
    """
    since_us = now_us - params.silent_after_s * MICROS // 2
    if own.n and beat_us is not None and max(beat_us, newest_us) < since_us:
        return {"because": "the API is away", "quiet": own.quiet, "couriers": own.n, "api_last_us": beat_us}
    if _is_large(own.quiet, own.n, params):
        return {"because": "they fell silent together", "quiet": own.quiet, "couriers": own.n, "since_us": own.fell_us}
    at_once = [own, *(one for one in others if abs(one.fell_us - own.fell_us) <= params.silent_after_s * MICROS)]
    quiet, n = sum(one.quiet for one in at_once), own.n + sum(one.n for one in others)
    if own.quiet and _is_large(quiet, n, params):
        return {"because": "regions fell silent together", "quiet": quiet, "couriers": n, "since_us": own.fell_us}
    return None


def _is_large(quiet: int, n: int, params: AlertParams) -> bool:
    return quiet >= max(params.intake_silent_couriers, params.intake_silent_share * n)
