"""From items to the trees of a template and its definitions (Go: text/template/parse/parse.go)."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from bootstrap_core.gotemplate.errors import ParseError, ParseLimitExceeded
from bootstrap_core.gotemplate.lexer import (
    ASSIGN,
    BOOL,
    CHAR,
    CHAR_CONSTANT,
    COMPLEX,
    DECLARE,
    DOT,
    EOF,
    ERROR,
    FIELD,
    IDENTIFIER,
    LEFT_DELIM,
    LEFT_PAREN,
    NUMBER,
    PIPE,
    RAW_STRING,
    RIGHT_DELIM,
    RIGHT_PAREN,
    STRING,
    TEXT,
    VARIABLE,
    Item,
    lex,
)
from bootstrap_core.gotemplate.limits import Limits
from bootstrap_core.gotemplate.nodes import (
    ActionNode,
    BoolNode,
    BranchNode,
    BreakNode,
    ChainNode,
    CommandNode,
    ContinueNode,
    DotNode,
    ElseNode,
    EndNode,
    FieldNode,
    IdentifierNode,
    IfNode,
    ListNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    RangeNode,
    StringNode,
    TemplateNode,
    TextNode,
    VariableNode,
    WithNode,
    is_empty_tree,
    sole_operand,
)
from bootstrap_core.gotemplate.numbers import NumberSyntaxError, new_number
from bootstrap_core.gotemplate.text import length, quote, unquote


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


MAX_STACK_DEPTH: Final = 10_000
_PARENTHESIZED: Final = "parenthesized pipeline"
_OPERAND_ENDS: Final = frozenset({RIGHT_DELIM, RIGHT_PAREN})
_LITERALS: Final = (BoolNode, StringNode, NumberNode, NilNode, DotNode)
_NESTING: Final = (PipeNode, ChainNode)
_AFTER_COMMA: Final = frozenset({VARIABLE, RIGHT_DELIM, RIGHT_PAREN})


def pipeline(cursor: Cursor, context: str, end: str, opened: Node | None = None) -> PipeNode:
    """Parse declarations and commands through the item ``end``.

    ``opened`` is the first operand where it is parsed already.
    """
    if opened is None:
        item = cursor.peek()
        pipe = PipeNode(item.pos)
        if item.typ == VARIABLE:
            while _declaration(cursor, pipe, context):
                pass
    else:
        pipe = PipeNode(opened.pos)
        pipe.cmds.append(command(cursor, opened.pos, opened))
    while True:
        item = cursor.next()
        if item.typ == end:
            break
        if item.typ not in _OPERANDS:
            raise cursor.unexpected(item, context)
        pipe.cmds.append(command(cursor, item.pos, term(cursor, item)))
    _check_pipeline(cursor, pipe, context)
    return pipe


def _declaration(cursor: Cursor, pipe: PipeNode, context: str) -> bool:
    """Parse a variable that is set here; True if another one may follow."""
    variable = cursor.peek()
    if variable.typ != VARIABLE:
        return False
    cursor.next()
    item = cursor.next()
    if item.typ in {ASSIGN, DECLARE}:
        pipe.is_assign = item.typ == ASSIGN
        pipe.decl.append(VariableNode(variable.pos, [variable.val]))
        cursor.declare(variable.val)
        return False
    if item.typ == CHAR and item.val == ",":
        pipe.decl.append(VariableNode(variable.pos, [variable.val]))
        cursor.declare(variable.val)
        if context != "range" or len(pipe.decl) > 1:
            raise cursor.fault(f"too many declarations in {context}")
        if cursor.peek().typ not in _AFTER_COMMA:
            raise cursor.fault("range can only initialize variables")
        return True
    cursor.backup(2)
    return False


def _check_pipeline(cursor: Cursor, pipe: PipeNode, context: str) -> None:
    """Refuse an empty pipeline, and one that pipes into what takes no argument."""
    if not pipe.cmds:
        raise cursor.fault(f"missing value for {context}")
    depth = 0
    for stage, cmd in enumerate(pipe.cmds, start=1):
        if stage > 1 and isinstance(cmd.args[0], _LITERALS):
            raise cursor.fault(f"non executable command in pipeline stage {stage}")
        for arg in cmd.args:
            if isinstance(arg, _NESTING):
                depth = max(depth, _depth(arg))
    if depth:
        pipe.depth = depth + (sole_operand(pipe) is None)
        cursor.nest_parentheses(pipe.depth - 1)


def _depth(node: Node) -> int:
    """Return how deep pipelines are nested in an operand."""
    if isinstance(node, PipeNode):
        return node.depth
    if isinstance(node, ChainNode):
        return 1 + _depth(node.node)
    return 0


def command(cursor: Cursor, pos: int, node: Node | None) -> CommandNode:
    """Parse operands up to a pipe character, which is taken, or to the end, which is not.

    ``node`` is the first term, at ``pos``; it is parsed already.
    """
    cmd = CommandNode(pos)
    while True:
        if node is not None:
            following = cursor.peek()
            if following.typ == FIELD and not following.spaced:
                node = operand(cursor, node)
                following = cursor.peek()
            cmd.args.append(node)
            if following.spaced:
                node = term(cursor, cursor.next())
                continue
        item = cursor.next()
        if item.typ in _OPERAND_ENDS:
            cursor.backup()
        elif item.typ != PIPE:
            raise cursor.unexpected(item, "operand")
        return cmd


def operand(cursor: Cursor, node: Node) -> Node:
    """Parse the fields that follow a term."""
    item = cursor.peek()
    pos = item.pos
    fields = []
    while item.typ == FIELD and not item.spaced:
        fields.append(cursor.next().val[1:])
        item = cursor.peek()
    if isinstance(node, FieldNode):
        return FieldNode(pos, node.ident + fields)
    if isinstance(node, VariableNode):
        return VariableNode(pos, node.ident + fields)
    if isinstance(node, _LITERALS):
        raise cursor.fault(f"unexpected . after term {quote(str(node))}")
    return ChainNode(pos, node, fields)


def term(cursor: Cursor, item: Item) -> Node | None:
    """Parse a literal, a function's name, dot, a field, a variable or a pipeline in parentheses.

    None means that ``item``, which is taken, is none of these; it is given back then.
    """
    parse = _TERMS.get(item.typ)
    if parse is None:
        cursor.backup()
        return None
    return parse(cursor, item)


def _field(cursor: Cursor, item: Item) -> Node:
    """Return the node of a field."""
    return FieldNode(item.pos, [item.val[1:]])


def _identifier(cursor: Cursor, item: Item) -> Node:
    """Return the node of a function's name."""
    if item.val not in cursor.tree_set.functions:
        raise cursor.fault(f"function {quote(item.val)} not defined")
    return IdentifierNode(item.pos, item.val)


def _variable(cursor: Cursor, item: Item) -> Node:
    """Return the node of a variable."""
    if item.val not in cursor.vars:
        raise cursor.fault(f"undefined variable {quote(item.val)}")
    return VariableNode(item.pos, [item.val])


def _number(cursor: Cursor, item: Item) -> Node:
    """Return the node of a number."""
    try:
        return new_number(item.pos, item.val, item.typ)
    except NumberSyntaxError as error:
        raise cursor.fault(str(error)) from None


def _string(cursor: Cursor, item: Item) -> Node:
    """Return the node of a string constant."""
    text = unquote(item.val)
    if text is None:
        raise cursor.fault("invalid syntax")
    return StringNode(item.pos, item.val, text)


def _parenthesized(cursor: Cursor, item: Item) -> Node:
    """Parse a pipeline in parentheses, the first of which is taken."""
    opened = 1
    cursor.nest_parentheses(1)
    while True:
        if cursor.parens >= MAX_STACK_DEPTH:
            raise cursor.over_limit("parentheses", "max expression depth exceeded")
        cursor.parens += 1
        if cursor.peek().typ != LEFT_PAREN:
            break
        cursor.next()
        opened += 1
    cursor.inner += 1
    pipe = pipeline(cursor, _PARENTHESIZED, RIGHT_PAREN)
    for _ in range(opened - 1):
        cursor.parens -= 1
        pipe = pipeline(cursor, _PARENTHESIZED, RIGHT_PAREN, pipe)
    cursor.parens -= 1
    cursor.inner -= 1
    return pipe


_TERMS: Final[dict[str, Callable[[Cursor, Item], Node]]] = {
    FIELD: _field,
    IDENTIFIER: _identifier,
    STRING: _string,
    RAW_STRING: _string,
    LEFT_PAREN: _parenthesized,
    DOT: lambda _cursor, item: DotNode(item.pos),
    VARIABLE: _variable,
    **dict.fromkeys((NUMBER, CHAR_CONSTANT, COMPLEX), _number),
    BOOL: lambda _cursor, item: BoolNode(item.pos, item.val == "true"),
    "nil": lambda _cursor, item: NilNode(item.pos),
}
_OPERANDS: Final = frozenset(_TERMS)


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
