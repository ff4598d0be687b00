"""The keys of a layout file, from the JSON Schema that the reader's own shapes give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provision.layout.json_schema import layout_schema

Schema = Mapping[str, Any]


def write() -> str:
    """Return a Markdown table of all tables and keys."""
    rows = [f"| `{name}` | {what} | {keys} |" for name, what, keys in _tables(layout_schema())]
    return "\n".join(["| table | what it is | keys (* always needed) |", "|---|---|---|", *rows])


def _tables(schema: Schema, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield each table's name as files write it, what it is, and its keys; inner ones after it."""
    # What a fragment may have instead is asked for beside the shape.
    demands = schema.get("then", {}).get("properties", {})
    for name, told in schema["properties"].items():
        path = f"{place}.{name}" if place else name
        if "properties" in (inner := told):
            header = f"[{path}]"
        elif "properties" in (inner := told.get("items", {})):
            header = f"[[{path}]]"
        elif "properties" in (inner := _of_any_name(told)):
            header = f"[{path}.<name>]"
        else:
            continue
        yield header, told["description"], ", ".join(_keys(inner, demands.get(name, {})))
        yield from _tables(inner, path)


def _of_any_name(schema: Schema) -> Schema:
    further = schema.get("additionalProperties", {})
    return further if isinstance(further, dict) else {}


def _keys(schema: Schema, demands: Schema) -> Iterator[str]:
    needed = {*schema.get("required", ()), *demands.get("required", ())}
    for name, told in schema["properties"].items():
        if "properties" not in told.get("items", {}):
            yield f"`{name}`{'*' if name in needed else ''} ({_meaning(told)})"


def _meaning(schema: Schema) -> str:
    allowed = schema.get("enum") or schema.get("items", {}).get("enum")
    values = f": {', '.join(f'`{each}`' for each in allowed)}" if allowed else ""
    return f"{schema['description']}{values}".replace("|", "\\|")
