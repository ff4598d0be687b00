"""What older Pythons need: no pattern that a supported ``re`` matches wrongly."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bootstrap_core
import provision

# The constants of the standard library's own parser of patterns, which has no public name.
_PARSER: Any = importlib.import_module("re._parser")
_OPCODES: Any = importlib.import_module("re._constants")

UNDIVIDED = {_OPCODES.ATOMIC_GROUP, _OPCODES.POSSESSIVE_REPEAT}
FAULTY_WITHIN = {_OPCODES.ASSERT, _OPCODES.ASSERT_NOT, _OPCODES.GROUPREF}


def faults(pattern: str, flags: int = 0) -> list[str]:
    """Return what of ``pattern`` Python 3.11.2 (Debian 12) gets wrong.

    There, a lookaround or a group that captures, within a possessive repeat or an atomic group,
    lets the pattern match what it does not (fixed in 3.11.4 and 3.11.5).
    """
    return list(_faults(_PARSER.parse(pattern, flags), within=False))


def _faults(node: Any, *, within: bool) -> Iterator[str]:
    if isinstance(node, _PARSER.SubPattern):
        for operation, argument in node:
            if within and operation in FAULTY_WITHIN:
                yield str(operation)
            if within and operation is _OPCODES.SUBPATTERN and argument[0] is not None:
                yield "group"
            yield from _faults(argument, within=within or operation in UNDIVIDED)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _faults(part, within=within)


def _modules() -> Iterator[ModuleType]:
    for package in (bootstrap_core, provision):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith((".__main__", ".env")) and ".versions." not in found.name:
                yield importlib.import_module(found.name)


def _patterns(module: ModuleType) -> Iterator[tuple[str, int]]:
    """Yield the patterns that a module keeps, and those that stand in its calls of ``re``."""
    for value in vars(module).values():
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
            yield value.pattern, value.flags
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re")),
                args=[ast.Constant(value=str(pattern)), *_],
            ):
                yield pattern, 0


def test_no_pattern_is_matched_wrongly_by_a_supported_python() -> None:
    found = [
        f"{module.__name__}: {pattern}: {', '.join(wrong)}"
        for module in _modules()
        for pattern, flags in _patterns(module)
        if (wrong := faults(pattern, flags))
    ]

    assert not found


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:[ ](?!-\}\}))*+",
        r"(?>a(?=b))",
        r"(?:(?<!x)y)++",
        r"(?>(?:(?:a|(?!b)c))*)",
        r"(?:(x)|y)*+",
        r"(x)(?>\1)",
    ],
)
def test_the_check_finds_such_patterns(pattern: str) -> None:
    assert faults(pattern)


@pytest.mark.parametrize("pattern", [r"[ ]*+(?!-\}\})", r"(?:a|b)*+", r"(?>a*)(?=b)", r"(a)*"])
def test_the_check_leaves_others_alone(pattern: str) -> None:
    assert not faults(pattern)
