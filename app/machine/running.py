"""Where the embedded servers of a running Postrider answer, by its data folder: for the tools beside it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from app.settings import Settings

LOCK: Final = "lock"
"""Held by whoever runs the servers of the folder."""
URLS: Final = "servers.json"


class NotRunning(LookupError):
    """No address is set, and nobody runs on the data folder."""


class Servers(msgspec.Struct, frozen=True):
    """The addresses, passwords included: for the owner of the folder only."""

    database_url: str
    redis_url: str
    shared_session: bool


def tell(folder: Path, servers: Servers) -> None:
    """Write them where `connected` finds them."""
    path = folder / URLS
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(servers))


def connected(settings: Settings) -> Settings:
    """
    The settings with both addresses: as set, else of the servers that run on the data folder.

    `make demo` keeps each engine's data in a folder below. Raises NotRunning.
    """
    if settings.database_url and settings.redis_url:
        return settings
    for folder in _candidates(settings.data_dir):
        if _is_held(folder / LOCK):
            with suppress(OSError, msgspec.MsgspecError):
                found = msgspec.json.decode((folder / URLS).read_bytes(), type=Servers)
                return replace(
                    settings,
                    database_url=settings.database_url or found.database_url,
                    redis_url=settings.redis_url or found.redis_url,
                    database_shared_session=settings.database_shared_session
                    or (not settings.database_url and found.shared_session),
                )
    raise NotRunning(
        f"DATABASE_URL and REDIS_URL are not both set, and no Postrider runs on {settings.data_dir}:"
        " set them, start it, or name its folder with POSTRIDER_DATA_DIR"
    )


def _candidates(folder: Path) -> Iterator[Path]:
    yield folder
    if folder.is_dir():
        yield from sorted(below for below in folder.iterdir() if (below / LOCK).exists())


def _is_held(lock: Path) -> bool:
    """Whether a process holds it; the kernel lets go of it when that process ends."""
    try:
        file = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
