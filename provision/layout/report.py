"""Collecting problems: all of a file's in one go, each where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Final, Literal

from attrs import Factory, define, evolve

from provision.layout.errors import Problem
from provision.layout.model import KeyPath, Position, path_text
from provision.layout.source import Source

MOST_HINTED: Final = 10
"""Unknown names in one request of which it is told what may have been meant: looking takes time."""


MOST_PROBLEMS: Final = 100
"""Problems that are told of one file; the last of them says that there may be more."""

MOST_LISTED: Final = 50
"""Allowed names that one problem lists."""

MOST_COMPARED: Final = 500
"""Known names that a wrong one is compared with."""

LONGEST_COMPARED: Final = 64
"""Characters in names that are compared: comparing takes time by the square of that."""


FOLLOWING: Final = frozenset(
    {
        "binding-target", "dangling-reference", "missing-key", "no-certificate", "no-gateway",
        "no-profile", "profile-template", "too-few", "unbound-slot", "unknown-slot",
        "unknown-variable",
    }
)  # fmt: skip
"""Rules about what is missing, which a file that could not be read may have."""


@define
class Report:
    """The problems found in one source so far, all of one severity.

    There are at most :data:`MOST_PROBLEMS`, so that a bad file costs no more than its length.
    """

    source: Source
    severity: Literal["error", "warning"] = "error"
    problems: list[Problem] = Factory(list)
    is_incomplete: bool = False
    """Whether an included file could not be read; then nothing is called missing."""

    @property
    def full(self) -> bool:
        """Whether no further problem is taken."""
        return len(self.problems) >= MOST_PROBLEMS

    def take(self, problems: Iterable[Problem]) -> None:
        """Note problems of another file that is part of this one."""
        for problem in problems:
            if len(self.problems) < MOST_PROBLEMS - 1:
                self.problems.append(problem)
            elif not self.full:
                message = f"only the first {MOST_PROBLEMS - 1} problems are told: mend them first"
                last = evolve(problem, rule="too-many", message=message, key="")
                self.problems.append(evolve(last, allowed=(), suggestion=""))

    def nearest(self, wrong: str, known: Iterable[str]) -> str:
        """Return the spelling that is nearest to ``wrong``, as long as problems are taken."""
        return "" if self.full else nearest(wrong, known)

    def at_key(
        self,
        path: KeyPath,
        rule: str,
        message: str,
        *,
        allowed: Iterable[str] = (),
        suggestion: str = "",
    ) -> None:
        """Note a problem where the key of ``path`` stands."""
        self._note(self.source.key_position, path, rule, message, allowed, suggestion)

    def at_value(self, path: KeyPath, rule: str, message: str, allowed: Iterable[str] = ()) -> None:
        """Note a problem where the value of ``path`` stands."""
        self._note(self.source.value_position, path, rule, message, allowed)

    def inside(self, path: KeyPath, index: int, rule: str, message: str) -> None:
        """Note a problem at character ``index`` of the string at ``path``."""
        self._note(partial(self.source.position_inside, index=index), path, rule, message)

    def unknown(
        self, path: KeyPath, rule: str, message: str, wrong: str, allowed: Iterable[str]
    ) -> None:
        """Note that the value of ``path`` should have been one of ``allowed``."""
        known = tuple(allowed)
        suggestion = self.nearest(wrong, known)
        self._note(self.source.value_position, path, rule, message, known, suggestion)

    def refused(self, table: str) -> bool:
        """Return whether ``table`` is misspelled or of a wrong type, so that it is not known."""
        return any(
            (problem.rule == "unknown-key" and problem.suggestion == table)
            or (problem.rule in {"wrong-type", "missing-key"} and problem.key == table)
            for problem in self.problems
        )

    def _note(
        self,
        find: Callable[[KeyPath], Position],
        path: KeyPath,
        rule: str,
        message: str,
        allowed: Iterable[str] = (),
        suggestion: str = "",
    ) -> None:
        if self.full or (self.is_incomplete and rule in FOLLOWING):
            return
        position = find(path)
        known = tuple(allowed)
        if more := known[MOST_LISTED:]:
            message += f" ({len(more):,} more names are allowed)"
        problem = Problem(
            file=position.file or self.source.file,
            line=position.line,
            column=position.column,
            rule=rule,
            severity=self.severity,
            message=message,
            key=path_text(path),
            allowed=known[:MOST_LISTED],
            suggestion=suggestion,
            source=self.source.line(position),
        )
        self.take([problem])


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return the spelling among ``known`` that is nearest to ``wrong``, or an empty string."""
    if len(wrong) > LONGEST_COMPARED:
        return ""
    short = (word for word in known if len(word) <= LONGEST_COMPARED)
    by_folded = {word.casefold(): word for word in islice(short, MOST_COMPARED)}
    close = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""
