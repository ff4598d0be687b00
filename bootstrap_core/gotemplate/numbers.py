"""Numbers as templates write them and as text (Go: parse/node.go newNumber, strconv)."""

from __future__ import annotations

import math
import re
from typing import Final

from bootstrap_core.gotemplate.lexer import CHAR_CONSTANT, COMPLEX
from bootstrap_core.gotemplate.nodes import NumberNode
from bootstrap_core.gotemplate.text import quote, unquote_char

MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)
MAX_UINT: Final = 2**64 - 1

_INTEGER: Final = re.compile(
    r"([+-]?)(?:0[xX]((?:_?[0-9a-fA-F])+)|0[bB]((?:_?[01])+)|0[oO]?((?:_?[0-7])+)"
    r"|([1-9](?:_?[0-9])*|0))"
)
_PLAIN: Final = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_HEXADECIMAL: Final = re.compile(
    r"([+-]?)0[xX]([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9][0-9_]*)"
)
_BAD_UNDERSCORE: Final = re.compile(r"(?<![0-9])_|_(?![0-9])")
_BAD_HEX_UNDERSCORE: Final = re.compile(r"(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])")
_TOKEN: Final = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)"
)


class NumberSyntaxError(ValueError):
    """The text is not a number, or one out of range. The message is Go's."""


def new_number(pos: int, text: str, typ: str) -> NumberNode:
    """Return the node of a number, with its value under every type that can hold it.

    Raises:
        NumberSyntaxError: the text is no number.

    """
    if text.isascii() and text.isdecimal() and (text[0] != "0" or text == "0") and len(text) < 19:
        value = int(text)
        return NumberNode(pos, text, value, float(value))
    if _PLAIN.fullmatch(text) and any(char in text for char in ".eE"):
        return _new_float(NumberNode(pos, text))
    if typ == CHAR_CONSTANT:
        return _new_char(pos, text)
    if typ == COMPLEX:
        return _new_complex(pos, text, _scan_complex(text))
    if text.endswith("i"):
        try:
            return _new_complex(pos, text, complex(0, parse_float(text[:-1])))
        except NumberSyntaxError:
            pass
    node = NumberNode(pos, text)
    integer = parse_int(text)
    if (
        integer is not None
        and MIN_INT <= integer <= MAX_UINT
        and (integer <= MAX_INT or text[0] != "+")
    ):
        node.int64 = integer if integer <= MAX_INT else None
        node.float64 = float(integer)
        return node
    return _new_float(node)


def _new_float(node: NumberNode) -> NumberNode:
    """Fill in a number that is no 64-bit integer."""
    try:
        value = parse_float(node.text)
    except NumberSyntaxError:
        raise NumberSyntaxError(f"illegal number syntax: {quote(node.text)}") from None
    if not any(char in node.text for char in ".eEpP"):
        raise NumberSyntaxError(f"integer overflow: {quote(node.text)}")
    _set_float(node, value)
    return node


def _set_float(node: NumberNode, value: float) -> None:
    """Give a number its float value, and the integer if it is one."""
    node.float64 = value
    if value.is_integer():
        node.int64 = int(value) if MIN_INT <= value <= MAX_INT else None


def _new_char(pos: int, text: str) -> NumberNode:
    """Return the node of a character constant: its code point."""
    found = unquote_char(text)
    if found is None:
        raise NumberSyntaxError("invalid syntax")
    value, tail = found
    if tail != "'":
        raise NumberSyntaxError(f"malformed character constant: {text}")
    return NumberNode(pos, text, value, float(value))


def _new_complex(pos: int, text: str, value: complex) -> NumberNode:
    """Return the node of a complex constant."""
    node = NumberNode(pos, text, complex128=value)
    if value.imag == 0:
        _set_float(node, value.real)
    return node


def _scan_complex(text: str) -> complex:
    """Read a complex number written as a sum (Go does this with fmt.Sscan)."""
    real = _TOKEN.match(text)
    sign = real.end() if real else 0
    if real is None or text[sign : sign + 1] not in {"+", "-"}:
        raise NumberSyntaxError("syntax error scanning complex number")
    imag = _TOKEN.match(text, sign + 1)
    if imag is None or not imag[0] or text[imag.end() : imag.end() + 1] != "i":
        raise NumberSyntaxError("syntax error scanning complex number")
    return complex(parse_float(real[0]), parse_float(text[sign] + imag[0]))


def parse_int(text: str) -> int | None:
    """Read an integer in any base (strconv.ParseInt, base 0); None if it is none."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    sign, hexadecimal, binary, octal, decimal = found.groups()
    if hexadecimal:
        value = int(hexadecimal.lstrip("_"), 16)
    elif binary:
        value = int(binary.lstrip("_"), 2)
    elif octal:
        value = int(octal.lstrip("_"), 8)
    elif len(decimal) > 40:
        return None if sign == "-" else MAX_UINT + 1
    else:
        value = int(decimal)
    return -value if sign == "-" else value


def parse_float(text: str) -> float:
    """Read a floating-point number (strconv.ParseFloat).

    Raises:
        NumberSyntaxError: the text is none, or too large.

    """
    if _PLAIN.fullmatch(text):
        value = float(text)
    elif hexadecimal := _HEXADECIMAL.fullmatch(text):
        value = _parse_hexadecimal(text, hexadecimal)
    elif _PLAIN.fullmatch(text.replace("_", "")) and not _BAD_UNDERSCORE.search(text):
        value = float(text.replace("_", ""))
    else:
        raise NumberSyntaxError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    if value in {float("inf"), float("-inf")}:
        raise NumberSyntaxError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def _parse_hexadecimal(text: str, found: re.Match[str]) -> float:
    """Read a hexadecimal floating-point number."""
    sign, whole, fraction, exponent = found.groups()
    digits = (whole + (fraction or "")).replace("_", "")
    if not digits or _BAD_HEX_UNDERSCORE.search(text.lower().partition("p")[0]):
        raise NumberSyntaxError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    point = (fraction or "").replace("_", "")
    shown = exponent.replace("_", "")
    power = int(shown) if len(shown) < 8 else (-99999 if shown[0] == "-" else 99999)
    try:
        return float.fromhex(f"{sign}0x{whole.replace('_', '')}.{point}p{power}")
    except OverflowError:
        return float("inf")


_TOP: Final = 1 << 60


def format_float(value: float, verb: str, prec: int) -> str:
    """Write ``value`` as strconv.FormatFloat does.

    ``verb`` is one of e, E, f, g, G, b, x, X; ``prec`` is the precision, -1 for as many digits as
    are needed to read the same number back.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if prec < 0 and verb == "g":
        return _shortest_g(value)
    lower = verb.lower()
    if lower == "b":
        return _binary(value)
    if lower == "x":
        text = _hexadecimal(value, prec)
    elif prec < 0:
        text = _SHORTEST[lower](value)
    elif lower == "g":
        text = f"{value:.{prec or 1}g}"
    else:
        text = f"{value:.{prec}{lower}}"
    return text.upper() if verb.isupper() else text


def shortest_digits(value: float) -> tuple[str, int]:
    """Return the fewest digits that give ``value`` (not negative) back, and where the point is.

    ("12", 3) is 120, ("12", -1) is 0.012. Zero is ("0", 1).
    """
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    if not digits:
        return "0", 1
    if whole == "0":
        point = len(digits) - len(fraction)
    return digits.rstrip("0"), point


def _sign(value: float) -> str:
    """Return "-" for a negative number, minus zero included."""
    return "-" if math.copysign(1.0, value) < 0 else ""


def _shortest_e(value: float) -> str:
    """Write d.ddde±dd."""
    digits, point = shortest_digits(abs(value))
    exponent = point - 1 if value else 0
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{_sign(value)}{digits[0]}{tail}e{exponent:+03d}"


def _shortest_f(value: float) -> str:
    """Write the number without an exponent."""
    digits, point = shortest_digits(abs(value))
    if point <= 0:
        text = "0." + "0" * -point + digits
    elif point >= len(digits):
        text = digits + "0" * (point - len(digits))
    else:
        text = f"{digits[:point]}.{digits[point:]}"
    return _sign(value) + text


def shortest(value: float) -> str:
    """Write a number as %v does (%g with as many digits as needed)."""
    return format_float(value, "g", -1)


def _shortest_g(value: float) -> str:
    """Write a number with an exponent if it is below 1e-4, or from 1e6."""
    if 1e-4 <= abs(value) < 1e6:
        text = repr(value)
        return text[:-2] if text.endswith(".0") else text
    exponent = shortest_digits(abs(value))[1] - 1
    return _shortest_f(value) if -4 <= exponent < 6 else _shortest_e(value)


_SHORTEST: Final = {"e": _shortest_e, "f": _shortest_f, "g": _shortest_g}


def _parts(value: float) -> tuple[int, int]:
    """Return the 53-bit mantissa and the exponent of its unit, as they are stored."""
    mantissa, exponent = math.frexp(abs(value))
    exponent -= 53
    if value == 0 or exponent < -1074:
        return int(math.ldexp(abs(value), 1074)), -1074
    return int(math.ldexp(mantissa, 53)), exponent


def _binary(value: float) -> str:
    """Write %b: the mantissa, "p" and the power of two."""
    mantissa, exponent = _parts(value)
    return f"{_sign(value)}{mantissa}p{exponent:+d}"


def _hexadecimal(value: float, prec: int) -> str:
    """Write %x: a hexadecimal mantissa and a power of two."""
    mantissa, exponent = _parts(value)
    exponent += 52
    mantissa <<= 8
    if not mantissa:
        exponent = 0
    while mantissa and not mantissa & _TOP:
        mantissa <<= 1
        exponent -= 1
    if 0 <= prec < 15:
        shift = prec * 4
        extra = (mantissa << shift) & (_TOP - 1)
        mantissa >>= 60 - shift
        if extra | (mantissa & 1) > _TOP >> 1:
            mantissa += 1
        mantissa <<= 60 - shift
        if mantissa & (_TOP << 1):
            mantissa >>= 1
            exponent += 1
    fraction = f"{mantissa & (_TOP - 1):015x}"
    fraction = fraction.rstrip("0") if prec < 0 else fraction.ljust(prec, "0")[:prec]
    point = "." if fraction else ""
    return f"{_sign(value)}0x{mantissa >> 60}{point}{fraction}p{exponent:+03d}"
