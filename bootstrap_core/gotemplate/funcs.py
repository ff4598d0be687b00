"""The functions that templates call (Go: text/template/funcs.go).

toJSON, default and required are the bootstrap service's own. A function gets the budget, for the
work it does, and its arguments; nil is None or INVALID.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import BudgetError, FunctionError
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.numbers import MAX_INT, MIN_INT, format_float
from bootstrap_core.gotemplate.printing import Printer, printable, sprint, sprintf, sprintln
from bootstrap_core.gotemplate.text import all_print, from_bytes, is_print, length, quote, to_bytes
from bootstrap_core.gotemplate.values import (
    INVALID,
    StructMap,
    Uint8,
    Value,
    from_data,
    kind_of,
    sorted_keys,
    truth,
    type_name,
)

_BASIC: Final = frozenset(
    {values.BOOL, values.INT, values.UINT, values.FLOAT, values.COMPLEX, values.STRING}
)
_INTEGERS: Final = frozenset({values.INT, values.UINT})
_BAD_TYPE: Final = "invalid type for comparison"


def _basic_kind(value: Value) -> str:
    """Return the kind of a value that compares by itself, else "invalid"."""
    kind = kind_of(value)
    return kind if kind in _BASIC else values.INVALID_KIND


def _is_nil_operand(value: Value) -> bool:
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
    if _is_nil_operand(first) or _is_nil_operand(other):
        return _is_nil_operand(first) == _is_nil_operand(other)
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


_HTML: Final = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS: Final = {
    "\\": r"\\",
    "'": r"\'",
    '"': r"\"",
    "<": r"\u003C",
    ">": r"\u003E",
    "&": r"\u0026",
    "=": r"\u003D",
}
_JS_TABLE: Final = {code: f"\\u{code:04X}" for code in range(32)} | str.maketrans(_JS)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_ESCAPED_BYTE: Final = re.compile("[\ud800-\udfff]")
_URL_SPECIAL: Final = re.compile(rb"[^A-Za-z0-9_.~-]")
_JSON: Final = {
    '"': r"\"",
    "\\": r"\\",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
}
_JSON_TABLE: Final = {
    ord(char): _JSON.get(char) or f"\\u{ord(char):04x}"
    for char in [*map(chr, range(32)), *'"\\<>&\u2028\u2029']
}


def eval_args(budget: Budget, args: list[Value]) -> str:
    """Return the arguments as print does, with <no value> for nil, and count the work of them."""
    text = sprint(budget, [printable(value) for value in args])
    budget.step(len(text) // 4)
    return text


def html(budget: Budget, args: list[Value]) -> str:
    """Escape for HTML."""
    text = eval_args(budget, args).translate(_HTML)
    budget.room(len(text))
    return text


def js(budget: Budget, args: list[Value]) -> str:
    """Escape for a string in JavaScript."""
    text = eval_args(budget, args).translate(_JS_TABLE)
    if not all_print(text):
        text = _NOT_ASCII.sub(_js_char, text)
    budget.room(len(text))
    return text


def _js_char(found: re.Match[str]) -> str:
    """Escape one character beyond ASCII for JavaScript."""
    char = found[0]
    if "\udc80" <= char <= "\udcff":
        return char
    return char if is_print(char) else f"\\u{ord(char):04X}"


def urlquery(budget: Budget, args: list[Value]) -> str:
    """Escape for a query in a URL."""
    data = to_bytes(eval_args(budget, args))
    text = _URL_SPECIAL.sub(_url_byte, data).decode()
    budget.room(len(text))
    return text


def _url_byte(found: re.Match[bytes]) -> bytes:
    """Escape one byte for a URL's query."""
    return b"+" if found[0] == b" " else b"%%%02X" % found[0][0]


def to_json(budget: Budget, value: Value) -> str:
    """Return a value as JSON, as encoding/json's Marshal does.

    Raises:
        FunctionError: it has no form in JSON.

    """
    writer = JSONWriter(budget)
    writer.value(value, 0)
    text = "".join(writer.pieces)
    budget.room(len(text))
    return text


class JSONWriter:
    """JSON that is being put together."""

    __slots__ = ("budget", "pieces", "size")

    def __init__(self, budget: Budget) -> None:
        """Start with nothing."""
        self.budget = budget
        self.pieces: list[str] = []
        self.size = 0

    def write(self, text: str) -> None:
        """Add ``text``."""
        self.pieces.append(text)
        self.size += len(text)
        if self.size > self.budget.limits.string:
            raise BudgetError(
                "string", f"a value of more than {self.budget.limits.string} characters"
            )

    def value(self, value: Value, depth: int) -> None:
        """Write a value."""
        kind = kind_of(value)
        self.budget.step(1)
        if kind == values.STRING:
            self.string(value)
        elif kind == values.FLOAT:
            self.write(json_number(value))
        elif kind == values.BOOL:
            self.write("true" if value else "false")
        elif kind in {values.INT, values.UINT}:
            self.write(str(int(value)))
        elif kind in {values.NIL, values.INVALID_KIND} or type(value) is values.NilMap:
            self.write("null")
        elif kind == values.COMPLEX:
            raise FunctionError(f"json: unsupported type: {type_name(value)}")
        else:
            if depth >= self.budget.limits.data_depth:
                raise BudgetError(
                    "data_depth", f"a value nested deeper than {self.budget.limits.data_depth}"
                )
            self.budget.step(len(value))
            self.composite(value, kind, depth + 1)

    def composite(self, value: Value, kind: str, depth: int) -> None:
        """Write a list, a map in the order of its keys, or a struct in that of its fields."""
        if kind == values.SLICE:
            for i, element in enumerate(value):
                self.write("," if i else "[")
                self.value(from_data(element), depth)
            self.write("]" if value else "[]")
            return
        keys = list(value) if kind == values.STRUCT else sorted_keys(value)
        for i, key in enumerate(keys):
            self.write("," if i else "{")
            self.string(key)
            self.write(":")
            self.value(from_data(value[key]), depth)
        self.write("}" if keys else "{}")

    def string(self, text: str | bytes) -> None:
        """Write a string."""
        text = text if isinstance(text, str) else from_bytes(text)
        self.budget.step(len(text) // 16)
        shown = text.translate(_JSON_TABLE)
        if not shown.isascii():
            shown = _ESCAPED_BYTE.sub(r"\\ufffd", shown)
        self.write(f'"{shown}"')


def json_number(value: float) -> str:
    """Write a number as encoding/json does: with an exponent below 1e-6 and from 1e21 on.

    Raises:
        FunctionError: it is infinite or not a number.

    """
    if value != value or value in {float("inf"), float("-inf")}:
        raise FunctionError(f"json: unsupported value: {format_float(value, 'g', -1)}")
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        text = format_float(value, "e", -1)
        return text.replace("e-0", "e-") if "e-0" in text else text
    return format_float(value, "f", -1)


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
        Function("eq", lambda b, args: eq(b, args[0], args[1:]), _LOGIC, variadic=True),
        Function("ne", lambda b, args: ne(b, *args), _LOGIC),
        Function("lt", lambda b, args: lt(b, *args), _LOGIC),
        Function("le", lambda b, args: le(b, *args), _LOGIC),
        Function("gt", lambda b, args: gt(b, *args), _LOGIC),
        Function("ge", lambda b, args: ge(b, *args), _LOGIC),
        Function("index", index, _LOGIC, variadic=True),
        Function("slice", slice_, _LOGIC, variadic=True),
        Function("len", len_, (VALUE,)),
        Function("print", sprint, (ANY,), variadic=True),
        Function("println", sprintln, (ANY,), variadic=True),
        Function(
            "printf", lambda b, args: sprintf(b, args[0], args[1:]), (TEXT, ANY), variadic=True
        ),
        Function("html", html, (ANY,), variadic=True),
        Function("js", js, (ANY,), variadic=True),
        Function("urlquery", urlquery, (ANY,), variadic=True),
        Function("toJSON", lambda b, args: to_json(b, args[0]), (ANY,)),
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
