"""Metrics of ingest and the writer; without ids, in base units."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tracking.batch import Floats

FIXES_ACCEPTED: Final = Counter("postrider_fixes_accepted", "Fixes answered with 2xx and kept in the log.")
FIXES_QUARANTINED: Final = Counter(
    "postrider_fixes_quarantined", "Fixes of known devices that cannot be used.", ["reason"]
)
REQUESTS_TURNED_AWAY: Final = Counter(
    "postrider_ingest_turned_away", "Uploads answered 503, to be sent again.", ["reason"]
)
COMMITS: Final = Counter("postrider_ingest_commits", "Round trips to Redis; several uploads share one.")
FIXES_STORED: Final = Counter("postrider_fixes_stored", "Fixes new to the history.")
FIXES_DUPLICATE: Final = Counter("postrider_fixes_duplicate", "Fixes that the history had already.")
ENTRIES_BURIED: Final = Counter(
    "postrider_log_entries_buried", "Log entries that could not be stored and were put aside."
)
LOG_FIXES: Final = Gauge("postrider_log_fixes", "Fixes waiting in the log.", ["region", "group"])
LOG_LAG_SECONDS: Final = Gauge("postrider_log_lag_seconds", "Age of the oldest waiting entry.", ["region", "group"])


class AgeHistogram(Collector):
    """
    How old fixes are when they arrive, counted for whole columns.

    prometheus_client's own histogram takes one value a call, which costs more than all the rest of ingest.
    """

    BOUNDS_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._counts = np.zeros(len(self.BOUNDS_S) + 1, dtype=np.int64)
        self._sum_s = 0.0

    def observe(self, ages_s: Floats) -> None:
        """Count these; a fix from the (allowed) future is 0 s old."""
        ages_s = np.maximum(ages_s, 0.0)
        places = np.searchsorted(self.BOUNDS_S, ages_s)
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum_s += float(ages_s.sum())

    def collect(self) -> Iterable[Metric]:
        """Answer the registry."""
        names = [*(str(bound) for bound in self.BOUNDS_S), "+Inf"]
        buckets = list(zip(names, np.cumsum(self._counts).tolist(), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum_s)


FIX_AGE_SECONDS: Final = AgeHistogram("postrider_fix_age_seconds", "Age of fixes when they were accepted.")
REGISTRY.register(FIX_AGE_SECONDS)
