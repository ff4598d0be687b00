"""Padding, and the single values of printf (Go: fmt/format.go)."""

from __future__ import annotations

from typing import Final

from bootstrap_core.gotemplate.errors import BudgetError
from bootstrap_core.gotemplate.floats import format_float
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.quote import can_backquote, quote, quote_ascii, quote_rune
from bootstrap_core.gotemplate.runes import REPLACEMENT, is_print, to_bytes

_MAX_RUNE: Final = 0x10FFFF
_BASES: Final = {2: "b", 8: "o", 10: "d", 16: "x"}


class Flags:
    """What stands between "%" and the verb. ``width`` and ``prec`` are None where not given.

    ``plus_v`` and ``sharp_v`` are %+v and %#v, which change what the verb means.
    """

    __slots__ = ("minus", "plus", "plus_v", "prec", "sharp", "sharp_v", "space", "width", "zero")

    def __init__(self) -> None:
        """Start with nothing set."""
        self.minus = self.plus = self.sharp = self.space = self.zero = False
        self.plus_v = self.sharp_v = False
        self.width: int | None = None
        self.prec: int | None = None

    def check(self, budget: Budget) -> None:
        """Refuse a width or precision over the limit, and count the work of padding.

        Raises:
            BudgetError: it is over the limit.

        """
        size = max(self.width or 0, self.prec or 0)
        if size > budget.limits.width:
            raise BudgetError(
                "width", f"a width or precision of {size}; at most {budget.limits.width}"
            )
        budget.room(size)

    def pad(self, text: str, *, zero: bool | None = None) -> str:
        """Fill ``text`` up to the width with blanks, or with zeros on the left."""
        if not self.width:
            return text
        if self.minus:
            return text.ljust(self.width)
        zero = self.zero if zero is None else zero
        return text.rjust(self.width, "0" if zero else " ")

    def truncate(self, text: str) -> str:
        """Cut ``text`` to the precision, in characters."""
        return text if self.prec is None else text[: self.prec]


def fmt_boolean(flags: Flags, value: bool) -> str:  # noqa: FBT001 - the value to print
    """Write a boolean."""
    return flags.pad("true" if value else "false")


def fmt_s(flags: Flags, text: str) -> str:
    """Write a string (%s)."""
    return flags.pad(flags.truncate(text))


def fmt_q(flags: Flags, text: str) -> str:
    """Write a string in quotes (%q)."""
    text = flags.truncate(text)
    if flags.sharp and can_backquote(text):
        return flags.pad(f"`{text}`")
    return flags.pad(quote_ascii(text) if flags.plus else quote(text))


def fmt_sx(flags: Flags, text: str, *, upper: bool) -> str:
    """Write the bytes of a string in hexadecimal (%x, %X)."""
    data = to_bytes(text)[: flags.prec]
    prefix = ("0X" if upper else "0x") if flags.sharp else ""
    shown = data.hex(" ") if flags.space else data.hex()
    shown = shown.upper() if upper else shown
    if prefix and flags.space:
        shown = shown.replace(" ", f" {prefix}")
    return flags.pad(prefix + shown if data else "")


def fmt_c(flags: Flags, number: int) -> str:
    """Write the character of a code point (%c)."""
    return flags.pad(_rune(number))


def fmt_qc(flags: Flags, number: int) -> str:
    """Write the character of a code point in quotes (%q)."""
    return flags.pad(quote_rune(_rune(number), ascii_only=flags.plus))


def _rune(number: int) -> str:
    """Return the character of a code point, U+FFFD if there is none."""
    valid = 0 <= number <= _MAX_RUNE and not 0xD800 <= number <= 0xDFFF
    return chr(number) if valid else REPLACEMENT


def fmt_unicode(flags: Flags, number: int) -> str:
    """Write a code point as U+0078, with its character if asked for (%U)."""
    number &= 0xFFFFFFFFFFFFFFFF
    text = f"U+{number:0{max(4, flags.prec or 0)}X}"
    if flags.sharp and number <= _MAX_RUNE and is_print(chr(number)):
        text += f" '{chr(number)}'"
    return flags.pad(text, zero=False)


def fmt_integer(flags: Flags, value: int, base: int, verb: str, *, sharp: bool) -> str:
    """Write an integer in a base. ``sharp`` asks for the prefix of the base."""
    if flags.prec == 0 and value == 0:
        return flags.pad("", zero=False)
    digits = format(abs(value), _BASES[base])
    prec = flags.prec
    if prec is None:
        prec = 0
        if flags.zero and not flags.minus and flags.width:
            prec = flags.width - (value < 0 or flags.plus or flags.space)
    digits = digits.rjust(prec, "0")
    if sharp and base == 2:
        digits = f"0b{digits}"
    elif sharp and base == 16:
        digits = f"0x{digits}"
    elif sharp and base == 8 and digits[0] != "0":
        digits = f"0{digits}"
    if verb == "O":
        digits = f"0o{digits}"
    elif verb == "X":
        digits = digits.upper()
    return flags.pad(_signed(flags, digits, negative=value < 0), zero=False)


def _signed(flags: Flags, digits: str, *, negative: bool) -> str:
    """Put the sign before the digits."""
    if negative:
        return f"-{digits}"
    if flags.plus:
        return f"+{digits}"
    return f" {digits}" if flags.space else digits


def fmt_float(flags: Flags, value: float, verb: str, prec: int) -> str:
    """Write a floating-point number. ``prec`` counts where the flags have none."""
    if flags.prec is not None:
        prec = flags.prec
    text = format_float(value, verb, prec)
    sign, text = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
    if flags.space and sign == "+" and not flags.plus:
        sign = " "
    if text[0] in "IN":
        bare = text[0] == "N" and not flags.space and not flags.plus
        return flags.pad(text if bare else sign + text, zero=False)
    if flags.sharp and verb != "b":
        text = _keep_point(text, verb, prec)
    if not flags.plus and sign == "+":
        return flags.pad(text)
    if flags.zero and not flags.minus and flags.width and flags.width > len(text) + 1:
        return sign + text.rjust(flags.width - 1, "0")
    return flags.pad(sign + text)


def _keep_point(text: str, verb: str, prec: int) -> str:
    """Give a number its decimal point, and the zeros up to the precision (the flag #)."""
    digits = 0
    if verb in "gGx":
        digits = 6 if prec == -1 else prec
    ends = "pP" if verb in "xX" else "eEpP"
    end = next((i for i, char in enumerate(text) if char in ends), len(text))
    number, tail = text[:end], text[end:]
    digits -= len(number.replace(".", "").lstrip("0"))
    if "." not in number:
        if number == "0":
            digits -= 1
        number += "."
    return number + "0" * max(digits, 0) + tail


def fmt_complex(flags: Flags, value: complex, verb: str, prec: int) -> str:
    """Write a complex number as (r+ji); the imaginary part always has its sign."""
    real = fmt_float(flags, value.real, verb, prec)
    plus, flags.plus = flags.plus, True
    imag = fmt_float(flags, value.imag, verb, prec)
    flags.plus = plus
    return f"({real}{imag}i)"
