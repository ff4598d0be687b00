"""The functions that templates call (Go: text/template/funcs.go).

toJSON, default and required are the bootstrap service's own. A function gets the budget, for the
work it does, and its arguments; nil is None or INVALID.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bootstrap_core.gotemplate import compare, escape, values
from bootstrap_core.gotemplate.errors import FunctionError
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.number import MAX_INT, MIN_INT
from bootstrap_core.gotemplate.printer import sprint, sprintln
from bootstrap_core.gotemplate.printf import sprintf
from bootstrap_core.gotemplate.quote import quote
from bootstrap_core.gotemplate.runes import from_bytes, length, to_bytes
from bootstrap_core.gotemplate.values import (
    INVALID,
    StructMap,
    Uint8,
    Value,
    from_data,
    kind_of,
    truth,
    type_name,
)

Call = Callable[[Budget, list[Value]], Value]

ANY: Final = "interface {}"
VALUE: Final = "reflect.Value"
TEXT: Final = "string"


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its name, what it does, and the Go types of its parameters.

    Where ``variadic`` is true the last parameter takes any number of arguments.
    """

    name: str
    call: Call
    params: tuple[str, ...]
    variadic: bool = False


def index(budget: Budget, args: list[Value]) -> Value:
    """Return the part of a map, list or string that the further arguments lead to."""
    budget.step(1)
    item = args[0]
    if _is_nil(item):
        raise FunctionError("index of untyped nil")
    for place in args[1:]:
        if item is None:
            raise FunctionError("index of nil pointer")
        kind = kind_of(item)
        if kind == values.MAP:
            item = _map_index(item, place)
        elif kind == values.SLICE:
            i = _index_arg(place, len(item))
            if i == len(item):
                raise FunctionError("reflect: slice index out of range")
            item = from_data(item[i])
        elif kind == values.STRING:
            item = _string_index(budget, item, place)
        else:
            raise FunctionError(f"can't index item of type {type_name(item)}")
    return item


def _is_nil(value: Value) -> bool:
    """Say whether there is no value."""
    return value is None or value is INVALID


def _map_index(item: Value, key: Value) -> Value:
    """Return the entry of a map, the zero value of its type if there is none."""
    if _is_nil(key):
        raise FunctionError("value is nil; should be of type string")
    if not isinstance(key, str):
        raise FunctionError(f"value has type {type_name(key)}; should be string")
    return from_data(item.get(key, item.zero if type(item) is StructMap else None))


def _string_index(budget: Budget, text: str, place: Value) -> Uint8:
    """Return a byte of a string."""
    if text.isascii():
        i = _index_arg(place, len(text))
        if i < len(text):
            return Uint8(ord(text[i]))
    else:
        budget.step(len(text) // 256)
        data = to_bytes(text)
        i = _index_arg(place, len(data))
        if i < len(data):
            return Uint8(data[i])
    raise FunctionError("reflect: string index out of range")


def _index_arg(place: Value, size: int) -> int:
    """Return an index, which may be one past the end.

    Raises:
        FunctionError: it is not an integer, or out of range.

    """
    kind = kind_of(place)
    if kind not in {values.INT, values.UINT}:
        if _is_nil(place):
            raise FunctionError("cannot index slice/array with nil")
        raise FunctionError(f"cannot index slice/array with type {type_name(place)}")
    if not 0 <= place <= size:
        raise FunctionError(f"index out of range: {int(place)}")
    return int(place)


def slice_(budget: Budget, args: list[Value]) -> Value:
    """Return a part of a list or string.

    A list in Go may have room past its end, which slicing can bring to light; how much depends on
    how it was made. Asking for it is refused.
    """
    item, *places = args
    if _is_nil(item):
        raise FunctionError("slice of untyped nil")
    if len(places) > 3:
        raise FunctionError(f"too many slice indexes: {len(places)}")
    kind = kind_of(item)
    if kind == values.STRING:
        if len(places) == 3:
            raise FunctionError("cannot 3-index slice a string")
        budget.room(len(item))
        if item.isascii():
            start, end = _bounds(places, len(item))
            return item[start:end]
        data = to_bytes(item)
        start, end = _bounds(places, len(data))
        return from_bytes(data[start:end])
    if kind != values.SLICE:
        raise FunctionError(f"can't slice item of type {type_name(item)}")
    budget.step(1 + len(item) // 16)
    start, end = _bounds(places, len(item))
    return list(item[start:end])


def _bounds(places: list[Value], size: int) -> tuple[int, int]:
    """Return where a slice begins and ends."""
    bounds = [0, size, size]
    for i, place in enumerate(places):
        bounds[i] = _index_arg(place, size)
    start, end, cap = bounds
    if start > end:
        raise FunctionError(f"invalid slice index: {start} > {end}")
    if end > cap:
        raise FunctionError(f"invalid slice index: {end} > {cap}")
    return start, end


def len_(budget: Budget, args: list[Value]) -> int:
    """Return the length of a map or list, or of a string in bytes."""
    item = args[0]
    if item is None:
        raise FunctionError("len of nil pointer")
    if item is INVALID:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    kind = kind_of(item)
    if kind == values.STRING:
        budget.step(1 + len(item) // 1024)
        return length(item)
    if kind in {values.MAP, values.SLICE}:
        return len(item)
    raise FunctionError(f"len of type {type_name(item)}")


def default(budget: Budget, args: list[Value]) -> Value:
    """Return the second argument, the first if that is nil or empty text."""
    budget.step(1)
    fallback, value = args
    return fallback if _is_nil(value) or value == "" else value


def required(budget: Budget, args: list[Value]) -> Value:
    """Return the second argument; nil and empty text are an error that names the first."""
    budget.step(1)
    name, value = args
    if _is_nil(value) or value == "":
        raise FunctionError(f"required value {quote(name)} is missing")
    return value


def _unreachable(budget: Budget, args: list[Value]) -> Value:
    """Stand for and, or and call, which the evaluation handles itself."""
    raise FunctionError("not a function to be called")


_LOGIC: Final = (VALUE, VALUE)

BUILTINS: Final[Mapping[str, Function]] = {
    function.name: function
    for function in (
        Function("and", _unreachable, _LOGIC, variadic=True),
        Function("or", _unreachable, _LOGIC, variadic=True),
        Function("call", _unreachable, _LOGIC, variadic=True),
        Function("not", lambda _, args: not truth(args[0]), (VALUE,)),
        Function("eq", lambda b, args: compare.eq(b, args[0], args[1:]), _LOGIC, variadic=True),
        Function("ne", lambda b, args: compare.ne(b, *args), _LOGIC),
        Function("lt", lambda b, args: compare.lt(b, *args), _LOGIC),
        Function("le", lambda b, args: compare.le(b, *args), _LOGIC),
        Function("gt", lambda b, args: compare.gt(b, *args), _LOGIC),
        Function("ge", lambda b, args: compare.ge(b, *args), _LOGIC),
        Function("index", index, _LOGIC, variadic=True),
        Function("slice", slice_, _LOGIC, variadic=True),
        Function("len", len_, (VALUE,)),
        Function("print", sprint, (ANY,), variadic=True),
        Function("println", sprintln, (ANY,), variadic=True),
        Function(
            "printf", lambda b, args: sprintf(b, args[0], args[1:]), (TEXT, ANY), variadic=True
        ),
        Function("html", escape.html, (ANY,), variadic=True),
        Function("js", escape.js, (ANY,), variadic=True),
        Function("urlquery", escape.urlquery, (ANY,), variadic=True),
        Function("toJSON", lambda b, args: escape.to_json(b, args[0]), (ANY,)),
        Function("default", default, (ANY, ANY)),
        Function("required", required, (TEXT, ANY)),
    )
}


def custom(name: str, function: Callable[..., Value]) -> Function:
    """Make a template function of a Python one, which gets its arguments by position.

    It may raise ``FunctionError``; any other exception is reported by its text. An int it returns
    is a Go int.
    """
    params = inspect.signature(function).parameters.values()
    variadic = any(param.kind is param.VAR_POSITIONAL for param in params)

    def call(budget: Budget, args: list[Value]) -> Value:
        budget.step(1)
        try:
            value = function(*(None if arg is INVALID else arg for arg in args))
        except FunctionError:
            raise
        except Exception as error:
            raise FunctionError(f"{type(error).__name__}: {error}") from error
        if type(value) is str:
            budget.room(len(value))
        elif type(value) is int and not MIN_INT <= value <= MAX_INT:
            raise FunctionError(f"{value} overflows int")
        return value

    return Function(name, call, (ANY,) * len(params), variadic)
