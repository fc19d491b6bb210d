"""The role `doors`: the API inside this process, and the servers of other protocols in front of it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from litestar import Litestar
from prometheus_client import start_http_server

from app.doors.inside import Inside
from app.doors.mqtt import server as mqtt
from app.doors.rpc import server as rpc
from app.main import create_app
from app.routes.health import readiness
from app.settings import SettingError, Settings
from app.web.collector import spare_the_collector
from app.web.metrics import ObserveMiddleware
from app.web.together import MULTIPROCESS
from app.wiring.schema import Unfit, refuse_unfit
from app.wiring.supervise import supervise

Start = Callable[[asyncio.Event], Awaitable[None]]


def is_wanted(settings: Settings) -> bool:
    """Whether any of the doors is to be opened."""
    return bool(settings.grpc_port or settings.mqtt_port)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`. Raises Unfit and SettingError; a door that cannot be opened is tried again and again."""
    if not is_wanted(settings):
        raise SettingError("POSTRIDER_GRPC_PORT, POSTRIDER_MQTT_PORT: expected a port")
    await refuse_unfit(settings)
    if settings.metrics_port and MULTIPROCESS not in os.environ:
        try:
            start_http_server(settings.metrics_port, addr=settings.host)
        except OSError as exc:
            raise Unfit(f"POSTRIDER_METRICS_PORT: cannot listen on {settings.metrics_port}: {exc.strerror}") from exc
    app = create_app(replace(settings, metrics_port=0), role="doors")
    async with app.lifespan(), asyncio.TaskGroup() as group:
        spare_the_collector()
        for name, start in doors(settings, app).items():
            group.create_task(supervise(name, start, stop))
        await stop.wait()


def doors(settings: Settings, app: Litestar) -> dict[str, Start]:
    """By name; `app`: within its lifespan."""
    state = app.state
    inside = Inside(
        ObserveMiddleware(
            app, body_within_s=settings.request_body_s, proxies=state.proxies, is_told=settings.log_requests
        )
    )

    async def is_ready() -> bool:
        status, _ = await readiness(state.pool, state.redis)
        return status == 200

    found: dict[str, Start] = {}
    if settings.grpc_port:
        found["grpc"] = partial(rpc.serve, settings, inside, is_ready, state.channels.end)
    if settings.mqtt_port:
        found["mqtt"] = partial(mqtt.serve, settings, state, inside)
    return found
