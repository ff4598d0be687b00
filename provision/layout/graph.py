"""A layout as a graph: clients on one side, channels on the other, the slots that they fill.

Three drawings of it: :mod:`provision.layout.graph_text`, :mod:`provision.layout.graph_mermaid`,
:mod:`provision.layout.graph_svg`. None needs another program.
"""

from __future__ import annotations

from attrs import frozen

from provision.layout.model import (
    CONNECTION_TYPES,
    Binding,
    Channel,
    Client,
    ConnectionType,
    InlineProfile,
    Layout,
)


@frozen
class Node:
    """A client or channel: its key, its name, notes about it, and the slots that it fills."""

    key: str
    name: str
    notes: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


@frozen
class Edge:
    """A client connected with a channel (both by key)."""

    client: str
    channel: str
    types: tuple[ConnectionType, ...]

    @property
    def publishes(self) -> bool:
        """Whether the client sends to the channel."""
        return "publish" in self.types

    @property
    def subscribes(self) -> bool:
        """Whether the client takes from the channel."""
        return "subscribe" in self.types


@frozen
class Graph:
    """What is drawn. ``open_slots`` are those of the layout's profile that nothing fills."""

    title: str
    description: str
    clients: tuple[Node, ...]
    channels: tuple[Node, ...]
    edges: tuple[Edge, ...]
    open_slots: tuple[str, ...] = ()


def graph_of(layout: Layout) -> Graph:
    """Return the graph of ``layout``."""
    filled = {binding.slot for binding in layout.bindings}
    profile = layout.profile
    declared = profile.binding_slots if isinstance(profile, InlineProfile) else ()
    return Graph(
        title=layout.name,
        description=layout.description,
        clients=tuple(_client(layout, each) for each in layout.clients),
        channels=tuple(_channel(layout, each) for each in layout.channels),
        edges=_edges(layout),
        open_slots=tuple(slot.name for slot in declared if slot.name not in filled)
        + tuple(each.slot for each in layout.bindings if not each.resource),
    )


def _client(layout: Layout, client: Client) -> Node:
    marks = (("gateway", client.bootstrap), ("certificate", client.certificate))
    notes = tuple(note for note, is_so in marks if is_so)
    return Node(client.key, client.name, notes, _slots(layout, client.key, channel=False))


def _channel(layout: Layout, channel: Channel) -> Node:
    kind = channel.metadata.get("type")
    notes = (str(kind),) if kind else ()
    return Node(channel.key, channel.name, notes, _slots(layout, channel.key, channel=True))


def _slots(layout: Layout, key: str, *, channel: bool) -> tuple[str, ...]:
    def fills(binding: Binding) -> bool:
        return binding.resource == key and (binding.type == "channel") is channel

    return tuple(each.slot for each in layout.bindings if fills(each))


def _edges(layout: Layout) -> tuple[Edge, ...]:
    wanted: dict[tuple[str, str], set[ConnectionType]] = {}
    for connection in layout.connections:
        for client in connection.clients:
            for channel in connection.channels:
                wanted.setdefault((client, channel), set()).update(connection.types)
    return tuple(
        Edge(client, channel, tuple(each for each in CONNECTION_TYPES if each in types))
        for (client, channel), types in wanted.items()
    )
