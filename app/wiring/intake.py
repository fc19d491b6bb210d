"""The tracking side of the API: what positions go through and are read from, built from the settings."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self
from uuid import UUID

import msgspec

from app.settings import Settings
from app.web.auth import Authenticator, Caller
from app.web.encoding import BrokenEncoding, plain_body
from app.web.problems import TooMuch
from app.wiring.params import bounds_of, indexed_for_s, limits_of
from app.wiring.resources import Resources
from tracking.batch import MODES
from tracking.history.tracks import Reader
from tracking.intake.decoding import Decoded, TooManyFixes, decode
from tracking.intake.ingest import Ingest
from tracking.intake.presence import Presence
from tracking.intake.reading import Reading
from tracking.intake.roster import Roster
from tracking.intake.screening import Receipt, Sender, Unusable, Upload
from tracking.live import LivePositions
from tracking.log import PositionLog
from tracking.position import Mode, Region
from tracking.quality import Reason
from tracking.quarantine import QuarantineStore

FALLBACK_REGION: Final = Region("default")
"""Where a service's unusable fixes go when no region is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What the position routes use."""

    settings: Settings
    authenticator: Authenticator
    ingest: Ingest
    presence: Presence
    roster: Roster
    live: LivePositions
    log: PositionLog
    quarantine: QuarantineStore
    reader: Reader

    @classmethod
    def build(cls, settings: Settings, opened: Resources, authenticator: Authenticator) -> Self:
        """Wire it together; opens nothing."""
        presence = Presence(opened.pool, opened.redis, back_s=settings.fix_oldest_s)
        return cls(
            settings=settings,
            authenticator=authenticator,
            ingest=Ingest(opened.redis, limits=limits_of(settings), bounds=bounds_of(settings), presence=presence),
            presence=presence,
            roster=Roster(opened.pool),
            live=LivePositions(opened.redis, indexed_for_s=indexed_for_s(settings)),
            log=PositionLog(opened.redis, keep_s=settings.log_keep_s),
            quarantine=QuarantineStore(opened.pool),
            reader=Reader(opened.pool, ask=opened.reads.ask),
        )

    def take_json(self, caller: Caller, body: bytes, encoding: str | None) -> Awaitable[Receipt]:
        """
        Accept the body of `POST /v1/positions` from a caller who may post.

        Raises TooMuch, UnsupportedEncoding, LogFull, LogUnavailable, at once or when it is waited for.
        """
        try:
            text = plain_body(body, encoding, self.settings.request_body_limit_bytes)
            decoded = decode(text, self.settings.batch_limit_fixes)
        except BrokenEncoding as exc:
            decoded = Decoded((), (), ((0, exc.text),))
        except TooManyFixes as exc:
            most = self.settings.batch_limit_fixes
            raise TooMuch(f"An upload may hold {most} fixes; this one holds {exc.n}.") from exc
        sender = sender_of(caller)
        if sender is not None:
            return self.ingest.accept(_upload_of(sender, decoded))
        return self._take_for_many(decoded)

    async def _take_for_many(self, decoded: Decoded) -> Receipt:
        """A service's upload: each fix says whose it is; one upload per region."""
        named = {reading.courier_id for reading in decoded.readings if reading.courier_id is not None}
        senders: Mapping[UUID, Sender | None] = await self.roster.find_many(named) if named else {}
        home = next((sender.region for sender in senders.values() if sender), None) or await self.some_region()
        uploads: dict[Region, _Draft] = {}
        unusable = [Unusable(place, Reason.UNREADABLE, part) for place, part in decoded.unreadable]
        for i, reading in enumerate(decoded.readings):
            place = decoded.indices[i] if decoded.indices else i
            sender = None if reading.courier_id is None else senders[reading.courier_id]
            if sender is None:
                reason = Reason.NO_COURIER if reading.courier_id is None else Reason.UNKNOWN_COURIER
                text = msgspec.json.encode(reading)
                unusable.append(Unusable(place, reason, text, named=reading.courier_id))
            else:
                uploads.setdefault(sender.region, _Draft([], [], [])).add(reading, sender, place)
        if unusable or not uploads:
            uploads.setdefault(home, _Draft([], [], []))
        receipts = [
            await self.ingest.accept(
                Upload(
                    region=region,
                    readings=draft.readings,
                    senders=draft.senders,
                    indices=draft.places,
                    unusable=unusable if region == home else (),
                )
            )
            for region, draft in uploads.items()
        ]
        if len(receipts) == 1:
            return receipts[0]
        return Receipt(
            sum(receipt.n_accepted for receipt in receipts),
            tuple(sorted(item for receipt in receipts for item in receipt.quarantined)),
        )

    async def some_region(self) -> Region:
        """Where a service's unusable fixes go, when nobody knows whose they are."""
        try:
            return (await self.roster.regions())[0]
        except Exception:  # noqa: BLE001 - only where the unusable is put; never a reason to refuse
            return FALLBACK_REGION


@dataclass(slots=True)
class _Draft:
    readings: list[Reading]
    senders: list[Sender]
    places: list[int]

    def add(self, reading: Reading, sender: Sender, place: int) -> None:
        self.readings.append(reading)
        self.senders.append(sender)
        self.places.append(place)


def sender_of(caller: Caller) -> Sender | None:
    """The courier behind a device token; None for other tokens."""
    if caller.courier_id is None:
        return None
    return _sender(caller.courier_id.int, caller.region, caller.mode)


@lru_cache(maxsize=100_000)
def _sender(courier: int, region: str | None, mode: str | None) -> Sender:
    """The same phones come again every five seconds; by the number of the id, for an id is hashed in Python."""
    number = 1 if mode is None else MODES.index(Mode(mode))
    return Sender(UUID(int=courier), Region(region or FALLBACK_REGION), number)


def _upload_of(sender: Sender, decoded: Decoded) -> Upload:
    """A device's own upload: every fix is its courier's, and none may claim to be another's."""
    readings: Sequence[Reading] = decoded.readings
    if len(readings) == 1 and readings[0].courier_id is None and not decoded.unreadable and not decoded.indices:
        return Upload(region=sender.region, readings=readings, senders=(sender,))
    indices = decoded.indices
    unusable = [Unusable(place, Reason.UNREADABLE, part, sender) for place, part in decoded.unreadable]
    named = [reading.courier_id for reading in readings if reading.courier_id is not None]
    if any(courier_id != sender.courier_id for courier_id in named):
        places = indices or range(len(readings))
        own = []
        for place, reading in zip(places, readings, strict=True):
            if reading.courier_id in {None, sender.courier_id}:
                own.append((place, reading))
            else:
                unusable.append(Unusable(place, Reason.WRONG_COURIER, msgspec.json.encode(reading), sender))
        indices, readings = [place for place, _ in own], [reading for _, reading in own]
    return Upload(
        region=sender.region,
        readings=readings,
        senders=[sender] * len(readings),
        indices=indices,
        unusable=unusable,
    )
