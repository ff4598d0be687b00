"""Compiling a template's trees to closures (Go: text/template/exec.go, walk*)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bootstrap_core.gotemplate import values
from bootstrap_core.gotemplate.errors import BudgetError, FunctionError
from bootstrap_core.gotemplate.evaluation import Evaluation
from bootstrap_core.gotemplate.funcs import Function
from bootstrap_core.gotemplate.limits import Budget, Limits
from bootstrap_core.gotemplate.nodes import (
    ActionNode,
    BranchNode,
    BreakNode,
    ContinueNode,
    IfNode,
    ListNode,
    Node,
    PipeNode,
    RangeNode,
    TemplateNode,
    TextNode,
    WithNode,
)
from bootstrap_core.gotemplate.numbers import shortest
from bootstrap_core.gotemplate.printing import Printer, printable
from bootstrap_core.gotemplate.state import (
    UNDEFINED,
    Eval,
    Expr,
    Run,
    Scope,
    Setter,
    Source,
    State,
    Variable,
    slot_setter,
)
from bootstrap_core.gotemplate.text import quote
from bootstrap_core.gotemplate.values import (
    INVALID,
    Uint8,
    Value,
    from_data,
    kind_of,
    sorted_keys,
    truth,
)

# The node of an if or with, the work of its pipeline, the pipeline, and what to run if it is true.
Condition: TypeAlias = tuple[Node, int, Eval, Run]


def branch(
    source: Source, conditions: Sequence[Condition], otherwise: Run | None, *, is_with: bool
) -> Run:
    """Return what runs the first list whose condition is true."""

    def run_branch(state: State, dot: Value) -> None:
        budget = state.budget
        for node, cost, condition, run in conditions:
            budget.steps -= cost
            if budget.steps < 0:
                raise source.failure(node, budget.exhausted())
            value = condition(state, dot)
            if truth(value):
                run(state, value if is_with else dot)
                return
        if otherwise is not None:
            otherwise(state, dot)

    return run_branch


class BreakLoop(Exception):
    """{{break}} was reached."""


class ContinueLoop(Exception):
    """{{continue}} was reached."""


def break_loop(state: State, dot: Value) -> None:
    """Leave the range."""
    raise BreakLoop


def continue_loop(state: State, dot: Value) -> None:
    """Go on with the range's next element."""
    raise ContinueLoop


@dataclass(slots=True, eq=False)
class Loop:
    """A compiled range.

    ``last`` is the node that an error about the value names, ``cost`` the work of getting it.
    ``set_index`` and ``set_element`` set the variables of the range, where it has them.
    """

    source: Source
    node: Node
    last: Node | None
    cost: int
    value: Eval
    set_index: Callable[[State, Value], None] | None
    set_element: Callable[[State, Value], None] | None
    body: Run
    otherwise: Run | None

    def run(self, state: State, dot: Value) -> None:
        """Run the body for every element, or the else list if there is none."""
        value = self.value(state, dot)
        try:
            state.budget.step(self.cost)
            pairs = self.pairs(state, value)
            if pairs is not None:
                self.iterate(state, pairs)
                return
        except BreakLoop:
            return
        except FunctionError as fault:
            raise self.source.failure(self.node, fault) from fault
        if self.otherwise is not None:
            self.otherwise(state, dot)

    def pairs(self, state: State, value: Value) -> Iterator[tuple[Value, Value]] | None:
        """Return the indexes and elements of a value, None if it has none."""
        kind = kind_of(value)
        if kind in _RANGES:
            if kind in _INTEGERS and self.set_index is not None:
                raise self.source.error_at(
                    state, self.last, f"can't use {value} to iterate over more than one variable"
                )
            return _RANGES[kind](state.budget, value) if _some(value) else None
        if kind in {values.INVALID_KIND, values.NIL}:
            return None
        shown = _shown(state.budget, value)
        raise self.source.error_at(state, self.last, f"range can't iterate over {shown}")

    def iterate(self, state: State, pairs: Iterator[tuple[Value, Value]]) -> None:
        """Run the body for pairs of index and element."""
        body, set_index, set_element = self.body, self.set_index, self.set_element
        step = state.budget.step
        for index, element in pairs:
            step(1)
            if set_index is not None:
                set_index(state, index)
            if set_element is not None:
                set_element(state, element)
            try:  # noqa: SIM105 - contextlib.suppress takes longer than the body
                body(state, element)
            except ContinueLoop:
                pass


def _some(value: Value) -> bool:
    """Say whether there is something to go over."""
    return value > 0 if isinstance(value, int) else len(value) > 0


def _shown(budget: Budget, value: Value) -> str:
    """Write a value for a message."""
    printer = Printer(budget)
    printer.print_arg(value, "v")
    return printer.text()


def _of_slice(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the elements of a list by their index."""
    return enumerate(map(from_data, value))


def _of_map(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the entries of a map in the order of their keys."""
    budget.step(len(value))
    return ((key, from_data(value[key])) for key in sorted_keys(value))


def _of_int(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the numbers below an integer."""
    return ((None, i) for i in range(value))


def _of_uint(budget: Budget, value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the numbers below a byte, as bytes."""
    return ((None, Uint8(i)) for i in range(value))


_INTEGERS: Final = frozenset({values.INT, values.UINT})
_RANGES: Final = {
    values.SLICE: _of_slice,
    values.MAP: _of_map,
    values.INT: _of_int,
    values.UINT: _of_uint,
}


MAX_FRAMES: Final = 500
_FRAMES_A_LEVEL: Final = 3
_LINE: Final = (TextNode, ActionNode)


@dataclass(slots=True)
class Body:
    """A compiled template: what to run, its slots for variables, the Python calls it may stack."""

    run: Run
    slots: int
    frames: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What the templates of one text are compiled with."""

    text: str
    name: str
    functions: Mapping[str, Function]
    missingkey: str
    limits: Limits


def compile_trees(trees: Mapping[str, ListNode], settings: Settings) -> dict[str, Body]:
    """Compile the templates of one text, by name."""
    bodies: dict[str, Body] = {}
    for name, tree in trees.items():
        bodies[name] = Compiler(name, settings, bodies).body(tree)
    return bodies


class Compiler:
    """The compiler of one template.

    ``level`` counts the controls around the place at work, ``deepest`` the most there were.
    """

    __slots__ = ("bodies", "deepest", "evaluation", "level", "limits", "scope", "source")

    def __init__(self, name: str, settings: Settings, bodies: Mapping[str, Body]) -> None:
        """Take the template's name; ``bodies`` is where the others are once they are compiled."""
        self.source = Source(settings.text, settings.name, name)
        self.scope = Scope()
        self.evaluation = Evaluation(
            self.source, self.scope, settings.functions, settings.missingkey
        )
        self.bodies = bodies
        self.limits = settings.limits
        self.level = 0
        self.deepest = 0

    def body(self, tree: ListNode) -> Body:
        """Compile the whole template."""
        run = self.list(tree)
        frames = _FRAMES_A_LEVEL * (self.deepest + 2 + self.limits.parentheses)
        return Body(run, self.scope.size, frames)

    def list(self, node: ListNode) -> Run:
        """Compile nodes that follow each other."""
        runs: list[Run] = []
        line: list[TextNode | ActionNode] = []
        for child in node.nodes:
            if isinstance(child, _LINE):
                line.append(child)
                continue
            if line:
                runs.append(self.line(line))
                line = []
            runs.append(_COMPILERS[type(child)](self, child))
        if line:
            runs.append(self.line(line))
        if len(runs) == 1:
            return runs[0]

        def sequence(state: State, dot: Value) -> None:
            for run in runs:
                run(state, dot)

        return sequence

    def line(self, nodes: Sequence[TextNode | ActionNode]) -> Run:
        """Compile texts and actions that follow each other."""
        texts, emits = [""], []
        self.evaluation.cost = 0
        for node in nodes:
            if isinstance(node, TextNode):
                texts[-1] += node.text
            else:
                emits.append(self.action(node))
                texts += ["", ""]
        cost, source = 1 + (self.evaluation.cost + 3 * len(emits)) // 4, self.source
        first = next((node for node in nodes if isinstance(node, ActionNode)), nodes[0])

        def line(state: State, dot: Value) -> None:
            budget = state.budget
            pieces = texts.copy()
            try:
                budget.step(cost)
                pieces[1::2] = [emit(state, dot) for emit in emits]
                budget.write(pieces)
            except BudgetError as fault:
                raise source.failure(first, fault) from fault

        return line

    def action(self, node: ActionNode) -> Eval:
        """Compile an action to what gives its text."""
        expr = self.evaluation.pipeline(node.pipe)
        evaluate, source, silent = expr.eval, self.source, bool(node.pipe.decl)

        def declare(state: State, dot: Value) -> str:
            evaluate(state, dot)
            return ""

        def emit(state: State, dot: Value) -> str:
            value = evaluate(state, dot)
            if type(value) is str:
                return value
            try:
                return shortest(value) if type(value) is float else _text(state.budget, value)
            except FunctionError as fault:
                raise source.failure(node, fault) from fault

        return declare if silent else emit

    def inner(self, node: ListNode, *, dot_is_element: bool) -> Run:
        """Compile a list inside a control."""
        evaluation, mark = self.evaluation, self.scope.mark()
        outer, evaluation.dot_is_element = evaluation.dot_is_element, dot_is_element
        self.level += 1
        self.deepest = max(self.deepest, self.level)
        run = self.list(node)
        self.level -= 1
        evaluation.dot_is_element = outer
        self.scope.pop(mark)
        return run

    def branch(self, node: BranchNode) -> Run:
        """Compile an if or a with, and what is chained to it by else."""
        mark, is_element = self.scope.mark(), self.evaluation.dot_is_element
        is_with = isinstance(node, WithNode)
        conditions: list[Condition] = []
        otherwise: Run | None = None
        while True:
            condition, cost = self.costed(node.pipe)
            body = self.inner(node.list, dot_is_element=is_element and not is_with)
            conditions.append((node, cost, condition.eval, body))
            following = node.else_list.nodes if node.else_list else []
            if len(following) != 1 or type(following[0]) is not type(node):
                break
            node = following[0]
        if node.else_list:
            otherwise = self.inner(node.else_list, dot_is_element=is_element)
        self.scope.pop(mark)
        return branch(self.source, conditions, otherwise, is_with=is_with)

    def costed(self, pipe: PipeNode) -> tuple[Expr, int]:
        """Compile a pipeline, and count the work of it."""
        self.evaluation.cost = 0
        expr = self.evaluation.pipeline(pipe)
        return expr, 1 + self.evaluation.cost // 4

    def range(self, node: RangeNode) -> Run:
        """Compile a range."""
        scope, decl, mark = self.scope, node.pipe.decl, self.scope.mark()
        is_element = self.evaluation.dot_is_element
        expr, cost = self.costed(node.pipe)
        setters: list[Setter] = []
        if node.pipe.is_assign:
            setters = [scope.setter(self.source, v.ident[0], expr.last) for v in decl]
        elif decl:
            setters = [slot_setter(v.slot) for v in scope.stack[-len(decl) :]]
        declared = scope.stack[mark:]
        if decl and not node.pipe.is_assign:
            top = scope.stack[-1]
            scope.stack[-1] = Variable(top.name, top.slot, element=True)
        body = self.inner(node.list, dot_is_element=True)
        scope.stack[mark:] = declared
        otherwise = None
        if node.else_list:
            otherwise = self.inner(node.else_list, dot_is_element=is_element)
        scope.pop(mark)
        return Loop(
            self.source,
            node,
            expr.last,
            cost,
            expr.eval,
            setters[0] if len(setters) > 1 else None,
            setters[-1] if setters else None,
            body,
            otherwise,
        ).run

    def template(self, node: TemplateNode) -> Run:
        """Compile the call of a template."""
        source, limits, bodies = self.source, self.limits, self.bodies
        evaluate: Eval = _no_data
        cost = 2
        if node.pipe:
            expr, cost = self.costed(node.pipe)
            evaluate = expr.definite()
        here = _FRAMES_A_LEVEL * (self.level + 1)

        def call(state: State, dot: Value) -> None:
            body = bodies.get(node.name)
            if body is None:
                raise source.error(node, f"template {quote(node.name)} not defined")
            frames = state.frames + here
            try:
                if state.depth >= limits.call_depth or frames + body.frames > MAX_FRAMES:
                    raise BudgetError(
                        "call_depth", f"exceeded maximum template depth ({limits.call_depth})"
                    )
                state.budget.step(cost + body.slots // 8)
            except BudgetError as fault:
                raise source.failure(node, fault) from None
            value = evaluate(state, dot)
            variables: list[Value] = [UNDEFINED] * body.slots
            variables[0] = value
            body.run(State(state.budget, variables, state.depth + 1, frames), value)

        return call


def _text(budget: Budget, value: Value) -> str:
    """Return what an action prints of a value (Go: printValue)."""
    printer = Printer(budget)
    printer.print_arg(printable(value), "v")
    return printer.text()


def _no_data(state: State, dot: Value) -> Value:
    """Return what a template gets that is called without a value."""
    return INVALID


_COMPILERS: Final[Mapping[type[Node], Callable[[Compiler, Any], Run]]] = {
    IfNode: Compiler.branch,
    WithNode: Compiler.branch,
    RangeNode: Compiler.range,
    TemplateNode: Compiler.template,
    BreakNode: lambda _compiler, _node: break_loop,
    ContinueNode: lambda _compiler, _node: continue_loop,
}
