"""Pictures of orders: taken in, and shown by addresses that end; one of these in each API process."""

import asyncio
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from app.pictures import signing
from app.pictures.picture import NotAPicture, small
from app.pictures.store import PictureStore
from app.web.problems import BadInput, Conflict
from app.wiring.turns import Turns
from sql import queries

AT_ONCE: Final = 2
"""Pictures that a process decodes at a time: each may take 200 MB and a second."""
PICTURE_BYTES: Final = 8_000_000
"""A photo as a phone makes it; the courier's page sends smaller ones."""
SHARE: Final = 0.8
MOST: Final = 12
"""Pictures of one order: each attempt has a few."""

Kind = Literal["photo", "signature"]


class PictureShape(msgspec.Struct, kw_only=True):
    """A picture, and where it can be seen until `expires_at`; read the proof again after that."""

    id: UUID
    kind: Kind
    stored_at: datetime
    url: str
    expires_at: datetime


class Pictures:
    """The door to them."""

    def __init__(self, pool: asyncpg.Pool, store: PictureStore | None) -> None:
        self._pool = pool
        self._store = store
        self._turns = Turns(AT_ONCE, share=SHARE)
        self._key: bytes | None = None

    async def add(
        self, picture_id: UUID, order_id: UUID, kind: str, content: bytes, *, courier_id: UUID | None
    ) -> datetime:
        """
        Keep what was sent, and say since when; sent again it is the same.

        Raises BadInput for what is no picture, Conflict where an order has enough or the id is another order's,
        TimeoutError where too many pictures wait.
        """
        async with self._turns.one():
            try:
                made = await asyncio.to_thread(small, content, signature=kind == "signature")
            except NotAPicture as exc:
                raise BadInput("The picture cannot be used.", ("", str(exc))) from exc
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetchrow(queries["orders.lock"], order_id)  # one after the other, so that they are counted
            known = await connection.fetchrow(queries["proofs.picture"], picture_id)
            if known is not None and known["order_id"] != order_id:
                raise Conflict("Another picture has this id.", id=str(picture_id))
            if known is None:
                if await connection.fetchval(queries["proofs.n_pictures"], order_id) >= MOST:
                    raise Conflict("The order has as many pictures as it may have.", at_most=MOST)
                values = (picture_id, order_id, courier_id, kind, made)
                known = await connection.fetchrow(queries["proofs.add_picture"], *values)
                if known is None:
                    raise Conflict("Another picture has this id.", id=str(picture_id))
            stored_at: datetime = known["stored_at"]
            return stored_at

    async def of_order(self, order_id: UUID, now: datetime) -> list[PictureShape]:
        """The oldest first, with addresses that are good for a while."""
        rows = await self._pool.fetch(queries["proofs.pictures"], order_id)
        return [await self.shape_of(row["id"], row["kind"], row["stored_at"], now) for row in rows]

    async def shape_of(self, picture_id: UUID, kind: Kind, stored_at: datetime, now: datetime) -> PictureShape:
        """With an address that whoever is told can look at for a while."""
        until = signing.until(now)
        until_s = int(until.timestamp())
        sign = signing.signature(await self._signing_key(), picture_id, until_s)
        url = f"/pictures/{picture_id}?until={until_s}&sign={sign}"
        return PictureShape(id=picture_id, kind=kind, stored_at=stored_at, url=url, expires_at=until)

    async def shown(self, picture_id: UUID, until_s: int, sign: str, now: datetime) -> bytes | None:
        """
        The picture behind such an address; None: the address has ended, or the picture is gone.

        Raises what the store raises, as OSError.
        """
        if not signing.is_good(await self._signing_key(), picture_id, until_s, sign, now=now):
            return None
        row = await self._pool.fetchrow(queries["proofs.picture"], picture_id)
        if row is None:
            return None
        if row["content"] is not None:
            return bytes(row["content"])
        if self._store is None:
            return None
        try:
            return await self._store.get(str(picture_id))
        except OSError:
            raise
        except Exception as exc:
            raise OSError(f"the picture store does not answer: {type(exc).__name__}") from exc

    async def _signing_key(self) -> bytes:
        if self._key is None:
            self._key = signing.key_of(await self._pool.fetchval(queries["installation.secret"]), "pictures")
        return self._key
