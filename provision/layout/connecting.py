"""From connections to connect calls: full products that do not overlap.

The platform connects every client of a call with every channel of it, and refuses the whole call
when any of it exists, so no pair may be in two calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provision.layout.model import CONNECTION_TYPES, Connection, ConnectionType
from provision.layout.plan import PlannedConnections


def plan_connections(
    connections: Iterable[Connection], clients: Mapping[str, str], channels: Mapping[str, str]
) -> tuple[PlannedConnections, ...]:
    """Return few calls that make all ``connections``; the mappings give IDs by key.

    Pairs that are named more than once get all their types together. The order is that of the
    mappings.
    """
    wanted: dict[tuple[str, str], set[ConnectionType]] = {}
    for connection in connections:
        for client in connection.clients:
            for channel in connection.channels:
                wanted.setdefault((client, channel), set()).update(connection.types)
    products: dict[tuple[tuple[ConnectionType, ...], tuple[str, ...]], list[str]] = {}
    for client in clients:
        reached: dict[tuple[ConnectionType, ...], list[str]] = {}
        for channel in channels:
            types = wanted.get((client, channel), set())
            ordered = tuple(each for each in CONNECTION_TYPES if each in types)
            if ordered:
                reached.setdefault(ordered, []).append(channel)
        for types_together, keys in reached.items():
            products.setdefault((types_together, tuple(keys)), []).append(client)
    return tuple(
        PlannedConnections(
            client_ids=tuple(clients[key] for key in client_keys),
            channel_ids=tuple(channels[key] for key in channel_keys),
            types=types,
        )
        for (types, channel_keys), client_keys in products.items()
    )
