"""A courier's fixes, from columns to the streets and back: how `GET /v1/couriers/{id}/track?matched=true` is made."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import numpy as np

from dispatch.travel.matching import TrackMatching
from dispatch.travel.trace import Matched, Seen
from tracking.batch import E7, MODES, UNKNOWN, PositionColumns
from tracking.position import LatLon

MOST_FIXES: Final = 100_000
"""A day of a phone that sends every second; more come back as they are."""


async def on_streets(
    pages: AsyncIterator[PositionColumns], matching: TrackMatching
) -> tuple[PositionColumns, dict[str, Any]]:
    """The whole track along the streets, and what is to be told of that: by whom, how much of it, why not."""
    raw = PositionColumns.concat([page async for page in pages])
    if not len(raw):
        return raw, _facts(None, 0.0, "no_fixes")
    if len(raw) > MOST_FIXES:
        return raw, _facts(None, 0.0, "too_many_fixes")
    mode = MODES[int(raw.mode[-1])]
    if mode is None or not matching.knows(mode):
        return raw, _facts(None, 0.0, "no_engine")
    matched = await matching.match(mode, _seen(raw))
    if matched.source is None:
        return raw, _facts(None, 0.0, "no_answer")
    return _columns(raw, matched), _facts(matched.source.value, matched.share, None)


def told(facts: Mapping[str, Any]) -> str:
    """The same for a header."""
    return f"none; why={facts['why']}" if facts["by"] is None else f"{facts['by']}; share={facts['share']}"


def _facts(by: str | None, share: float, why: str | None) -> dict[str, Any]:
    return {"by": by, "share": share, "why": why}


def _seen(raw: PositionColumns) -> list[Seen]:
    rows = zip(
        (raw.lat_e7 / E7).tolist(),
        (raw.lon_e7 / E7).tolist(),
        raw.fixed_us.tolist(),
        raw.accuracy_dm.tolist(),
        strict=True,
    )
    return [
        Seen(LatLon(lat, lon), at_us, None if accuracy_dm == UNKNOWN else accuracy_dm / 10)
        for lat, lon, at_us, accuracy_dm in rows
    ]


def _columns(raw: PositionColumns, matched: Matched) -> PositionColumns:
    """Places and instants only: nobody measured a speed at a bend of a street."""
    n = len(matched.points)
    unknown = np.full(n, np.nan)
    at_us = np.array([us for us, _ in matched.points], dtype="<i8")
    return PositionColumns.from_floats(
        courier_ids=raw.courier_ids,
        courier=np.full(n, raw.courier[-1], dtype="<i4"),
        fixed_us=at_us,
        received_us=at_us,
        lat=np.array([at.lat for _, at in matched.points]),
        lon=np.array([at.lon for _, at in matched.points]),
        speed_mps=unknown,
        course_deg=unknown,
        accuracy_m=unknown,
        altitude_m=unknown,
        battery_pct=unknown,
        mode=np.full(n, raw.mode[-1], dtype="<i1"),
        marks=np.zeros(n, dtype="<i1"),
    )
