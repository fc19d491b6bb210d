"""What was looked up and is known by heart for a while; bounded, whoever asks for whatever."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

UNKNOWN_SIZE: Final = 10_000
"""Keys remembered as nobody's. Apart from the others, for strangers can make up as many as they like."""


class Memo(Generic[K, V]):
    """Values by key with the instant until which each may be trusted; the least recently used goes first."""

    __slots__ = ("_known", "_size", "_unknown", "_unknown_size")

    def __init__(self, size: int, unknown_size: int = UNKNOWN_SIZE) -> None:
        self._size, self._unknown_size = size, unknown_size
        self._known: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._unknown: OrderedDict[K, tuple[None, float]] = OrderedDict()

    def get(self, key: K) -> tuple[V, float] | tuple[None, float] | None:
        """The value (None: there is none) and until when; None where nothing is remembered."""
        held = self._known.get(key)
        if held is not None:
            if 2 * len(self._known) > self._size:  # else nothing is about to go, and an order to keep costs every use
                self._known.move_to_end(key)
            return held
        return self._unknown.get(key)

    def put(self, key: K, value: V | None, until: float) -> None:
        """Remember it."""
        if value is None:
            self._known.pop(key, None)
            self._unknown[key] = (None, until)
            self._unknown.move_to_end(key)
            if len(self._unknown) > self._unknown_size:
                self._unknown.popitem(last=False)
        else:
            self._unknown.pop(key, None)
            self._known[key] = (value, until)
            self._known.move_to_end(key)
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def renew(self, key: K, value: V, until: float) -> None:
        """The same without counting it as a use; one that was forgotten meanwhile stays forgotten."""
        if key in self._known:
            self._known[key] = (value, until)

    def forget(self, key: K) -> None:
        """Look it up again."""
        self._known.pop(key, None)
        self._unknown.pop(key, None)

    def known(self) -> Iterator[tuple[K, V]]:
        """All that have a value, as they are now."""
        return iter([(key, value) for key, (value, _) in self._known.items()])

    def __len__(self) -> int:
        """How many are remembered, in either way."""
        return len(self._known) + len(self._unknown)
