"""The picture of the architecture: layers of the contracts, imports and docstrings of the code."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import grimp
from attrs import frozen

from tests.cli.served import ROOT

ORCHESTRATOR = "provision"
CORE = "bootstrap_core"
COMPOSITIONS = ("provision.app", "bootstrap_core.core")

Imports = Mapping[str, frozenset[str]]


@frozen
class Picture:
    """The layers, top first, and what each part of them imports.

    A part is a package or file that lies directly in one of the two packages, by its full name;
    the files of the bootstrap core are one part together.
    """

    layers: Sequence[Sequence[str]]
    imports: Imports

    @property
    def parts(self) -> list[str]:
        return [part for layer in self.layers for part in layer]

    @property
    def shown(self) -> list[str]:
        """The parts that are drawn: packages, and where each of the two is put together."""
        return [part for part in self.parts if is_package(part) or part in COMPOSITIONS]

    def upward(self) -> list[tuple[str, str]]:
        """Return the imports that do not lead to a lower layer."""
        heights = {part: depth for depth, layer in enumerate(self.layers) for part in layer}
        return [
            (importer, imported)
            for importer, all_imported in self.imports.items()
            for imported in sorted(all_imported)
            if heights[imported] <= heights[importer]
        ]

    def arrows(self) -> list[tuple[str, str]]:
        """Return the imports between what is shown, but for those that another way leads to too.

        What a file imports that is not shown counts as imported by whoever imports the file.
        """
        shown = self.shown
        reached = {part: self._shown_below(part) for part in shown}
        further = {
            part: {below for next_ in reached[part] for below in _closure(next_, reached)}
            for part in shown
        }
        return [
            (part, other)
            for part in shown
            for other in shown
            if other in reached[part] - further[part]
        ]

    def _shown_below(self, part: str) -> set[str]:
        found: set[str] = set()
        for imported in self.imports[part]:
            found |= {imported} if imported in self.shown else self._shown_below(imported)
        return found


def _closure(part: str, reached: Mapping[str, set[str]]) -> set[str]:
    return {below for next_ in reached[part] for below in {next_, *_closure(next_, reached)}}


def is_package(part: str) -> bool:
    """Tell whether a part is a package, as against a single file."""
    return (ROOT / part.replace(".", "/")).is_dir()


def contracts() -> list[dict[str, Any]]:
    """Return import-linter's contracts."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def layers_of(package: str) -> list[list[str]]:
    """Return the layers that the contract of a package names, top first."""
    (contract,) = (each for each in contracts() if each.get("containers") == [package])
    return [
        [f"{package}.{name.strip()}" for name in layer.split("|")] for layer in contract["layers"]
    ]


def read_picture() -> Picture:
    """Read the layers from the contracts and the imports from the code."""
    composition, routes, templates = layers_of(CORE)
    layers = [*layers_of(ORCHESTRATOR), composition, routes, [CORE], templates]
    parts = {part for layer in layers for part in layer}
    graph = grimp.build_graph(ORCHESTRATOR, CORE, cache_dir=None)
    imports: dict[str, set[str]] = {part: set() for part in parts}
    for module in graph.modules - {ORCHESTRATOR}:
        for imported in graph.find_modules_directly_imported_by(module):
            imports[_part(module, parts)].add(_part(imported, parts))
    return Picture(layers, {part: frozenset(found - {part}) for part, found in imports.items()})


def _part(module: str, parts: set[str]) -> str:
    """Return the part that a module belongs to. Raises ``LookupError``."""
    direct = ".".join(module.split(".")[:2])
    if direct in parts:
        return direct
    if module.startswith(CORE):
        return CORE
    raise LookupError(f"{module} is in no layer of the contracts")


def draw(picture: Picture) -> str:
    """Return the picture as Mermaid's text."""
    lines = ["flowchart TD"]
    for package in (ORCHESTRATOR, CORE):
        inside = [part for part in picture.shown if part.partition(".")[0] == package]
        lines += [f"  subgraph {package}"]
        lines += [f'    {_node(part)}["{_name(part)}"]' for part in inside]
        lines += ["  end"]
    lines += [f"  {_node(part)} --> {_node(other)}" for part, other in picture.arrows()]
    return "\n".join(lines)


def _node(part: str) -> str:
    return "files" if part == CORE else part.rpartition(".")[2]


def _name(part: str) -> str:
    """Return what a part is called in its package's directory."""
    if part == CORE:
        return "its other files"
    return part.rpartition(".")[2] + ("/" if is_package(part) else ".py")


def list_layers(picture: Picture) -> str:
    """Return a Markdown table of the layers: what each part is, by its docstring's first line."""
    rows = ["| layer | part | what it is |", "|---|---|---|"]
    for number, layer in enumerate(picture.layers, 1):
        for part in layer:
            path = ROOT / part.replace(".", "/")
            source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            told = ast.get_docstring(ast.parse(source.read_text())) or ""
            name = f"{part.partition('.')[0]}/{'' if part == CORE else _name(part)}"
            first = told.partition("\n")[0].replace("``", "`")
            rows.append(f"| {number} | `{name}` | {first} |")
    return "\n".join(rows)


def list_contracts() -> str:
    """Return a Markdown list of the other contracts, each with what it keeps out."""
    told = []
    for each in contracts():
        if each["type"] != "forbidden":
            continue
        sources = ", ".join(f"`{name}`" for name in each["source_modules"])
        kept_out = ", ".join(f"`{name}`" for name in each["forbidden_modules"])
        how = "does not import" if each.get("allow_indirect_imports") else "does not reach"
        text = f"- **{each['name']}.** {sources} {how} {kept_out}."
        told.append(textwrap.fill(text, 110, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(told)


def write() -> str:
    """Return the part of the document that is made from the code."""
    picture = read_picture()
    return (
        f"```mermaid\n{draw(picture)}\n```\n\n{list_layers(picture)}\n\n"
        f"Further contracts:\n\n{list_contracts()}\n"
    )
