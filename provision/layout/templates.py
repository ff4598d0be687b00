"""Go templates in the strings of a layout: their syntax, what they refer to, rendering.

They see ``.ExternalID``, ``.Name``, ``.DomainID`` and ``.Vars`` (the parameters).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Final, Protocol

from attrs import frozen

from bootstrap_core.gotemplate import Limits, Template, TemplateError
from bootstrap_core.gotemplate.lexer import (
    FIELD,
    IDENTIFIER,
    LEFT_DELIM,
    RIGHT_DELIM,
    RIGHT_PAREN,
    STRING,
    VARIABLE,
    Item,
    lex,
)
from bootstrap_core.gotemplate.text import unquote
from bootstrap_core.template_remedies import parse_remedy, unclosed_action
from provision.layout.errors import Problem, TemplateFileError
from provision.layout.model import JsonObject, JsonValue, KeyPath
from provision.layout.report import Report
from provision.layout.source import position_at

ROOTS: Final = ("ExternalID", "Name", "DomainID", "Vars")
"""What a template of a layout sees."""

PARSED_MOST: Final = 512
"""How many templates are kept as they were read; a request renders what many before it did."""

_BLOCKS: Final = frozenset({"if", "with", "range", "define", "block"})
_HOLDERS: Final = frozenset({FIELD, IDENTIFIER, RIGHT_PAREN, VARIABLE})
"""What a field directly behind it belongs to: the rest of a chain, or a value."""


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
        unclosed = unclosed_action(text, error.message)
        if unclosed is not None:
            message = "not a valid template: this action is not closed; write }} at its end"
            return TemplateProblem(unclosed, "template-syntax", message)
        remedy = parse_remedy(text, error.message)
        message = f"not a valid template: {error.message}{remedy}"
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
    """Return the field paths that a template reads, in their order.

    A text that is no template is read up to its first mistake.
    """
    found: list[Reference] = []
    blocks: list[str] = []
    action: list[Item] = []
    for item in lex(text, Limits().items):
        if item.typ == LEFT_DELIM:
            action = []
        elif item.typ == RIGHT_DELIM:
            found += _references_in(action, blocks)
            word = action[0].typ if action else ""
            if word == "end":
                del blocks[-1:]
            elif word in _BLOCKS:
                blocks.append(word)
        else:
            action.append(item)
    return tuple(found)


def render_text(text: str, data: Mapping[str, JsonValue]) -> str:
    """Render ``text`` with ``data``. Raises :class:`bootstrap_core.gotemplate.TemplateError`."""
    if not is_template(text):
        return text
    return _parsed(text).render(data)


@lru_cache(PARSED_MOST)
def _parsed(text: str) -> Template:
    return Template.parse(text, name="layout", missingkey="error")


def _references_in(action: Sequence[Item], blocks: Sequence[str]) -> Iterator[Reference]:
    dot_moved = any(word != "if" for word in blocks)
    root_moved = "define" in blocks or "block" in blocks
    for start, item in enumerate(action):
        holder = action[start - 1] if start and not item.spaced else None
        if item.typ != FIELD or (holder and holder.typ in _HOLDERS and holder.val != "$"):
            continue
        from_root = holder is not None and holder.val == "$"
        certain = not (root_moved if from_root else dot_moved)
        chain = [item, *takewhile(_is_attached_field, action[start + 1 :])]
        path = tuple(field.val[1:] for field in chain)
        yield Reference(path, item.pos, certain)
        key = _index_key(action, start - from_root, start + len(chain))
        if key and len(path) == 1:
            yield Reference((*path, key), item.pos + 1, certain, lenient=True)


def _index_key(action: Sequence[Item], start: int, end: int) -> str | None:
    """Return ``key`` if the operand from ``start`` to ``end`` stands in ``index .Field "key"``."""
    if not start or end == len(action):
        return None
    function, argument = action[start - 1], action[end]
    return unquote(argument.val) if function.val == "index" and argument.typ == STRING else None


def _is_attached_field(item: Item) -> bool:
    return item.typ == FIELD and not item.spaced


def _index(text: str, line: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    action = text.find("{{", start, end if end >= 0 else len(text))
    return max(start, action)


_INLINE: Final[KeyPath] = ("profile", "content_template")
_FILE: Final[KeyPath] = ("profile", "content_template_file")


class TemplateLoader(Protocol):
    """Reads the template files that layouts name."""

    def __call__(self, name: str) -> str:
        """Return the text of the file ``name``. Raises :class:`TemplateFileError`."""
        ...


def no_template_files(name: str) -> str:
    """Refuse every file: for a layout that is read from text alone."""
    raise TemplateFileError(f'file "{name}" cannot be read: the layout was read without files')


def profile_template(report: Report, data: JsonObject, load: TemplateLoader) -> str:
    """Return the template of the profile in checked ``data``; what is wrong goes to ``report``."""
    profile = data.get("profile")
    if profile is None:
        return ""
    given = [path for path in (_INLINE, _FILE) if report.source.has(path)]
    if len(given) != 1:
        found = "both" if given else "neither"
        message = f"[profile] must have content_template or content_template_file, not {found}"
        report.at_key(given[1] if given else ("profile",), "profile-template", message)
    raw = profile.get("content_format") == "raw"
    if "content_template" in profile:
        text: str = profile["content_template"]
        if not raw and (problem := syntax_problem(text)):
            report.inside(_INLINE, problem.index, problem.rule, problem.message)
        return text
    if "content_template_file" not in profile:
        return ""
    name: str = profile["content_template_file"]
    try:
        text = load(name)
    except TemplateFileError as error:
        report.at_value(_FILE, "template-file", f"profile.content_template_file: {error}")
        return ""
    if not raw and (problem := syntax_problem(text)):
        position = position_at(text, problem.index)
        file = str(PurePosixPath(report.source.file).parent / name)
        shown = text.split("\n")[position.line - 1]
        report.take(
            [
                Problem(
                    file,
                    position.line,
                    position.column,
                    problem.rule,
                    problem.message,
                    source=shown,
                )
            ]
        )
    return text
