"""Layouts: which there are, what they make, and what is wrong with their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from starlette.responses import Response

from provision.console.drawing import drawing_of
from provision.console.listing import lines_of
from provision.console.page import Page
from provision.console.parameters import fields_of
from provision.console.visit import Visit


@frozen
class LayoutPages:
    """The list of layouts, and each of them."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", "/console/layouts", self.list),
            Page("GET", "/console/layouts/{name}", self.show),
        ]

    async def list(self, visit: Visit) -> Response:
        """List the layouts with their states."""
        found = await visit.api.get("layouts")
        shown = [each | {"state": state_of(each)} for each in found["layouts"]]
        return await visit.page(
            "layouts/list.html", {"layouts": shown, "default": found["default"]}
        )

    async def show(self, visit: Visit) -> Response:
        """Show a layout: what it makes, what it asks for, and its files with their problems."""
        name = visit.path("name")
        layout = await visit.api.get("layouts", name)
        serves = "digest" in layout
        schema = await visit.api.get("layouts", name, "schema") if serves else {}
        drawing = drawing_of(layout, layout["name"], layout["description"]) if serves else ""
        context = {
            "layout": layout,
            "state": state_of(layout),
            "drawing": drawing,
            "parameters": fields_of(schema),
            "files": [_file(each, layout["report"]) for each in layout["sources"]],
            "elsewhere": _elsewhere(layout),
        }
        return await visit.page("layouts/show.html", context)


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
