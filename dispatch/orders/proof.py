"""
What proves that an order was handed over: pictures, a name, and a code that the recipient names.

A region says what it asks for; an order that has a code is asked for it in any case. Codes are compared here, at the
desk, so that no phone knows them, and wrong ones are counted. No I/O but for `code_of`.
"""

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from dispatch.orders.order import Order
from dispatch.orders.rows import from_json
from dispatch.stop import StopKind
from sql import queries

GROUP: Final = "proof"
"""Among a region's settings."""
ATTEMPTS: Final = 5
"""So many wrong codes, then only a dispatcher can say that it was handed over."""
DIGITS: Final = 4
KINDS: Final = ("photo", "signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSettings:
    """What couriers need to hand an order over; whoever dispatches may do without, with a reason."""

    photo: bool = False
    """A photo is needed."""
    signature: bool = False
    """A signature is needed."""
    name: bool = False
    """The name of who took it is needed."""
    code: Literal["if_given", "always"] = "if_given"
    """A code that the recipient names: for orders that have one (`if_given`), or for all, made where none was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for one order, and what is there."""

    settings: ProofSettings
    code: str | None
    n_wrong: int = 0
    pictures: Collection[str] = ()

    @property
    def needs_code(self) -> bool:
        """Whether the recipient must name one."""
        return self.code is not None or self.settings.code == "always"

    @property
    def is_locked(self) -> bool:
        """Whether too many codes were wrong."""
        return self.n_wrong >= ATTEMPTS

    def missing(self, proof: Mapping[str, str]) -> list[str]:
        """What of it is neither said nor there."""
        there = {name for name, value in proof.items() if value.strip()} | set(self.pictures)
        return [name for name in wanted_of(self.settings, has_code=self.needs_code) if name not in there]

    def is_right(self, said: str) -> bool:
        """Whether that is the code."""
        return self.code is not None and hmac.compare_digest(plain(said).encode(), plain(self.code).encode())


def is_proved(order: Order) -> bool:
    """Whether handing the order over is proved at all: what is collected from people is brought to our own place."""
    return order.only is not StopKind.PICKUP


def wanted_of(settings: ProofSettings, *, has_code: bool) -> list[str]:
    """What a courier needs at the door."""
    wanted = {"photo": settings.photo, "signature": settings.signature, "name": settings.name}
    return [name for name, is_wanted in wanted.items() if is_wanted] + (
        ["code"] if has_code or settings.code == "always" else []
    )


def plain(code: str) -> str:
    """A code as it is compared: people write it with spaces and in small letters."""
    return "".join(code.split()).upper()


def new_code() -> str:
    """A code to be named at a door; five attempts at one of ten thousand."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def proof_settings(settings: Any) -> ProofSettings:
    """Of a region, from its settings as they are stored; the defaults where somebody wrote what cannot be read."""
    given = settings.get(GROUP, {}) if isinstance(settings, dict) else {}
    try:
        return msgspec.convert(given, ProofSettings)
    except ValueError:
        return ProofSettings()


def asked_from_row(row: Mapping[str, Any]) -> Asked:
    """From a row of `proofs.asked`."""
    return Asked(
        settings=proof_settings(from_json(row["settings"] or "{}")),
        code=row["code"],
        n_wrong=row["n_wrong"] or 0,
        pictures=row["kinds"],
    )


async def code_of(connection: Any, order: Order) -> str | None:
    """The order's code, made now where its region wants one and nobody gave it; None: there is none."""
    asked = asked_from_row(await connection.fetchrow(queries["proofs.asked"], order.id, order.region))
    if asked.code is not None or not asked.needs_code or not is_proved(order):
        return asked.code
    await connection.execute(queries["proofs.make_code"], order.id, new_code())
    code: str | None = await connection.fetchval(queries["proofs.code"], order.id)
    return code


async def wanted_at_doors(connection: Any, region: str, orders: Collection[Order]) -> dict[UUID, list[str]]:
    """What couriers need at the doors of these orders of a region; where nothing is needed there is no entry."""
    proved = [order.id for order in orders if is_proved(order)]
    if not proved:
        return {}
    row = await connection.fetchrow(queries["proofs.asked_of"], region, proved)
    settings, with_code = proof_settings(from_json(row["settings"] or "{}")), set(row["with_code"])
    wanted = {order_id: wanted_of(settings, has_code=order_id in with_code) for order_id in proved}
    return {order_id: names for order_id, names in wanted.items() if names}
