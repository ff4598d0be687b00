"""A request's parameters, held against the ones that its layout declares."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Protocol

import re2
from attrs import frozen

from bootstrap_core.secrets import MASK
from provision.layout.errors import ParameterError, ParameterProblem
from provision.layout.model import JsonObject, JsonValue, Layout, Parameter
from provision.layout.report import MOST_HINTED, nearest

MAX_PATTERN: Final = 1_000
"""Characters in a pattern."""

MAX_REPEATED: Final = 1_000
"""How often a pattern may repeat something, repetitions within repetitions multiplied."""

MAX_MEMORY: Final = 64 * 1024
"""Bytes that a compiled pattern and its state may take; most take a hundredth of that."""

SHOWN: Final = 20
"""Characters of a part of a pattern that a message quotes."""

COMPILED_MOST: Final = 512
"""How many patterns are kept compiled."""

_TOKEN: Final = re.compile(r"\\x\{[0-9A-Za-z]*\}?|\\.|\[\^?\]?|.", re.DOTALL)
_HEXADECIMAL: Final = re.compile(r"\\x(?:\{(?P<code>[0-9A-Fa-f]+)\}|[0-9A-Fa-f]{2})")
_REPEAT: Final = re.compile(r"\{(?P<least>[0-9]*)(?P<most>,[0-9]*)?\}")
_NAMED_CLASS: Final = re.compile(r"\[:\^?\w+:\]", re.ASCII)

_LOOK: Final = "looks ahead or behind; say what the whole text must be like, or list values in enum"
_BACK: Final = "refers back to a group; list the allowed values in enum, or use two parameters"
_KEEPS: Final = "never gives back what it matched; leave that out, since matching is linear anyway"
_REMEDIES: Final = (
    (("(?=", "(?!", "(?<=", "(?<!"), _LOOK),
    (("(?P=", "\\1", "\\2", "\\3", "\\4", "\\5", "\\6", "\\7", "\\8", "\\9"), _BACK),
    (("(?>", "*+", "++", "?+", "}+"), _KEEPS),
    (("(?#", "(?x", "(?a", "(?u", "(?L", "(?("), "is not part of RE2's syntax; leave it out"),
    (("\\Z",), "is not part of RE2's syntax; write $ or \\z"),
    (("\\u", "\\U", "\\N"), "is not part of RE2's syntax; write \\x{20AC} for U+20AC"),
)


class PatternError(ValueError):
    """A pattern can't be used; ``index`` is the character where the reason stands."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


class Compiled(Protocol):
    """A compiled pattern."""

    def search(self, text: str) -> object | None:
        """Return a match anywhere in ``text``, ``None`` where there is none."""


@lru_cache(COMPILED_MOST)
def compile_pattern(text: str) -> Compiled:
    """Return the compiled pattern. Raises :class:`PatternError`, which says what to use instead."""
    if len(text) > MAX_PATTERN:
        raise PatternError(
            f"has {len(text):,} characters; at most {MAX_PATTERN:,}: "
            "list values in enum, or allow more and check the rest where it is used",
            MAX_PATTERN,
        )
    for token in _tokens(text):
        _refuse_other_meaning(token)
    try:
        compiled: Compiled = re2.compile(text, _options())
    except re2.error as error:
        raise _refusal(text, error) from None
    return compiled


def matches(pattern: str, text: str) -> bool:
    """Return whether ``pattern`` matches somewhere in ``text``. Raises :class:`PatternError`."""
    return compile_pattern(pattern).search(text) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.never_capture = True
    options.log_errors = False
    return options


@frozen
class _Token:
    """A part of a pattern at ``index``, inside brackets or not; ``rest`` starts with it."""

    text: str
    index: int
    inside: bool
    rest: str


def _tokens(text: str) -> Iterator[_Token]:
    inside = False
    at = 0
    while found := _TOKEN.match(text, at):
        token = found.group()
        if inside and token.startswith("["):
            named = _NAMED_CLASS.match(text, at)
            token = named.group() if named else "["
        elif not inside and not token.startswith(("[", "\\")):
            token = token[0]
        yield _Token(token, at, inside, text[at : at + 24])
        if token.startswith("[") and not inside:
            inside = True
        elif token == "]":  # noqa: S105 - a bracket
            inside = False
        at += len(token)


def _refuse_other_meaning(token: _Token) -> None:
    if token.text.startswith("\\x"):
        _check_code(token)
    if token.inside:
        if token.text == "[":
            raise PatternError("Possible nested set; write \\[ for the bracket itself", token.index)
        return
    if token.text == "\\C":
        raise PatternError("\\C is half a character; write . for any one", token.index)
    if token.text != "{" or not (found := _REPEAT.match(token.rest)):
        return
    least, most = found["least"], (found["most"] or "")[1:]
    if not least and found["most"]:
        raise PatternError(f"{found.group()} has no least number; write {{0,{most}}}", token.index)
    if least and max(int(least), int(most or 0)) > MAX_REPEATED:
        raise PatternError(
            f"{found.group():.40} repeats more than {MAX_REPEATED:,} times; repeat less",
            token.index,
        )


def _check_code(token: _Token) -> None:
    """Refuse what is no character: RE2 quotes a part of it, and calls it an escape sequence."""
    found = _HEXADECIMAL.match(token.text) or _HEXADECIMAL.match(token.rest)
    if found is None:
        raise PatternError(
            f"{token.text[:SHOWN]} is no character: after \\x stand two hexadecimal digits, or any "
            "number of them in braces, as in \\x{20AC} for U+20AC",
            token.index,
        )
    if found["code"] and int(found["code"], 16) > sys.maxunicode:
        raise PatternError(
            f"{token.text[:SHOWN]} is no character: the last one is \\x{{10FFFF}}", token.index
        )


def _refusal(text: str, error: Exception) -> PatternError:
    given = error.args[0] if error.args else str(error)
    reason = given.decode(errors="replace") if isinstance(given, bytes) else str(given)
    kind, _, part = reason.partition(": ")
    index = max(0, text.find(part)) if part else 0
    for starts, remedy in _REMEDIES:
        for start in starts:
            if part and start.startswith(part[: len(start)]) and start in text[index:]:
                return PatternError(f"{start} {remedy}", text.index(start, index))
    if kind.startswith("pattern too large"):
        return PatternError(
            "is too large when it is compiled; repeat less, and prefer . or [a-z] to \\pL"
        )
    if kind == "invalid repetition size":
        return PatternError(
            f"{part} repeats more than {MAX_REPEATED:,} times, repetitions within repetitions "
            "multiplied; repeat less",
            index,
        )
    return PatternError(reason, index)


MAX_CHARACTERS: Final = 4096
"""Characters in a string parameter."""


@frozen
class ValueProblem:
    """What is wrong with a value, and what would be right where that can be listed."""

    message: str
    allowed: tuple[str, ...] = ()


def validate_parameters(layout: Layout, given: JsonObject) -> dict[str, JsonValue]:
    """Return the parameters of a request, defaults filled in, in the order of the layout.

    One without a default that the request does not give stays absent. Raises
    :class:`ParameterError` with everything that is wrong, but no more than ten unknown names.
    """
    declared = {parameter.name: parameter for parameter in layout.parameters}
    unknown = [name for name in given if name not in declared]
    problems = [
        ParameterProblem(
            f"parameters.{name}",
            f'layout "{layout.name}" has no such parameter',
            allowed=tuple(declared),
            suggestion=nearest(name, declared),
        )
        for name in unknown[:MOST_HINTED]
    ]
    values: dict[str, JsonValue] = {}
    for name, parameter in declared.items():
        if name not in given:
            if parameter.required:
                problems.append(_missing(parameter))
            elif parameter.default is not None:
                values[name] = parameter.default
            continue
        value = given[name]
        if problem := value_problem(parameter, value):
            problems.append(
                ParameterProblem(f"parameters.{name}", problem.message, problem.allowed)
            )
        else:
            values[name] = int(value) if parameter.type == "integer" else value
    if problems:
        raise ParameterError(layout.name, problems)
    return values


def value_problem(parameter: Parameter, value: JsonValue) -> ValueProblem | None:
    """Return why ``value`` cannot be that of ``parameter``, or ``None`` if it can."""
    if not _has_type(value, parameter):
        article = "an" if parameter.type == "integer" else "a"
        return ValueProblem(f"must be {article} {parameter.type}, not {_json_type(value)}")
    if parameter.secret and value == MASK:
        return ValueProblem("is the mask that the value is shown as: give the value itself")
    if parameter.enum and not any(_same(value, choice) for choice in parameter.enum):
        allowed = tuple(map(_as_text, parameter.enum))
        return ValueProblem(f"must be one of {', '.join(allowed)}", allowed)
    if not isinstance(value, str):
        return None
    if len(value) > MAX_CHARACTERS:
        return ValueProblem(f"has {len(value):,} characters; at most {MAX_CHARACTERS:,}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        return ValueProblem("has half a character (a lone surrogate)")
    if parameter.pattern is not None and not matches(parameter.pattern, value):
        return ValueProblem(f"must match the pattern {parameter.pattern}")
    return None


def _missing(parameter: Parameter) -> ParameterProblem:
    return ParameterProblem(
        f"parameters.{parameter.name}",
        f"is required, of type {parameter.type}",
        allowed=tuple(map(_as_text, parameter.enum)),
    )


def _has_type(value: JsonValue, parameter: Parameter) -> bool:
    match parameter.type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool) and -(2**63) <= value < 2**63
        case "number":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and abs(value) <= 1.7976931348623157e308


def _same(value: JsonValue, other: JsonValue) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _as_text(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json_type(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return f"{value}"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
