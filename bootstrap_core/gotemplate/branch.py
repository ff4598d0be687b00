"""Running an if or a with (Go: exec.go, walkIfOrWith)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bootstrap_core.gotemplate.nodes import Node
from bootstrap_core.gotemplate.state import Eval, Run, Source, State
from bootstrap_core.gotemplate.values import Value, truth

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
