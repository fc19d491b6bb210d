"""The API's server: Granian, sized for a fleet of phones, on a port of its own."""

import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

from granian import Granian, _signals
from granian._granian import WorkerSignal
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.settings import Settings
from app.web.graceful import warn_workers_first

BACKLOG: Final = 2048
"""Connections the kernel keeps waiting while all workers are at their bound."""
FILES_BESIDE_CONNECTIONS: Final = 512
"""Descriptors a worker needs for everything else: log, database, Redis, the program's files."""
KILL_WORKERS_AFTER_S: Final = 10


DEATHS_TO_OUR_LOG: Final[dict[str, Any]] = {
    "formatters": {},
    "handlers": {},
    "filters": {"deaths": {"()": "app.machine.api.deaths"}},
    "loggers": {"_granian": {"propagate": True, "filters": ["deaths"]}, "granian.access": {}},
}
"""Of Granian's log (`logging.config.dictConfig`): only that a worker fell over, by our own handlers."""


class PortTaken(OSError):
    """Something listens on the API's port already."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises PortTaken."""
    refuse_taken_port(settings.host, settings.port)
    allow_files(settings.api_connections + FILES_BESIDE_CONNECTIONS)
    server = Granian(
        "app.worker:rsgi",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        # Not `auto`: it waits for the first bytes to tell the versions apart, and no time limit holds until then.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.request_head_s * 1000)),
        workers=settings.api_workers,
        websockets=False,
        backlog=BACKLOG,
        backpressure=settings.api_connections,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_WORKERS_AFTER_S,
        log_level=LogLevels.error,
        log_dictconfig=DEATHS_TO_OUR_LOG,
    )
    server.on_startup(warn_workers_first)
    hear_once()
    server.serve()


def deaths() -> Callable[[logging.LogRecord], bool]:
    """A filter for who has no business but the workers that fell over; others are started, and say that they began."""

    def is_death(record: logging.LogRecord) -> bool:
        record.event = "worker_died"
        return record.getMessage().startswith("Unexpected exit from worker")

    return is_death


def hear_once() -> None:
    """
    Let Granian's workers hear once that they must stop.

    Told a third time while a request is under way, its handler waits for ever and holds the interpreter: such a worker
    goes on listening, answers nobody, and only kill -9 ends it. Ctrl-C is heard by workers and their supervisor, which
    tells them too; a worker whose supervisor was killed is told by the kernel, and by itself.
    """
    listen: Callable[[Any], WorkerSignal] = _signals.set_loop_signals

    def set_loop_signals(loop: Any) -> WorkerSignal:
        event = listen(loop)
        heard: list[int] = []

        def hear(number: int) -> None:
            heard.append(number)
            if len(heard) == 1:
                event.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, hear, number)
        return event

    _signals.set_loop_signals = set_loop_signals


def refuse_taken_port(host: str, port: int) -> None:
    """
    Raise PortTaken where somebody listens.

    The server itself binds with SO_REUSEPORT, as its workers share the port: a second one would silently get half of
    the first one's requests. A socket without that option cannot be bound beside a listening one.
    """
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not matter
            try:
                probe.bind(address)
            except OSError as exc:
                raise PortTaken(f"cannot listen on {host}:{port}: {os.strerror(exc.errno or 0)}") from exc


def allow_files(wanted: int) -> None:
    """Raise the soft limit of open files as far as the hard one lets; each connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reach = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < reach:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reach, hard))
