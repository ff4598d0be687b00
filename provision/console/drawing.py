"""Pictures: what a gateway is made of, and what a device's camera reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import segno

from provision.layout.graph import Edge, Graph, Node
from provision.layout.graph_svg import draw_svg

QUIET_MODULES: Final = 4
MODULE_PIXELS: Final = 5


def drawing_of(made: Mapping[str, Any], title: str, description: str = "") -> str:
    """Return the address of a drawing (``data:``) of the clients and channels of an API's answer.

    ``made`` is a layout, or what a dry run answers: ``clients``, ``channels``, ``connections`` and
    ``bindings``, each by its key.
    """
    filled = {each["slot"] for each in made["bindings"]}
    slots = [each["name"] for each in made.get("binding_slots", ())]
    graph = Graph(
        title=title,
        description=description,
        clients=tuple(_client(each, made["bindings"]) for each in made["clients"]),
        channels=tuple(_channel(each, made["bindings"]) for each in made["channels"]),
        edges=tuple(
            Edge(each["client"], each["channel"], tuple(each["types"]))
            for each in made["connections"]
        ),
        open_slots=tuple(name for name in slots if name not in filled),
    )
    return f"data:image/svg+xml,{quote(draw_svg(graph))}"


def qr_code_of(text: str) -> str:
    """Return the address (``data:``) of a QR code of ``text``, dark on light in every theme."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_data_uri(
        scale=MODULE_PIXELS, border=QUIET_MODULES, dark="#000", light="#fff", omitsize=False
    )


def _client(client: Mapping[str, Any], bindings: Sequence[Mapping[str, Any]]) -> Node:
    notes = tuple(note for note in ("gateway", "certificate") if client[note])
    slots = [
        each["slot"]
        for each in bindings
        if each["resource"] == client["key"] and each["type"] != "channel"
    ]
    return Node(client["key"], client["name"], notes, tuple(slots))


def _channel(channel: Mapping[str, Any], bindings: Sequence[Mapping[str, Any]]) -> Node:
    kind = channel["metadata"].get("type")
    slots = [
        each["slot"]
        for each in bindings
        if each["resource"] == channel["key"] and each["type"] == "channel"
    ]
    return Node(channel["key"], channel["name"], (str(kind),) if kind else (), tuple(slots))
