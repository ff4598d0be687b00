"""The proxies before the service: whose word is taken on where a request comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import structlog

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies that the operator names; of others one warning is written to the log."""

    def __init__(self, named: Iterable[str] = ()) -> None:
        """``named`` are addresses and networks (``10.0.0.0/8``). Raises ``ValueError``."""
        self._networks: tuple[Network, ...] = tuple(map(read_network, named))
        self._warned = False

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def forwarded_by(self, address: str) -> None:
        """Note that a request from ``address`` says that it was forwarded."""
        known = read_address(address)
        if self._warned or (known is not None and known in self):
            return
        self._warned = True
        structlog.get_logger().warning(
            "a request says that a proxy forwarded it, which no setting names: all that comes "
            "through that proxy counts as one caller; if it is yours, name it in "
            "MG_PROVISION_TRUSTED_PROXIES",
            address=address,
        )


def read_network(text: str) -> Network:
    """Return an address or a network. Raises ``ValueError``."""
    return ipaddress.ip_network(text, strict=False)


def read_address(text: str) -> Address | None:
    """Return an address, an IPv4 one as such; None for a text that is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address
