"""A layout drawn as a Mermaid flowchart, which GitHub and GitLab show in Markdown."""

from __future__ import annotations

from typing import Final

from provision.layout.graph import Edge, Graph, Node

_ESCAPED: Final = {
    ord("#"): "#35;", ord('"'): "#quot;", ord("<"): "#lt;", ord(">"): "#gt;", ord("&"): "#amp;",
    ord("`"): "#96;", ord("{"): "#123;", ord("}"): "#125;", ord("\n"): " ", ord("\r"): " ",
}  # fmt: skip


def draw_mermaid(graph: Graph) -> str:
    """Return the drawing: clients as boxes, channels as stadiums, slots as hexagons."""
    clients = {each.key: f"client{index}" for index, each in enumerate(graph.clients)}
    channels = {each.key: f"channel{index}" for index, each in enumerate(graph.channels)}
    lines = ["flowchart LR"]
    lines += [f'  {clients[each.key]}["{_label(each)}"]' for each in graph.clients]
    lines += [f'  {channels[each.key]}(["{_label(each)}"])' for each in graph.channels]
    lines += [f"  {_edge(e, clients[e.client], channels[e.channel])}" for e in graph.edges]
    number = 0
    for nodes, ids in ((graph.clients, clients), (graph.channels, channels)):
        for node in nodes:
            for slot in node.slots:
                lines.append(f'  slot{number}{{{{"{_text(slot)}"}}}} -.- {ids[node.key]}')
                number += 1
    for slot in graph.open_slots:
        lines.append(f'  slot{number}{{{{"{_text(slot)}"}}}}')
        number += 1
    return "\n".join(lines)


def _label(node: Node) -> str:
    notes = f"<br/>{_text(', '.join(node.notes))}" if node.notes else ""
    return f"<b>{_text(node.key)}</b><br/>{_text(node.name)}{notes}"


def _edge(edge: Edge, client: str, channel: str) -> str:
    if edge.publishes and edge.subscribes:
        return f"{client} <--> {channel}"
    if edge.publishes:
        return f"{client} -- publish --> {channel}"
    return f"{channel} -- subscribe --> {client}"


def _text(text: str) -> str:
    return text.translate(_ESCAPED)
