"""Which region a request means."""

from typing import Any

from app.web.problems import BadInput
from sql import queries
from tracking.position import Region


async def known_region(connection: Any, wanted: str | None) -> Region:
    """The region that was named, or the installation's only one; raises BadInput."""
    regions = [row["id"] for row in await connection.fetch(queries["couriers.regions"])]
    if wanted is None and len(regions) == 1:
        return Region(regions[0])
    if wanted is None or wanted not in regions:
        raise BadInput("There is no such region.", ("/region", f"expected one of: {', '.join(regions)}"))
    return Region(wanted)
