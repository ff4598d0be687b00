"""What an execution carries along: variables and where an error stands (Go: exec.go, state)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from bootstrap_core.gotemplate.errors import (
    BudgetError,
    ExecError,
    ExecLimitExceeded,
    FunctionError,
)
from bootstrap_core.gotemplate.lexer import place
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.nodes import Node, VariableNode
from bootstrap_core.gotemplate.values import INVALID, Value


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


@dataclass(slots=True)
class Expr:
    """An expression.

    ``eval`` gives its value; where ``nilable`` is true that may be None, Go's nil in an interface.
    ``last`` is the node that Go would name in an error after it, None if only the state knows.
    ``element`` says that it is what a range goes over, not taken apart further.
    """

    eval: Eval
    last: Node | None
    nilable: bool = True
    element: bool = False
    constant: object = UNDEFINED

    def definite(self) -> Eval:
        """Return the evaluation with INVALID in place of None: the value of a whole pipeline."""
        if not self.nilable:
            return self.eval
        evaluate = self.eval

        def definite(state: State, dot: Value) -> Value:
            value = evaluate(state, dot)
            return INVALID if value is None else value

        return definite


def constant(node: Node, value: Value) -> Expr:
    """Return the expression of a constant."""
    return Expr(lambda _state, _dot: value, node, nilable=value is None, constant=value)


def raising(source: Source, node: Node | None, message: str) -> Eval:
    """Return the evaluation of what always fails."""

    def fail(state: State, dot: Value) -> Value:
        raise source.error_at(state, node, message)

    return fail


Setter: TypeAlias = Callable[[State, Value], None]


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable and its slot.

    ``element`` says that it holds what a range goes over. ``doubtful`` says that the declaration
    may not have been executed: it stands in an operand of "and" or "or".
    """

    name: str
    slot: int
    element: bool = False
    doubtful: bool = False


class Scope:
    """A stack of variables. Slots are reused once a variable is out of view."""

    __slots__ = ("doubtful", "size", "stack")

    def __init__(self) -> None:
        """Start with "$", in slot 0."""
        self.stack = [Variable("$", 0)]
        self.size = 1
        self.doubtful = False

    def mark(self) -> int:
        """Return the height of the stack."""
        return len(self.stack)

    def pop(self, mark: int) -> None:
        """Take everything above ``mark`` out of view."""
        del self.stack[mark:]

    def declare(self, name: str) -> int:
        """Add a variable and return its slot."""
        slot = len(self.stack)
        self.stack.append(Variable(name, slot, doubtful=self.doubtful))
        self.size = max(self.size, slot + 1)
        return slot

    def find(self, name: str) -> list[Variable]:
        """Return the variables that a name may mean, the likeliest first; the last is certain.

        Empty where there is none.
        """
        found = []
        for variable in reversed(self.stack):
            if variable.name == name:
                found.append(variable)
                if not variable.doubtful:
                    break
        return found

    def reader(self, source: Source, node: VariableNode) -> Expr:
        """Compile the use of a variable, without its fields."""
        found = self.find(node.ident[0])
        undefined = f"undefined variable: {node.ident[0]}"
        if not found:
            return Expr(raising(source, node, undefined), node)
        slot = found[0].slot
        if not found[0].doubtful:
            return Expr(lambda state, _dot: state.vars[slot], node, element=found[0].element)
        slots = [variable.slot for variable in found]

        def value(state: State, dot: Value) -> Value:
            for slot in slots:
                if state.vars[slot] is not UNDEFINED:
                    return state.vars[slot]
            raise source.error(node, undefined)

        return Expr(value, node)

    def setter(self, source: Source, name: str, last: Node | None) -> Setter:
        """Compile the assignment of a variable. ``last`` is named if there is none."""
        found = self.find(name)
        if len(found) == 1 and not found[0].doubtful:
            return slot_setter(found[0].slot)

        def set_(state: State, value: Value) -> None:
            for variable in found:
                if state.vars[variable.slot] is not UNDEFINED:
                    state.vars[variable.slot] = value
                    return
            raise source.error_at(state, last, f"undefined variable: {name}")

        return set_


def slot_setter(slot: int) -> Setter:
    """Return the assignment to a slot."""

    def set_(state: State, value: Value) -> None:
        state.vars[slot] = value

    return set_
