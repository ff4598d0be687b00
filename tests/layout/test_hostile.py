"""Layout files made to hurt: each is read in a time that grows with its length alone."""

from __future__ import annotations

import pytest

from provision.layout.errors import LayoutError, Problem
from provision.layout.reader import read
from provision.layout.report import MOST_LISTED, MOST_PROBLEMS
from tests.gotemplate.work import calls
from tests.layout.samples import problems_of

SIZE = 200_000
CALLS_MOST = 30
"""Calls of functions for each character; whatever is quadratic makes thousands."""
HEAD = """
[[clients]]
name = "gateway"
bootstrap = true
%s
[[channels]]
name = "control"
metadata = { type = "control" }
"""


def layout(client: str = "", rest: str = "") -> str:
    return HEAD % client + rest


def fill(piece: str, size: int = SIZE) -> str:
    return piece * (size // len(piece))


def numbered(piece: str, size: int = SIZE) -> str:
    """Repeat a piece with # replaced by its number."""
    return "".join(piece.replace("#", str(at)) for at in range(size // (len(piece) + 4)))


HOSTILE = {
    "wrong fields in one string": layout(f"metadata.x = '{fill('{{.Nope}}')}'"),
    "unknown variables in one string": layout(f"metadata.x = '{fill('{{.Vars.nope}}')}'"),
    "unknown variables beside parameters": layout(
        f"metadata.x = '{numbered('{{.Vars.a#}}', SIZE // 2)}'", numbered("[parameters.p#]\n")
    ),
    "a duration of digits": layout(rest=f'[certificates]\nttl = "{"1" * SIZE}"\n'),
    "a duration of terms": layout(rest=f'[certificates]\nttl = "{fill("1ns")}"\n'),
    "references to nothing": layout(
        rest="[[connections]]\nclients = ['gateway']\nchannels = ["
        + numbered('"c#",', SIZE // 2)
        + "]\n"
        + numbered('[[channels]]\nname = "d#"\n')
    ),
    "open strings": layout("metadata.x = '''" + fill('"\\') + "'''"),
    "unknown keys": layout(numbered("k# = 1\n")),
    "numbers that JSON has not": layout(
        rest=numbered('[[channels]]\nname = "d#"\nmetadata.x = inf\n')
    ),
    "open actions in names": layout(rest=f"[[channels]]\nname = '{fill('{{')}'\n"),
    "open actions in a legacy name": f"[[things]]\nname = '{fill('{{')}'\n",
    "fragments without end": layout(
        rest="[layout]\ninclude = [" + numbered('"a#.toml",', SIZE // 4) + "]\n"
    ),
}


def told(text: str) -> tuple[Problem, ...]:
    """Return the problems of a text, or its warnings."""
    try:
        return read(text, file="hostile.toml", load_template=lambda _: "").warnings
    except LayoutError as error:
        return error.problems


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_ends(text: str) -> None:
    found: list[tuple[Problem, ...]] = []
    assert calls(lambda: found.append(told(text))) <= CALLS_MOST * len(text)
    (problems,) = found
    assert 0 < len(problems) <= MOST_PROBLEMS
    assert all(len(problem.allowed) <= MOST_LISTED for problem in problems)


def test_the_last_problem_says_that_there_may_be_more() -> None:
    problems = problems_of(layout(numbered("k# = 1\n", 2_000)))
    assert len(problems) == MOST_PROBLEMS
    assert [problem.rule for problem in problems].count("too-many") == 1
    assert "first 99 problems" in problems[-1].message


def test_it_is_told_how_many_more_names_are_allowed() -> None:
    channels = numbered('[[channels]]\nname = "d#"\n', 3_000)
    wrong = layout(rest=f'{channels}[[connections]]\nclients = ["gateway"]\nchannels = ["d1x"]\n')
    [problem] = problems_of(wrong)
    assert problem.suggestion == "d1"
    assert len(problem.allowed) == MOST_LISTED
    assert "more names are allowed" in problem.message
