"""Checking the engine against results recorded from Go.

A file has a JSON object on each line. The first is ``{"meta": {"datasets": {name: JSON text},
"template_name": ...}}``; each other one is a case: ``id``, ``category``, ``data`` (the name of a
data set), ``template``, ``class`` ("ok", "parse error" or "exec error"), ``out`` or ``out_b64``
(the expected bytes), ``error`` (Go's message), and ``missingkey`` or ``options``
(["missingkey=zero"]) where they are not those of the first line, or "error".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap_core.gotemplate.context import from_json
from bootstrap_core.gotemplate.errors import ExecError, ParseError
from bootstrap_core.gotemplate.template import Template
from bootstrap_core.gotemplate.values import Struct, Value


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a template came to: its class, and its bytes or its error."""

    kind: str
    out: bytes = b""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A recorded case and what the engine made of it.

    ``passed`` means the same class and the same bytes; ``same_error`` also the same error text.
    """

    id: str
    category: str
    template: str
    wanted: Outcome
    got: Outcome

    @property
    def passed(self) -> bool:
        """Say whether class and bytes are Go's."""
        return self.wanted.kind == self.got.kind and self.wanted.out == self.got.out

    @property
    def same_error(self) -> bool:
        """Say whether the error text is Go's too."""
        return self.passed and self.wanted.error == self.got.error


def outcome(template: str, data: Struct, *, name: str, missingkey: str) -> Outcome:
    """Parse and render."""
    try:
        parsed = Template.parse(template, name=name, missingkey=missingkey)
        return Outcome("ok", parsed.render_bytes(data))
    except ParseError as error:
        return Outcome("parse error", error=str(error))
    except ExecError as error:
        return Outcome("exec error", error=str(error))


def run(path: Path) -> Iterator[Result]:
    """Run the cases of a file."""
    with path.open(encoding="utf-8") as lines:
        meta = json.loads(next(lines))["meta"]
        data = {key: from_json(json.loads(text)) for key, text in meta["datasets"].items()}
        for line in lines:
            if line.strip():
                yield _run_case(json.loads(line), meta, data)


def _missingkey(case: Mapping[str, Value], meta: Mapping[str, Value]) -> str:
    """Return what the case, or else the file, says of missing keys."""
    options = [*case.get("options", ()), *meta.get("options", ())]
    if "missingkey" in case:
        options.insert(0, f"missingkey={case['missingkey']}")
    found = (option for option in options if option.startswith("missingkey="))
    return next(found, "missingkey=error").removeprefix("missingkey=")


def _run_case(
    case: Mapping[str, Value], meta: Mapping[str, Value], data: Mapping[str, Struct]
) -> Result:
    """Run one case."""
    out = base64.b64decode(case["out_b64"]) if "out_b64" in case else case.get("out", "").encode()
    got = outcome(
        case["template"],
        data[case["data"]],
        name=meta.get("template_name", "bootstrap"),
        missingkey=_missingkey(case, meta),
    )
    wanted = Outcome(case["class"], out, case.get("error", ""))
    return Result(case["id"], case["category"], case["template"], wanted, got)
