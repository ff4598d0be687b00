"""Parsing what stands in an action: pipelines, commands, operands (Go: parse.go, from pipeline).

Parentheses that open one after the other, "((((", are parsed from the inside out in a loop, as deep
as Go allows; others nest as deep as the limits say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bootstrap_core.gotemplate.cursor import Cursor
from bootstrap_core.gotemplate.items import (
    ASSIGN,
    BOOL,
    CHAR,
    CHAR_CONSTANT,
    COMPLEX,
    DECLARE,
    DOT,
    FIELD,
    IDENTIFIER,
    LEFT_PAREN,
    NUMBER,
    PIPE,
    RAW_STRING,
    RIGHT_DELIM,
    RIGHT_PAREN,
    STRING,
    VARIABLE,
    Item,
)
from bootstrap_core.gotemplate.nodes import (
    BoolNode,
    ChainNode,
    CommandNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    StringNode,
    VariableNode,
    sole_operand,
)
from bootstrap_core.gotemplate.number import NumberSyntaxError, new_number
from bootstrap_core.gotemplate.quote import quote, unquote

MAX_STACK_DEPTH: Final = 10_000
_PARENTHESIZED: Final = "parenthesized pipeline"
_ENDS: Final = frozenset({RIGHT_DELIM, RIGHT_PAREN})
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
        if item.typ in _ENDS:
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
