"""Compiling a template's trees to closures (Go: text/template/exec.go, walk*).

Texts and actions that follow each other are one closure: it charges their work once, evaluates the
actions, and writes all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bootstrap_core.gotemplate.branch import Condition, branch
from bootstrap_core.gotemplate.errors import BudgetError, FunctionError
from bootstrap_core.gotemplate.evaluate import Evaluation
from bootstrap_core.gotemplate.expr import Expr
from bootstrap_core.gotemplate.floats import shortest
from bootstrap_core.gotemplate.funcs import Function
from bootstrap_core.gotemplate.limits import Budget, Limits
from bootstrap_core.gotemplate.loop import Loop, break_loop, continue_loop
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
from bootstrap_core.gotemplate.printer import Printer, printable
from bootstrap_core.gotemplate.quote import quote
from bootstrap_core.gotemplate.scope import Scope, Setter, Variable, slot_setter
from bootstrap_core.gotemplate.state import UNDEFINED, Eval, Run, Source, State
from bootstrap_core.gotemplate.values import INVALID, Value

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
