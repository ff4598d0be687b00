"""Drawings: whatever a layout's texts hold, the drawing stays a drawing."""

from xml.etree import ElementTree as ET

from provision.layout.graph import graph_of
from provision.layout.graph_mermaid import draw_mermaid
from provision.layout.graph_svg import draw_svg
from provision.layout.graph_text import draw_text
from tests.layout.samples import EVERYTHING, OWN, layout_of

HOSTILE = OWN.replace(
    'name = "{{ .ExternalID }}-agent"', 'name = "<script>\\"]; x --> y & \\u0001 {{ .Name }}"'
)


def test_svg_escapes_what_a_name_holds() -> None:
    drawn = draw_svg(graph_of(layout_of(HOSTILE)))
    ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert "<script>" not in drawn


def test_mermaid_escapes_what_a_name_holds() -> None:
    drawn = draw_mermaid(graph_of(layout_of(HOSTILE)))
    (line,) = (each for each in drawn.split("\n") if "script" in each)
    assert line.count('"') == 2
    assert "<script>" not in line


def test_each_way_is_drawn_as_such() -> None:
    text = EVERYTHING.replace('types = ["subscribe", "publish"]', 'types = ["subscribe"]')
    graph = graph_of(layout_of(text))
    assert "└◀── data" in draw_text(graph)
    mermaid = draw_mermaid(graph)
    assert "channel0 -- subscribe --> client0" in mermaid
    assert "client1 -- publish --> channel0" in mermaid
    svg = draw_svg(graph)
    assert svg.count('marker-end="url(#end)"') == svg.count('marker-start="url(#end)"') == 1


def test_lonely_channels_and_open_slots_are_drawn() -> None:
    text = EVERYTHING + '[[channels]]\nname = "lonely"\n[[profile.binding_slots]]\nname = "open"\n'
    text += 'type = "channel"\n'
    drawn = draw_text(graph_of(layout_of(text)))
    assert "nobody is connected to:\n  lonely" in drawn
    assert "open" in drawn.split("Slots that are filled")[1]
