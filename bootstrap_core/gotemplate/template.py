"""Templates: parse once, render many times (Go: text/template/template.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Self

from bootstrap_core.gotemplate.compiler import Body, Settings, compile_trees
from bootstrap_core.gotemplate.errors import (
    ExecError,
    ExecLimitExceeded,
    FunctionError,
    ParseLimitExceeded,
)
from bootstrap_core.gotemplate.evaluation import MISSING_DEFAULT, MISSING_ERROR, MISSING_ZERO
from bootstrap_core.gotemplate.funcs import BUILTINS, custom
from bootstrap_core.gotemplate.limits import Budget, Limits
from bootstrap_core.gotemplate.parser import parse
from bootstrap_core.gotemplate.state import UNDEFINED, State
from bootstrap_core.gotemplate.text import finish, to_bytes
from bootstrap_core.gotemplate.values import INVALID, Value, from_data

DEFAULT_LIMITS: Final = Limits()
_MISSING_KEYS: Final = frozenset({MISSING_DEFAULT, MISSING_ERROR, MISSING_ZERO})


class Template:
    """A parsed template. It keeps nothing of a rendering and may be used by several threads."""

    __slots__ = ("_bodies", "limits", "name")

    def __init__(self, name: str, bodies: Mapping[str, Body], limits: Limits) -> None:
        """Take compiled templates; use ``Template.parse``."""
        self.name = name
        self.limits = limits
        self._bodies = bodies

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        name: str = "template",
        missingkey: str = MISSING_ERROR,
        funcs: Mapping[str, Callable[..., Value]] | None = None,
        limits: Limits | None = None,
    ) -> Self:
        """Parse a template.

        ``missingkey`` says what a field that a map lacks is: "error" (an ExecError), "default" (no
        value, printed as <no value>) or "zero" (the zero value of the map's type). ``funcs`` are
        further functions by name, which get their arguments by position.

        Raises:
            ParseError: the text is not a template, or over a limit (``ParseLimitExceeded``).
            ValueError: ``missingkey`` is none of the three.

        """
        if missingkey not in _MISSING_KEYS:
            raise ValueError(f"missingkey is {missingkey!r}; it may be error, default or zero")
        limits = limits or DEFAULT_LIMITS
        functions = BUILTINS
        if funcs:
            functions = {**BUILTINS, **{key: custom(key, func) for key, func in funcs.items()}}
        try:
            trees = parse(text, name, functions, limits)
            bodies = compile_trees(trees, Settings(text, name, functions, missingkey, limits))
        except RecursionError:
            error = ParseLimitExceeded("nested too deeply for the stack", name=name, line=1)
            error.limit = "nesting"
            raise error from None
        return cls(name, bodies, limits)

    def render(self, data: Value, limits: Limits | None = None) -> str:
        """Render with ``data`` as dot; bytes that are not UTF-8 come out as U+FFFD.

        ``limits`` stand in for the template's own of steps and output.

        Raises:
            ExecError: the template does not fit the data, or wants more than a limit allows
                (``ExecLimitExceeded``).

        """
        return finish(self._execute(data, limits))

    def render_bytes(self, data: Value) -> bytes:
        """Render with ``data`` as dot, to exactly the bytes that Go writes.

        Raises:
            ExecError: as ``render`` does.

        """
        return to_bytes(self._execute(data))

    def _execute(self, data: Value, limits: Limits | None = None) -> str:
        """Run the template and return what it wrote."""
        budget = Budget(limits or self.limits)
        body = self._bodies[self.name]
        dot = INVALID if data is None else from_data(data)
        variables: list[Value] = [UNDEFINED] * body.slots
        variables[0] = dot
        try:
            body.run(State(budget, variables, 0, 0), dot)
        except RecursionError:
            error = ExecLimitExceeded("nested too deeply for the stack", name=self.name, line=1)
            error.limit = "nesting"
            raise error from None
        except FunctionError as fault:
            raise ExecError(fault.message, name=self.name, line=1) from fault
        return "".join(budget.pieces)
