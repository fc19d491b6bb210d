"""How much of what cannot be used is kept: enough to see what is wrong, never as much as one likes to send; no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tracking.quarantine import Quarantined

MINUTE_S: Final = 60.0
BESIDE_PAYLOAD_BYTES: Final = 100
"""What an item takes beside its payload, in the log and in the table."""


@dataclass(slots=True)
class Sample:
    """Lets through so many bytes of a courier and of all together in a minute; what is over is counted, not kept."""

    courier_bytes: int
    total_bytes: int
    """Half of it at most for what is no courier's: a service sends for everybody."""
    _minute: int = 0
    _total: int = 0
    _by_courier: dict[UUID | None, int] = field(default_factory=dict)

    def parted(self, items: Iterable[Quarantined], now_s: float) -> tuple[list[Quarantined], list[Quarantined]]:
        """What of the items is to be kept, and what is not."""
        minute = int(now_s // MINUTE_S)
        if minute != self._minute:
            self._minute, self._total = minute, 0
            self._by_courier.clear()
        kept, left = [], []
        for item in items:
            size = len(item.payload) + BESIDE_PAYLOAD_BYTES
            own = self._by_courier.get(item.courier_id, 0) + size
            bound = self.total_bytes // 2 if item.courier_id is None else self.courier_bytes
            if own > bound or self._total + size > self.total_bytes:
                left.append(item)
            else:
                self._by_courier[item.courier_id] = own
                self._total += size
                kept.append(item)
        return kept, left
