"""Compiling what has a value: pipelines, commands, operands (Go: exec.go, from evalPipeline).

Go names in its errors the node that it looked at last. Which one that is, is known beforehand
(``Expr.last``), but for the operand that "and" or "or" chose (None; the state knows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bootstrap_core.gotemplate import calls
from bootstrap_core.gotemplate.calls import Stage
from bootstrap_core.gotemplate.expr import Expr, constant, raising
from bootstrap_core.gotemplate.fields import Chain
from bootstrap_core.gotemplate.funcs import BUILTINS, TEXT, VALUE, Function
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
from bootstrap_core.gotemplate.scope import Scope, slot_setter
from bootstrap_core.gotemplate.state import UNDEFINED, Source, State
from bootstrap_core.gotemplate.values import INVALID, Value

_AND, _OR, _CALL = BUILTINS["and"], BUILTINS["or"], BUILTINS["call"]
_SLICE: Final = BUILTINS["slice"]
_FIELDS: Final = (FieldNode, ChainNode)
_CHAINS: Final = (FieldNode, VariableNode, ChainNode)
_NOT_TEXT: Final = (NumberNode, BoolNode)


class Evaluation:
    """The compiler of one template's expressions.

    ``dot_is_element`` says that dot is what a range goes over; ``cost`` counts what is compiled.
    """

    __slots__ = ("cost", "dot_is_element", "functions", "missingkey", "scope", "source")

    def __init__(
        self, source: Source, scope: Scope, functions: Mapping[str, Function], missingkey: str
    ) -> None:
        """Take the template's source, the variables in view and the functions."""
        self.source = source
        self.scope = scope
        self.functions = functions
        self.missingkey = missingkey
        self.dot_is_element = False
        self.cost = 0

    def pipeline(self, pipe: PipeNode) -> Expr:
        """Compile a pipeline. What it declares is in view from here on."""
        while type(pipe.cmds[0].args[0]) is PipeNode:
            inner = sole_operand(pipe)
            if not isinstance(inner, PipeNode):
                break
            pipe = inner
        expr = self.command(pipe, pipe.cmds[0])
        if len(pipe.cmds) > 1:
            expr = self.stages(expr, pipe.cmds[1:])
        expr.element = False
        return self.declare(pipe, expr) if pipe.decl else expr

    def stages(self, first: Expr, cmds: Sequence[CommandNode]) -> Expr:
        """Compile commands that get the value of the one before."""
        start, last = first.definite(), first.last
        run: list[Stage] = []
        for cmd in cmds:
            following, last = self.stage(cmd, last)
            run.append(following)

        def piped(state: State, dot: Value) -> Value:
            value = start(state, dot)
            for following in run:
                value = following(state, dot, INVALID if value is None else value)
            return value

        return Expr(piped, last)

    def declare(self, pipe: PipeNode, expr: Expr) -> Expr:
        """Give the variables of a pipeline its value."""
        evaluate = expr.definite()
        names = [node.ident[0] for node in pipe.decl]
        if pipe.is_assign:
            setters = [self.scope.setter(self.source, name, expr.last) for name in names]
        else:
            setters = [slot_setter(self.scope.declare(name)) for name in names]

        def declared(state: State, dot: Value) -> Value:
            value = evaluate(state, dot)
            for set_ in setters:
                set_(state, value)
            return value

        return Expr(declared, expr.last, nilable=False)

    def command(self, pipe: PipeNode, cmd: CommandNode) -> Expr:
        """Compile the first command of a pipeline."""
        self.cost += len(cmd.args)
        first, given = cmd.args[0], len(cmd.args) > 1
        if isinstance(first, IdentifierNode):
            return self.call(first, cmd, cmd.args[1:])
        if isinstance(first, PipeNode):
            return self.failing(pipe, _no_function(first)) if given else self.pipeline(first)
        if isinstance(first, _FIELDS):
            return self.fields(first, has_args=given)
        if isinstance(first, VariableNode):
            if given and len(first.ident) == 1:
                return self.failing(first, _no_function(first))
            return self.fields(first, has_args=given)
        if given:
            return self.failing(first, _no_function(first))
        return self.literal(first)

    def stage(self, cmd: CommandNode, last: Node | None) -> tuple[Stage, Node | None]:
        """Compile a command that gets a piped value; nothing but functions takes one.

        Returns it and the node that is named last after it.
        """
        self.cost += len(cmd.args)
        first = cmd.args[0]
        if isinstance(first, IdentifierNode):
            return self.piped_call(first, cmd)
        if isinstance(first, PipeNode):
            evaluate = raising(self.source, last, _no_function(first))
        elif isinstance(first, VariableNode) and len(first.ident) == 1:
            evaluate = raising(self.source, first, _no_function(first))
        elif isinstance(first, _CHAINS):
            evaluate = self.fields(first, has_args=True).eval
        else:
            evaluate = raising(self.source, first, _no_function(first))
        return (lambda state, dot, _final: evaluate(state, dot)), last

    def failing(self, node: Node, message: str) -> Expr:
        """Return an expression that always fails."""
        return Expr(raising(self.source, node, message), node)

    def literal(self, node: Node) -> Expr:
        """Compile dot or a constant as a command."""
        if isinstance(node, DotNode):
            return Expr(_dot, node, element=self.dot_is_element)
        if isinstance(node, NilNode):
            return self.failing(node, "nil is not a command")
        if isinstance(node, NumberNode):
            return self.ideal_constant(node)
        if isinstance(node, StringNode):
            return constant(node, node.text)
        return constant(node, isinstance(node, BoolNode) and node.true)

    def ideal_constant(self, node: NumberNode) -> Expr:
        """Compile a number: its spelling says of which type it is."""
        text = node.text
        if node.complex128 is not None:
            return constant(node, node.complex128)
        hexadecimal = text[:2] in {"0x", "0X"} and not any(char in text for char in "pP")
        floating = not hexadecimal and text[0] != "'" and any(char in text for char in ".eEpP")
        if node.float64 is not None and floating:
            return constant(node, node.float64)
        if node.int64 is not None:
            return constant(node, node.int64)
        return self.failing(node, f"{text} overflows int")

    def fields(self, node: FieldNode | VariableNode | ChainNode, *, has_args: bool = False) -> Expr:
        """Compile a chain of fields; the first part of it may be dot, a variable or a pipeline."""
        if isinstance(node, FieldNode):
            chain = Chain(self.source, node, node.ident, self.missingkey,
                          element=self.dot_is_element, has_args=has_args)  # fmt: skip
            return Expr(chain.of_dot(), node)
        if isinstance(node, VariableNode):
            receiver = self.scope.reader(self.source, node)
            if len(node.ident) == 1:
                return receiver
            chain = Chain(self.source, node, node.ident[1:], self.missingkey,
                          element=receiver.element, has_args=has_args)  # fmt: skip
            return Expr(chain.of(receiver.eval), node)
        receiver = self.operand(node.node)
        chain = Chain(self.source, receiver.last, node.field, self.missingkey, has_args=has_args)
        return Expr(
            chain.of(receiver.eval, pipeline=isinstance(node.node, PipeNode)), receiver.last
        )

    def operand(self, node: Node) -> Expr:
        """Compile an operand, wherever its value goes."""
        self.cost += 1
        if isinstance(node, PipeNode):
            return self.pipeline(node)
        if isinstance(node, _CHAINS):
            return self.fields(node)
        if isinstance(node, IdentifierNode):
            return self.call(node, node, [])
        if isinstance(node, NilNode):
            return constant(node, INVALID)
        return self.literal(node)

    def argument(self, node: Node, typ: str) -> Expr:
        """Compile an argument for a parameter of a type."""
        if typ == TEXT:
            if isinstance(node, NilNode):
                return self.failing(node, "cannot assign nil to string")
            if isinstance(node, _NOT_TEXT):
                return self.failing(node, f"expected string; found {node}")
        expr = self.operand(node)
        if isinstance(node, PipeNode):
            expr = Expr(expr.definite(), expr.last, nilable=False)
        if typ == TEXT and not isinstance(node, StringNode):
            expr = Expr(calls.text_argument(self.source, expr), expr.last, nilable=False)
        return expr

    def call(self, name: IdentifierNode, node: Node, given: Sequence[Node]) -> Expr:
        """Compile the call of a function; ``node`` is what an error of it names."""
        function = self.functions[name.ident]
        fault = calls.wrong_count(function, len(given), piped=False)
        if fault:
            return self.failing(name, fault)
        if function is _AND or function is _OR:
            decide = self.logic(function, given)
            return Expr(lambda state, dot: decide(state, dot, UNDEFINED), None)
        args = self.arguments(function, given)
        last = args[-1].last if args else name
        if function is _CALL:
            fail = calls.callee(self.source, node, args, str(given[0]))
            return Expr(lambda state, dot: fail(state, dot, INVALID), last)
        return Expr(calls.call(self.source, function, node, args), last)

    def piped_call(self, name: IdentifierNode, cmd: CommandNode) -> tuple[Stage, Node | None]:
        """Compile the call of a function whose last argument is piped."""
        function, given = self.functions[name.ident], cmd.args[1:]
        fault = calls.wrong_count(function, len(given), piped=True)
        if fault:
            evaluate = raising(self.source, name, fault)
            return (lambda state, dot, _final: evaluate(state, dot)), name
        if function is _AND or function is _OR:
            return self.logic(function, given), (None if given else name)
        args = self.arguments(function, given)
        last = args[-1].last if args else name
        if function is _CALL:
            shown = str(given[0]) if given else None
            return calls.callee(self.source, cmd, args, shown), last
        return calls.stage(self.source, function, cmd, args, last), last

    def arguments(self, function: Function, given: Sequence[Node]) -> list[Expr]:
        """Compile the arguments of a call."""
        args = []
        for i, node in enumerate(given):
            expr = self.argument(node, calls.param_type(function, i))
            if i and function is _SLICE and (expr.element or _is_field(node)):
                expr.eval = calls.boxed(expr.eval)
            args.append(expr)
        return args

    def logic(self, function: Function, given: Sequence[Node]) -> Stage:
        """Compile "and" or "or". Operands after the first may not be evaluated."""
        mark, doubtful = self.scope.mark(), self.scope.doubtful
        args = []
        for node in given:
            args.append(self.argument(node, VALUE))
            self.scope.doubtful = True
        self.scope.doubtful = doubtful
        slots = [variable.slot for variable in self.scope.stack[mark:] if variable.doubtful]
        return calls.logic(function.name, args, slots)


def _dot(state: State, dot: Value) -> Value:
    """Return dot."""
    return dot


def _is_field(node: Node) -> bool:
    """Say whether a node takes a field of something."""
    return isinstance(node, _FIELDS) or (isinstance(node, VariableNode) and len(node.ident) > 1)


def _no_function(node: Node) -> str:
    """Return Go's complaint about arguments for what is not a function."""
    return f"can't give argument to non-function {node}"
