"""Values as text, by verb and kind (Go: fmt/print.go)."""

from __future__ import annotations

from typing import Final

from bootstrap_core.gotemplate import format as fmt
from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import BudgetError, FunctionError
from bootstrap_core.gotemplate.floats import shortest
from bootstrap_core.gotemplate.limits import Budget
from bootstrap_core.gotemplate.runes import all_print, from_bytes, normal
from bootstrap_core.gotemplate.values import Value, from_data, kind_of, sorted_keys, type_name

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
        self.flags = fmt.Flags()
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
            self.write(fmt.fmt_s(self.flags, type_name(value)))
        elif verb == "p":
            self.print_pointer(value)
        else:
            self.print_value(value, verb, 0)

    def print_pointer(self, value: Value) -> None:
        """Write %p: nothing here has an address that would be the same twice."""
        kind = kind_of(value)
        if type(value) is values.NilMap:
            self.write(fmt.fmt_integer(self.flags, 0, 16, "v", sharp=not self.flags.sharp))
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
            return fmt.fmt_float(flags, value, *form) if form else None
        if kind in {values.INT, values.UINT}:
            return self.integer(value, verb, unsigned=kind == values.UINT)
        if kind == values.BOOL:
            return fmt.fmt_boolean(flags, value) if verb in "tv" else None
        if kind == values.COMPLEX:
            form = _FLOAT_VERBS.get(verb)
            self.budget.step(6 + (flags.prec or 0) // 8)
            return fmt.fmt_complex(flags, value, *form) if form else None
        return None

    def string(self, text: str, verb: str) -> str | None:
        """Return a string under a verb; None if the verb is not for strings."""
        flags = self.flags
        if verb == "q" or (verb == "v" and flags.sharp_v):
            quick = text.isascii() or (all_print(text) and not flags.plus)
            self.budget.step(len(text) // (64 if quick else 1))
            return fmt.fmt_q(flags, text)
        if verb in "vs":
            return fmt.fmt_s(flags, text)
        if verb in "xX":
            self.budget.room(2 * len(text))
            return fmt.fmt_sx(flags, text, upper=verb == "X")
        return None

    def integer(self, value: int, verb: str, *, unsigned: bool) -> str | None:
        """Return an integer under a verb; None if the verb is not for integers."""
        flags = self.flags
        if verb == "v" and flags.sharp_v and unsigned:
            return fmt.fmt_integer(flags, value, 16, verb, sharp=True)
        base = _INTEGER_BASES.get(verb)
        if base:
            return fmt.fmt_integer(flags, value, base, verb, sharp=flags.sharp)
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


def _plain(flags: fmt.Flags) -> bool:
    """Say whether no flag changes how a number is written."""
    return not (flags.plus or flags.space or flags.sharp)


_COMPOSITES: Final = {
    values.SLICE: Printer.slice,
    values.MAP: Printer.map,
    values.STRUCT: Printer.struct,
}
_CHARACTER_VERBS: Final = {"c": fmt.fmt_c, "q": fmt.fmt_qc, "U": fmt.fmt_unicode}


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
