"""
Connections to addresses that somebody else has chosen: to public ones only, unless that is allowed.

A name is looked up here, what it stands for is checked, and the connection goes to the address that was checked: a name
that stands for something else a moment later gains nothing.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import httpcore

NAT64: Final = IPv6Network("64:ff9b::/96")
TRIED: Final = 3
"""Addresses of one name."""


class NotPublic(OSError):
    """The address belongs to a private network."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is not a public address")


def is_public(text: str) -> bool:
    """Whether an IP address may be called for a stranger; those that carry another one inside are judged by that."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to public addresses; with `allow_private` to any."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises NotPublic, httpcore.ConnectError, httpcore.ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._allowed(host, port)
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout(f"{host} was not looked up in time") from exc
        except OSError as exc:
            raise httpcore.ConnectError(str(exc)) from exc
        last: Exception | None = None
        for address in addresses[:TRIED]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as exc:
                last = exc
        assert last is not None
        raise last

    async def _allowed(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        if not self._allow_private:
            addresses = [address for address in addresses if is_public(address)]
        if not addresses:
            raise NotPublic(host)
        return addresses

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks for it."""
        await asyncio.sleep(seconds)
