"""`postrider demo`: everything on this machine, with a simulated city that uses the public API as phones do."""

import asyncio
import logging
from collections.abc import Mapping

from app.settings import Settings
from app.simulate import SimulateParams
from app.simulate import run as simulate
from app.supervise import supervise
from app.up import connected_url, up

log = logging.getLogger(__name__)

COURIERS = {"postgres": 200, "timescale": 40}
"""The WebAssembly database has one session for everybody, so its fleet is a modest one."""
ORDERS_PER_HOUR = {"postgres": 600.0, "timescale": 60.0}


async def demo(
    settings: Settings, environ: Mapping[str, str], stop: asyncio.Event, *, couriers: int | None = None
) -> None:
    """
    Run until `stop` is set.

    Some couriers get into trouble on purpose after a minute (one freezes, one falls silent, one drives elsewhere), so
    that the alerts have something to say. Raises what `up` raises.
    """

    async def city(connected: Settings) -> None:
        token = (connected.data_dir / "admin.token").read_text().strip()
        url = connected_url(connected)
        print(f"live map: {url}/#token={token}", flush=True)  # noqa: T201 - what a person came for
        params = SimulateParams(
            url=url,
            token=token,
            couriers=couriers or COURIERS[settings.engine],
            orders_per_hour=ORDERS_PER_HOUR[settings.engine],
            freeze=(3,),
            silence=(7,),
            detour=(11,),
        )

        async def drive(_: asyncio.Event) -> None:
            counts = await simulate(params)
            log.info("simulation ended", extra={"event": "simulation_ended", "counts": counts})

        await supervise("simulate", drive, stop)

    await up(settings, environ, stop, beside=city)
