"""What a process says in the log of itself: what began, with which settings, and that it has ended."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields

from app.machine.in_force import masked
from app.settings import Settings, variable_of
from app.wiring.vitals import installed_version

log = logging.getLogger(__name__)


@asynccontextmanager
async def lived(role: str, settings: Settings) -> AsyncIterator[None]:
    """A line now and one at the end; whoever starts again and again is seen by it."""
    facts = {"role": role, "version": installed_version(), "settings": changed(settings)}
    log.info("started", extra={"event": "started", **facts})
    try:
        yield
    finally:
        log.info("ended", extra={"event": "ended", "role": role})


def changed(settings: Settings) -> Mapping[str, str]:
    """Settings that are no default: no secret, and no address, for it may hold one."""
    told = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {
        variable_of(name): "***" if "://" in str(value) else masked(name, value)
        for name, value in told.items()
        if value != getattr(_DEFAULTS, name)
    }


_DEFAULTS = Settings()
