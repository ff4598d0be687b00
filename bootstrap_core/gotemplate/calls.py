"""Compiling the calls of functions (Go: exec.go, evalCall)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bootstrap_core.gotemplate.errors import FunctionError
from bootstrap_core.gotemplate.expr import Expr
from bootstrap_core.gotemplate.funcs import TEXT, Function, index
from bootstrap_core.gotemplate.nodes import Node
from bootstrap_core.gotemplate.state import UNDEFINED, Eval, Source, State
from bootstrap_core.gotemplate.values import BOXED, INVALID, StructMap, Value, truth, type_name

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
