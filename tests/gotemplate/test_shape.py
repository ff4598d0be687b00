"""The engine's stages import leftward only, and nothing but the standard library."""

# ruff: noqa: SIM905 - an order is read more easily in a text than in a list

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import bootstrap_core.gotemplate as package

ORDER = (
    "text errors limits lexer nodes numbers parser values printing funcs state evaluation compiler "
    "template context conformance __main__"
).split()
FILES = {path.stem: path for path in Path(package.__path__[0]).glob("*.py")}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            if node.module == package.__name__:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def test_every_module_has_its_place() -> None:
    assert set(FILES) == {*ORDER, "__init__"}


def test_modules_import_only_what_stands_left_of_them() -> None:
    for place, name in enumerate(ORDER):
        for module in imported(FILES[name]):
            top, _, inner = module.rpartition(".")
            if top == package.__name__:
                assert inner in ORDER[:place], f"{name} imports {inner}"
            else:
                assert module.partition(".")[0] in sys.stdlib_module_names, f"{name}: {module}"
