"""The section Layouts: the list, and each layout with its drawing and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from attrs import frozen
from starlette.responses import Response

from provision.console.forms import fields_of
from provision.console.pages import Page, PageRequest
from provision.console.widgets import lines_of
from provision.layout.graph import Edge, Graph, Node, draw_svg


def drawing_of(made: Mapping[str, Any], title: str, description: str = "") -> str:
    """Return the address of a drawing (``data:``) of the clients and channels of an API's answer.

    ``made`` is a layout, or what a dry run answers: ``clients``, ``channels``, ``connections`` and
    ``bindings``, each by its key.
    """
    filled = {binding["slot"] for binding in made["bindings"]}
    slots = [slot["name"] for slot in made.get("binding_slots", ())]
    graph = Graph(
        title=title,
        description=description,
        clients=tuple(_client(client, made["bindings"]) for client in made["clients"]),
        channels=tuple(_channel(channel, made["bindings"]) for channel in made["channels"]),
        edges=tuple(
            Edge(connection["client"], connection["channel"], tuple(connection["types"]))
            for connection in made["connections"]
        ),
        open_slots=tuple(name for name in slots if name not in filled),
    )
    return f"data:image/svg+xml,{quote(draw_svg(graph))}"


def _client(client: Mapping[str, Any], bindings: Sequence[Mapping[str, Any]]) -> Node:
    notes = tuple(note for note in ("gateway", "certificate") if client[note])
    slots = [
        binding["slot"]
        for binding in bindings
        if binding["resource"] == client["key"] and binding["type"] != "channel"
    ]
    return Node(client["key"], client["name"], notes, tuple(slots))


def _channel(channel: Mapping[str, Any], bindings: Sequence[Mapping[str, Any]]) -> Node:
    kind = channel["metadata"].get("type")
    slots = [
        binding["slot"]
        for binding in bindings
        if binding["resource"] == channel["key"] and binding["type"] == "channel"
    ]
    return Node(channel["key"], channel["name"], (str(kind),) if kind else (), tuple(slots))


@frozen
class LayoutPages:
    """The list of layouts, and each of them."""

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", "/console/layouts", self.list),
            Page("GET", "/console/layouts/{name}", self.show),
        ]

    async def list(self, request: PageRequest) -> Response:
        found = await request.api.get("layouts")
        shown = [layout | {"state": state_of(layout)} for layout in found["layouts"]]
        return await request.page(
            "layouts/list.html", {"layouts": shown, "default": found["default"]}
        )

    async def show(self, request: PageRequest) -> Response:
        """Show a layout: what it makes, what it asks for, and its files with their problems."""
        name = request.path("name")
        layout = await request.api.get("layouts", name)
        serves = "digest" in layout
        schema = await request.api.get("layouts", name, "schema") if serves else {}
        drawing = drawing_of(layout, layout["name"], layout["description"]) if serves else ""
        context = {
            "layout": layout,
            "state": state_of(layout),
            "drawing": drawing,
            "parameters": fields_of(schema),
            "files": [_file(source, layout["report"]) for source in layout["sources"]],
            "elsewhere": _elsewhere(layout),
        }
        return await request.page("layouts/show.html", context)


def state_of(layout: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a layout stands in words, and the colour of it."""
    if layout["good"]:
        return ("serving, with warnings", "busy") if layout["problems"] else ("serving", "good")
    if "digest" in layout:
        return "edit refused, the last good version serves", "bad"
    return "refused, nothing serves", "bad"


def _file(source: Mapping[str, Any], report: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    problems = [problem for problem in report if problem["file"] == source["file"]]
    return {
        "name": source["file"],
        "lines": lines_of(source["text"], problems),
        "problems": problems,
    }


def _elsewhere(layout: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the problems of files that can't be shown."""
    shown = {source["file"] for source in layout["sources"]}
    return [problem for problem in layout["report"] if problem["file"] not in shown]
