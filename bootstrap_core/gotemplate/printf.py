"""printf: the format, its flags, widths and argument numbers (Go: fmt/print.go, doPrintf)."""

from __future__ import annotations

from typing import Final

from bootstrap_core.gotemplate.format import Flags
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.printer import Printer
from bootstrap_core.gotemplate.runes import valid
from bootstrap_core.gotemplate.values import INVALID, Value, type_name

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
