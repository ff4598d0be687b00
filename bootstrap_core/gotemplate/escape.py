"""Escaped text: html, js, urlquery (Go: text/template/funcs.go) and toJSON (Go: encoding/json)."""

from __future__ import annotations

import re
from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import BudgetError, FunctionError
from bootstrap_core.gotemplate.floats import format_float
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.printer import printable, sprint
from bootstrap_core.gotemplate.runes import all_print, from_bytes, is_print, to_bytes
from bootstrap_core.gotemplate.values import Value, from_data, kind_of, sorted_keys, type_name

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
