"""Comparisons (Go: text/template/funcs.go, eq to ge).

The two integer types compare with each other; any other two kinds do not compare.
"""

from __future__ import annotations

from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import FunctionError
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.printer import Printer
from bootstrap_core.gotemplate.runes import to_bytes
from bootstrap_core.gotemplate.values import Value, kind_of, type_name

_BASIC: Final = frozenset(
    {values.BOOL, values.INT, values.UINT, values.FLOAT, values.COMPLEX, values.STRING}
)
_INTEGERS: Final = frozenset({values.INT, values.UINT})
_BAD_TYPE: Final = "invalid type for comparison"


def _basic_kind(value: Value) -> str:
    """Return the kind of a value that compares by itself, else "invalid"."""
    kind = kind_of(value)
    return kind if kind in _BASIC else values.INVALID_KIND


def _is_nil(value: Value) -> bool:
    """Say whether a value is nil."""
    return value is None or value is values.INVALID or type(value) is values.NilMap


def eq(budget: Budget, first: Value, others: list[Value]) -> bool:
    """Say whether the first value equals one of the others.

    Raises:
        FunctionError: their types do not compare.

    """
    if not others:
        raise FunctionError("missing argument for comparison")
    return any(_equal(budget, first, other) for other in others)


def _equal(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether two values are equal."""
    kind, other_kind = _basic_kind(first), _basic_kind(other)
    if kind != other_kind:
        if kind in _INTEGERS and other_kind in _INTEGERS:
            return int(first) == int(other)
        if not _absent(first) and not _absent(other):
            raise FunctionError(
                f"incompatible types for comparison: {type_name(first)} and {type_name(other)}"
            )
        return False
    if kind != values.INVALID_KIND:
        if kind == values.STRING:
            budget.step(1 + min(len(first), len(other)) // 4096)
        return bool(first == other)
    return _equal_composites(budget, first, other)


def _absent(value: Value) -> bool:
    """Say whether there is no value at all: not even a nil map."""
    return value is None or value is values.INVALID


def _equal_composites(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether two values that are lists, maps, structs or nil are equal."""
    kind, other_kind = kind_of(first), kind_of(other)
    if kind != other_kind and not _absent(first) and not _absent(other):
        raise FunctionError(
            f"non-comparable types {_shown(budget, first, 's')}: {type_name(first)}, "
            f"{type_name(other)}: {_shown(budget, other, 'v')}"
        )
    if _is_nil(first) or _is_nil(other):
        return _is_nil(first) == _is_nil(other)
    if not _comparable(other):
        raise FunctionError(f"non-comparable type {_shown(budget, other, 's')}: {type_name(other)}")
    return type_name(first) == type_name(other) and dict(first) == dict(other)


def _comparable(value: Value) -> bool:
    """Say whether a composite is a struct of nothing but basic values."""
    return isinstance(value, values.Struct) and all(
        kind_of(field) in _BASIC for field in value.values()
    )


def _shown(budget: Budget, value: Value, verb: str) -> str:
    """Write a value for a message."""
    printer = Printer(budget)
    printer.print_arg(value, verb)
    return printer.text()


def ne(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether two values differ."""
    return not eq(budget, first, [other])


def lt(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether the first value is less than the other.

    Raises:
        FunctionError: their types have no order, or not with each other.

    """
    kind, other_kind = _basic_kind(first), _basic_kind(other)
    if values.INVALID_KIND in {kind, other_kind}:
        raise FunctionError(_BAD_TYPE)
    if kind != other_kind and not (kind in _INTEGERS and other_kind in _INTEGERS):
        raise FunctionError(
            f"incompatible types for comparison: {type_name(first)} and {type_name(other)}"
        )
    if kind in {values.BOOL, values.COMPLEX}:
        raise FunctionError(_BAD_TYPE)
    if kind == values.STRING:
        budget.step(1 + min(len(first), len(other)) // 256)
        return to_bytes(first) < to_bytes(other)
    return bool(first < other)


def le(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether the first value is less than the other or equal."""
    return lt(budget, first, other) or eq(budget, first, [other])


def gt(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether the first value is greater than the other."""
    return not le(budget, first, other)


def ge(budget: Budget, first: Value, other: Value) -> bool:
    """Say whether the first value is greater than the other or equal."""
    return not lt(budget, first, other)
