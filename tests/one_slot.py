"""
What one command, script or transaction touches lies in one slot: a Redis Cluster refuses anything else.

Seen in everything that a test's process sends. Reading many streams at once is for a single server only, and left out:
see `tracking.streams`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot

from tracking.cluster import key_of

OF_MANY_KEYS = {"DEL", "UNLINK", "MGET", "EXISTS", "TOUCH", "WATCH"}


def keys_of(command: Sequence[Any]) -> list[Any]:
    """All keys of a command."""
    name, *args = command
    if name in {"EVAL", "EVALSHA"}:
        return args[2 : 2 + int(args[1])]
    if name in OF_MANY_KEYS:
        return args
    return [key for key in [key_of(command)] if key is not None]


def across(commands: Sequence[Sequence[Any]]) -> list[str]:
    """What of these, sent together, touches several slots."""
    found, together = [], None
    for command in commands:
        if command[0] in {"MULTI", "EXEC"}:
            together = set() if command[0] == "MULTI" else None
            continue
        slots = {key_slot(key if isinstance(key, bytes) else str(key).encode()) for key in keys_of(command)}
        if together is not None:
            together |= slots
            slots = together
        if len(slots) > 1:
            found.append(f"{command[0]} {keys_of(command)}"[:500])
    return found


def held(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Until the test is over; then it fails where something touched several slots."""
    found: list[str] = []
    one, many = AbstractConnection.pack_command, AbstractConnection.pack_commands

    def pack_command(self: AbstractConnection, *args: Any) -> Any:
        found.extend(across([args]))
        return one(self, *args)

    def pack_commands(self: AbstractConnection, commands: Any) -> Any:
        whole = list(commands)
        found.extend(across(whole))
        return many(self, whole)

    patch.setattr(AbstractConnection, "pack_command", pack_command)
    patch.setattr(AbstractConnection, "pack_commands", pack_commands)
    yield
    assert not found, f"several slots of a cluster: {found[0]}"
