"""Compiling what has a value: pipelines, calls, fields (Go: exec.go, from evalPipeline)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import ExecError, FunctionError
from bootstrap_core.gotemplate.funcs import BUILTINS, TEXT, VALUE, Function, index
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
from bootstrap_core.gotemplate.state import (
    UNDEFINED,
    Eval,
    Expr,
    Scope,
    Source,
    State,
    constant,
    raising,
    slot_setter,
)
from bootstrap_core.gotemplate.text import quote
from bootstrap_core.gotemplate.values import (
    BOXED,
    INVALID,
    StructMap,
    Value,
    from_data,
    kind_of,
    truth,
    type_name,
)

# A command that gets the value of the one before as its last argument.
Stage = Callable[[State, Value, Value], Value]

_ABSENT: Final = object()
_BOXED: Final = frozenset({str, float, bool, dict, list, tuple, type(None)})
_CONVERTED: Final = frozenset({int, bytes})


def wrong_count(function: Function, given: int, *, piped: bool) -> str | None:
    """Return Go's complaint about the number of arguments, None if it is right."""
    wanted, total = len(function.params), given + piped
    if function.variadic:
        if total >= wanted - 1:
            return None
        return f"wrong number of args for {function.name}: want at least {wanted - 1} got {given}"
    if total == wanted:
        return None
    return f"wrong number of args for {function.name}: want {wanted} got {total}"


def param_type(function: Function, place: int) -> str:
    """Return the Go type of the parameter that an argument goes to."""
    return function.params[min(place, len(function.params) - 1)]


def check_text(value: Value) -> str | None:
    """Return Go's complaint about a value for a parameter of type string, None if it fits."""
    if isinstance(value, str):
        return None
    if value is INVALID:
        return "invalid value; expected string"
    return f"wrong type for value; expected string; got {type_name(value)}"


def text_argument(source: Source, expr: Expr) -> Eval:
    """Return the evaluation of an argument that must be a string."""
    evaluate = expr.eval

    def text(state: State, dot: Value) -> Value:
        value = evaluate(state, dot)
        fault = check_text(value)
        if fault:
            raise source.error_at(state, expr.last, fault)
        return value

    return text


def boxed(evaluate: Eval) -> Eval:
    """Return the evaluation of an argument that stands in Go's interface {}."""

    def boxed(state: State, dot: Value) -> Value:
        value = evaluate(state, dot)
        return BOXED if type(value) in _BOXED else value

    return boxed


def call(source: Source, function: Function, node: Node, args: Sequence[Expr]) -> Eval:
    """Return the evaluation of a call without a piped value. ``node`` is named if it fails."""
    if function.call is index and len(args) == 2 and isinstance(args[1].constant, str):
        return _index_constant(source, node, args[0].eval, args[1].constant)
    evals = [arg.eval for arg in args]
    run = function.call

    def called(state: State, dot: Value) -> Value:
        argv = [evaluate(state, dot) for evaluate in evals]
        try:
            return run(state.budget, argv)
        except FunctionError as fault:
            raise source.failure(node, fault, function.name) from fault

    return called


def _index_constant(source: Source, node: Node, item: Eval, key: str) -> Eval:
    """Return the evaluation of "index item "key"", which most templates are made of."""

    def indexed(state: State, dot: Value) -> Value:
        holder = item(state, dot)
        kind = type(holder)
        if kind is dict or kind is StructMap:
            value = holder.get(key, _ABSENT)
            if value is not _ABSENT and type(value) not in _CONVERTED:
                return value
        try:
            return index(state.budget, [holder, key])
        except FunctionError as fault:
            raise source.failure(node, fault, "index") from fault

    return indexed


def stage(
    source: Source, function: Function, node: Node, args: Sequence[Expr], last: Node | None
) -> Stage:
    """Return the evaluation of a call that takes the piped value as its last argument."""
    evals = [arg.eval for arg in args]
    run = function.call
    wants_text = param_type(function, len(args)) == TEXT

    def piped(state: State, dot: Value, final: Value) -> Value:
        argv = [evaluate(state, dot) for evaluate in evals]
        if wants_text:
            fault = check_text(final)
            if fault:
                raise source.error_at(state, last, fault)
        argv.append(final)
        try:
            return run(state.budget, argv)
        except FunctionError as error:
            raise source.failure(node, error, function.name) from error

    return piped


def logic(name: str, args: Sequence[Expr], slots: Sequence[int]) -> Stage:
    """Return the evaluation of "and" or "or": the operand that decides, or the last.

    ``slots`` are those of the variables that an operand may not come to declare.
    """
    wanted = name == "or"
    operands = [(arg.eval, arg.last) for arg in args]

    def decided(state: State, dot: Value, final: Value) -> Value:
        for slot in slots:
            state.vars[slot] = UNDEFINED
        value = INVALID
        for evaluate, last in operands:
            value = evaluate(state, dot)
            state.node = last or state.node
            if truth(value) == wanted:
                return value
        return value if final is UNDEFINED else final

    return decided


def callee(source: Source, node: Node, args: Sequence[Expr], name: str | None) -> Stage:
    """Return the evaluation of "call", which fails: no value here is a function.

    ``name`` is what stands for the function, None where it is the piped value.
    """
    evals = [arg.eval for arg in args]

    def called(state: State, dot: Value, final: Value) -> Value:
        argv = [evaluate(state, dot) for evaluate in evals]
        value = argv[0] if argv else final
        if value is None or value is INVALID:
            fault = FunctionError("call of nil")
        else:
            kind = type_name(value)
            shown = name or (value if isinstance(value, str) else f"<{kind} Value>")
            fault = FunctionError(f"non-function {shown} of type {kind}")
        raise source.failure(node, fault, "call")

    return called


MISSING_ERROR: Final = "error"
MISSING_DEFAULT: Final = "default"
MISSING_ZERO: Final = "zero"

# What a subscript raises on values that have no such field.
_NO_FIELD: Final = (KeyError, TypeError, IndexError, FunctionError)


class Chain:
    """A chain of fields: the names, the node for errors, and what the receiver is.

    ``element`` says that the receiver is what a range goes over, so that its Go type is interface
    {}. ``has_args`` says that arguments follow, which no field takes.
    """

    __slots__ = ("element", "has_args", "missingkey", "names", "node", "source")

    def __init__(
        self,
        source: Source,
        node: Node | None,
        names: list[str],
        missingkey: str,
        *,
        element: bool = False,
        has_args: bool = False,
    ) -> None:
        """Take the parts; ``node`` is None where only the state knows it."""
        self.source = source
        self.node = node
        self.names = names
        self.missingkey = missingkey
        self.element = element
        self.has_args = has_args

    def fault(self, state: State, message: str) -> ExecError:
        """Return an error at the node."""
        return self.source.error_at(state, self.node, message)

    def walk(self, state: State, receiver: Value) -> Value:
        """Take the fields one after the other, as Go does, with all of Go's complaints."""
        is_interface = self.element and type(receiver) in _INTERFACES
        last = len(self.names) - 1
        for i, name in enumerate(self.names):
            has_args = self.has_args and i == last
            try:
                receiver, is_interface = self.field(
                    state, receiver, name, is_interface=is_interface, has_args=has_args
                )
            except FunctionError as fault:
                raise self.fault(state, fault.message) from None
        return receiver

    def walk_pipeline(self, state: State, receiver: Value) -> Value:
        """Take the fields of a pipeline's value."""
        return self.walk(state, INVALID if receiver is None else receiver)

    def field(
        self, state: State, receiver: Value, name: str, *, is_interface: bool, has_args: bool
    ) -> tuple[Value, bool]:
        """Return a field of a value, and whether its Go type is interface {}."""
        if receiver is INVALID:
            if self.missingkey == MISSING_ERROR:
                raise self.fault(state, f"nil data; no entry for key {quote(name)}")
            return INVALID, False
        if receiver is None:
            raise self.fault(state, f"nil pointer evaluating interface {{}}.{name}")
        kind = kind_of(receiver)
        if kind == values.STRUCT and name in receiver:
            if has_args:
                raise self.fault(state, f"{name} has arguments but cannot be invoked as function")
            return from_data(receiver[name]), False
        if kind == values.MAP:
            if has_args:
                raise self.fault(state, f"{name} is not a method but has arguments")
            return self.entry(state, receiver, name), type(receiver) is not StructMap
        shown = "interface {}" if is_interface else type_name(receiver)
        raise self.fault(state, f"can't evaluate field {name} in type {shown}")

    def entry(self, state: State, receiver: dict[str, Value], name: str) -> Value:
        """Return an entry of a map, or what missingkey says in its place."""
        if name in receiver:
            return from_data(receiver[name])
        if self.missingkey == MISSING_ERROR:
            raise self.fault(state, f"map has no entry for key {quote(name)}")
        if self.missingkey == MISSING_DEFAULT:
            return INVALID
        return receiver.zero if isinstance(receiver, StructMap) else None

    def of_dot(self) -> Eval:
        """Return the evaluation of the chain on dot."""
        if self.has_args or len(self.names) > 3:
            return self.walk
        return _OF_DOT[len(self.names) - 1](self.walk, *self.names)

    def of(self, receiver: Eval, *, pipeline: bool = False) -> Eval:
        """Return the evaluation of the chain on what ``receiver`` gives.

        ``pipeline`` says that it is a whole pipeline, whose nil is no value at all.
        """
        walk = self.walk_pipeline if pipeline else self.walk
        if self.has_args or len(self.names) > 1:
            return lambda state, dot: walk(state, receiver(state, dot))
        name = self.names[0]

        def field(state: State, dot: Value) -> Value:
            value = receiver(state, dot)
            try:
                taken = value[name]
                return from_data(taken) if type(taken) in _CONVERTED else taken
            except _NO_FIELD:
                return walk(state, value)

        return field


_INTERFACES: Final = frozenset({str, bool, float, dict, list, tuple, type(None)})


def _field1(walk: Eval, first: str) -> Eval:
    """Return the evaluation of ``.A``."""

    def field(state: State, dot: Value) -> Value:
        try:
            value = dot[first]
            return from_data(value) if type(value) in _CONVERTED else value
        except _NO_FIELD:
            return walk(state, dot)

    return field


def _field2(walk: Eval, first: str, second: str) -> Eval:
    """Return the evaluation of ``.A.B``."""

    def field(state: State, dot: Value) -> Value:
        try:
            value = dot[first][second]
            return from_data(value) if type(value) in _CONVERTED else value
        except _NO_FIELD:
            return walk(state, dot)

    return field


def _field3(walk: Eval, first: str, second: str, third: str) -> Eval:
    """Return the evaluation of ``.A.B.C``."""

    def field(state: State, dot: Value) -> Value:
        try:
            value = dot[first][second][third]
            return from_data(value) if type(value) in _CONVERTED else value
        except _NO_FIELD:
            return walk(state, dot)

    return field


_OF_DOT: Final[tuple[Callable[..., Eval], ...]] = (_field1, _field2, _field3)


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
            expr = Expr(text_argument(self.source, expr), expr.last, nilable=False)
        return expr

    def call(self, name: IdentifierNode, node: Node, given: Sequence[Node]) -> Expr:
        """Compile the call of a function; ``node`` is what an error of it names."""
        function = self.functions[name.ident]
        fault = wrong_count(function, len(given), piped=False)
        if fault:
            return self.failing(name, fault)
        if function is _AND or function is _OR:
            decide = self.logic(function, given)
            return Expr(lambda state, dot: decide(state, dot, UNDEFINED), None)
        args = self.arguments(function, given)
        last = args[-1].last if args else name
        if function is _CALL:
            fail = callee(self.source, node, args, str(given[0]))
            return Expr(lambda state, dot: fail(state, dot, INVALID), last)
        return Expr(call(self.source, function, node, args), last)

    def piped_call(self, name: IdentifierNode, cmd: CommandNode) -> tuple[Stage, Node | None]:
        """Compile the call of a function whose last argument is piped."""
        function, given = self.functions[name.ident], cmd.args[1:]
        fault = wrong_count(function, len(given), piped=True)
        if fault:
            evaluate = raising(self.source, name, fault)
            return (lambda state, dot, _final: evaluate(state, dot)), name
        if function is _AND or function is _OR:
            return self.logic(function, given), (None if given else name)
        args = self.arguments(function, given)
        last = args[-1].last if args else name
        if function is _CALL:
            shown = str(given[0]) if given else None
            return callee(self.source, cmd, args, shown), last
        return stage(self.source, function, cmd, args, last), last

    def arguments(self, function: Function, given: Sequence[Node]) -> list[Expr]:
        """Compile the arguments of a call."""
        args = []
        for i, node in enumerate(given):
            expr = self.argument(node, param_type(function, i))
            if i and function is _SLICE and (expr.element or _is_field(node)):
                expr.eval = boxed(expr.eval)
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
        return logic(function.name, args, slots)


def _dot(state: State, dot: Value) -> Value:
    """Return dot."""
    return dot


def _is_field(node: Node) -> bool:
    """Say whether a node takes a field of something."""
    return isinstance(node, _FIELDS) or (isinstance(node, VariableNode) and len(node.ident) > 1)


def _no_function(node: Node) -> str:
    """Return Go's complaint about arguments for what is not a function."""
    return f"can't give argument to non-function {node}"
