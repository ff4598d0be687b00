"""A compiled expression, and the small evaluations that expressions are made of."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap_core.gotemplate.nodes import Node
from bootstrap_core.gotemplate.state import UNDEFINED, Eval, Source, State
from bootstrap_core.gotemplate.values import INVALID, Value


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
