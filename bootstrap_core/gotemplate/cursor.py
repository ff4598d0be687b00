"""The parser's way through the items of a template (Go: text/template/parse/parse.go, Tree)."""

from __future__ import annotations

from collections.abc import Container
from typing import NoReturn

from bootstrap_core.gotemplate.errors import ParseError, ParseLimitExceeded
from bootstrap_core.gotemplate.items import ERROR, SPACE, Item
from bootstrap_core.gotemplate.lexer import lex
from bootstrap_core.gotemplate.limits import Limits
from bootstrap_core.gotemplate.nodes import ListNode


class Stream:
    """What the trees of one text share: its items, the next of them, and the trees done."""

    __slots__ = ("functions", "items", "limits", "name", "next", "tree_set", "variables")

    def __init__(self, text: str, name: str, functions: Container[str], limits: Limits) -> None:
        """Scan ``text``. ``functions`` holds the names that may be called."""
        self.items = lex(text)
        self.name = name
        self.functions = functions
        self.limits = limits
        self.next = 0
        self.variables = 0
        self.tree_set: dict[str, ListNode] = {}


class Cursor:
    """The place of one tree's parser, and what it knows there.

    ``vars`` are the names of the variables defined at the moment, ``action_line`` the line of the
    action that is open (0: none), ``range_depth`` the ranges around it, ``depth`` all the
    controls around it, ``parens`` the parentheses, ``inner`` those that others do not just follow.
    """

    __slots__ = (
        "action_line",
        "depth",
        "furthest",
        "inner",
        "parens",
        "range_depth",
        "stream",
        "vars",
    )

    def __init__(self, stream: Stream, depth: int = 0) -> None:
        """Start where the stream is."""
        self.stream = stream
        self.furthest = 0
        self.vars = ["$"]
        self.action_line = 0
        self.range_depth = 0
        self.parens = 0
        self.inner = 0
        self.depth = depth

    def next(self) -> Item:
        """Take the next item."""
        stream = self.stream
        place = stream.next
        if place > self.furthest:
            self.furthest = place
        stream.next = place + 1
        return stream.items[place]

    def backup(self, count: int = 1) -> None:
        """Give back the last items taken."""
        self.stream.next -= count

    def peek(self) -> Item:
        """Look at the next item."""
        place = self.stream.next
        if place > self.furthest:
            self.furthest = place
        return self.stream.items[place]

    def next_non_space(self) -> Item:
        """Take the next item that is not a blank."""
        item = self.next()
        while item.typ == SPACE:
            item = self.next()
        return item

    def peek_non_space(self) -> Item:
        """Look at the next item that is not a blank, leaving out the blanks before it."""
        item = self.next_non_space()
        self.stream.next -= 1
        return item

    def fail(self, message: str) -> NoReturn:
        """Raise a ParseError at the line of the furthest item seen."""
        line = self.stream.items[self.furthest].line
        raise ParseError(message, name=self.stream.name, line=line)

    def fail_limit(self, limit: str, message: str) -> NoReturn:
        """Raise a ParseLimitExceeded at the line of the furthest item seen."""
        line = self.stream.items[self.furthest].line
        error = ParseLimitExceeded(message, name=self.stream.name, line=line)
        error.limit = limit
        raise error

    def expect(self, typ: str, context: str) -> Item:
        """Take the next item that is not a blank; it must be of this type."""
        item = self.next_non_space()
        if item.typ != typ:
            self.unexpected(item, context)
        return item

    def unexpected(self, item: Item, context: str) -> NoReturn:
        """Raise a ParseError about an item that does not belong here."""
        if item.typ != ERROR:
            self.fail(f"unexpected {item} in {context}")
        extra = ""
        if self.action_line not in {0, item.line}:
            extra = f" in action started at {self.stream.name}:{self.action_line}"
            if item.val.endswith(" action"):
                extra = extra.removeprefix(" in action")
        self.fail(f"{item}{extra}")

    def declare(self, name: str) -> None:
        """Add a variable to those defined."""
        self.vars.append(name)
        self.stream.variables += 1
        allowed = self.stream.limits.variables
        if self.stream.variables > allowed:
            self.fail_limit("variables", f"more than {allowed} variables")

    def nest(self) -> None:
        """Make sure that one more control may be nested here."""
        allowed = self.stream.limits.nesting
        if self.depth >= allowed:
            self.fail_limit("nesting", f"controls nested deeper than {allowed} levels")

    def nest_parentheses(self, depth: int) -> None:
        """Make sure that ``depth`` more pipelines may be nested here."""
        allowed = self.stream.limits.parentheses
        if self.inner + depth > allowed:
            self.fail_limit("parentheses", f"parentheses nested deeper than {allowed} levels")
