"""The values that templates work on, as Go sees them (Go: reflect).

Data are JSON-like: dict with str keys (Go: map[string]interface {}), list or tuple
([]interface {}), str or bytes (string), int or float (float64), bool, None, and the classes below.
A template's own integers are Go ints. Both are ``int`` in Python, so a number of the data becomes
``float`` when it is taken out of them (``from_data``); what is inside a dict or list still is what
it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from bootstrap_core.gotemplate.errors import FunctionError
from bootstrap_core.gotemplate.text import from_bytes, to_bytes

# What a template handles; the kinds below say more.
Value: TypeAlias = Any


class Invalid:
    """Go's zero reflect.Value: what a pipeline without a value gives. False, prints <no value>."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = Invalid()


class Boxed:
    """Something in Go's interface {}, for the one function that does not look inside: slice."""

    __slots__ = ()


BOXED: Final = Boxed()


class Uint8(int):
    """A byte of a string."""

    __slots__ = ()


class Struct(dict[str, Value]):
    """A Go struct: fields in order, and the name of its type for messages, printf and %T."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str, fields: Mapping[str, Value]) -> None:
        """Take the type's name, such as "bootstrap.DeviceContext", and the fields."""
        super().__init__(fields)
        self.type_name = type_name


class StructMap(dict[str, Struct]):
    """A Go map[string]T of structs; ``zero`` is the T that ``index`` gives for an absent key."""

    __slots__ = ("zero",)

    def __init__(self, entries: Mapping[str, Struct], zero: Struct) -> None:
        """Take the entries and the zero value of their type."""
        super().__init__(entries)
        self.zero = zero


class NilMap(dict[str, Value]):
    """A Go map[string]interface {} that is nil: empty, equal to nil, ``null`` in JSON."""

    __slots__ = ()


NIL_MAP: Final = NilMap()

# The kinds of reflect that make a difference here.
INVALID_KIND: Final = "invalid"
NIL: Final = "nil"
BOXED_KIND: Final = "boxed"
BOOL: Final = "bool"
INT: Final = "int"
UINT: Final = "uint"
FLOAT: Final = "float"
COMPLEX: Final = "complex"
STRING: Final = "string"
MAP: Final = "map"
SLICE: Final = "slice"
STRUCT: Final = "struct"

_KINDS: Final[dict[type, str]] = {
    Invalid: INVALID_KIND,
    Boxed: BOXED_KIND,
    type(None): NIL,
    bool: BOOL,
    int: INT,
    Uint8: UINT,
    float: FLOAT,
    complex: COMPLEX,
    str: STRING,
    bytes: STRING,
    dict: MAP,
    StructMap: MAP,
    NilMap: MAP,
    list: SLICE,
    tuple: SLICE,
    Struct: STRUCT,
}
_NAMES: Final = {
    BOOL: "bool",
    INT: "int",
    UINT: "uint8",
    FLOAT: "float64",
    COMPLEX: "complex128",
    STRING: "string",
    SLICE: "[]interface {}",
    NIL: "interface {}",
    BOXED_KIND: "interface {}",
}


def kind_of(value: object) -> str:
    """Return the kind of a value.

    Raises:
        FunctionError: it is of a Python type that no template can use.

    """
    kind = _KINDS.get(type(value))
    if kind is None:
        for base, kind in ((dict, MAP), (str, STRING), (float, FLOAT), (int, INT), (list, SLICE)):
            if isinstance(value, base):
                return kind
        raise FunctionError(f"a value of the Python type {type(value).__name__} in the data")
    return kind


def type_name(value: object) -> str:
    """Return the name of a value's Go type."""
    if isinstance(value, Struct):
        return value.type_name
    if isinstance(value, StructMap):
        return f"map[string]{value.zero.type_name}"
    kind = kind_of(value)
    return "map[string]interface {}" if kind == MAP else _NAMES[kind]


def _float(value: int) -> float:
    """Return a number of the data as Go's encoding/json has it."""
    try:
        return float(value)
    except OverflowError:
        raise FunctionError("a number in the data is out of float64's range") from None


_CONVERSIONS: Final[dict[type, Callable[[Value], Value]]] = {int: _float, bytes: from_bytes}


def from_data(value: Value) -> Value:
    """Return a value taken out of the data as the template sees it."""
    convert = _CONVERSIONS.get(type(value))
    return value if convert is None else convert(value)


def truth(value: object) -> bool:
    """Say whether a value is true: not nil, false, zero or empty. A struct always is."""
    return type(value) is Struct or bool(value)


def sorted_keys(value: Mapping[str, object]) -> list[str]:
    """Return the keys of a map in the order of their bytes.

    Raises:
        FunctionError: a key is not a str.

    """
    try:
        if all(map(str.isascii, value)):
            return sorted(value)
        return sorted(value, key=to_bytes)
    except (TypeError, AttributeError):
        raise FunctionError("a map in the data has a key that is not a string") from None
