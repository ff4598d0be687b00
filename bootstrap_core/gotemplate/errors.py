"""What can go wrong with a template.

TemplateError                 any of these, with the place: name, line, column, message
├── ParseError                the text is not a template
│   └── ParseLimitExceeded    it is larger or deeper than the limits allow
└── ExecError                 the template does not fit the data
    └── ExecLimitExceeded     it wants more than the limits allow
LimitExceeded                 the base of both *LimitExceeded, for those who ask only for that
FunctionError                 what a template function raises; it leaves the engine as an ExecError

``str(error)`` is the line that Go's text/template writes. Go gives a parse error no column; here
``column`` is None then.
"""

from __future__ import annotations

from bootstrap_core.gotemplate.text import quote, valid


class TemplateError(Exception):
    """A template cannot be parsed or executed.

    ``name`` is the name of the parsed template, ``line`` counts from 1, ``column`` is the number of
    bytes before the place in its line (Go's column) or None, ``message`` is the fault without the
    place, ``context`` is the part of the template at fault ("" where Go names none).
    """

    def __init__(
        self, message: str, *, name: str, line: int, column: int | None = None, context: str = ""
    ) -> None:
        """Take the fault and its place."""
        self.message = valid(message)
        super().__init__(self.message)
        self.name = name
        self.line = line
        self.column = column
        self.context = valid(context)

    def __str__(self) -> str:
        return f"template: {self.name}:{self.line}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), dict(vars(self))))


def _restore(kind: type[TemplateError], fields: dict[str, object]) -> TemplateError:
    """Rebuild an error from its fields (pickling)."""
    error = kind.__new__(kind)
    Exception.__init__(error, fields["message"])
    vars(error).update(fields)
    return error


class ParseError(TemplateError):
    """The text is not a template."""


class ExecError(TemplateError):
    """The template does not fit the data.

    ``template`` is the name of the template that was executing: that of a ``define`` or ``block``,
    or the same as ``name``.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str,
        line: int,
        column: int | None = None,
        context: str = "",
        template: str = "",
    ) -> None:
        """Take the fault and its place."""
        super().__init__(message, name=name, line=line, column=column, context=context)
        self.template = template or name

    def __str__(self) -> str:
        if self.column is None:
            return super().__str__()
        place = f"{self.name}:{self.line}:{self.column}"
        executing = f"executing {quote(self.template)} at <{self.context}>"
        return f"template: {place}: {executing}: {self.message}"


class LimitExceeded(TemplateError):
    """A limit of ``Limits`` was reached; ``limit`` is its field's name."""

    limit: str = ""


class ParseLimitExceeded(LimitExceeded, ParseError):
    """The template's text is over a limit."""


class ExecLimitExceeded(LimitExceeded, ExecError):
    """Executing the template would go over a limit."""


class FunctionError(Exception):
    """A template function refuses its arguments. Functions of your own may raise it too."""

    def __init__(self, message: str) -> None:
        """Take what Go's function would return as its error."""
        super().__init__(message)
        self.message = message


class BudgetError(FunctionError):
    """Work stopped at a limit (``limit`` names it); the place is added where it is known."""

    def __init__(self, limit: str, message: str) -> None:
        """Take the limit's name and what was asked of it."""
        super().__init__(message)
        self.limit = limit
