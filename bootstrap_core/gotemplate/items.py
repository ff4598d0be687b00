"""The items that the lexer gives to the parser (Go: text/template/parse/lex.go, item).

Go makes an item of the blanks between items; here the item after them knows of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from bootstrap_core.gotemplate.quote import quote
from bootstrap_core.gotemplate.runes import length

ERROR: Final = "error"
BOOL: Final = "bool"
CHAR: Final = "char"
CHAR_CONSTANT: Final = "char_constant"
COMPLEX: Final = "complex"
ASSIGN: Final = "assign"
DECLARE: Final = "declare"
EOF: Final = "EOF"
FIELD: Final = "field"
IDENTIFIER: Final = "identifier"
LEFT_DELIM: Final = "left_delim"
LEFT_PAREN: Final = "left_paren"
NUMBER: Final = "number"
PIPE: Final = "pipe"
RAW_STRING: Final = "raw_string"
RIGHT_DELIM: Final = "right_delim"
RIGHT_PAREN: Final = "right_paren"
STRING: Final = "string"
TEXT: Final = "text"
VARIABLE: Final = "variable"
DOT: Final = "dot"

KEYWORDS: Final = frozenset(
    [
        "block",
        "break",
        "continue",
        "define",
        "else",
        "end",
        "if",
        "nil",
        "range",
        "template",
        "with",
        "dot",
    ]
)
SPACES: Final = " \t\r\n"


class Item(NamedTuple):
    """A piece of a template: its type (a keyword is its own type), place, text and line.

    ``spaced`` says that blanks stand before it.
    """

    typ: str
    pos: int
    val: str
    line: int
    spaced: bool = False

    def __str__(self) -> str:
        if self.typ == EOF:
            return "EOF"
        if self.typ == ERROR:
            return self.val
        if self.typ in KEYWORDS:
            return f"<{self.val}>"
        if length(self.val) > 10:
            return quote(self.val[:10]) + "..."
        return quote(self.val)


# An Item from the tuple of all its fields, at half the cost of a call of the class.
new_item: Final[Callable[[tuple[str, int, str, int, bool]], Item]] = partial(tuple.__new__, Item)
