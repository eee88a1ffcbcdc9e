"""The one way out to addresses that callers wrote: to public ones, and to networks that the server's owner allows."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CONNECT_S: Final = 10.0
_UNICAST: Final = IPv6Network("2000::/3")
"""All that has been given out to be reached by everybody."""
_DOCUMENTATION: Final = IPv6Network("3fff::/20")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class Refused(Exception):
    """This server does not go there; the message says why, and has no more of the URL than its host."""


class Outgoing:
    """HTTP to addresses that callers wrote. Follows no redirects, and uses no proxy and no cookies.

    A name is looked up for every connection, and what is connected to is the very address that was looked at: a name
    that means another address a moment later gains nothing.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._session: aiohttp.ClientSession | None = None

    async def begin(self) -> None:
        """Open the session; needs a running loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                resolver=_Resolver(self._allowed),
                use_dns_cache=False,
                # Addresses that were written as numbers are never looked up.
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            # A few compressed bytes could become any number of them.
            headers={"accept-encoding": "identity"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Let go of every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def request(self, method: str, url: str, **options: Any) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One exchange, with the options of aiohttp; a redirect is an answer like any other.

        Raises Refused, TimeoutError, and what aiohttp raises (ClientError).
        """
        assert self._session is not None, "begin was not called"
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                raise Refused("Only http and https addresses are called.")
            async with self._session.request(method, url, **options, allow_redirects=False) as response:
                yield response
        except (aiohttp.InvalidURL, ValueError):
            raise Refused("The address is not one that can be called.") from None

    def objection(self, url: str) -> str | None:
        """Why an address that was written as a number, in whatever way, would be refused; a name is not looked up."""
        host = urlsplit(url).hostname or ""
        address = _written(host)
        if address is None or is_allowed(address, self._allowed):
            return None
        return str(_refused(host))

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one address, which was looked up or written as a number. Raises Refused."""
        family, kind, protocol, _, (host, *_) = info
        if not is_allowed(ip_address(host), self._allowed):
            raise _refused(host)
        return socket.socket(family, kind, protocol)


def why(failure: Exception) -> str:
    """What went wrong with an exchange, as the end of a sentence about whoever was called.

    It holds nothing of the address, nor of what they said: the library's own words may hold all of it.
    """
    match failure:
        case TimeoutError():
            return "they took too long"
        case aiohttp.ClientConnectorDNSError():
            return "their name is not known"
        case aiohttp.ClientConnectorCertificateError():
            return "their certificate is not good"
        case aiohttp.ClientConnectorSSLError():
            return "TLS with them failed"
        case aiohttp.ClientConnectorError() if failure.os_error.errno:
            return f"they cannot be reached: {os.strerror(failure.os_error.errno)}"
        case aiohttp.ServerDisconnectedError():
            return "they closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "their answer broke off"
        case aiohttp.ClientResponseError():
            return "their answer is no HTTP"
    return "the connection broke"


class _Resolver(AbstractResolver):
    """Looks names up, and knows only the addresses that may be called."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses of a name. Raises Refused when it has others only, OSError when it has none."""
        found = await self._inner.resolve(host, port, family)
        allowed = [each for each in found if is_allowed(ip_address(each["host"]), self._allowed)]
        if found and not allowed:
            raise _refused(host)
        return allowed

    async def close(self) -> None:
        await self._inner.close()


def is_allowed(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether that address is public, or in one of the allowed networks. One that carries another is judged by that."""
    meant = _meant(address)
    return _is_public(meant) or any(each in network for network in allowed for each in (address, meant))


def _written(host: str) -> Address | None:
    """The address that a host is; None for a name."""
    try:
        # It takes all the ways of writing one that looking it up does: 127.1, 0x7f000001, 2130706433.
        return IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        pass
    try:
        return ip_address(host)
    except ValueError:
        return None


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to; any other one as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    """Whether everybody can reach it; some Pythons hold tunnels and examples to be such."""
    if not address.is_global or address.is_multicast:
        return False
    return isinstance(address, IPv4Address) or (address in _UNICAST and address not in _DOCUMENTATION)


def _refused(host: str) -> Refused:
    return Refused(f"{host} is not a public address, and this server calls no others.")
