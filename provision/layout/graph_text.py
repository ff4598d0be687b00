"""A layout drawn for the terminal."""

from __future__ import annotations

from typing import Final

from provision.layout.graph import Edge, Graph, Node

LEGEND: Final = "──▶ publishes   ◀── subscribes   ◀─▶ both   [slot]"


def draw_text(graph: Graph) -> str:
    """Return the drawing: each client with the channels that it is connected with."""
    lines = [graph.title + (f" - {graph.description}" if graph.description else ""), ""]
    channels = {each.key: each for each in graph.channels}
    width = max((len(each.key) for each in graph.channels), default=0)
    for client in graph.clients:
        lines.append(f"■ {_label(client, len(client.key))}")
        edges = [edge for edge in graph.edges if edge.client == client.key]
        for edge in edges:
            branch = "└" if edge is edges[-1] else "├"
            lines.append(f"  {branch}{_arrow(edge)} {_label(channels[edge.channel], width)}")
        lines.append("")
    reached = {edge.channel for edge in graph.edges}
    if lonely := [each for each in graph.channels if each.key not in reached]:
        lines += ["Channels that nobody is connected to:"]
        lines += [f"  {_label(each, width)}" for each in lonely] + [""]
    if graph.open_slots:
        lines += [
            f"Slots that are filled when a gateway is made: {', '.join(graph.open_slots)}",
            "",
        ]
    return "\n".join([*lines, LEGEND])


def _label(node: Node, width: int) -> str:
    parts = [node.key.ljust(width), node.name]
    if node.notes:
        parts.append(f"({', '.join(node.notes)})")
    parts += [f"[{slot}]" for slot in node.slots]
    return "  ".join(parts)


def _arrow(edge: Edge) -> str:
    if edge.publishes and edge.subscribes:
        return "◀─▶"
    return "──▶" if edge.publishes else "◀──"
