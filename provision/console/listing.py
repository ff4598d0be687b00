"""A text line by line, with what is to be said about its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen


@frozen
class Line:
    """A line of a text and the problems that begin at it."""

    text: str
    problems: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def kind(self) -> str:
        """``error``, ``warning`` or, where there is nothing to say, nothing."""
        found = {str(each["severity"]) for each in self.problems}
        return "error" if "error" in found else next(iter(found), "")


def lines_of(text: str, problems: Iterable[Mapping[str, Any]]) -> Sequence[Line]:
    """Return the lines of ``text``; each problem has ``line``, ``severity`` and ``message``.

    A problem behind the end of the text stands at its last line.
    """
    lines = text.removesuffix("\n").split("\n")
    at: dict[int, list[Mapping[str, Any]]] = {}
    for each in problems:
        at.setdefault(min(max(1, each["line"]), len(lines)), []).append(each)
    return [Line(line, at.get(number, ())) for number, line in enumerate(lines, 1)]
