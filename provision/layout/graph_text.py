"""A layout drawn for the terminal."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from provision.layout.columns import columns, visible
from provision.layout.graph import Edge, Graph, Node

LEGEND: Final = "──▶ publishes   ◀── subscribes   ◀─▶ both   [slot]"
GAP: Final = "  "


def draw_text(graph: Graph, width: int) -> str:
    """Return the drawing: each client with the channels that it is connected with.

    Lines are kept to ``width`` columns as far as single names and notes allow.
    """
    title = graph.title + (f" - {graph.description}" if graph.description else "")
    lines = [*wrap(visible(title), width), ""]
    channels = {each.key: each for each in graph.channels}
    wide = max((columns(each.key) for each in graph.channels), default=0)
    for client in graph.clients:
        lines += _labelled("■ ", "  ", client, columns(client.key), width)
        edges = [edge for edge in graph.edges if edge.client == client.key]
        for edge in edges:
            branch, rail = ("└", " ") if edge is edges[-1] else ("├", "│")
            head = f"  {branch}{_arrow(edge)} "
            lines += _labelled(head, f"  {rail}", channels[edge.channel], wide, width)
        lines.append("")
    reached = {edge.channel for edge in graph.edges}
    if lonely := [each for each in graph.channels if each.key not in reached]:
        lines += ["Channels that nobody is connected to:"]
        for each in lonely:
            lines += _labelled("  ", "  ", each, wide, width)
        lines.append("")
    if graph.open_slots:
        slots = ", ".join(graph.open_slots)
        lines += [*wrap(f"Slots that are filled when a gateway is made: {slots}", width), ""]
    return "\n".join([*lines, LEGEND])


def _labelled(head: str, rail: str, node: Node, wide: int, width: int) -> list[str]:
    """Return the label of ``node`` after ``head``; what is too long goes on under its name."""
    indent = columns(head) + wide + len(GAP)
    lines = [head + node.key + " " * (wide - columns(node.key)) + GAP + visible(node.name)]
    parts = [f"({', '.join(node.notes)})"] if node.notes else []
    for part in map(visible, [*parts, *(f"[{slot}]" for slot in node.slots)]):
        longer = lines[-1] + GAP + part
        if columns(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(rail.ljust(indent) + part)
    return lines


def _arrow(edge: Edge) -> str:
    if edge.publishes and edge.subscribes:
        return "◀─▶"
    return "──▶" if edge.publishes else "◀──"
