"""Layouts: which there are, what they make, and what is wrong with their files."""

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


@frozen
class LayoutPages:
    """The list of layouts, and each of them."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", "/console/layouts", self.list),
            Page("GET", "/console/layouts/{name}", self.show),
        ]

    async def list(self, request: PageRequest) -> Response:
        """List the layouts with their states."""
        found = await request.api.get("layouts")
        shown = [each | {"state": state_of(each)} for each in found["layouts"]]
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
            "files": [_file(each, layout["report"]) for each in layout["sources"]],
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
    problems = [each for each in report if each["file"] == source["file"]]
    return {
        "name": source["file"],
        "lines": lines_of(source["text"], problems),
        "problems": problems,
    }


def _elsewhere(layout: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the problems of files that can't be shown."""
    shown = {each["file"] for each in layout["sources"]}
    return [each for each in layout["report"] if each["file"] not in shown]
