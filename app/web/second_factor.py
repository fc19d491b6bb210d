"""The second factor: codes of 30 seconds by TOTP (RFC 6238), each good once, and recovery codes that stand in."""

import hashlib
import secrets
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import pyotp

from sql import queries

STEP_S: Final = 30
RECOVERY_CODES: Final = 10
ISSUER: Final = "Postrider"


def new_secret() -> str:
    """160 random bits, in the letters that authenticator apps read."""
    return pyotp.random_base32()


def address_of(secret: str, name: str) -> str:
    """What a QR code for an authenticator app holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def new_recovery_codes() -> list[str]:
    """64 random bits each; they are kept as SHA-256."""
    return ["-".join((half[:4], half[4:8], half[8:12], half[12:])) for half in _randoms()]


def _randoms() -> list[str]:
    return [secrets.token_hex(8) for _ in range(RECOVERY_CODES)]


def hash_of(code: str) -> bytes:
    """How a recovery code is kept, however it was typed."""
    return hashlib.sha256("".join(filter(str.isalnum, code.lower())).encode()).digest()


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The step whose code that is: the present one or a neighbour, for clocks differ; None: of none."""
    digits = code.replace(" ", "")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    present = int(now.timestamp()) // STEP_S
    totp = pyotp.TOTP(secret)
    fitting = (n for n in (present, present - 1, present + 1) if secrets.compare_digest(totp.at(n * STEP_S), digits))
    return next(fitting, None)


async def is_second_factor(connection: Any, user_id: UUID, code: str, now: datetime) -> bool:
    """Whether the code is good for the person, be it of the app or for recovery; it is used up by that."""
    row = await connection.fetchrow(queries["users.totp"], user_id)
    if row is None or row["totp_since"] is None:
        return False
    step = step_of(row["totp_secret"], code, now)
    if step is not None:
        return await connection.fetchval(queries["users.use_totp"], user_id, step) is not None
    return await connection.fetchval(queries["users.use_recovery"], user_id, hash_of(code)) is not None
