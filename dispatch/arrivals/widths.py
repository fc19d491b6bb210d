"""
How wide intervals must be to hold, by what became of those that were told; no I/O.

An interval is made of the spreads of legs and stays, and knows nothing of what else happens: a stop put in between, a
courier who is asked for help. So what is told is compared with what came, by how far ahead it was told and whether the
way had begun; the interval is stretched by what held for nine in ten on either side. Only arrivals that have happened
are learned from, so that this is a forecast as honest as the first. While few are known the widths stay as they are.

Source: I. Gibbs, E. Candès, "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 2021, for the idea of
recalibrating what is told by what it covered; here by quantiles of scores (see `dispatch.learning.conformal`).
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import inf
from statistics import NormalDist

import msgspec
import numpy as np
import prometheus_client

from dispatch.arrivals.eta import Eta
from dispatch.learning.conformal import NORMAL_P90, weighted_quantiles
from dispatch.stop import PlannedStop

HORIZONS_S = (300.0, 600.0, 1200.0, inf)
"""Cells by how far ahead: nearer than this."""
AHEAD = ("under_300", "under_600", "under_1200", "over_1200")
"""How the metric names them, in seconds ahead."""
ERROR_SECONDS = prometheus_client.Histogram(
    "postrider_eta_error_seconds",
    "How far arrivals were from what had been told, told so far ahead; known when a courier has come.",
    ["ahead_s"],
    buckets=(15, 30, 60, 120, 180, 300, 600, 1200, 3600),
)
TRUTH = prometheus_client.Counter(
    "postrider_eta_truth_total",
    "Arrivals that had been told, by whether they fell inside the spread as it is told now: 80 % should.",
    ["side"],
)
for _side in ("earlier", "inside", "later"):  # from the start, so that the first one is seen to grow
    TRUTH.labels(_side)
EVERY_S = 60.0
"""One of what is told of a stop is remembered so often: people ask at any time, and a minute changes little."""
MOST_SCORES = 1_000
"""Of a cell, the newest: some hundred stops."""
MOST_STOPS = 5_000
"""Not arrived at yet, in a region; the oldest are forgotten."""
N_PRIOR = 25
"""So many stops of a cell count as much as the widths that the models give."""
LEAST_WIDTH_S = 15.0
"""Nobody arrives to the second: narrower sides of an interval are stretched as if they were so wide."""
NARROWEST = 0.8
"""Intervals become narrower by a little only: a few lucky days are no proof."""
FARTHEST = 20.0
"""Widths beyond which an arrival says no more than that it was far out."""
_PRIOR_SCORES = np.array([NormalDist().inv_cdf((i + 0.5) / N_PRIOR) / NORMAL_P90 for i in range(N_PRIOR)])
"""Of intervals that hold as they are."""


class Stage(IntEnum):
    """How far it has got with a stop when something is told of it."""

    INTENDED = 0
    """The planner only means to give the order to the courier."""
    BEFORE = 1
    """The courier has the order, and goes elsewhere before."""
    ON_THE_WAY = 2


_Packed = tuple[Stage, int, list[float], list[float]]
Cell = tuple[Stage, int]
"""With the number in HORIZONS_S."""


class _Told(msgspec.Struct, array_like=True):
    """Something told of a stop: the arrival, and how wide the interval was before it was stretched."""

    stage: Stage
    horizon: int
    p50: float
    below_s: float
    above_s: float


@dataclass(slots=True)
class Widths:
    """Of one region; used by one task."""

    scores: dict[Cell, deque[float]] = field(default_factory=dict)
    """By cell, (real - p50) / width of that side, the newest last ..."""
    weights: dict[Cell, deque[float]] = field(default_factory=dict)
    """... and what each counts: all of one stop together count one, for they come late for the same reason."""
    is_changed: bool = False
    """Something was learned since it was last packed."""
    _pending: OrderedDict[PlannedStop, list[_Told]] = field(default_factory=OrderedDict)
    _heard_at: dict[PlannedStop, float] = field(default_factory=dict)
    _sides_s: dict[PlannedStop, tuple[float, float]] = field(default_factory=dict)
    """Of stops ahead, how wide the two sides were before they were stretched."""
    _stretch: dict[Cell, tuple[float, float]] = field(default_factory=dict)

    def stretch(self, cell: Cell) -> tuple[float, float]:
        """By how much the sides below and above p50 must be wider; (1, 1) while nothing is known."""
        known = self._stretch.get(cell)
        if known is None:
            scores = self.scores.get(cell)
            known = (1.0, 1.0)
            if scores:
                weights = np.concatenate([np.ones(N_PRIOR), self.weights[cell]])
                low, high = weighted_quantiles(np.concatenate([_PRIOR_SCORES, scores]), weights, (0.1, 0.9))
                known = max(-low, NARROWEST), max(high, NARROWEST)
            self._stretch[cell] = known
        return known

    def widen(self, etas: Sequence[Eta], stages: Sequence[Stage]) -> list[Eta]:
        """The arrivals at the stops of a route with intervals that hold."""
        result: list[Eta] = []
        for eta, stage in zip(etas, stages, strict=True):
            cell = cell_of(eta, stage)
            self._sides_s[eta.stop] = eta.p50 - eta.p10, eta.p90 - eta.p50
            p10, p90 = eta.p10, eta.p90
            if eta.p90 > eta.computed_at and cell in self.scores:
                below, above = self.stretch(cell)
                p10 = max(eta.p50 - below * max(eta.p50 - eta.p10, LEAST_WIDTH_S), eta.computed_at)
                p90 = eta.p50 + above * max(eta.p90 - eta.p50, LEAST_WIDTH_S)
            if result:  # no stop is earlier than the one before it
                p10, p90 = max(p10, result[-1].p10), max(p90, result[-1].p90)
            result.append(replace(eta, p10=min(p10, eta.p50), p90=p90))
        return result

    def hear(self, etas: Sequence[Eta], stages: Sequence[Stage]) -> None:
        """Remember what is told of what `widen` was given, to be compared with what comes."""
        for eta, stage in zip(etas, stages, strict=True):
            heard_at, sides_s = self._heard_at.get(eta.stop, -inf), self._sides_s.pop(eta.stop, None)
            if sides_s is None or eta.p90 <= eta.computed_at or eta.computed_at - heard_at < EVERY_S:
                continue
            self._heard_at[eta.stop] = eta.computed_at
            self._pending.setdefault(eta.stop, []).append(_Told(*cell_of(eta, stage), eta.p50, *sides_s))
            if len(self._pending) > MOST_STOPS:
                self._forget(self._pending.popitem(last=False)[0])

    def arrived(self, stop: PlannedStop, at: float) -> None:
        """A courier has come to a stop; told again it changes nothing."""
        heard = self._pending.pop(stop, [])
        n_of_cell = Counter((told.stage, told.horizon) for told in heard)
        for told in heard:
            cell, late_s = (told.stage, told.horizon), at - told.p50
            width_s = max(told.above_s if late_s > 0 else told.below_s, LEAST_WIDTH_S)
            below, above = self.stretch(cell)
            reach_s = width_s * (above if late_s > 0 else below)
            side = "inside" if abs(late_s) <= reach_s else "later" if late_s > 0 else "earlier"
            TRUTH.labels(side).inc()
            ERROR_SECONDS.labels(AHEAD[told.horizon]).observe(abs(late_s))
            score = min(max(late_s / width_s, -FARTHEST), FARTHEST)
            self.scores.setdefault(cell, deque(maxlen=MOST_SCORES)).append(score)
            self.weights.setdefault(cell, deque(maxlen=MOST_SCORES)).append(1.0 / n_of_cell[cell])
            self._stretch.pop(cell, None)
            self.is_changed = True
        self._forget(stop)

    def _forget(self, stop: PlannedStop) -> None:
        self._heard_at.pop(stop, None)

    def pack(self) -> bytes:
        """What was learned, as bytes; what is not known to be true yet is left out."""
        self.is_changed = False
        return msgspec.msgpack.encode(
            [(*cell, list(scores), list(self.weights[cell])) for cell, scores in self.scores.items()]
        )


def cell_of(eta: Eta, stage: Stage) -> Cell:
    """The cell of something told."""
    ahead_s = eta.p50 - eta.computed_at
    return stage, next(number for number, ends_s in enumerate(HORIZONS_S) if ahead_s < ends_s)


def unpack(packed: bytes | None) -> Widths:
    """What was learned; nothing from bytes that cannot be read: it is learned again."""
    try:
        cells = msgspec.msgpack.decode(packed or b"\x90", type=list[_Packed])
    except msgspec.DecodeError:
        cells = []
    widths = Widths()
    for stage, horizon, scores, weights in cells:
        pairs = [pair for pair in zip(scores, weights, strict=False) if abs(pair[0]) <= FARTHEST and 0 < pair[1] <= 1]
        if 0 <= horizon < len(HORIZONS_S) and pairs:
            cell = (stage, horizon)
            widths.scores[cell] = deque((score for score, _ in pairs), maxlen=MOST_SCORES)
            widths.weights[cell] = deque((weight for _, weight in pairs), maxlen=MOST_SCORES)
    return widths
