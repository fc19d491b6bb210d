"""The gRPC server: its port, its bounds, health and reflection, and its end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from app.doors.inside import Inside
from app.doors.rpc.calls import SERVICES
from app.doors.rpc.service import Service
from app.machine.api import allow_files, refuse_taken_port
from app.settings import SettingError, Settings
from tracking.pause import pause

log = logging.getLogger(__name__)

BESIDE_STREAMS: Final = 1_000
"""Plain calls at a time; more are refused at once, as RESOURCE_EXHAUSTED."""
FILES_BESIDE: Final = 512
ENDS_WITHIN_S: Final = 5.0
"""Calls that are under way have so long when the server ends."""
HEALTH_EVERY_S: Final = 2.0
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # another server on the port is a mistake, not a helper
    # A phone behind a carrier's NAT is gone without a word: asked every minute, it is given up 20 s later.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # And may ask as often as every ten seconds whether we are there.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_metadata_size", 16_384),
    ("grpc.max_receive_message_length", 4_194_304),
)


async def serve(
    settings: Settings,
    inside: Inside,
    is_ready: Callable[[], Awaitable[bool]],
    end_streams: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop`; raises PortTaken, and SettingError for a certificate that cannot be used."""
    refuse_taken_port(settings.host, settings.grpc_port)
    allow_files(settings.grpc_streams + BESIDE_STREAMS + FILES_BESIDE)
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=settings.grpc_streams + BESIDE_STREAMS)
    server.add_generic_rpc_handlers(tuple(Service(inside, streams=settings.grpc_streams).handlers()))
    condition = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(condition, server)
    names = [service.full_name for service in SERVICES]
    serving = health_pb2.HealthCheckResponse.ServingStatus
    for name in ("", *names):
        await condition.set(name, serving.NOT_SERVING)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.grpc_port}"
    if settings.doors_tls_cert:
        server.add_secure_port(address, credentials_of(settings))
    else:
        server.add_insecure_port(address)
    await server.start()
    log.info("grpc began", extra={"event": "grpc_began", "address": address, "tls": bool(settings.doors_tls_cert)})
    try:
        while not stop.is_set():
            status = serving.SERVING if await is_ready() else serving.NOT_SERVING
            for name in ("", *names):
                await condition.set(name, status)
            await pause(stop, HEALTH_EVERY_S)
    finally:
        await condition.enter_graceful_shutdown()
        if stop.is_set():  # else this server is begun again
            end_streams()
        await server.stop(ENDS_WITHIN_S)


def credentials_of(settings: Settings) -> grpc.ServerCredentials:
    """The certificate and its key, read again for new connections when the files change. Raises SettingError."""
    files = (Path(settings.doors_tls_key), Path(settings.doors_tls_cert))
    known: tuple[float, ...] = ()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal known
        try:
            changed = tuple(file.stat().st_mtime for file in files)
            if changed == known:
                return None
            key, chain = (file.read_bytes() for file in files)
        except OSError as exc:
            log.warning("certificate not read", extra={"event": "certificate_not_read", "why": str(exc)})
            return None
        known = changed
        return grpc.ssl_server_certificate_configuration([(key, chain)])

    first = fetch()
    if first is None:
        raise SettingError(f"POSTRIDER_DOORS_TLS_CERT, POSTRIDER_DOORS_TLS_KEY: cannot read {files[1]} and {files[0]}")
    return grpc.dynamic_ssl_server_credentials(first, fetch)
