"""
Passwords: argon2id, hashed in threads, so many at once.

A hash takes 64 MiB and some 100 ms on purpose; whoever tries many passwords waits in a short queue of their own and
takes neither the memory nor the event loop of others.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from app.web.problems import BadInput, TooManyRequests

SHORTEST: Final = 10
"""Characters; NIST SP 800-63B-4 asks for 8 beside a second factor and 15 without one: a compromise."""
LONGEST: Final = 200
AT_ONCE: Final = 2
"""Hashes of a process at a time, of 64 MiB each."""
WAITING: Final = 20
"""That wait for their turn; a further one is answered 429."""

COSTLY: Final = PasswordHasher(
    time_cost=RFC_9106_LOW_MEMORY.time_cost, memory_cost=RFC_9106_LOW_MEMORY.memory_cost, parallelism=1
)
"""RFC 9106, section 4, the second choice; one lane, for a server has its cores for others."""


class Passwords:
    """Hashes and compares. One per process."""

    def __init__(self, hasher: PasswordHasher = COSTLY) -> None:
        self._hasher = hasher
        self._of_nobody: str | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """As it is kept, with its salt and parameters in it."""
        async with self._turns():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Whether that is the password; without one to compare with it takes as long, and is wrong."""
        async with self._turns():
            return await asyncio.to_thread(self._is_right, kept, password)

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _is_right(self, kept: str | None, password: str) -> bool:
        if self._of_nobody is None:
            self._of_nobody = self._hasher.hash(secrets.token_urlsafe())
        try:
            return self._hasher.verify(kept or self._of_nobody, password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False

    @asynccontextmanager
    async def _turns(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            raise TooManyRequests(retry_after_s=2)
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1


def check(password: str, name: str, pointer: str) -> None:
    """Raises BadInput for a password that is guessed at once."""
    if len(password) < SHORTEST:
        raise BadInput("The password is too short.", (pointer, f"expected {SHORTEST} characters or more"))
    if name.lower() in password.lower() or len(set(password)) < 5:
        raise BadInput("The password is easily guessed.", (pointer, "expected more different characters, not the name"))
