"""The nodes of a parsed template (Go: text/template/parse/node.go).

``pos`` is the node's place in the text. ``str(node)`` is the node as Go writes it in an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# What Go's unicode.IsSpace takes for a blank.
_GO_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """A part of a template."""

    pos: int


@dataclass(slots=True, eq=False, repr=False)
class TextNode(Node):
    """Text between actions."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False, repr=False)
class DotNode(Node):
    """The cursor, "."."""

    def __str__(self) -> str:
        return "."


@dataclass(slots=True, eq=False, repr=False)
class NilNode(Node):
    """The constant nil."""

    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True, eq=False, repr=False)
class BoolNode(Node):
    """The constant true or false."""

    true: bool

    def __str__(self) -> str:
        return "true" if self.true else "false"


@dataclass(slots=True, eq=False, repr=False)
class StringNode(Node):
    """A string constant: as written, and its text."""

    quoted: str
    text: str

    def __str__(self) -> str:
        return self.quoted


@dataclass(slots=True, eq=False, repr=False)
class NumberNode(Node):
    """A number as written, and its value under each type that can hold it, None if it cannot."""

    text: str
    int64: int | None = None
    float64: float | None = None
    complex128: complex | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False, repr=False)
class IdentifierNode(Node):
    """The name of a function."""

    ident: str

    def __str__(self) -> str:
        return self.ident


@dataclass(slots=True, eq=False, repr=False)
class FieldNode(Node):
    """A chain of fields of dot: ``.A.B``."""

    ident: list[str]

    def __str__(self) -> str:
        return "." + ".".join(self.ident)


@dataclass(slots=True, eq=False, repr=False)
class VariableNode(Node):
    """A variable, "$" included, and the fields taken of it: ``$x.A.B``."""

    ident: list[str]

    def __str__(self) -> str:
        return ".".join(self.ident)


@dataclass(slots=True, eq=False, repr=False)
class ChainNode(Node):
    """Fields of a term that is neither a field nor a variable: ``(print 1).A.B``."""

    node: Node
    field: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ".".join([_operand(self.node), *self.field])


@dataclass(slots=True, eq=False, repr=False)
class CommandNode(Node):
    """A function with its arguments, or a single operand."""

    args: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(map(_operand, self.args))


@dataclass(slots=True, eq=False, repr=False)
class PipeNode(Node):
    """Commands, each of which gets the value of the one before, and the variables that it sets.

    ``depth`` counts the pipelines nested in each other here; parentheses around nothing but
    parentheses do not count.
    """

    decl: list[VariableNode] = field(default_factory=list)
    is_assign: bool = False
    cmds: list[CommandNode] = field(default_factory=list)
    depth: int = 1

    def __str__(self) -> str:
        declared = ", ".join(map(str, self.decl))
        sign = " = " if self.is_assign else " := "
        return (declared + sign if declared else "") + " | ".join(map(str, self.cmds))


@dataclass(slots=True, eq=False, repr=False)
class ListNode(Node):
    """Nodes one after the other."""

    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class ActionNode(Node):
    """A pipeline whose value is printed."""

    pipe: PipeNode

    def __str__(self) -> str:
        return "{{" + str(self.pipe) + "}}"


@dataclass(slots=True, eq=False, repr=False)
class BranchNode(Node):
    """What if, range and with have in common. ``str`` gives the opening action alone."""

    pipe: PipeNode
    list: ListNode
    else_list: ListNode | None

    def __str__(self) -> str:
        return "{{" + f"{type(self).__name__.removesuffix('Node').lower()} {self.pipe}" + "}}"


@dataclass(slots=True, eq=False, repr=False)
class IfNode(BranchNode):
    """{{if pipe}} list {{else}} else_list {{end}}."""


@dataclass(slots=True, eq=False, repr=False)
class RangeNode(BranchNode):
    """{{range pipe}} list {{else}} else_list {{end}}."""


@dataclass(slots=True, eq=False, repr=False)
class WithNode(BranchNode):
    """{{with pipe}} list {{else}} else_list {{end}}."""


@dataclass(slots=True, eq=False, repr=False)
class BreakNode(Node):
    """{{break}}."""


@dataclass(slots=True, eq=False, repr=False)
class ContinueNode(Node):
    """{{continue}}."""


@dataclass(slots=True, eq=False, repr=False)
class EndNode(Node):
    """{{end}}; it stays in no list."""

    def __str__(self) -> str:
        return "{{end}}"


@dataclass(slots=True, eq=False, repr=False)
class ElseNode(Node):
    """{{else}}; it stays in no list."""

    def __str__(self) -> str:
        return "{{else}}"


@dataclass(slots=True, eq=False, repr=False)
class TemplateNode(Node):
    """{{template "name" pipe}}; ``quoted`` is the name as Go quotes it."""

    name: str
    quoted: str
    pipe: PipeNode | None

    def __str__(self) -> str:
        return "{{template " + self.quoted + (f" {self.pipe}" if self.pipe else "") + "}}"


def _operand(node: Node) -> str:
    """Write a node as an operand: a pipeline stands in parentheses, however many there are."""
    depth = 0
    while isinstance(node, PipeNode):
        inner = sole_operand(node)
        depth += 1
        if inner is None:
            break
        node = inner
    return "(" * depth + str(node) + ")" * depth


def sole_operand(pipe: PipeNode) -> Node | None:
    """Return the pipeline's only operand if it does nothing else, else None."""
    if pipe.decl or len(pipe.cmds) != 1 or len(pipe.cmds[0].args) != 1:
        return None
    return pipe.cmds[0].args[0]


def is_empty_tree(node: Node) -> bool:
    """Say whether a tree is empty of everything but blanks (Go: parse.IsEmptyTree)."""
    if isinstance(node, ListNode):
        return all(map(is_empty_tree, node.nodes))
    return isinstance(node, TextNode) and not node.text.strip(_GO_SPACE)
