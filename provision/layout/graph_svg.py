"""A layout drawn as SVG: clients on the left, channels on the right, slots at their sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen

from provision.layout.graph import Edge, Graph, Node

BOX_HEIGHT: Final = 62
GAP: Final = 26
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
    height = HEAD + rows * (BOX_HEIGHT + GAP) + MARGIN + (20 if graph.open_slots else 0)
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
        _text(MARGIN, 28, graph.title, "title"),
        _text(MARGIN, 46, graph.description, "small"),
        *(_edge(edge, left, right) for edge in graph.edges),
        *(_box(each, left, "client", outside=-1) for each in graph.clients),
        *(_box(each, right, "channel", outside=1) for each in graph.channels),
    ]
    if graph.open_slots:
        words = f"Slots filled when a gateway is made: {', '.join(graph.open_slots)}"
        parts.append(_text(MARGIN, height - MARGIN / 2, words, "small"))
    return "\n".join([*parts, "</svg>", ""])


def _column(nodes: Sequence[Node], left: float, rows: int) -> _Column:
    letters = max(
        (max(len(_cut(n.key)) * LETTER, len(_cut(n.name)) * SMALL_LETTER) for n in nodes), default=0
    )
    start = HEAD + (rows - len(nodes)) * (BOX_HEIGHT + GAP) / 2
    tops = {each.key: start + index * (BOX_HEIGHT + GAP) for index, each in enumerate(nodes)}
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
        _text(left + PADDING, top + 20, node.key, "key"),
        _text(left + PADDING, top + 36, node.name, "small"),
        _text(left + PADDING, top + 51, ", ".join(node.notes), "small"),
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
        parts.append(_text(x + PADDING / 2, y + height / 2 + 3, slot, "small"))
    return "".join([*parts, "</g>"])


def _edge(edge: Edge, left: _Column, right: _Column) -> str:
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


def _text(x: float, y: float, text: str, kind: str) -> str:
    if not text:
        return ""
    shown = text if kind in {"title", "small"} and x == MARGIN else _cut(text)
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(_printable(shown))}</text>'


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}\u2026"


def _printable(text: str) -> str:
    """Return ``text`` without the control characters that XML has no place for."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
