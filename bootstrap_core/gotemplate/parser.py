"""From items to the trees of a template and its definitions (Go: text/template/parse/parse.go)."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from bootstrap_core.gotemplate.cursor import Cursor, TreeSet
from bootstrap_core.gotemplate.errors import ParseLimitExceeded
from bootstrap_core.gotemplate.items import (
    EOF,
    LEFT_DELIM,
    RAW_STRING,
    RIGHT_DELIM,
    STRING,
    TEXT,
    Item,
)
from bootstrap_core.gotemplate.limits import Limits
from bootstrap_core.gotemplate.nodes import (
    ActionNode,
    BranchNode,
    BreakNode,
    ContinueNode,
    ElseNode,
    EndNode,
    IfNode,
    ListNode,
    Node,
    PipeNode,
    RangeNode,
    TemplateNode,
    TextNode,
    WithNode,
    is_empty_tree,
)
from bootstrap_core.gotemplate.pipeline import pipeline
from bootstrap_core.gotemplate.quote import quote, unquote
from bootstrap_core.gotemplate.runes import length

_BRANCHES: Final[dict[str, type[BranchNode]]] = {"if": IfNode, "range": RangeNode, "with": WithNode}
_ENDS: Final = (EndNode, ElseNode)
_DEFINE: Final = "define clause"
_BLOCK: Final = "block clause"
_TEMPLATE: Final = "template clause"


def parse(text: str, name: str, functions: Container[str], limits: Limits) -> dict[str, ListNode]:
    """Return the trees of a template by name: its own, ``name``, and what it defines.

    ``functions`` holds the names that may be called.

    Raises:
        ParseError: the text is not a template, or over a limit (``ParseLimitExceeded``).

    """
    _check(name, "template_size", length(text), limits.template_size)
    tree_set = TreeSet(text, name, functions, limits)
    _check(name, "items", len(tree_set.items), limits.items)
    Tree(name, Cursor(tree_set)).parse()
    return tree_set.trees


def _check(name: str, limit: str, size: int, allowed: int) -> None:
    """Refuse a text that is over a limit."""
    if size > allowed:
        unit = "bytes" if limit == "template_size" else limit
        message = f"a template of more than {allowed} {unit}"
        error = ParseLimitExceeded(message, name=name, line=1)
        error.limit = limit
        raise error


class Tree:
    """The parser of one definition: the whole text's, a define's or a block's."""

    __slots__ = ("cursor", "name", "root")

    def __init__(self, name: str, cursor: Cursor) -> None:
        """Start where the cursor is."""
        self.name = name
        self.cursor = cursor
        self.root = ListNode(0)

    def parse(self) -> None:
        """Parse the whole text; only here may definitions stand."""
        cursor = self.cursor
        while (item := cursor.peek()).typ != EOF:
            if item.typ == LEFT_DELIM and cursor.items[cursor.place + 1].typ == "define":
                definition = Tree("definition", Cursor(cursor.tree_set, cursor.place + 2))
                definition.parse_definition()
                cursor.place = definition.cursor.place
                continue
            node = self.text_or_action()
            if isinstance(node, _ENDS):
                raise cursor.fault(f"unexpected {node}")
            self.root.nodes.append(node)
        self.add()

    def parse_definition(self) -> None:
        """Parse {{define "name"}} list {{end}}; the keyword is taken."""
        cursor = self.cursor
        item = cursor.next()
        if item.typ not in {STRING, RAW_STRING}:
            raise cursor.unexpected(item, _DEFINE)
        self.name = self.template_name(item, _DEFINE)
        cursor.expect(RIGHT_DELIM, _DEFINE)
        self.parse_body(_DEFINE)

    def parse_body(self, context: str, line: int = 0) -> None:
        """Parse the list of a definition and its end. ``line`` is where an else is reported."""
        self.root, end = self.item_list()
        if not isinstance(end, EndNode):
            raise self.cursor.fault(f"unexpected {end} in {context}", line)
        self.add()

    def add(self) -> None:
        """Keep the tree, unless there is one of its name that is not empty."""
        trees = self.cursor.tree_set.trees
        kept = trees.get(self.name)
        if kept is None or is_empty_tree(kept):
            trees[self.name] = self.root
        elif not is_empty_tree(self.root):
            raise self.cursor.fault(f"template: multiple definition of template {quote(self.name)}")

    def item_list(self) -> tuple[ListNode, EndNode | ElseNode]:
        """Parse texts and actions to {{end}} or {{else}}, which is returned separately."""
        cursor = self.cursor
        nodes = ListNode(cursor.peek().pos)
        while cursor.peek().typ != EOF:
            node = self.text_or_action()
            if isinstance(node, _ENDS):
                return nodes, node
            nodes.nodes.append(node)
        raise cursor.fault("unexpected EOF")

    def text_or_action(self) -> Node:
        """Parse a text or an action."""
        cursor = self.cursor
        item = cursor.next()
        if item.typ == TEXT:
            return TextNode(item.pos, item.val)
        if item.typ != LEFT_DELIM:
            raise cursor.unexpected(item, "input")
        cursor.action_line = item.line
        item = cursor.next()
        parse = _ACTIONS.get(item.typ)
        if parse is not None:
            node = parse(self, item)
        else:
            cursor.backup()
            node = ActionNode(item.pos, pipeline(cursor, "command", RIGHT_DELIM))
        cursor.action_line = 0
        return node

    def loop_control(self, item: Item) -> Node:
        """Parse {{break}} or {{continue}}; the keyword is taken."""
        name = "{{" + item.typ + "}}"
        self.cursor.expect(RIGHT_DELIM, name)
        if not self.cursor.range_depth:
            raise self.cursor.fault(f"{name} outside {{{{range}}}}")
        return BreakNode(item.pos) if item.typ == "break" else ContinueNode(item.pos)

    def parse_control(self, keyword: Item) -> Node:
        """Parse an if, range or with; the keyword is taken.

        "else if" and "else with" make a chain of nodes, each in the else list of the one before.
        """
        cursor, context = self.cursor, keyword.typ
        declared = len(cursor.vars)
        cursor.nest()
        cursor.depth += 1
        chain: list[tuple[PipeNode, ListNode]] = []
        else_list: ListNode | None = None
        while True:
            pipe = pipeline(cursor, context, RIGHT_DELIM)
            cursor.range_depth += context == "range"
            body, following = self.item_list()
            cursor.range_depth -= context == "range"
            chain.append((pipe, body))
            if isinstance(following, EndNode):
                break
            if context != "range" and cursor.peek().typ == context:
                cursor.next()
                continue
            else_list, following = self.item_list()
            if not isinstance(following, EndNode):
                raise cursor.fault(f"expected end; found {following}")
            break
        cursor.depth -= 1
        del cursor.vars[declared:]
        for pipe, body in reversed(chain):
            node = _BRANCHES[context](pipe.pos, pipe, body, else_list)
            else_list = ListNode(pipe.pos, [node])
        return node

    def end_control(self, keyword: Item) -> EndNode:
        """Parse {{end}}; the keyword is taken."""
        self.cursor.expect(RIGHT_DELIM, "end")
        return EndNode(keyword.pos)

    def else_control(self, keyword: Item) -> ElseNode:
        """Parse {{else}}, or the else of an "else if" or "else with"; the keyword is taken."""
        if self.cursor.peek().typ not in {"if", "with"}:
            self.cursor.expect(RIGHT_DELIM, "else")
        return ElseNode(keyword.pos)

    def block_control(self, _keyword: Item) -> TemplateNode:
        """Parse {{block "name" pipe}} list {{end}}: a definition, and its use here."""
        cursor = self.cursor
        item = cursor.next()
        name = self.template_name(item, _BLOCK)
        pipe = pipeline(cursor, _BLOCK, RIGHT_DELIM)
        cursor.nest()
        line = cursor.line()
        block = Tree(name, Cursor(cursor.tree_set, cursor.place, cursor.depth + 1))
        block.parse_body(_BLOCK, line)
        cursor.place = block.cursor.place
        return TemplateNode(item.pos, name, quote(name), pipe)

    def template_control(self, _keyword: Item) -> TemplateNode:
        """Parse {{template "name" pipe}}; the keyword is taken."""
        cursor = self.cursor
        item = cursor.next()
        name = self.template_name(item, _TEMPLATE)
        pipe = None
        if cursor.next().typ != RIGHT_DELIM:
            cursor.backup()
            pipe = pipeline(cursor, _TEMPLATE, RIGHT_DELIM)
        return TemplateNode(item.pos, name, quote(name), pipe)

    def template_name(self, item: Item, context: str) -> str:
        """Return the name that a string constant gives."""
        if item.typ not in {STRING, RAW_STRING}:
            raise self.cursor.unexpected(item, context)
        name = unquote(item.val)
        if name is None:
            raise self.cursor.fault("invalid syntax")
        return name


_ACTIONS: Final[dict[str, Callable[[Tree, Item], Node]]] = {
    **dict.fromkeys(_BRANCHES, Tree.parse_control),
    "end": Tree.end_control,
    "else": Tree.else_control,
    "template": Tree.template_control,
    "block": Tree.block_control,
    "break": Tree.loop_control,
    "continue": Tree.loop_control,
}
