"""Taking fields of values: .A.B, $x.A, (pipeline).A (Go: exec.go, evalFieldChain, evalField).

The ways that lead to a value are short; whatever stops one goes through ``walk``, which finds out
what Go would say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import ExecError, FunctionError
from bootstrap_core.gotemplate.nodes import Node
from bootstrap_core.gotemplate.quote import quote
from bootstrap_core.gotemplate.state import Eval, Source, State
from bootstrap_core.gotemplate.values import (
    INVALID,
    StructMap,
    Value,
    from_data,
    kind_of,
    type_name,
)

MISSING_ERROR: Final = "error"
MISSING_DEFAULT: Final = "default"
MISSING_ZERO: Final = "zero"

# What a subscript raises on values that have no such field.
_NO_FIELD: Final = (KeyError, TypeError, IndexError, FunctionError)
_CONVERTED: Final = frozenset({int, bytes})


class Chain:
    """A chain of fields: the names, the node for errors, and what the receiver is.

    ``element`` says that the receiver is what a range goes over, so that its Go type is interface
    {}. ``has_args`` says that arguments follow, which no field takes.
    """

    __slots__ = ("element", "has_args", "missingkey", "names", "node", "source")

    def __init__(
        self,
        source: Source,
        node: Node | None,
        names: list[str],
        missingkey: str,
        *,
        element: bool = False,
        has_args: bool = False,
    ) -> None:
        """Take the parts; ``node`` is None where only the state knows it."""
        self.source = source
        self.node = node
        self.names = names
        self.missingkey = missingkey
        self.element = element
        self.has_args = has_args

    def fault(self, state: State, message: str) -> ExecError:
        """Return an error at the node."""
        return self.source.error_at(state, self.node, message)

    def walk(self, state: State, receiver: Value) -> Value:
        """Take the fields one after the other, as Go does, with all of Go's complaints."""
        is_interface = self.element and type(receiver) in _INTERFACES
        last = len(self.names) - 1
        for i, name in enumerate(self.names):
            has_args = self.has_args and i == last
            try:
                receiver, is_interface = self.field(
                    state, receiver, name, is_interface=is_interface, has_args=has_args
                )
            except FunctionError as fault:
                raise self.fault(state, fault.message) from None
        return receiver

    def walk_pipeline(self, state: State, receiver: Value) -> Value:
        """Take the fields of a pipeline's value."""
        return self.walk(state, INVALID if receiver is None else receiver)

    def field(
        self, state: State, receiver: Value, name: str, *, is_interface: bool, has_args: bool
    ) -> tuple[Value, bool]:
        """Return a field of a value, and whether its Go type is interface {}."""
        if receiver is INVALID:
            if self.missingkey == MISSING_ERROR:
                raise self.fault(state, f"nil data; no entry for key {quote(name)}")
            return INVALID, False
        if receiver is None:
            raise self.fault(state, f"nil pointer evaluating interface {{}}.{name}")
        kind = kind_of(receiver)
        if kind == values.STRUCT and name in receiver:
            if has_args:
                raise self.fault(state, f"{name} has arguments but cannot be invoked as function")
            return from_data(receiver[name]), False
        if kind == values.MAP:
            if has_args:
                raise self.fault(state, f"{name} is not a method but has arguments")
            return self.entry(state, receiver, name), type(receiver) is not StructMap
        shown = "interface {}" if is_interface else type_name(receiver)
        raise self.fault(state, f"can't evaluate field {name} in type {shown}")

    def entry(self, state: State, receiver: dict[str, Value], name: str) -> Value:
        """Return an entry of a map, or what missingkey says in its place."""
        if name in receiver:
            return from_data(receiver[name])
        if self.missingkey == MISSING_ERROR:
            raise self.fault(state, f"map has no entry for key {quote(name)}")
        if self.missingkey == MISSING_DEFAULT:
            return INVALID
        return receiver.zero if isinstance(receiver, StructMap) else None

    def of_dot(self) -> Eval:
        """Return the evaluation of the chain on dot."""
        if self.has_args or len(self.names) > 3:
            return self.walk
        return _OF_DOT[len(self.names) - 1](self.walk, *self.names)

    def of(self, receiver: Eval, *, pipeline: bool = False) -> Eval:
        """Return the evaluation of the chain on what ``receiver`` gives.

        ``pipeline`` says that it is a whole pipeline, whose nil is no value at all.
        """
        walk = self.walk_pipeline if pipeline else self.walk
        if self.has_args or len(self.names) > 1:
            return lambda state, dot: walk(state, receiver(state, dot))
        name = self.names[0]

        def field(state: State, dot: Value) -> Value:
            value = receiver(state, dot)
            try:
                taken = value[name]
                return from_data(taken) if type(taken) in _CONVERTED else taken
            except _NO_FIELD:
                return walk(state, value)

        return field


_INTERFACES: Final = frozenset({str, bool, float, dict, list, tuple, type(None)})


def _field1(walk: Eval, first: str) -> Eval:
    """Return the evaluation of ``.A``."""

    def field(state: State, dot: Value) -> Value:
        try:
            value = dot[first]
            return from_data(value) if type(value) in _CONVERTED else value
        except _NO_FIELD:
            return walk(state, dot)

    return field


def _field2(walk: Eval, first: str, second: str) -> Eval:
    """Return the evaluation of ``.A.B``."""

    def field(state: State, dot: Value) -> Value:
        try:
            value = dot[first][second]
            return from_data(value) if type(value) in _CONVERTED else value
        except _NO_FIELD:
            return walk(state, dot)

    return field


def _field3(walk: Eval, first: str, second: str, third: str) -> Eval:
    """Return the evaluation of ``.A.B.C``."""

    def field(state: State, dot: Value) -> Value:
        try:
            value = dot[first][second][third]
            return from_data(value) if type(value) in _CONVERTED else value
        except _NO_FIELD:
            return walk(state, dot)

    return field


_OF_DOT: Final[tuple[Callable[..., Eval], ...]] = (_field1, _field2, _field3)
