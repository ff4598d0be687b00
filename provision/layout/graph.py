"""A layout as a graph, drawn for the terminal and as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen

from bootstrap_core.model import ConnectionType
from provision.layout.errors import columns, visible
from provision.layout.model import (
    Binding,
    Channel,
    Client,
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
        clients=tuple(_client(layout, client) for client in layout.clients),
        channels=tuple(_channel(layout, channel) for channel in layout.channels),
        edges=tuple(Edge(*pair, types) for pair, types in layout.pairs.items()),
        open_slots=tuple(slot.name for slot in declared if slot.name not in filled)
        + tuple(binding.slot for binding in layout.bindings if not binding.resource),
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

    return tuple(binding.slot for binding in layout.bindings if fills(binding))


BOX_HEIGHT: Final = 62
SVG_GAP: Final = 26
BETWEEN: Final = 220
MARGIN: Final = 24
HEAD: Final = 64
LETTER: Final = 7.3
SMALL_LETTER: Final = 7.0
PADDING: Final = 14
LEAST_WIDTH: Final = 130
MOST_LETTERS: Final = 44

STYLE: Final = """\
text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1f2933}
.key{font-weight:600}.small{font-size:11px;fill:#52606d}.title{font-size:17px;font-weight:600}
rect{fill:#fff;stroke:#3e4c59;stroke-width:1.2}.channel{fill:#e6f6ff;stroke:#186faf}
.slot{fill:#fff8e1;stroke:#b88700}.edge{fill:none;stroke:#627d98;stroke-width:1.5}
.ground{fill:#f7f9fb;stroke:none}marker path{fill:#627d98}
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.small{fill:#9aa5b1}rect{fill:#27313d;
stroke:#9aa5b1}.channel{fill:#17354a;stroke:#5bb5e8}.slot{fill:#3d3417;stroke:#d9a900}
.ground{fill:#161c24}.edge{stroke:#8fa6bf}marker path{fill:#8fa6bf}}"""

MARKER: Final = (
    '<marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker>'
)


@frozen
class _Column:
    """Boxes of one width under each other; ``tops`` by key."""

    left: float
    width: float
    tops: Mapping[str, float]

    def middle(self, key: str) -> float:
        return self.tops[key] + BOX_HEIGHT / 2


def draw_svg(graph: Graph) -> str:
    """Return the drawing, a document of its own."""
    margin_left = MARGIN + _slots_width(graph.clients)
    rows = max(len(graph.clients), len(graph.channels), 1)
    height = HEAD + rows * (BOX_HEIGHT + SVG_GAP) + MARGIN + (20 if graph.open_slots else 0)
    left = _column(graph.clients, margin_left, rows)
    right = _column(graph.channels, margin_left + left.width + BETWEEN, rows)
    width = right.left + right.width + _slots_width(graph.channels) + MARGIN
    width = max(width, MARGIN * 2 + len(graph.description) * SMALL_LETTER)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t d">',
        f'<title id="t">Layout {escape(graph.title)}</title>',
        f'<desc id="d">{escape(graph.description or "Clients, channels and connections")}</desc>',
        f"<style>{STYLE}</style><defs>{MARKER}</defs>",
        '<rect class="ground" width="100%" height="100%"/>',
        _svg_text(MARGIN, 28, graph.title, "title"),
        _svg_text(MARGIN, 46, graph.description, "small"),
        *(_svg_edge(edge, left, right) for edge in graph.edges),
        *(_box(node, left, "client", outside=-1) for node in graph.clients),
        *(_box(node, right, "channel", outside=1) for node in graph.channels),
    ]
    if graph.open_slots:
        words = f"Slots filled when a gateway is made: {', '.join(graph.open_slots)}"
        parts.append(_svg_text(MARGIN, height - MARGIN / 2, words, "small"))
    return "\n".join([*parts, "</svg>", ""])


def _column(nodes: Sequence[Node], left: float, rows: int) -> _Column:
    letters = max(
        (max(len(_cut(n.key)) * LETTER, len(_cut(n.name)) * SMALL_LETTER) for n in nodes), default=0
    )
    start = HEAD + (rows - len(nodes)) * (BOX_HEIGHT + SVG_GAP) / 2
    tops = {node.key: start + index * (BOX_HEIGHT + SVG_GAP) for index, node in enumerate(nodes)}
    return _Column(left, max(LEAST_WIDTH, letters + 2 * PADDING), tops)


def _slots_width(nodes: Sequence[Node]) -> float:
    slots = [slot for node in nodes for slot in node.slots]
    return max((len(_cut(slot)) * SMALL_LETTER + PADDING * 2 for slot in slots), default=0)


def _box(node: Node, column: _Column, kind: str, *, outside: int) -> str:
    top, left = column.tops[node.key], column.left
    corner = 6 if kind == "client" else BOX_HEIGHT // 2
    size = f'width="{column.width:.1f}" height="{BOX_HEIGHT}" rx="{corner}"'
    parts = [
        f'<g><rect class="{kind}" x="{left:.1f}" y="{top:.1f}" {size}/>',
        _svg_text(left + PADDING, top + 20, node.key, "key"),
        _svg_text(left + PADDING, top + 36, node.name, "small"),
        _svg_text(left + PADDING, top + 51, ", ".join(node.notes), "small"),
    ]
    height = min(20.0, BOX_HEIGHT / max(1, len(node.slots)))
    for index, slot in enumerate(node.slots):
        width = len(_cut(slot)) * SMALL_LETTER + PADDING
        x = left - width - 4 if outside < 0 else left + column.width + 4
        y = top + index * height
        parts.append(
            f'<rect class="slot" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height - 2:.1f}" rx="4"/>'
        )
        parts.append(_svg_text(x + PADDING / 2, y + height / 2 + 3, slot, "small"))
    return "".join([*parts, "</g>"])


def _svg_edge(edge: Edge, left: _Column, right: _Column) -> str:
    start, end = left.left + left.width + 2, right.left - 2
    one, other = left.middle(edge.client), right.middle(edge.channel)
    bend = (end - start) / 2
    ends = ' marker-end="url(#end)"' if edge.publishes else ""
    ends += ' marker-start="url(#end)"' if edge.subscribes else ""
    words = escape(f"{edge.client} - {edge.channel}: {', '.join(edge.types)}")
    path = (
        f"M{start:.1f} {one:.1f}C{start + bend:.1f} {one:.1f} "
        f"{end - bend:.1f} {other:.1f} {end:.1f} {other:.1f}"
    )
    return f'<path class="edge" d="{path}"{ends}><title>{words}</title></path>'


def _svg_text(x: float, y: float, text: str, kind: str) -> str:
    if not text:
        return ""
    shown = text if kind in {"title", "small"} and x == MARGIN else _cut(text)
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(_printable(shown))}</text>'


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}\u2026"


def _printable(text: str) -> str:
    """Return ``text`` without the control characters that XML has no place for."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


LEGEND: Final = "──▶ publishes   ◀── subscribes   ◀─▶ both   [slot]"
TEXT_GAP: Final = "  "


def draw_text(graph: Graph, width: int) -> str:
    """Return the drawing: each client with the channels that it is connected with.

    Lines are kept to ``width`` columns as far as single names and notes allow.
    """
    title = graph.title + (f" - {graph.description}" if graph.description else "")
    lines = [*wrap(visible(title), width), ""]
    channels = {channel.key: channel for channel in graph.channels}
    wide = max((columns(channel.key) for channel in graph.channels), default=0)
    for client in graph.clients:
        lines += _labelled("■ ", "  ", client, columns(client.key), width)
        edges = [edge for edge in graph.edges if edge.client == client.key]
        for edge in edges:
            branch, rail = ("└", " ") if edge is edges[-1] else ("├", "│")
            head = f"  {branch}{_arrow(edge)} "
            lines += _labelled(head, f"  {rail}", channels[edge.channel], wide, width)
        lines.append("")
    reached = {edge.channel for edge in graph.edges}
    if lonely := [channel for channel in graph.channels if channel.key not in reached]:
        lines += ["Channels that nobody is connected to:"]
        for channel in lonely:
            lines += _labelled("  ", "  ", channel, wide, width)
        lines.append("")
    if graph.open_slots:
        slots = ", ".join(graph.open_slots)
        lines += [*wrap(f"Slots that are filled when a gateway is made: {slots}", width), ""]
    return "\n".join([*lines, LEGEND])


def _labelled(head: str, rail: str, node: Node, wide: int, width: int) -> list[str]:
    """Return the label of ``node`` after ``head``; what is too long goes on under its name."""
    indent = columns(head) + wide + len(TEXT_GAP)
    lines = [head + node.key + " " * (wide - columns(node.key)) + TEXT_GAP + visible(node.name)]
    parts = [f"({', '.join(node.notes)})"] if node.notes else []
    for part in map(visible, [*parts, *(f"[{slot}]" for slot in node.slots)]):
        longer = lines[-1] + TEXT_GAP + part
        if columns(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(rail.ljust(indent) + part)
    return lines


def _arrow(edge: Edge) -> str:
    if edge.publishes and edge.subscribes:
        return "◀─▶"
    return "──▶" if edge.publishes else "◀──"
