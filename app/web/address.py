"""
Where a request comes from: one reading of `X-Forwarded-For`, for the rates and for the audit log.

Read once, where a request comes in (`begin_address`); from there on it is `app.logs.current_address`.
"""

from collections.abc import Container, Iterable
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Final

KNOWN: Final = 10_000


class Proxies(Container[str]):
    """The proxies in front of us: addresses and networks, separated by spaces."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is neither."""
        self._networks = [ip_network(part, strict=False) for part in text.split()]
        self._known: dict[str, bool] = {}

    def __contains__(self, address: object) -> bool:
        """Whether that is one of them."""
        if not self._networks or not isinstance(address, str):
            return False
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            known = self._known[address] = self._is_one(address)
        return known

    def _is_one(self, address: str) -> bool:
        with suppress(ValueError):
            read = ip_address(address)
            return any(read in network for network in self._networks)
        return False


def address_of(peer: str, forwarded_for: Iterable[str], proxies: Container[str]) -> str:
    """
    The other end of the connection, or who that says it speaks for where it is a proxy of ours.

    `forwarded_for`: every `X-Forwarded-For`, in order; what stands left of the last address that is no proxy's, anybody
    may have written. What is no address is not believed.
    """
    if peer not in proxies:
        return peer
    for part in reversed(",".join(forwarded_for).split(",")):
        address = part.strip()
        if address and address not in proxies:
            with suppress(ValueError):
                return str(ip_address(address))
            return peer
    return peer
