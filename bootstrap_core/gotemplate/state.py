"""What an execution carries along, and how its errors get their place (Go: exec.go, state)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bootstrap_core.gotemplate.errors import (
    BudgetError,
    ExecError,
    ExecLimitExceeded,
    FunctionError,
)
from bootstrap_core.gotemplate.lexer import place
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.nodes import Node
from bootstrap_core.gotemplate.values import Value


class State:
    """The execution of one template: its variables, by slot, and what the whole rendering has left.

    ``depth`` counts the templates calling each other, ``frames`` the Python calls they stand on,
    ``node`` is the operand that "and" or "or" chose last, for errors.
    """

    __slots__ = ("budget", "depth", "frames", "node", "vars")

    def __init__(self, budget: Budget, variables: list[Value], depth: int, frames: int) -> None:
        """Start with the variables' slots."""
        self.budget = budget
        self.vars = variables
        self.depth = depth
        self.frames = frames
        self.node: Node | None = None


Eval = Callable[[State, Value], Value]
Run = Callable[[State, Value], None]


class Undefined:
    """What a variable's slot holds before the variable is declared."""

    __slots__ = ()


UNDEFINED: Final = Undefined()


class Source:
    """The text that a template was parsed from, to tell where a node stands."""

    __slots__ = ("name", "template", "text")

    def __init__(self, text: str, name: str, template: str) -> None:
        """Take the text, its name, and the name of the template compiled."""
        self.text = text
        self.name = name
        self.template = template

    def error(self, node: Node, message: str) -> ExecError:
        """Return an error at a node."""
        line, column = place(self.text, node.pos)
        return ExecError(
            message,
            name=self.name,
            line=line,
            column=column,
            context=str(node),
            template=self.template,
        )

    def error_at(self, state: State, node: Node | None, message: str) -> ExecError:
        """Return an error at a node; None means the one that the state holds."""
        return self.error(node or state.node or Node(0), message)

    def failure(self, node: Node, fault: FunctionError, function: str = "") -> ExecError:
        """Return the error at a node for what a function, or the budget, said."""
        if not isinstance(fault, BudgetError):
            prefix = f"error calling {function}: " if function else ""
            return self.error(node, prefix + fault.message)
        line, column = place(self.text, node.pos)
        error = ExecLimitExceeded(
            fault.message,
            name=self.name,
            line=line,
            column=column,
            context=str(node),
            template=self.template,
        )
        error.limit = fault.limit
        return error
