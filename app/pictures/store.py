"""
Where pictures are kept: a folder, or a bucket of S3 or whatever speaks as S3 does.

Until they are moved there, and where no place is set, they are in the database: an upload waits for nobody's bucket.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import LocalStore, S3Store

from app.settings import Settings

WITHIN_S: Final = 10.0
"""One picture, there or back, with everything that is tried again."""


class PictureStore:
    """Of one process. Every method raises TimeoutError, or what obstore raises (OSError, RuntimeError and others)."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def of(cls, settings: Settings) -> "PictureStore | None":
        """As it is set; None: pictures stay in the database."""
        where = settings.pictures
        if not where:
            return None
        if not where.startswith("s3://"):
            return cls(LocalStore(Path(where), mkdir=True))
        address = urlsplit(where)
        options: dict[str, Any] = {
            "endpoint": settings.s3_endpoint or None,
            "region": settings.s3_region or None,
            "access_key_id": settings.s3_key or None,
            "secret_access_key": settings.s3_secret or None,
        }
        return cls(
            S3Store(
                address.netloc,
                prefix=address.path.strip("/") or None,
                client_options={
                    "timeout": timedelta(seconds=WITHIN_S),
                    "connect_timeout": timedelta(seconds=WITHIN_S / 2),
                    "allow_http": settings.s3_endpoint.startswith("http://"),
                },
                retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=WITHIN_S)},
                **{name: value for name, value in options.items() if value is not None},
            )
        )

    async def put(self, name: str, content: bytes) -> None:
        """Keep it; under the same name it replaces what was there."""
        async with asyncio.timeout(WITHIN_S):
            await obstore.put_async(self._store, name, content)

    async def get(self, name: str) -> bytes | None:
        """What is kept under that name."""
        async with asyncio.timeout(WITHIN_S):
            try:
                found = await obstore.get_async(self._store, name)
            except (NotFoundError, FileNotFoundError):
                return None
            return bytes(await found.bytes_async())

    async def delete(self, name: str) -> None:
        """Whether or not it is there."""
        async with asyncio.timeout(WITHIN_S):
            try:
                await obstore.delete_async(self._store, name)
            except (NotFoundError, FileNotFoundError):
                return
