"""What ``provision layout lint`` found, for people, for GitHub, as SARIF and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from attrs import asdict
from rich.text import Text

from provision.build_info import release
from provision.cli.output import people, print_json, print_text
from provision.layout.errors import Problem

SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_COLOURS: Final = {"error": "bold red", "warning": "bold yellow"}


class LintFormat(StrEnum):
    """How problems are printed."""

    TEXT = "text"
    GITHUB = "github"
    SARIF = "sarif"
    JSON = "json"


def print_problems(problems: Sequence[Problem], form: LintFormat) -> None:
    """Print ``problems``."""
    match form:
        case LintFormat.TEXT:
            _print_text(problems)
        case LintFormat.GITHUB:
            for each in problems:
                print_text(_github(each))
        case LintFormat.SARIF:
            print_json(_sarif(problems))
        case LintFormat.JSON:
            print_json({"problems": [asdict(each) for each in problems]})


def _print_text(problems: Iterable[Problem]) -> None:
    console = people()
    for each in problems:
        place = f"{each.file}:{each.line}:{each.column}: "
        line = Text.assemble(
            (place, "bold"),
            (f"{each.severity}: ", _COLOURS[each.severity]),
            each.advice,
            (f" [{each.rule}]", "dim"),
        )
        console.print(line, soft_wrap=True)
        if each.excerpt:
            print_text(each.excerpt)


def _github(problem: Problem) -> str:
    """Return a workflow command, which GitHub shows at the line of a pull request."""
    properties = {
        "file": PurePath(problem.file).as_posix(),
        "line": str(problem.line),
        "col": str(problem.column),
        "title": problem.rule,
    }
    written = ",".join(
        f"{key}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    return f"::{problem.severity} {written}::{_escaped(problem.advice)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sarif(problems: Sequence[Problem]) -> Mapping[str, Any]:
    rules = sorted({each.rule for each in problems})
    driver = {
        "name": "provision layout lint",
        "version": release(),
        "rules": [{"id": rule, "shortDescription": {"text": _told(rule)}} for rule in rules],
    }
    results = [
        {
            "ruleId": each.rule,
            "ruleIndex": rules.index(each.rule),
            "level": each.severity,
            "message": {"text": each.advice},
            "locations": [{"physicalLocation": _location(each)}],
        }
        for each in problems
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _told(rule: str) -> str:
    return rule.replace("-", " ").capitalize()


def _location(problem: Problem) -> Mapping[str, Any]:
    return {
        "artifactLocation": {"uri": _uri(PurePath(problem.file))},
        "region": {"startLine": problem.line, "startColumn": problem.column},
    }


def _uri(file: PurePath) -> str:
    return file.as_uri() if file.is_absolute() else quote(file.as_posix(), safe="/")
