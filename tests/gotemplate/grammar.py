"""Random templates: mostly right, often strange, sometimes broken."""

# ruff: noqa: SIM905 - words are read more easily in a text than in a list

from __future__ import annotations

import random
from collections.abc import Callable

LITERALS = (
    '0 1 -1 2 7 1.5 -0.0 1e3 1e21 1e-7 0x1F 0b101 017 \'a\' \'é\' 1i 2+3i "abc" "é" "" '
    '"%d" "%v" `r` true false nil "\\xff" 9223372036854775807 18446744073709551615 100000000'
).split()
FIELDS = (
    ".Vars.s .Vars.n .Vars.l .Vars.m .Vars.nope .Vars.deep .Device.ID .Device .Bindings . $ $x $y "
    ".Bindings.c.Secret .Bindings.nope .a .x $x.a .Vars.m.a.b .Vars.big .Vars"
).split()
FUNCTIONS = (
    "print println printf len index slice html js urlquery eq ne lt le gt ge and or not toJSON "
    "default required call"
).split()
PIECES = (
    "{{ }} {{- -}} { } - \" ` ' \\ $ $x := = : | ( ) . .. [ , 0 1e 0x /* */ {{/* */}} é \x00 nil "
    "if else end range with define template block break continue {{end}} {{else}} print \n \t"
).split(" ")
VERBS = "vdsqxXUcbtoOeEfFgGTw%!z"


class Grammar:
    """A maker of templates from one source of randomness."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - not for secrets

    def one(self, *options: str) -> str:
        return self.random.choice(options)

    def format(self) -> str:
        text = ""
        for _ in range(self.random.randint(1, 3)):
            flags = "".join(self.random.choices("+-# 0", k=self.random.randint(0, 2)))
            width = self.one("", "", "5", "*", "[1]*", "999999999", "9999")
            prec = self.one("", "", ".", ".3", ".*", ".999999999")
            text += f"%{flags}{self.one('', '[1]', '[9]')}{width}{prec}{self.one(*VERBS)}"
        return f'"{text}"'

    def call(self, depth: int) -> str:
        name = self.one(*FUNCTIONS)
        operands = [self.operand(depth - 1) for _ in range(self.random.choice([0, 1, 1, 2, 2, 3]))]
        if name == "printf":
            operands.insert(0, self.format())
        return " ".join([name, *operands])

    def operand(self, depth: int) -> str:
        kind = self.random.random()
        if kind < 0.35:
            return self.one(*LITERALS)
        if kind < 0.7 or depth <= 0:
            return self.one(*FIELDS)
        return f"({self.pipeline(depth - 1)}){self.one('', '', '.a', '.x.y')}"

    def pipeline(self, depth: int) -> str:
        first = self.call(depth) if self.random.random() < 0.7 else self.operand(depth)
        return " | ".join(
            [first, *(self.call(depth) for _ in range(self.random.choice([0, 0, 1])))]
        )

    def statement(self, depth: int) -> str:
        kinds: list[Callable[[int], str]] = [self.action, self.action, self.branch, self.loop]
        kinds += [self.definition, self.declaration]
        return self.random.choice(kinds)(depth) if depth > 0 else self.action(depth)

    def body(self, depth: int) -> str:
        return "".join(self.statement(depth - 1) for _ in range(self.random.randint(0, 2)))

    def action(self, depth: int) -> str:
        return f"{self.one('', 'text ', chr(10))}{{{{{self.one('', '- ')}{self.pipeline(2)}}}}}"

    def branch(self, depth: int) -> str:
        name = self.one("if", "with")
        text = f"{{{{{name} {self.pipeline(2)}}}}}{self.body(depth)}"
        if self.random.random() < 0.3:
            text += f"{{{{else {name} {self.pipeline(1)}}}}}{self.body(depth)}"
        if self.random.random() < 0.5:
            text += f"{{{{else}}}}{self.body(depth)}"
        return text + "{{end}}"

    def loop(self, depth: int) -> str:
        over = self.one(self.pipeline(1), ".Vars.l", ".Vars.m", "100000000", "3", ".Vars")
        variables = self.one("", "$x := ", "$k, $x := ", "$x = ")
        leave = self.one("", "", "{{break}}", "{{continue}}")
        return (
            f"{{{{range {variables}{over}}}}}{self.body(depth)}{leave}{self.body(depth)}{{{{end}}}}"
        )

    def definition(self, depth: int) -> str:
        name = self.one("t", "u")
        if self.random.random() < 0.5:
            return f'{{{{template "{name}" {self.pipeline(1)}}}}}'
        return f'{{{{block "{name}" {self.pipeline(1)}}}}}{self.body(depth)}{{{{end}}}}'

    def declaration(self, depth: int) -> str:
        return f"{{{{{self.one('$x', '$y')} {self.one(':=', '=')} {self.pipeline(2)}}}}}"

    def template(self) -> str:
        """Return a template; one in four has been tampered with."""
        text = "{{$x := .Vars.l}}{{$y := 1}}" + "".join(self.statement(3) for _ in range(3))
        if self.random.random() < 0.25:
            place = self.random.randint(0, len(text))
            cut = self.random.randint(0, 4)
            text = text[:place] + self.one(*PIECES) + text[place + cut :]
        return text
