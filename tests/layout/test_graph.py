"""Drawings: whatever a layout's texts hold, the drawing stays a drawing."""

from xml.etree import ElementTree as ET

from provision.layout.errors import columns
from provision.layout.graph import Edge, Graph, Node, draw_svg, draw_text, graph_of
from tests.layout.samples import EVERYTHING, OWN, layout_of

HOSTILE = OWN.replace(
    'name = "{{ .ExternalID }}-agent"', 'name = "<script>\\"]; x --> y & \\u0001 {{ .Name }}"'
)


def test_svg_escapes_what_a_name_holds() -> None:
    drawn = draw_svg(graph_of(layout_of(HOSTILE)))
    ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert "<script>" not in drawn


def test_each_way_is_drawn_as_such() -> None:
    text = EVERYTHING.replace('types = ["subscribe", "publish"]', 'types = ["subscribe"]')
    graph = graph_of(layout_of(text))
    drawn = draw_text(graph, 120)
    assert "└◀── data" in drawn
    assert "└──▶ data" in drawn
    svg = draw_svg(graph)
    assert svg.count('marker-end="url(#end)"') == svg.count('marker-start="url(#end)"') == 1


def test_lonely_channels_and_open_slots_are_drawn() -> None:
    text = EVERYTHING + '[[channels]]\nname = "lonely"\n[[profile.binding_slots]]\nname = "open"\n'
    text += 'type = "channel"\n'
    graph = graph_of(layout_of(text))
    drawn = draw_text(graph, 120)
    assert "nobody is connected to:\n  lonely" in drawn
    assert "open" in drawn.split("Slots that are filled")[1]
    assert "Slots filled when a gateway is made: open</text>" in draw_svg(graph)


def test_the_drawing_for_the_terminal_keeps_to_its_width() -> None:
    node = Node(
        "温度计", "{{ .ExternalID }}-thermometer", ("gateway", "certificate"), ("mqtt", "mtls")
    )
    channels = (Node("data", "d", ("route up",), ("telemetry",)), Node("控", "c" * 30, (), ("x",)))
    edges = (Edge("温度计", "data", ("publish",)), Edge("温度计", "控", ("subscribe",)))
    slots = tuple(f"slot-{number}" for number in range(20))
    drawn = draw_text(Graph("t", "word " * 30, (node,), channels, edges, slots), 60)
    lines = drawn.splitlines()
    assert max(columns(line) for line in lines) <= 60
    assert "  ├──▶ data  d  (route up)  [telemetry]" in lines
    assert f"  └◀── 控    {'c' * 30}  [x]" in lines
    at = lines.index("■ 温度计  {{ .ExternalID }}-thermometer")
    assert lines[at + 1] == "          (gateway, certificate)  [mqtt]  [mtls]"


def test_nothing_in_a_name_steers_the_terminal() -> None:
    node = Node("a", "red \x1b[31m\nline")
    drawn = draw_text(Graph("t\x1b", "", (node,), (), ()), 80)
    assert "\x1b" not in drawn
    assert "■ a  red \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}line" in drawn


def test_text_is_as_wide_as_a_terminal_shows_it() -> None:
    texts = ["", "ab", "e\u0301", "温度", "\uff37", "a\u200db"]
    assert [columns(text) for text in texts] == [0, 2, 1, 4, 2, 2]
