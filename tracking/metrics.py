"""Metrics of ingest and the writer; without ids, in base units."""

from typing import Final

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from tracking.batch import Floats

FIXES_ACCEPTED: Final = Counter("postrider_fixes_accepted", "Fixes answered with 2xx and kept in the log.")
FIXES_OFF_SHIFT: Final = Counter(
    "postrider_fixes_off_shift",
    "Fixes answered with 2xx and not kept, for their couriers were off shift.",
)
FIXES_QUARANTINED: Final = Counter(
    "postrider_fixes_quarantined", "Fixes of known devices that cannot be used.", ["reason"]
)
FIX_VALUES_DROPPED: Final = Counter(
    "postrider_fix_values_dropped", "Optional values of fixes that could not be; the fix is kept without.", ["field"]
)
WEEKS_CORRECTED: Final = Counter(
    "postrider_uploads_week_corrected", "Uploads of couriers whose device is 1,024 weeks back; the log says whose."
)
QUARANTINE_NOT_KEPT: Final = Counter(
    "postrider_quarantine_not_kept", "Of those, what is counted only: a minute's sample of it was full.", ["reason"]
)
REQUESTS_TURNED_AWAY: Final = Counter(
    "postrider_ingest_turned_away", "Uploads answered 503, to be sent again.", ["reason"]
)
COMMITS: Final = Counter(
    "postrider_ingest_commits", "Entries in the log; several uploads share one, and several a round trip."
)
INGEST_WAIT_SECONDS: Final = Histogram(
    "postrider_ingest_wait_seconds",
    "Time the first upload of a round trip to Redis waited for it to begin.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
INGEST_COMMIT_SECONDS: Final = Histogram(
    "postrider_ingest_commit_seconds",
    "Time to screen the uploads of a round trip and have them in the log; those that failed too.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
STORE_SECONDS: Final = Histogram(
    "postrider_writer_store_seconds",
    "Time to store a batch of fixes in history; those that failed too.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
FIXES_STORED: Final = Counter("postrider_fixes_stored", "Fixes new to the history.")
FIXES_DUPLICATE: Final = Counter("postrider_fixes_duplicate", "Fixes that the history had already.")
LETTERS: Final = Counter("postrider_dead_letters_made", "Fixes or log entries that cannot be stored.")
DEAD_LETTERS: Final = Gauge(
    "postrider_dead_letters",
    "Dead letters that wait for `postrider dead-letters replay`.",
    ["region"],
    multiprocess_mode="mostrecent",
)
DAYS_MISSING: Final = Gauge(
    "postrider_position_parts_missing",
    "Of today and the next three days, those for whose fixes the table has no part yet (plain PostgreSQL).",
    multiprocess_mode="mostrecent",
)
FIXES_OF_NO_DAY: Final = Gauge(
    "postrider_positions_apart",
    "Fixes that lie beside the table's parts of a day, a million at most (plain PostgreSQL).",
    multiprocess_mode="mostrecent",
)
READERS_LOST: Final = Counter(
    "postrider_log_readers_lost", "Readers of the log that were away for too long and lost their place.", ["group"]
)
LOG_FIXES: Final = Gauge(
    "postrider_log_fixes", "Fixes waiting in the log.", ["region", "group"], multiprocess_mode="mostrecent"
)
LOG_LAG_SECONDS: Final = Gauge(
    "postrider_log_lag_seconds",
    "Age of the oldest waiting entry.",
    ["region", "group"],
    multiprocess_mode="mostrecent",
)


FIX_AGE_SECONDS: Final = Histogram(
    "postrider_fix_age_seconds",
    "Age of fixes when they were accepted.",
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400, 604_800),
)


def observe_ages(ages_s: Floats) -> None:
    """
    Count whole columns of ages at once; a fix from the (allowed) future is 0 s old.

    `Histogram.observe` takes one value a call, which costs more than all the rest of ingest.
    """
    ages_s = np.maximum(ages_s, 0.0)
    bounds, buckets = FIX_AGE_SECONDS._upper_bounds, FIX_AGE_SECONDS._buckets  # noqa: SLF001 - no public way to add many
    for place, n in enumerate(np.bincount(np.searchsorted(bounds, ages_s), minlength=len(bounds)).tolist()):
        if n:
            buckets[place].inc(n)
    FIX_AGE_SECONDS._sum.inc(float(ages_s.sum()))  # noqa: SLF001 - as above
