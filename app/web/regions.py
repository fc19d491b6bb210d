"""Which region a request means."""

from collections.abc import Iterable
from typing import Any

from app.web.problems import BadInput
from app.web.reach import current_reach
from sql import queries
from tracking.position import Region


async def known_region(connection: Any, wanted: str | None) -> Region:
    """The region that was named, or the only one that the caller reaches; raises BadInput."""
    regions = within_reach([row["id"] for row in await connection.fetch(queries["couriers.regions"])])
    if wanted is None and len(regions) == 1:
        return Region(regions[0])
    if wanted is None or wanted not in regions:
        raise BadInput("There is no such region.", ("/region", f"expected one of: {', '.join(regions)}"))
    return Region(wanted)


def within_reach(regions: Iterable[str]) -> list[str]:
    """Those of the regions that the caller reaches."""
    reach = current_reach()
    return [one for one in regions if reach is None or not reach.regions or one in reach.regions]
