"""The variables in view while a template is compiled (Go: exec.go, the stack of variables)."""

from __future__ import annotations

from dataclasses import dataclass


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

    __slots__ = ("doubtful", "element", "size", "stack")

    def __init__(self) -> None:
        """Start with "$", in slot 0."""
        self.stack = [Variable("$", 0)]
        self.size = 1
        self.doubtful = False
        self.element = False

    def mark(self) -> int:
        """Return the height of the stack."""
        return len(self.stack)

    def pop(self, mark: int) -> None:
        """Take everything above ``mark`` out of view."""
        del self.stack[mark:]

    def declare(self, name: str, *, element: bool = False) -> int:
        """Add a variable and return its slot."""
        slot = len(self.stack)
        self.stack.append(Variable(name, slot, element, self.doubtful))
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
