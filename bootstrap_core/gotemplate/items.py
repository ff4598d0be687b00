"""The items that the lexer gives to the parser (Go: text/template/parse/lex.go, item)."""

from __future__ import annotations

from typing import Final, NamedTuple

from bootstrap_core.gotemplate.quote import quote
from bootstrap_core.gotemplate.runes import length

ERROR: Final = "error"
BOOL: Final = "bool"
CHAR: Final = "char"
CHAR_CONSTANT: Final = "char constant"
COMPLEX: Final = "complex"
ASSIGN: Final = "assign"
DECLARE: Final = "declare"
EOF: Final = "EOF"
FIELD: Final = "field"
IDENTIFIER: Final = "identifier"
LEFT_DELIM: Final = "left delim"
LEFT_PAREN: Final = "left paren"
NUMBER: Final = "number"
PIPE: Final = "pipe"
RAW_STRING: Final = "raw string"
RIGHT_DELIM: Final = "right delim"
RIGHT_PAREN: Final = "right paren"
SPACE: Final = "space"
STRING: Final = "string"
TEXT: Final = "text"
VARIABLE: Final = "variable"
DOT: Final = "."

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
        ".",
    ]
)
SPACES: Final = " \t\r\n"


class Item(NamedTuple):
    """A piece of a template: its type (a keyword is its own type), place, text and line."""

    typ: str
    pos: int
    val: str
    line: int

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
