"""The connections that are open: how many, from where, and which of them only wait."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from typing import Final, Protocol

from provision.limits import ServingLimits
from provision.serving.proxies import Proxies, read_address

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that one customer has."""


class Closable(Protocol):
    """A connection."""

    def abort(self) -> None:
        """Close it at once."""


class Connections:
    """Makes room for new connections at the cost of those that wait, the longest first.

    A connection waits while its caller has to send something: a request, the rest of one. Closing
    the one that has waited longest lets a device in while strangers hold all the places.
    """

    def __init__(self, limits: ServingLimits, proxies: Proxies) -> None:
        """``proxies`` are those that the limit of one address is not for."""
        self._limits = limits
        self._proxies = proxies
        self._open: dict[Closable, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: OrderedDict[Closable, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Closable, address: str) -> bool:
        """Take a connection, which waits at first; return False where there is no room for it."""
        place = self._place(address)
        if place and self._counts[place] >= self._limits.connections_by_address:
            if not self.close_waiting(place):
                return False
        elif len(self._open) >= self._limits.connections and not self.close_waiting():
            return False
        self._open[connection] = place
        self._counts[place] += 1
        self._waiting[connection] = None
        return True

    def remove(self, connection: Closable) -> None:
        """Forget a connection that is closed."""
        self._waiting.pop(connection, None)
        place = self._open.pop(connection, None)
        if place is not None:
            self._counts[place] -= 1
            if not self._counts[place]:
                del self._counts[place]

    def waits(self, connection: Closable) -> None:
        """Note that a caller has to send something from now on."""
        if connection in self._open:
            self._waiting[connection] = None
            self._waiting.move_to_end(connection)

    def works(self, connection: Closable) -> None:
        """Note that the caller waits for the service."""
        self._waiting.pop(connection, None)

    def close_waiting(self, place: str | None = None) -> bool:
        """Close what has waited longest, of ``place`` or of all; return whether anything waits."""
        for connection in self._waiting:
            if place in (None, self._open[connection]):
                self.remove(connection)
                connection.abort()
                return True
        return False

    def _place(self, address: str) -> str:
        """Return what connections are counted by: empty for a proxy."""
        ip = read_address(address)
        if ip is None or ip in self._proxies:
            return ""
        if isinstance(ip, ipaddress.IPv4Address):
            return str(ip)
        return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False))
