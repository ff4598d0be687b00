"""Floating-point numbers as text (Go: strconv/ftoa.go)."""

from __future__ import annotations

import math
from typing import Final

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
