"""Who else looks at couriers, and how watching goes on without what cannot be borne."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from prometheus_client import Counter

from tracking import outages
from tracking.batch import PositionColumns
from tracking.errors import LeaseLost
from tracking.lease import Lease
from tracking.position import CourierId, Region
from tracking.watching.fix_columns import TrackFix

log = logging.getLogger(__name__)

SET_ASIDE = Counter("postrider_watch_set_aside_total", "What watching could not bear and went on without.", ["doing"])


class Observer(Protocol):
    """
    Somebody else who looks at couriers: `dispatch.alerts.observer`. What it writes holds the lease.

    A lease is about a region, or about a part of it (`tracking.parts`): then about the couriers that it has.
    """

    async def saw(self, lease: Lease, columns: PositionColumns) -> Mapping[CourierId, int]:
        """
        Fixes came, in any order; they may come again.

        Returns the couriers whose fixes it must be shown in order, from an instant on (microseconds): `found_again`.
        """
        ...

    async def found_again(
        self, lease: Lease, courier_id: CourierId, fixes: Sequence[TrackFix], *, since_us: int, now: datetime
    ) -> None:
        """All fixes of a courier from an instant on, in order, without jumps: after late ones, and at the beginning."""
        ...

    async def tick(self, lease: Lease, now: datetime) -> None:
        """Look at the clock."""
        ...

    def forget(self, lease: Lease) -> None:
        """Somebody else may have watched meanwhile what the lease is about."""
        ...


@contextmanager
def bearing(region: Region, doing: str) -> Iterator[None]:
    """Go on without what is within when it cannot be borne, and tell; an outage and a lost lease pass."""
    try:
        yield
    except LeaseLost:
        raise
    except outages.DATA as exc:
        _tell_set_aside(region, doing, exc)
    except outages.DRIVERS:
        raise
    except Exception as exc:  # noqa: BLE001 - one record must not end the watching of the others
        _tell_set_aside(region, doing, exc)


def _tell_set_aside(region: Region, doing: str, exc: Exception) -> None:
    SET_ASIDE.labels(doing).inc()
    outages.tell(log, "set aside", exc, event="watch_set_aside", region=region, doing=doing)
