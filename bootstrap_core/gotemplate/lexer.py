"""From a template's text to items (Go: text/template/parse/lex.go).

Positions are indexes into the text; ``place`` turns one into Go's line and byte column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from bootstrap_core.gotemplate.text import code_point, is_alpha_numeric, length, quote, to_bytes

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


_BLANKS: Final = frozenset(SPACES)
_SIGNS: Final = frozenset("+-")
_TERMINATORS: Final = frozenset(" \t\r\n.,|:)(") | {""}

_TERMINATED: Final = r"(?=[ \t\r\n.,|:)(]|\}\}|\Z)"
_DIGITS: Final = (
    r"(?>[+-]?(?>0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?"
    r"|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?)"
)
_SCAN_NUMBER: Final = re.compile(_DIGITS)
# All blanks but for one before "-}}", to which it belongs. Python 3.11.2 finds wrong matches where
# a lookahead stands within a possessive group; here the lookaheads stand behind it.
_BLANK: Final = r"(?P<blank>[ \t\r\n]*+(?!-\}\})|[ \t\r\n]*(?=[ \t\r\n]-\}\})|)"
_SKIP_BLANK: Final = re.compile(_BLANK)
# The items of ordinary templates, each in one match; ``lex_odd`` has the rest and the mistakes.
_ITEM: Final = re.compile(
    _BLANK + r"(?:(?P<field>\.[A-Za-z_][A-Za-z0-9_]*+" + _TERMINATED + ")"
    r"|(?P<right_delim>[ \t\r\n]-\}\}|\}\})"
    r"|(?P<identifier>[A-Za-z_][A-Za-z0-9_]*+" + _TERMINATED + ")"
    r'|(?P<string>"(?:[^"\\\n]++|\\[^\n])*+")'
    r"|(?P<variable>\$[A-Za-z0-9_]*+" + _TERMINATED + ")"
    r"|(?P<number>(?=[+\-0-9]|\.[0-9])" + _DIGITS + r"(?=[ \t\r\n|)]|\}\}))"
    r"|(?P<left_paren>\()|(?P<right_paren>\))|(?P<pipe>\|)|(?P<declare>:=)|(?P<assign>=)"
    r"|(?P<dot>\.(?=[ \t\r\n.,|:)(]|\}\}))"
    r"|(?P<raw_string>`[^`]*+`)"
    r"|(?P<char_constant>'(?:[^'\\\n]++|\\[^\n])*+'))"
)
_WORDS: Final = {word: word for word in KEYWORDS - {DOT}} | {"true": BOOL, "false": BOOL}
_NESTED: Final = {RIGHT_DELIM: 0, LEFT_PAREN: 1, RIGHT_PAREN: -1}
_UNTERMINATED: Final = {
    "": "unclosed action",
    ":": "expected :=",
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
}


def lex(text: str, most: int) -> list[Item]:
    """Split a template into items. The last item is EOF, or ERROR with what is wrong there.

    A text of many more than ``most`` items is not read to its end.
    """
    lexer = Lexer(text, most)
    lexer.run()
    return lexer.items


def place(text: str, pos: int) -> tuple[int, int]:
    """Return Go's place of a position: the line, from 1, and the bytes before it in that line."""
    start = text.rfind("\n", 0, pos) + 1
    column = len(to_bytes(text[start:pos]))
    return text.count("\n", 0, pos) + 1, column


class Lexer:
    """The state of the scanner."""

    __slots__ = ("depth", "items", "line", "most", "pos", "spaced", "text")

    def __init__(self, text: str, most: int) -> None:
        """Start at the beginning of ``text``; stop after ``most`` items."""
        self.text = text
        self.most = most
        self.pos = 0
        self.line = 1
        self.depth = 0
        self.spaced = False
        self.items: list[Item] = []

    def run(self) -> None:
        """Scan text and actions in turn, to the end or to the first mistake."""
        while self.lex_text() and self.lex_action() and len(self.items) <= self.most:
            pass

    def error(self, message: str) -> bool:
        """End the scan with an error item at the current line."""
        self.items.append(Item(ERROR, self.pos, message, self.line))
        return False

    def skip(self, end: int) -> None:
        """Move to ``end``, counting the lines."""
        self.line += self.text.count("\n", self.pos, end)
        self.pos = end

    def lex_text(self) -> bool:
        """Scan to the inside of the next action; False at the end of the text."""
        text = self.text
        while True:
            start, line = self.pos, self.line
            left = text.find("{{", start)
            if left < 0:
                if start < len(text):
                    self.items.append(Item(TEXT, start, text[start:], line))
                    self.skip(len(text))
                self.items.append(Item(EOF, len(text), "EOF", self.line))
                return False
            trim = text.startswith("-", left + 2) and text[left + 3 : left + 4] in _BLANKS
            if left > start:
                value = text[start:left]
                self.line += value.count("\n")
                if trim:
                    value = value.rstrip(SPACES)
                if value:
                    self.items.append(new_item((TEXT, start, value, line, False)))
            self.pos = left
            inside = left + 4 if trim else left + 2
            if text.startswith("/*", inside):
                if not self.lex_comment(inside):
                    return False
                continue
            self.items.append(new_item((LEFT_DELIM, left, "{{", self.line, False)))
            self.skip(inside)
            return True

    def lex_comment(self, start: int) -> bool:
        """Scan a comment, which must be closed directly by the end of its action."""
        self.skip(start)
        text = self.text
        end = text.find("*/", start + 2)
        if end < 0:
            return self.error("unclosed comment")
        end += 2
        if text.startswith("}}", end):
            self.skip(end + 2)
        elif text[end : end + 1] in _BLANKS and text.startswith("-}}", end + 1):
            self.skip(end + 4)
            self.skip_spaces()
        else:
            return self.error("comment ends before closing delimiter")
        return True

    def skip_spaces(self) -> None:
        """Leave out the blanks after a trim marker."""
        end = self.pos
        while self.text[end : end + 1] in _BLANKS:
            end += 1
        self.skip(end)

    def lex_action(self) -> bool:
        """Scan the items of an action through its right delimiter; False at a mistake."""
        self.depth = 0
        while True:
            done = self.lex_ordinary()
            if done is not None:
                return done
            if not self.lex_odd() or len(self.items) > self.most:
                return False

    def lex_ordinary(self) -> bool | None:
        """Scan ordinary items, to the action's end (True), a mistake, or an odd item (None)."""
        text, items, match = self.text, self.items, _ITEM.match
        pos, line = self.pos, self.line
        while found := match(text, pos):
            blank = found[1]
            start, pos = pos + len(blank), found.end()
            if "\n" in blank:
                line += blank.count("\n")
            typ, val = found.lastgroup or "", text[start:pos]
            if typ == IDENTIFIER:
                typ = _WORDS.get(val, IDENTIFIER)
            elif typ in _NESTED:
                if typ == RIGHT_DELIM:
                    self.pos, self.line = start, line
                    return self.lex_right_delim(val)
                self.depth += _NESTED[typ]
                if self.depth < 0:
                    self.line = line
                    return self.error("unexpected right paren")
            items.append(new_item((typ, start, val, line, bool(blank))))
            if typ == RAW_STRING:
                line += val.count("\n")
        self.pos, self.line = pos, line
        return None

    def lex_right_delim(self, val: str) -> bool:
        """Scan the end of an action, and leave out the blanks after it if it says so."""
        if self.depth:
            return self.error("unclosed left paren")
        trim = len(val) > 2
        if trim:
            self.skip(self.pos + 2)
        self.items.append(new_item((RIGHT_DELIM, self.pos, "}}", self.line, False)))
        self.pos += 2
        if trim:
            self.skip_spaces()
        return True

    def lex_odd(self) -> bool:
        """Scan an item that is not ordinary, as Go does, by how it starts."""
        blank = _SKIP_BLANK.match(self.text, self.pos)
        start, self.pos = self.pos, blank.end() if blank else self.pos
        self.line += self.text.count("\n", start, self.pos)
        self.spaced = self.pos > start
        char = self.text[self.pos : self.pos + 1]
        if char in _UNTERMINATED:
            return self.error(_UNTERMINATED[char])
        following = self.text[self.pos + 1 : self.pos + 2]
        if char == "$":
            return self.lex_name(VARIABLE)
        if char == "." and following and not "0" <= following <= "9":
            return self.lex_name(FIELD)
        if char in ".+-" or "0" <= char <= "9":
            return self.lex_number()
        if is_alpha_numeric(char):
            return self.lex_name(IDENTIFIER)
        if " " <= char <= "~":
            self.items.append(Item(CHAR, self.pos, char, self.line, self.spaced))
            self.pos += 1
            return True
        return self.error(f"unrecognized character in action: {code_point(char)}")

    def lex_name(self, typ: str) -> bool:
        """Scan a field, a variable or an identifier; what follows must end it."""
        text, start = self.text, self.pos
        end = start + 1
        while is_alpha_numeric(text[end : end + 1]):
            end += 1
        following = text[end : end + 1]
        if following not in _TERMINATORS and not text.startswith("}}", end):
            return self.error(f"bad character {code_point(following)}")
        typ = DOT if typ == FIELD and end == start + 1 else typ
        self.items.append(Item(typ, start, text[start:end], self.line, self.spaced))
        self.pos = end
        return True

    def lex_number(self) -> bool:
        """Scan a number, or two that make a complex one."""
        end, good = self.scan_number(self.pos)
        typ = NUMBER
        if good and self.text[end : end + 1] in _SIGNS:
            end, good = self.scan_number(end)
            good = good and self.text[end - 1] == "i"
            typ = COMPLEX
        val = self.text[self.pos : end]
        if not good:
            return self.error(f"bad number syntax: {quote(val)}")
        self.items.append(Item(typ, self.pos, val, self.line, self.spaced))
        self.pos = end
        return True

    def scan_number(self, pos: int) -> tuple[int, bool]:
        """Return where a number ends (or its first wrong character), and whether it is one."""
        found = _SCAN_NUMBER.match(self.text, pos)
        end = found.end() if found else pos
        if is_alpha_numeric(self.text[end : end + 1]):
            return end + 1, False
        return end, True
