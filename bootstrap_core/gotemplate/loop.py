"""Running a range (Go: exec.go, walkRange)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import FunctionError
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.nodes import Node
from bootstrap_core.gotemplate.printer import Printer
from bootstrap_core.gotemplate.state import Eval, Run, Source, State
from bootstrap_core.gotemplate.values import Uint8, Value, from_data, kind_of, sorted_keys


class BreakLoop(Exception):
    """{{break}} was reached."""


class ContinueLoop(Exception):
    """{{continue}} was reached."""


def break_loop(state: State, dot: Value) -> None:
    """Leave the range."""
    raise BreakLoop


def continue_loop(state: State, dot: Value) -> None:
    """Go on with the range's next element."""
    raise ContinueLoop


@dataclass(slots=True, eq=False)
class Loop:
    """A compiled range.

    ``last`` is the node that an error about the value names, ``cost`` the work of getting it.
    ``set_index`` and ``set_element`` set the variables of the range, where it has them.
    """

    source: Source
    node: Node
    last: Node | None
    cost: int
    value: Eval
    set_index: Callable[[State, Value], None] | None
    set_element: Callable[[State, Value], None] | None
    body: Run
    otherwise: Run | None

    def run(self, state: State, dot: Value) -> None:
        """Run the body for every element, or the else list if there is none."""
        value = self.value(state, dot)
        try:
            state.budget.step(self.cost)
            pairs = self.pairs(state, value)
            if pairs is not None:
                self.iterate(state, pairs)
                return
        except BreakLoop:
            return
        except FunctionError as fault:
            raise self.source.failure(self.node, fault) from fault
        if self.otherwise is not None:
            self.otherwise(state, dot)

    def pairs(self, state: State, value: Value) -> Iterator[tuple[Value, Value]] | None:
        """Return the indexes and elements of a value, None if it has none."""
        kind = kind_of(value)
        if kind in _RANGES:
            if kind in _INTEGERS and self.set_index is not None:
                raise self.source.error_at(
                    state, self.last, f"can't use {value} to iterate over more than one variable"
                )
            return _RANGES[kind](state.budget, value) if _some(value) else None
        if kind in {values.INVALID_KIND, values.NIL}:
            return None
        shown = _shown(state.budget, value)
        raise self.source.error_at(state, self.last, f"range can't iterate over {shown}")

    def iterate(self, state: State, pairs: Iterator[tuple[Value, Value]]) -> None:
        """Run the body for pairs of index and element."""
        body, set_index, set_element = self.body, self.set_index, self.set_element
        step = state.budget.step
        for index, element in pairs:
            step(1)
            if set_index is not None:
                set_index(state, index)
            if set_element is not None:
                set_element(state, element)
            try:  # noqa: SIM105 - contextlib.suppress takes longer than the body
                body(state, element)
            except ContinueLoop:
                pass


def _some(value: Value) -> bool:
    """Say whether there is something to go over."""
    return value > 0 if isinstance(value, int) else len(value) > 0


def _shown(budget: Budget, value: Value) -> str:
    """Write a value for a message."""
    printer = Printer(budget)
    printer.print_arg(value, "v")
    return printer.text()


def _of_slice(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the elements of a list by their index."""
    return enumerate(map(from_data, value))


def _of_map(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the entries of a map in the order of their keys."""
    budget.step(len(value))
    return ((key, from_data(value[key])) for key in sorted_keys(value))


def _of_int(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the numbers below an integer."""
    return ((None, i) for i in range(value))


def _of_uint(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the numbers below a byte, as bytes."""
    return ((None, Uint8(i)) for i in range(value))


_INTEGERS: Final = frozenset({values.INT, values.UINT})
_RANGES: Final = {
    values.SLICE: _of_slice,
    values.MAP: _of_map,
    values.INT: _of_int,
    values.UINT: _of_uint,
}
