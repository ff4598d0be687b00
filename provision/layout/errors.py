"""What can go wrong with a layout.

::

    LayoutFault
    +-- LayoutError            the file is refused; carries every Problem found
    +-- TemplateFileError      a template file that a layout names cannot be read
    +-- UnknownLayoutError     the request names a layout that there is not
    +-- ParameterError         the request's parameters do not fit the layout's; carries all of them
    +-- ExpansionError         the layout cannot be carried out for this request
    |   +-- EmptyLayoutError   it has no clients, or no channels where the dialect wants some
    |   +-- BindingError       a binding finds no resource
    +-- PlanFormatError        a journalled plan that this release cannot read
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

from attrs import asdict, frozen

from bootstrap_core.errors import ServiceError

_NO_COLUMN: Final = frozenset({"Mn", "Me", "Cf"})


def columns(text: str) -> int:
    """Return how many columns ``text`` takes: East Asian wide characters two, combining ones none.

    Tabs and other control characters are counted as one.
    """
    return sum(map(_width, text))


def visible(text: str) -> str:
    """Return ``text`` with what would steer a terminal made visible; tabs stay."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) == "Cc" and sign != "\t" else sign
        for sign in text
    )


def _width(character: str) -> int:
    if unicodedata.category(character) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_SHOWN: Final = 160
_SHOWN_BEFORE: Final = 100


@frozen
class Problem:
    """One thing wrong in a layout file.

    ``line`` and ``column`` count from 1 (column in characters). ``key`` is the key path that it
    is about, ``allowed`` what may stand there, ``suggestion`` the nearest valid spelling, and
    ``source`` the line of the file.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    severity: Literal["error", "warning"] = "error"
    key: str = ""
    allowed: tuple[str, ...] = ()
    suggestion: str = ""
    source: str = ""

    @property
    def headline(self) -> str:
        """``file:line:column: message; did you mean "x"? allowed: ...`` on one line."""
        text = f"{self.file}:{self.line}:{self.column}: "
        if self.severity == "warning":
            text += "warning: "
        return text + self.advice

    @property
    def advice(self) -> str:
        """The message, the nearest spelling and what is allowed, without the position."""
        return _advised(self.message, self.suggestion, self.allowed)

    @property
    def excerpt(self) -> str:
        """The line of the file and a caret under the position, indented; empty for a blank line."""
        if not self.source.strip():
            return ""
        cut = max(0, self.column - _SHOWN_BEFORE)
        before = self.source[cut : self.column - 1]
        shown = self.source[cut : cut + _SHOWN]
        indent = "".join("\t" if sign == "\t" else " " * columns(sign) for sign in before)
        return f"  {visible(shown)}\n  {indent}^"

    def __str__(self) -> str:
        return f"{self.headline}\n{self.excerpt}".rstrip("\n")


@frozen
class ParameterProblem:
    """One thing wrong with a request's parameters; ``field`` is its path in the body."""

    field: str
    message: str
    allowed: tuple[str, ...] = ()
    suggestion: str = ""


def _advised(message: str, suggestion: str, allowed: Sequence[str]) -> str:
    text = message + (f'; did you mean "{suggestion}"?' if suggestion else "")
    listed = ", ".join(allowed)
    if allowed and listed not in message:
        text += f"{'' if suggestion else ';'} allowed: {listed}"
    return text


class LayoutFault(ServiceError):
    """Something is wrong with a layout or with its use."""

    status = 400
    code = "layout_fault"


class LayoutError(LayoutFault):
    """The layout file is refused."""

    status = 422
    code = "layout_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        self.details = [asdict(problem) for problem in self.problems]
        super().__init__("\n".join(map(str, self.problems)))


class TemplateFileError(LayoutFault):
    """The template file cannot be read."""

    status = 422
    code = "template_file"


class UnknownLayoutError(LayoutFault):
    """There is no layout of this name."""

    code = "layout_unknown"

    def __init__(self, name: str, names: Sequence[str], suggestion: str = "") -> None:
        self.name, self.names, self.suggestion = name, tuple(names), suggestion
        hint = f'; did you mean "{suggestion}"?' if suggestion else "."
        known = f"The layouts are {', '.join(names)}" if names else "There are no layouts"
        super().__init__(f'layout: there is no layout "{name}"{hint} {known}.')


class ParameterError(LayoutFault):
    """The parameters do not fit what the layout declares."""

    code = "parameters_invalid"

    def __init__(self, layout: str, problems: Sequence[ParameterProblem]) -> None:
        self.layout, self.problems = layout, tuple(problems)
        self.details = [asdict(problem) for problem in problems]
        listed = "; ".join(
            f"{problem.field}: {_advised(problem.message, problem.suggestion, problem.allowed)}"
            for problem in problems
        )
        super().__init__(f'parameters do not fit layout "{layout}": {listed}')


class ExpansionError(LayoutFault):
    """The layout cannot be carried out for this request."""

    code = "layout_expansion"

    def __init__(self, message: str, *, file: str, line: int, column: int, key: str) -> None:
        self.file, self.line, self.column, self.key = file, line, column, key
        super().__init__(f"{file}:{line}:{column}: {key}: {message}")


class EmptyLayoutError(ExpansionError):
    """The layout has nothing to create."""

    code = "layout_empty"


class BindingError(ExpansionError):
    """A binding finds no resource."""

    status = 422
    code = "binding_unresolved"


class PlanFormatError(LayoutFault):
    """The journalled plan cannot be read by this release."""

    status = 500
    code = "plan_format"
