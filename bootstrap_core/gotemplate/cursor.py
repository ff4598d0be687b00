"""The parser's way through the items of a template (Go: text/template/parse/parse.go, Tree)."""

from __future__ import annotations

from collections.abc import Container

from bootstrap_core.gotemplate.errors import ParseError, ParseLimitExceeded
from bootstrap_core.gotemplate.items import ERROR, Item
from bootstrap_core.gotemplate.lexer import lex
from bootstrap_core.gotemplate.limits import Limits
from bootstrap_core.gotemplate.nodes import ListNode


class TreeSet:
    """The trees of one text, by name, and what they share while they are parsed.

    ``functions`` holds the names that may be called, ``variables`` counts those declared.
    """

    __slots__ = ("functions", "items", "limits", "name", "trees", "variables")

    def __init__(self, text: str, name: str, functions: Container[str], limits: Limits) -> None:
        """Scan ``text``."""
        self.items = lex(text, limits.items)
        self.name = name
        self.functions = functions
        self.limits = limits
        self.variables = 0
        self.trees: dict[str, ListNode] = {}


class Cursor:
    """The place of one tree's parser in the items, and what it knows there.

    ``furthest`` is the furthest place looked at, ``vars`` are the names of the variables defined at
    the moment, ``action_line`` is the line of the action that is open (0: none), ``range_depth``
    counts the ranges around it, ``depth`` all the controls, ``parens`` the parentheses, ``inner``
    those that others do not just follow.
    """

    __slots__ = (
        "action_line",
        "depth",
        "furthest",
        "inner",
        "items",
        "parens",
        "place",
        "range_depth",
        "tree_set",
        "vars",
    )

    def __init__(self, tree_set: TreeSet, place: int = 0, depth: int = 0) -> None:
        """Start at a place, with so many controls around it."""
        self.tree_set = tree_set
        self.items = tree_set.items
        self.place = place
        self.furthest = place
        self.vars = ["$"]
        self.action_line = 0
        self.range_depth = 0
        self.parens = 0
        self.inner = 0
        self.depth = depth

    def next(self) -> Item:
        """Take the next item."""
        item = self.items[self.place]
        self.place += 1
        return item

    def backup(self, count: int = 1) -> None:
        """Give back the last items taken."""
        if self.place > self.furthest:
            self.furthest = self.place - 1
        self.place -= count

    def peek(self) -> Item:
        """Look at the next item."""
        if self.place > self.furthest:
            self.furthest = self.place
        return self.items[self.place]

    def fault(self, message: str, line: int = 0) -> ParseError:
        """Return an error at a line, or else that of the furthest item seen."""
        return ParseError(message, name=self.tree_set.name, line=line or self.line())

    def line(self) -> int:
        """Return the line of the furthest item seen, which is the one that Go names."""
        return self.items[max(self.furthest, self.place - 1)].line

    def over_limit(self, limit: str, message: str) -> ParseLimitExceeded:
        """Return an error about a limit at the line of the furthest item seen."""
        error = ParseLimitExceeded(message, name=self.tree_set.name, line=self.line())
        error.limit = limit
        return error

    def expect(self, typ: str, context: str) -> Item:
        """Take the next item, which must be of this type."""
        item = self.next()
        if item.typ != typ:
            raise self.unexpected(item, context)
        return item

    def unexpected(self, item: Item, context: str) -> ParseError:
        """Return an error about an item that does not belong here."""
        if item.typ != ERROR:
            return self.fault(f"unexpected {item} in {context}")
        extra = ""
        if self.action_line not in {0, item.line}:
            extra = f" in action started at {self.tree_set.name}:{self.action_line}"
            if item.val.endswith(" action"):
                extra = extra.removeprefix(" in action")
        return self.fault(f"{item}{extra}")

    def declare(self, name: str) -> None:
        """Add a variable to those defined."""
        self.vars.append(name)
        self.tree_set.variables += 1
        allowed = self.tree_set.limits.variables
        if self.tree_set.variables > allowed:
            raise self.over_limit("variables", f"more than {allowed} variables")

    def nest(self) -> None:
        """Make sure that one more control may be nested here."""
        allowed = self.tree_set.limits.nesting
        if self.depth >= allowed:
            raise self.over_limit("nesting", f"controls nested deeper than {allowed} levels")

    def nest_parentheses(self, depth: int) -> None:
        """Make sure that ``depth`` more pipelines may be nested here."""
        allowed = self.tree_set.limits.parentheses
        if self.inner + depth > allowed:
            raise self.over_limit("parentheses", f"parentheses nested deeper than {allowed} levels")
