"""
How well couriers and places were served, by day: as `order_hours` are counted, but for each courier and pickup place.

An order may change hands, or its place, until it is closed: the day it was placed on, long counted, is then counted
anew.
"""

from datetime import datetime, timedelta
from typing import Any

from dispatch.reports.order_hours import OLDEST, OrderHours


class OrderDays(OrderHours):
    """Counts the days that are over."""

    TABLE = "order_days"
    UNIT = timedelta(days=1)

    async def _count(self, connection: Any, since: datetime, until: datetime) -> None:
        await super()._count(connection, since, until)
        for row in await connection.fetch(self._query("changed"), since, until, since - OLDEST):
            await super()._count(connection, row["day"], row["day"] + self.UNIT)
