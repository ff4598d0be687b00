"""Go templates in the strings of a layout: their syntax, what they refer to, rendering.

They see ``.ExternalID``, ``.Name``, ``.DomainID`` and ``.Vars`` (the parameters).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from attrs import frozen

from bootstrap_core.gotemplate import Template, TemplateError
from provision.layout.model import JsonValue

ROOTS: Final = ("ExternalID", "Name", "DomainID", "Vars")
"""What a template of a layout sees."""

PARSED_MOST: Final = 512
"""How many templates are kept as they were read; a request renders what many before it did."""

_QUOTE: Final = r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*+\"|`[^`]*+`|'(?:\\.|[^'\\\n])*+'"
_QUOTED: Final = re.compile(_QUOTE, re.DOTALL)
_ACTION: Final = re.compile(r"\{\{(?P<body>(?:" + _QUOTE + r"|(?!\}\}).)*+)\}\}", re.DOTALL)
_CHAIN: Final = re.compile(r"(?<![\w)$.])(?P<root>\$)?(?P<path>(?:\.[^\W\d]\w*)+)")
_INDEX: Final = re.compile(r"\bindex\s+(?P<root>\$)?\.(?P<field>\w+)\s+\"(?P<key>[^\"\\]+)\"")
_KEYWORD: Final = re.compile(r"(?:-\s)?\s*(?P<word>if|with|range|define|block|end)\b")


@frozen
class Reference:
    """A field path that a template reads, as ``("Vars", "site")`` for ``.Vars.site``.

    ``index`` is the character where it stands. ``certain`` means that its first part is a field
    of what the template is given, since no ``range``, ``with`` or ``define`` moved the dot.
    ``lenient`` means that a missing one is no error (``index .Vars "site"``).
    """

    path: tuple[str, ...]
    index: int
    certain: bool
    lenient: bool = False


@frozen
class TemplateProblem:
    """A fault at character ``index`` of a string."""

    index: int
    rule: str
    message: str


def is_template(text: str) -> bool:
    """Return whether ``text`` has template actions."""
    return "{{" in text


def literal(text: str) -> str:
    """Return a template that renders as ``text``."""
    return text.replace("{{", '{{"{{"}}')


def syntax_problem(text: str) -> TemplateProblem | None:
    """Return what is wrong with the syntax of ``text`` as a Go template, if anything."""
    if not is_template(text):
        return None
    try:
        Template.parse(text, name="layout")
    except TemplateError as error:
        message = f"not a valid template: {error.message}"
        return TemplateProblem(_index(text, error.line), "template-syntax", message)
    return None


def template_problems(text: str) -> list[TemplateProblem]:
    """Return what is wrong with ``text`` as a template of a layout, whatever the parameters."""
    if problem := syntax_problem(text):
        return [problem]
    allowed = ", ".join(f".{root}" for root in ROOTS)
    return [
        TemplateProblem(
            reference.index,
            "template-field",
            f"a layout's template has no .{reference.path[0]}; allowed: {allowed}",
        )
        for reference in references(text)
        if reference.certain and reference.path[0] not in ROOTS
    ]


@lru_cache(PARSED_MOST)
def references(text: str) -> Sequence[Reference]:
    """Return the field paths that a template reads, in their order."""
    found: list[Reference] = []
    blocks: list[str] = []
    for action in _ACTION.finditer(text):
        body = action["body"]
        found += _references_in(body, action.start("body"), blocks)
        if keyword := _KEYWORD.match(body):
            if keyword["word"] == "end":
                del blocks[-1:]
            else:
                blocks.append(keyword["word"])
    return tuple(found)


def render_text(text: str, data: Mapping[str, JsonValue]) -> str:
    """Render ``text`` with ``data``. Raises :class:`bootstrap_core.gotemplate.TemplateError`."""
    if not is_template(text):
        return text
    return _parsed(text).render(data)


@lru_cache(PARSED_MOST)
def _parsed(text: str) -> Template:
    return Template.parse(text, name="layout", missingkey="error")


def _references_in(body: str, start: int, blocks: list[str]) -> Iterator[Reference]:
    dot_moved = any(word != "if" for word in blocks)
    root_moved = "define" in blocks or "block" in blocks
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted.group()), body)
    for chain in _CHAIN.finditer(bare):
        certain = not (root_moved if chain["root"] else dot_moved)
        path = tuple(chain["path"][1:].split("."))
        yield Reference(path, start + chain.start("path"), certain)
    for index in _INDEX.finditer(body):
        certain = not (root_moved if index["root"] else dot_moved)
        path = (index["field"], index["key"])
        yield Reference(path, start + index.start("field"), certain, lenient=True)


def _index(text: str, line: int) -> int:
    """Return where the first action of ``line``, or else the line, starts in ``text``."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    action = text.find("{{", start, end if end >= 0 else len(text))
    return max(start, action)
