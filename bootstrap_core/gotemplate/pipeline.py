"""Parsing what stands in an action: pipelines, commands, operands (Go: parse.go, from pipeline).

Parentheses that open one after the other, "((((", are parsed from the inside out in a loop, as deep
as Go allows; others nest as deep as the limits say.
"""

from __future__ import annotations

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
    SPACE,
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
_OPERANDS: Final = frozenset(
    {BOOL, CHAR_CONSTANT, COMPLEX, DOT, FIELD, IDENTIFIER, NUMBER, "nil", RAW_STRING, STRING}
    | {VARIABLE, LEFT_PAREN}
)
_NUMBERS: Final = frozenset({NUMBER, CHAR_CONSTANT, COMPLEX})
_LITERALS: Final = (BoolNode, StringNode, NumberNode, NilNode, DotNode)
_AFTER_COMMA: Final = frozenset({VARIABLE, RIGHT_DELIM, RIGHT_PAREN})


def pipeline(cursor: Cursor, context: str, end: str, opened: Node | None = None) -> PipeNode:
    """Parse declarations and commands through the item ``end``.

    ``opened`` is the first operand where it is parsed already.
    """
    if opened is None:
        pipe = PipeNode(cursor.peek_non_space().pos)
        while _declaration(cursor, pipe, context):
            pass
    else:
        pipe = PipeNode(opened.pos)
        pipe.cmds.append(command(cursor, opened))
    while True:
        item = cursor.next_non_space()
        if item.typ == end:
            break
        if item.typ not in _OPERANDS:
            cursor.unexpected(item, context)
        cursor.backup()
        pipe.cmds.append(command(cursor, None))
    _check_pipeline(cursor, pipe, context)
    return pipe


def _declaration(cursor: Cursor, pipe: PipeNode, context: str) -> bool:
    """Parse a variable that is set here; True if another one may follow."""
    variable = cursor.peek_non_space()
    if variable.typ != VARIABLE:
        return False
    cursor.next()
    start = cursor.stream.next
    item = cursor.next_non_space()
    if item.typ in {ASSIGN, DECLARE}:
        pipe.is_assign = item.typ == ASSIGN
        pipe.decl.append(VariableNode(variable.pos, [variable.val]))
        cursor.declare(variable.val)
        return False
    if item.typ == CHAR and item.val == ",":
        pipe.decl.append(VariableNode(variable.pos, [variable.val]))
        cursor.declare(variable.val)
        if context != "range" or len(pipe.decl) > 1:
            cursor.fail(f"too many declarations in {context}")
        if cursor.peek_non_space().typ not in _AFTER_COMMA:
            cursor.fail("range can only initialize variables")
        return True
    cursor.stream.next = start - 1
    return False


def _check_pipeline(cursor: Cursor, pipe: PipeNode, context: str) -> None:
    """Refuse an empty pipeline, and one that pipes into what takes no argument."""
    if not pipe.cmds:
        cursor.fail(f"missing value for {context}")
    for stage, cmd in enumerate(pipe.cmds[1:], start=2):
        if isinstance(cmd.args[0], _LITERALS):
            cursor.fail(f"non executable command in pipeline stage {stage}")
    if sole_operand(pipe) is None:
        pipe.depth += max(_depth(arg) for cmd in pipe.cmds for arg in cmd.args)
    else:
        pipe.depth = max(1, _depth(pipe.cmds[0].args[0]))
    cursor.nest_parentheses(pipe.depth - 1)


def _depth(node: Node) -> int:
    """Return how deep pipelines are nested in an operand."""
    if isinstance(node, PipeNode):
        return node.depth
    if isinstance(node, ChainNode):
        return 1 + _depth(node.node)
    return 0


def command(cursor: Cursor, opened: Node | None) -> CommandNode:
    """Parse operands up to a pipe character, which is taken, or to the end, which is not."""
    cmd = CommandNode(cursor.peek_non_space().pos if opened is None else opened.pos)
    while True:
        if opened is None:
            cursor.peek_non_space()
            node = term(cursor)
        else:
            node, opened = opened, None
        if node is not None:
            cmd.args.append(operand(cursor, node))
        item = cursor.next()
        if item.typ == SPACE:
            continue
        if item.typ in {RIGHT_DELIM, RIGHT_PAREN}:
            cursor.backup()
        elif item.typ != PIPE:
            cursor.unexpected(item, "operand")
        break
    if not cmd.args:
        cursor.fail("empty command")
    return cmd


def operand(cursor: Cursor, node: Node) -> Node:
    """Parse the fields taken of a term."""
    item = cursor.peek()
    if item.typ != FIELD:
        return node
    pos = item.pos
    fields = []
    while item.typ == FIELD:
        fields.append(cursor.next().val[1:])
        item = cursor.peek()
    if isinstance(node, FieldNode):
        return FieldNode(pos, node.ident + fields)
    if isinstance(node, VariableNode):
        return VariableNode(pos, node.ident + fields)
    if isinstance(node, _LITERALS):
        cursor.fail(f"unexpected . after term {quote(str(node))}")
    return ChainNode(pos, node, fields)


def term(cursor: Cursor) -> Node | None:
    """Parse a literal, a function's name, dot, a field, a variable or a pipeline in parentheses.

    None means that the next item is none of these.
    """
    item = cursor.next_non_space()
    typ, pos, val, _ = item
    if typ == FIELD:
        return FieldNode(pos, [val[1:]])
    if typ == IDENTIFIER:
        if val not in cursor.stream.functions:
            cursor.fail(f"function {quote(val)} not defined")
        return IdentifierNode(pos, val)
    if typ in {STRING, RAW_STRING}:
        return _string(cursor, item)
    if typ == LEFT_PAREN:
        return _parenthesized(cursor)
    if typ == DOT:
        return DotNode(pos)
    if typ == VARIABLE:
        if val not in cursor.vars:
            cursor.fail(f"undefined variable {quote(val)}")
        return VariableNode(pos, [val])
    if typ in _NUMBERS:
        try:
            return new_number(pos, val, typ)
        except NumberSyntaxError as error:
            cursor.fail(str(error))
    if typ == BOOL:
        return BoolNode(pos, val == "true")
    if typ == "nil":
        return NilNode(pos)
    cursor.backup()
    return None


def _string(cursor: Cursor, item: Item) -> StringNode:
    """Return the node of a string constant."""
    text = unquote(item.val)
    if text is None:
        cursor.fail("invalid syntax")
    return StringNode(item.pos, item.val, text)


def _parenthesized(cursor: Cursor) -> PipeNode:
    """Parse a pipeline in parentheses, the first of which is taken."""
    opened = 1
    cursor.nest_parentheses(1)
    while True:
        if cursor.parens >= MAX_STACK_DEPTH:
            cursor.fail_limit("parentheses", "max expression depth exceeded")
        cursor.parens += 1
        if cursor.peek_non_space().typ != LEFT_PAREN:
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
