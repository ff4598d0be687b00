"""Running a range (Go: exec.go, walkRange)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
        state.budget.steps -= self.cost
        if state.budget.steps < 0:
            raise self.source.failure(self.node, state.budget.exhausted())
        value = self.value(state, dot)
        kind = kind_of(value)
        if kind not in _RANGES and kind not in {values.INVALID_KIND, values.NIL}:
            shown = _shown(state.budget, value)
            raise self.source.error_at(state, self.last, f"range can't iterate over {shown}")
        if kind in {values.INT, values.UINT} and self.set_index is not None:
            raise self.source.error_at(
                state, self.last, f"can't use {value} to iterate over more than one variable"
            )
        if kind in _RANGES and (value > 0 if isinstance(value, int) else value):
            self.iterate(state, _RANGES[kind](state.budget, value))
        elif self.otherwise is not None:
            self.otherwise(state, dot)

    def iterate(self, state: State, pairs: Iterator[tuple[Value, Value]]) -> None:
        """Run the body for pairs of index and element."""
        body, set_index, set_element = self.body, self.set_index, self.set_element
        step = state.budget.step
        try:
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
        except BreakLoop:
            pass
        except FunctionError as fault:
            raise self.source.failure(self.node, fault) from fault


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


_RANGES = {
    values.SLICE: _of_slice,
    values.MAP: _of_map,
    values.INT: _of_int,
    values.UINT: _of_uint,
}
