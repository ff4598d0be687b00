"""Each package that the project asks for is used where it stands, or its reason is written here."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

PROJECT: Final = Path(__file__).parent.parent.parent
SETTINGS: Final = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
SERVED: Final = ("provision", "bootstrap_core")
DEVELOPED: Final = ("tests", "bench", "docker")

NOT_IMPORTED: Final = {
    "asyncpg": "SQLAlchemy's driver for PostgreSQL, named in the database's URL",
    "python-multipart": "Starlette reads the console's forms with it",
    "editables": "hatchling needs it to install the project in place",
    "hatchling": "builds the project, which is installed without fetching anything else",
    "sniffio": "httpcore looks for it at every lock",
    "import-linter": "a gate of make check",
    "mypy": "a gate of make check",
    "pkilint": "the linter of certificates, which a test loads by its name",
    "ruff": "a gate of make check",
    "types-pyyaml": "types for mypy",
    "pytest-asyncio": "a plugin, which pytest loads",
    "pytest-cov": "a plugin, which pytest loads",
    "pytest-timeout": "a plugin, which pytest loads",
    "pytest-xdist": "a plugin, which pytest loads",
}


def distributions(requirements: Iterable[str]) -> list[str]:
    return [re.split(r"[\[<>=! ]", line, maxsplit=1)[0].lower() for line in requirements]


@cache
def imported(*folders: str) -> set[str]:
    """Return the distributions whose modules the Python files of some folders import."""
    modules: set[str] = set()
    for folder in folders:
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    modules |= {name.name.partition(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules.add(node.module.partition(".")[0])
    installed = packages_distributions()
    return {
        name.lower().replace("_", "-") for module in modules for name in installed.get(module, ())
    }


@pytest.mark.parametrize("name", distributions(SETTINGS["dependencies"]))
def test_what_is_installed_with_the_service_is_used_by_the_service(name: str) -> None:
    assert name in NOT_IMPORTED or name in imported(*SERVED)


@pytest.mark.parametrize("name", distributions(SETTINGS["optional-dependencies"]["dev"]))
def test_what_is_installed_for_development_is_used_by_tests_or_gates(name: str) -> None:
    assert name in NOT_IMPORTED or name in imported(*DEVELOPED)


def test_no_reason_outlives_its_package() -> None:
    extras = SETTINGS["optional-dependencies"].values()
    asked_for = {*distributions(chain(SETTINGS["dependencies"], *extras))}
    assert asked_for >= NOT_IMPORTED.keys()
    assert not NOT_IMPORTED.keys() & imported(*SERVED)
