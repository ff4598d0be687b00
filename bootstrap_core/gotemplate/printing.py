"""Values as text: print, println and printf (Go: fmt/format.go, fmt/print.go)."""

from __future__ import annotations

from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import BudgetError, FunctionError
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.numbers import format_float, shortest
from bootstrap_core.gotemplate.text import (
    REPLACEMENT,
    all_print,
    can_backquote,
    from_bytes,
    is_print,
    normal,
    quote,
    quote_ascii,
    quote_rune,
    to_bytes,
    valid,
)
from bootstrap_core.gotemplate.values import (
    INVALID,
    Value,
    from_data,
    kind_of,
    sorted_keys,
    type_name,
)

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


NO_VALUE: Final = "<no value>"
_INTEGER_BASES: Final = {"v": 10, "d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FLOAT_VERBS: Final = {"v": ("g", -1), "F": ("f", 6)} | {
    verb: (verb, 6 if verb in "feE" else -1) for verb in "bgGxXfeE"
}


class Printer:
    """Text that is being put together, and the flags of the verb at work."""

    __slots__ = ("budget", "flags", "pieces", "size")

    def __init__(self, budget: Budget) -> None:
        """Start with no text and no flags."""
        self.budget = budget
        self.flags = Flags()
        self.pieces: list[str] = []
        self.size = 0

    def write(self, text: str) -> None:
        """Add ``text``.

        Raises:
            BudgetError: the whole would be too long.

        """
        self.pieces.append(text)
        self.size += len(text)
        if self.size > self.budget.limits.string:
            raise BudgetError(
                "string", f"a value of more than {self.budget.limits.string} characters"
            )

    def text(self) -> str:
        """Return all that was written."""
        self.budget.room(self.size)
        return normal("".join(self.pieces))

    def print_arg(self, value: Value, verb: str) -> None:
        """Write one argument of a print function."""
        if value is None or value is values.INVALID:
            if verb in "Tv":
                self.write(self.flags.pad("<nil>"))
            else:
                self.bad_verb(value, verb)
        elif verb == "T":
            self.write(fmt_s(self.flags, type_name(value)))
        elif verb == "p":
            self.print_pointer(value)
        else:
            self.print_value(value, verb, 0)

    def print_pointer(self, value: Value) -> None:
        """Write %p: nothing here has an address that would be the same twice."""
        kind = kind_of(value)
        if type(value) is values.NilMap:
            self.write(fmt_integer(self.flags, 0, 16, "v", sharp=not self.flags.sharp))
        elif kind in {values.MAP, values.SLICE}:
            raise FunctionError("%p of a map or list: addresses are not available")
        else:
            self.bad_verb(value, "p")

    def bad_verb(self, value: Value, verb: str) -> None:
        """Write %!verb(type=value)."""
        self.write(f"%!{verb}(")
        if value is None or value is values.INVALID:
            self.write("<nil>")
        else:
            self.write(f"{type_name(value)}=")
            self.print_value(value, "v", 0)
        self.write(")")

    def print_value(self, value: Value, verb: str, depth: int) -> None:
        """Write a value that is not nil, or one inside another."""
        kind = kind_of(value)
        text = self.simple(value, kind, verb)
        if text is not None:
            self.write(text)
        elif kind in _COMPOSITES:
            self.budget.step(1 + len(value))
            if depth >= self.budget.limits.data_depth:
                raise BudgetError(
                    "data_depth", f"a value nested deeper than {self.budget.limits.data_depth}"
                )
            _COMPOSITES[kind](self, value, verb, depth + 1)
        else:
            self.bad_verb(value, verb)

    def simple(self, value: Value, kind: str, verb: str) -> str | None:
        """Return the text of a value without parts; None if the verb is not for it."""
        flags = self.flags
        if kind == values.STRING:
            return self.string(value if isinstance(value, str) else from_bytes(value), verb)
        if kind == values.FLOAT:
            if verb == "v" and flags.width is None and flags.prec is None and _plain(flags):
                return shortest(value)
            form = _FLOAT_VERBS.get(verb)
            self.budget.step((flags.prec or 0) // 16)
            return fmt_float(flags, value, *form) if form else None
        if kind in {values.INT, values.UINT}:
            return self.integer(value, verb, unsigned=kind == values.UINT)
        if kind == values.BOOL:
            return fmt_boolean(flags, value) if verb in "tv" else None
        if kind == values.COMPLEX:
            form = _FLOAT_VERBS.get(verb)
            self.budget.step(6 + (flags.prec or 0) // 8)
            return fmt_complex(flags, value, *form) if form else None
        return None

    def string(self, text: str, verb: str) -> str | None:
        """Return a string under a verb; None if the verb is not for strings."""
        flags = self.flags
        if verb == "q" or (verb == "v" and flags.sharp_v):
            quick = text.isascii() or (all_print(text) and not flags.plus)
            self.budget.step(len(text) // (64 if quick else 1))
            return fmt_q(flags, text)
        if verb in "vs":
            return fmt_s(flags, text)
        if verb in "xX":
            self.budget.room(2 * len(text))
            return fmt_sx(flags, text, upper=verb == "X")
        return None

    def integer(self, value: int, verb: str, *, unsigned: bool) -> str | None:
        """Return an integer under a verb; None if the verb is not for integers."""
        flags = self.flags
        if verb == "v" and flags.sharp_v and unsigned:
            return fmt_integer(flags, value, 16, verb, sharp=True)
        base = _INTEGER_BASES.get(verb)
        if base:
            return fmt_integer(flags, value, base, verb, sharp=flags.sharp)
        form = _CHARACTER_VERBS.get(verb)
        return form(flags, value) if form else None

    def slice(self, value: Value, verb: str, depth: int) -> None:
        """Write a list."""
        sharp = self.flags.sharp_v
        self.write(f"{type_name(value)}{{" if sharp else "[")
        for i, element in enumerate(value):
            if i:
                self.write(", " if sharp else " ")
            self.element(element, verb, depth)
        self.write("}" if sharp else "]")

    def map(self, value: Value, verb: str, depth: int) -> None:
        """Write a map, in the order of its keys."""
        sharp = self.flags.sharp_v
        if sharp and type(value) is values.NilMap:
            self.write(f"{type_name(value)}(nil)")
            return
        self.write(f"{type_name(value)}{{" if sharp else "map[")
        for i, key in enumerate(sorted_keys(value)):
            if i:
                self.write(", " if sharp else " ")
            self.print_value(key, verb, depth)
            self.write(":")
            self.element(value[key], verb, depth)
        self.write("}" if sharp else "]")

    def struct(self, value: Value, verb: str, depth: int) -> None:
        """Write a struct: its fields in order, with their names if asked for."""
        sharp = self.flags.sharp_v
        self.write(f"{value.type_name}{{" if sharp else "{")
        for i, (name, element) in enumerate(value.items()):
            if i:
                self.write(", " if sharp else " ")
            if sharp or self.flags.plus_v:
                self.write(f"{name}:")
            self.element(element, verb, depth)
        self.write("}")

    def element(self, value: Value, verb: str, depth: int) -> None:
        """Write a part of a map, list or struct."""
        if value is None:
            self.write("interface {}(nil)" if self.flags.sharp_v else "<nil>")
        else:
            self.print_value(from_data(value), verb, depth)


def _plain(flags: Flags) -> bool:
    """Say whether no flag changes how a number is written."""
    return not (flags.plus or flags.space or flags.sharp)


_COMPOSITES: Final = {
    values.SLICE: Printer.slice,
    values.MAP: Printer.map,
    values.STRUCT: Printer.struct,
}
_CHARACTER_VERBS: Final = {"c": fmt_c, "q": fmt_qc, "U": fmt_unicode}


def sprint(budget: Budget, args: list[Value]) -> str:
    """Return the arguments as print does: blanks between those that are both not strings."""
    if len(args) == 1 and type(args[0]) is str:
        budget.step(1)
        return args[0]
    budget.step(len(args))
    printer = Printer(budget)
    after_string = True
    for value in args:
        is_string = isinstance(value, str | bytes)
        if not is_string and not after_string:
            printer.write(" ")
        printer.print_arg(value, "v")
        after_string = is_string
    return printer.text()


def sprintln(budget: Budget, args: list[Value]) -> str:
    """Return the arguments as println does: blanks between them, and a newline."""
    budget.step(len(args))
    printer = Printer(budget)
    for i, value in enumerate(args):
        if i:
            printer.write(" ")
        printer.print_arg(value, "v")
    printer.write("\n")
    return printer.text()


def printable(value: Value) -> Value:
    """Return what stands for a value in the output: <no value> for nil (Go: printableValue)."""
    return NO_VALUE if value is None or value is values.INVALID else value


_TOO_LARGE: Final = 1_000_000
_FLAGS: Final = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
_DIGITS: Final = frozenset("0123456789")


def sprintf(budget: Budget, format_: str, args: list[Value]) -> str:
    """Return the arguments under a format."""
    return Printf(budget, format_, args).run()


class Printf:
    """The state of one printf: the place in the format and the argument that is next.

    ``reordered`` says that an argument number was used, ``good`` that those of the verb at work
    are right, ``after_index`` that the item just read was such a number.
    """

    __slots__ = (
        "after_index", "args", "budget", "format", "good", "next", "pos", "printer", "reordered"
    )  # fmt: skip

    def __init__(self, budget: Budget, format_: str, args: list[Value]) -> None:
        """Start at the beginning of the format."""
        self.budget = budget
        self.printer = Printer(budget)
        self.format = format_
        self.args = args
        self.pos = 0
        self.next = 0
        self.reordered = False
        self.good = True
        self.after_index = False

    def run(self) -> str:
        """Write the whole format, and complain about arguments left over."""
        text = self.format
        while self.pos < len(text):
            percent = text.find("%", self.pos)
            if percent < 0:
                self.printer.write(text[self.pos :])
                break
            if percent > self.pos:
                self.printer.write(text[self.pos : percent])
            self.pos = percent + 1
            self.budget.step(1)
            self.directive()
        if not self.reordered and self.next < len(self.args):
            self.extra()
        return self.printer.text()

    def directive(self) -> None:
        """Write what one "%" asks for."""
        text = self.format
        flags = self.printer.flags = Flags()
        self.good = True
        while text[self.pos : self.pos + 1] in _FLAGS:
            setattr(flags, _FLAGS[text[self.pos]], True)
            self.pos += 1
        if "a" <= text[self.pos : self.pos + 1] <= "z" and self.next < len(self.args):
            self.verb(text[self.pos])
            return
        self.argument_number()
        self.width(flags)
        self.precision(flags)
        if not self.after_index:
            self.argument_number()
        if self.pos >= len(text):
            self.printer.write("%!(NOVERB)")
            return
        flags.check(self.budget)
        self.verb(valid(text[self.pos]))

    def width(self, flags: Flags) -> None:
        """Read a width."""
        if self.format[self.pos : self.pos + 1] != "*":
            flags.width = self.number()
            if self.after_index and flags.width is not None:
                self.good = False
            return
        self.pos += 1
        flags.width = self.number_of_argument()
        if flags.width is None:
            self.printer.write("%!(BADWIDTH)")
        elif flags.width < 0:
            flags.width = -flags.width
            flags.minus = True
            flags.zero = False
        self.after_index = False

    def precision(self, flags: Flags) -> None:
        """Read a precision."""
        if self.pos + 1 >= len(self.format) or self.format[self.pos] != ".":
            return
        self.pos += 1
        if self.after_index:
            self.good = False
        self.argument_number()
        if self.format[self.pos : self.pos + 1] != "*":
            flags.prec = self.number() or 0
            return
        self.pos += 1
        flags.prec = self.number_of_argument()
        if flags.prec is not None and flags.prec < 0:
            flags.prec = None
        if flags.prec is None:
            self.printer.write("%!(BADPREC)")
        self.after_index = False

    def number(self) -> int | None:
        """Read a number; None if there is none. One that is far too large ends the format."""
        text, start = self.format, self.pos
        value = 0
        while text[self.pos : self.pos + 1] in _DIGITS:
            if value > _TOO_LARGE:
                self.pos = len(text)
                return None
            value = value * 10 + int(text[self.pos])
            self.pos += 1
        return value if self.pos > start else None

    def number_of_argument(self) -> int | None:
        """Take an argument as a width or precision; None if it is no integer or too large."""
        if self.next >= len(self.args):
            return None
        value = self.args[self.next]
        self.next += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _TOO_LARGE:
            return None
        return value

    def argument_number(self) -> None:
        """Read the number of an argument in brackets, such as [2]."""
        self.after_index = False
        if self.format[self.pos : self.pos + 1] != "[":
            return
        self.reordered = True
        start = self.pos
        end = self.format.find("]", start + 1)
        if len(self.format) - start < 3 or end < 0:
            self.pos = start + 1
            self.good = False
            return
        self.pos = start + 1
        value = self.number()
        good = value is not None and self.pos == end
        self.pos = end + 1
        self.after_index = good
        if value is not None and good and 1 <= value <= len(self.args):
            self.next = value - 1
        else:
            self.good = False

    def verb(self, verb: str) -> None:
        """Write the argument that is next under a verb."""
        self.pos += 1
        printer = self.printer
        if verb == "%":
            printer.write("%")
        elif not self.good:
            printer.write(f"%!{verb}(BADINDEX)")
        elif self.next >= len(self.args):
            printer.write(f"%!{verb}(MISSING)")
        else:
            if verb in "vw":
                flags = printer.flags
                flags.sharp_v, flags.sharp = flags.sharp, False
                flags.plus_v, flags.plus = flags.plus, False
            value = self.args[self.next]
            if verb == "w":
                printer.bad_verb(value, verb)
            else:
                printer.print_arg(value, verb)
            self.next += 1

    def extra(self) -> None:
        """Write the arguments that no verb took."""
        self.budget.step(len(self.args) - self.next)
        printer = self.printer
        printer.flags = Flags()
        printer.write("%!(EXTRA ")
        for i, value in enumerate(self.args[self.next :]):
            if i:
                printer.write(", ")
            if value is None or value is INVALID:
                printer.write("<nil>")
            else:
                printer.write(f"{type_name(value)}=")
                printer.print_arg(value, "v")
        printer.write(")")
