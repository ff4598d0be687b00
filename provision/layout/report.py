"""Collecting problems: all of a file's in one go, each where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, Literal

from attrs import Factory, define

from provision.layout.errors import Problem
from provision.layout.model import KeyPath, Place
from provision.layout.source import Source, path_text

MOST_HINTED: Final = 10
"""Unknown names in one request of which it is told what may have been meant: looking takes time."""


@define
class Report:
    """The problems found in one source so far, all of one severity."""

    source: Source
    severity: Literal["error", "warning"] = "error"
    problems: list[Problem] = Factory(list)

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
        place = self.source.key_place(path)
        self._note(path, place, rule, message, tuple(allowed), suggestion)

    def at_value(
        self,
        path: KeyPath,
        rule: str,
        message: str,
        *,
        allowed: Iterable[str] = (),
        suggestion: str = "",
    ) -> None:
        """Note a problem where the value of ``path`` stands."""
        place = self.source.value_place(path)
        self._note(path, place, rule, message, tuple(allowed), suggestion)

    def inside(self, path: KeyPath, index: int, rule: str, message: str) -> None:
        """Note a problem at character ``index`` of the string at ``path``."""
        self._note(path, self.source.place_inside(path, index), rule, message, (), "")

    def unknown(
        self, path: KeyPath, rule: str, message: str, wrong: str, allowed: Iterable[str]
    ) -> None:
        """Note that the value of ``path`` should have been one of ``allowed``."""
        known = tuple(allowed)
        self.at_value(path, rule, message, allowed=known, suggestion=nearest(wrong, known))

    def refused(self, table: str) -> bool:
        """Return whether ``table`` is misspelled or of a wrong type, so that it is not known."""
        return any(
            (each.rule == "unknown-key" and each.suggestion == table)
            or (each.rule in {"wrong-type", "missing-key"} and each.key == table)
            for each in self.problems
        )

    def _note(
        self,
        path: KeyPath,
        place: Place,
        rule: str,
        message: str,
        allowed: tuple[str, ...],
        suggestion: str,
    ) -> None:
        self.problems.append(
            Problem(
                file=place.file or self.source.file,
                line=place.line,
                column=place.column,
                rule=rule,
                severity=self.severity,
                message=message,
                key=path_text(path),
                allowed=allowed,
                suggestion=suggestion,
                source=self.source.line(place),
            )
        )


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return the spelling among ``known`` that is nearest to ``wrong``, or an empty string."""
    by_folded = {word.casefold(): word for word in known}
    close = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""
