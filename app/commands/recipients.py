"""
What is held of a recipient (or a sender): counted, handed out, erased; found by name, e-mail address or phone number.

A recipient has no account: whoever asks is known by what an order's contact says. Of orders that are under way nothing
goes, for somebody is on the way to that door: they are counted, and can be erased when they are closed.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from sql import queries

AT_A_TIME: Final = 200
"""Orders of one transaction, so that no lock lasts long."""
PHONE: Final = re.compile(r"[\d\s()+./-]+")
FEWEST_DIGITS: Final = 6
STEPS: Final = ("pictures", "codes", "links", "comments", "answers", "events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What somebody tells of themselves, as the database compares it."""

    said: str
    digits: str

    @classmethod
    def of(cls, text: str) -> Self:
        """A name, an e-mail address, or a phone number however it is written."""
        said = text.strip().lower()
        digits = "".join(sign for sign in said if sign.isdecimal()) if PHONE.fullmatch(said) else ""
        return cls(said=said, digits=digits if len(digits) >= FEWEST_DIGITS else "")

    @property
    def values(self) -> tuple[str, str]:
        """Parameters of the queries."""
        return self.said, self.digits


async def exported(pool: Any, contact: Contact) -> AsyncIterator[bytes]:
    """A line of JSON for each order that names the person: no connection is held while somebody reads slowly."""
    after = None
    n = AT_A_TIME
    while n == AT_A_TIME:
        rows = await pool.fetch(queries["recipients.orders"], *contact.values, after, AT_A_TIME)
        n = len(rows)
        if rows:
            after = rows[-1]["id"]
            facts = (msgspec.json.decode(row["facts"]) for row in rows)
            yield b"".join(msgspec.json.encode({"record": "order", **one}) + b"\n" for one in facts)


async def erase(pool: Any, contact: Contact) -> int:
    """Take the person out of every closed order, some at a time; how many there were. Done again it finds none."""
    total = 0
    n = AT_A_TIME
    while n == AT_A_TIME:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(queries["recipients.erase"], *contact.values, AT_A_TIME)
            ids = [row["id"] for row in rows]
            for step in STEPS:
                await connection.execute(queries[f"recipients.erase_{step}"], ids)
            theirs = [row["external_id"] for row in rows if row["external_id"] is not None]
            await connection.execute(queries["recipients.erase_commands"], ids, theirs)
        n = len(rows)
        total += n
    return total
