"""The variables in view while a template is compiled (Go: exec.go, the stack of variables)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bootstrap_core.gotemplate.expr import Expr, raising
from bootstrap_core.gotemplate.nodes import Node, VariableNode
from bootstrap_core.gotemplate.state import UNDEFINED, Source, State
from bootstrap_core.gotemplate.values import Value

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
