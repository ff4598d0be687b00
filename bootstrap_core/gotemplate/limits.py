"""How much a template may ask for: templates come from people who are not trusted with the host.

The defaults keep parsing together with one rendering under 300 ms and 64 MiB on one slow core.
Sizes of text are in characters, except the template's own, which is in bytes of UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap_core.gotemplate.errors import BudgetError


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds, each of them adjustable.

    ``template_size``: bytes of a template's text. ``items``: the words, signs and texts in it.
    ``nesting``: how deep control structures may
    stand in each other. ``parentheses``: the same for pipelines in parentheses. ``variables``: how
    many one template may declare.
    ``steps``: units of work of one rendering, where a step is about one action or function, one
    element looped over, or some hundred characters handled. ``output``: characters of the result.
    ``string``: characters of one value that a function makes. ``width``: width and precision of a
    printf verb. ``call_depth``: templates calling templates. ``data_depth``: how deep printed data
    may be nested.
    """

    template_size: int = 64 * 1024
    items: int = 20_480
    nesting: int = 100
    parentheses: int = 40
    variables: int = 1_000
    steps: int = 50_000
    output: int = 1024 * 1024
    string: int = 256 * 1024
    width: int = 100_000
    call_depth: int = 50
    data_depth: int = 100


class Budget:
    """What is left of the limits in one rendering."""

    __slots__ = ("limits", "output", "pieces", "steps")

    def __init__(self, limits: Limits) -> None:
        """Start with everything that the limits allow."""
        self.limits = limits
        self.steps = limits.steps
        self.output = limits.output
        self.pieces: list[str] = []

    def step(self, count: int) -> None:
        """Take ``count`` units of work.

        Raises:
            BudgetError: there are not that many left.

        """
        self.steps -= count
        if self.steps < 0:
            raise self.exhausted()

    def exhausted(self) -> BudgetError:
        """Return the error about work that is not left."""
        return BudgetError("steps", f"more than {self.limits.steps} steps")

    def room(self, length: int) -> None:
        """Make sure that a value of ``length`` characters may be made, and take the work it costs.

        Raises:
            BudgetError: the value is too long, or there is no work left for it.

        """
        if length > self.limits.string:
            raise BudgetError(
                "string", f"a value of {length} characters; at most {self.limits.string}"
            )
        self.step(1 + length // 128)

    def write(self, pieces: list[str]) -> None:
        """Add ``pieces`` to the output.

        Raises:
            BudgetError: the output would be too long.

        """
        self.output -= sum(map(len, pieces))
        if self.output < 0:
            raise BudgetError("output", f"an output of more than {self.limits.output} characters")
        self.pieces += pieces
