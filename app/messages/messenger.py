"""
Says what waits in `messages`: a channel at a time by one process, whoever hangs or fails is left alone for a while.

To staff what came together is said together, and again when a service did not take it. A recipient is told once: what
may have been sent is not sent again.
"""

import asyncio
import hashlib
import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge

from app.gateway import pace
from app.messages import text
from app.messages.push import Push
from app.messages.services import Services, Told
from app.pages.writing import LANGUAGES, zone_of
from dispatch.errors import DispatchError
from dispatch.orders.desk import read_order
from dispatch.orders.proof import code_of
from dispatch.orders.rows import from_json
from dispatch.regions import recipient_settings
from sql import queries
from tracking import outages, periodic

log = logging.getLogger(__name__)

SAID: Final = Counter("postrider_messages_total", "Messages to people, by what became of them.", ["outcome"])
WAITING: Final = Gauge("postrider_messages_waiting", "Messages that are due.", multiprocess_mode="livemax")

POLL_S: Final = 0.5
AT_ONCE: Final = 16
"""Channels at a time."""
HELD_FOR: Final = timedelta(seconds=300)
"""Longer than everything that is said to a channel in one turn takes."""
MOST: Final = 200
"""Messages of a turn to staff."""
MOST_RECIPIENTS: Final = 4
"""Messages of a turn to recipients, one by one."""
OFFER_S: Final = 120
ALERT_S: Final = 3600
"""So long a browser that is away is waited for."""
LINK_LIVES: Final = timedelta(days=2)

Row = Mapping[str, Any]


class Messenger:
    """One per process; several share the channels."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        services: Services,
        push: Push,
        *,
        public_url: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`public_url`: where recipients reach the API, for links."""
        self._pool = pool
        self._services = services
        self._push = push
        self._public_url = public_url.rstrip("/")
        self._now = now
        self._chance = chance
        self._talking: dict[UUID, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Talk until `stop`."""
        try:
            await periodic.run(
                self.turn,
                stop,
                every_s=POLL_S,
                log=log,
                message="messages not sent",
                event="messages_not_sent",
                name="messages",
            )
        finally:
            for task in self._talking.values():
                task.cancel()
            await asyncio.gather(*self._talking.values(), return_exceptions=True)
            await self._services.close()
            await self._push.close()

    async def turn(self) -> None:
        """Begin with every channel that has something to say; those that talk go on."""
        self._talking = {id_: task for id_, task in self._talking.items() if not task.done()}
        now, free = self._now(), AT_ONCE - len(self._talking)
        if free > 0:
            for channel in await self._pool.fetch(queries["channels.claim"], now, now + HELD_FOR, free):
                self._talking[channel["id"]] = asyncio.create_task(self._talk(channel), name="messages")
        row = await self._pool.fetchrow(queries["channels.waiting"])
        WAITING.set(row["n"])

    async def settle(self) -> None:
        """Wait for what is being said."""
        await asyncio.gather(*self._talking.values())

    async def _talk(self, channel: Row) -> None:
        """One turn of a channel."""
        try:
            await self._say(channel)
        except outages.DRIVERS as exc:
            outages.tell(log, "messages not sent", exc, event="messages_not_sent")
        except Exception:
            log.exception("talking failed", extra={"event": "talking_failed", "channel": str(channel["id"])})

    async def _say(self, channel: Row) -> None:
        now = self._now()
        zone = zone_of(await self._pool.fetchval(queries["channels.time_zone"], channel["region"]))
        quiet_until = text.quiet_until(now, channel["quiet_from"], channel["quiet_to"], zone)
        if quiet_until is not None:
            await self._pool.execute(queries["channels.hold_back"], channel["id"], quiet_until)
        most = MOST if channel["audience"] != "recipients" else MOST_RECIPIENTS
        rows = await self._pool.fetch(queries["channels.due"], channel["id"], now, most)
        needless = [row for row in rows if text.is_needless(row, now=now)]
        await self._done(needless, "needless")
        wanted = [row for row in rows if row not in needless]
        failed = None
        if channel["audience"] == "recipients":
            for row in wanted:
                try:
                    failed = await self._tell_recipient(channel, row)
                except outages.DRIVERS:
                    raise
                except Exception:  # one odd order keeps no other recipient waiting
                    said = {"event": "message_unreadable", "channel": str(channel["id"])}
                    log.exception("message cannot be written", extra=said)
                    await self._done([row], "given_up")
                if failed is not None:
                    break
        elif wanted:
            failed = await self._tell_staff(channel, wanted)
        if failed is None:
            await self._pool.execute(queries["channels.is_well"], channel["id"], now)
            return
        if failed.is_gone:
            await self._pool.execute(queries["channels.forget_push"], channel["id"])
            return
        rest = pace.rest_after(channel["n_failures"] + 1, self._chance())
        await self._pool.execute(queries["channels.has_failed"], channel["id"], self._now() + rest, failed.error)
        facts = {"event": "messages_not_taken", "channel": str(channel["id"]), "error": failed.error}
        log.warning("messages not taken", extra=facts)

    async def _tell_staff(self, channel: Row, rows: Sequence[Row]) -> Told | None:
        """None: said."""
        language = _language(channel["language"])
        title, body = text.title_of(rows, language), text.body_of(rows, language)
        await self._tried(rows)
        if channel["push"] is None:
            told = await self._services.send(channel["url"], title, body)
        else:
            is_offer = channel["audience"] == "courier"
            said = {"title": title, "body": "" if len(rows) == 1 else body, "open": "/courier" if is_offer else "/"}
            secret, ttl_s = await self._pool.fetchval(queries["installation.secret"]), OFFER_S if is_offer else ALERT_S
            told = await self._push.send(secret, from_json(channel["push"]), said, ttl_s=ttl_s, now=self._now())
        return await self._note(rows, told, again_when_unsure=True)

    async def _tell_recipient(self, channel: Row, row: Row) -> Told | None:
        contact = from_json(row["dropoff_contact"] or "{}")
        url = text.address_of(channel["url"], contact)
        if url is None:
            await self._done([row], "needless")
            return None
        language = _language(contact.get("language") or channel["language"])
        sender = recipient_settings(from_json(row["settings"] or "{}")).sender
        try:
            order = await read_order(self._pool, row["order_id"])
            code = await code_of(self._pool, order)
        except DispatchError:  # deleted meanwhile; what stayed due would be among the few of every turn
            await self._done([row], "needless")
            return None
        link = await self._link(row["order_id"]) if row["kind"] != "delivered" else ""
        said = text.told_recipient(row, sender=sender, link=link, code=code, language=language)
        await self._tried([row])
        told = await self._services.send(url, sender, said)
        return await self._note([row], told, again_when_unsure=False)

    async def _link(self, order_id: UUID) -> str:
        """A link of this message's own; none where nobody said how recipients reach us."""
        if not self._public_url:
            return ""
        token = secrets.token_urlsafe(24)
        digest, ends_at = hashlib.sha256(token.encode()).digest(), self._now() + LINK_LIVES
        await self._pool.execute(queries["share_links.insert"], digest, order_id, ends_at, "message")
        return f"{self._public_url}/t/{token}"

    async def _note(self, rows: Sequence[Row], told: Told, *, again_when_unsure: bool) -> Told | None:
        if told.is_sent:
            await self._done(rows, "sent")
            return None
        if told.is_unsure and not again_when_unsure:
            await self._done(rows, "unsure")
            return told
        await self._done([row for row in rows if row["attempts"] + 1 > len(pace.WAITS)], "given_up")
        return told

    async def _tried(self, rows: Sequence[Row]) -> None:
        await self._pool.execute(queries["channels.tried"], [row["id"] for row in rows])

    async def _done(self, rows: Sequence[Row], outcome: str) -> None:
        if rows:
            SAID.labels(outcome).inc(len(rows))
            await self._pool.execute(queries["channels.done"], [row["id"] for row in rows], self._now(), outcome)


def _language(wanted: Any) -> str:
    return wanted if wanted in LANGUAGES else LANGUAGES[0]
