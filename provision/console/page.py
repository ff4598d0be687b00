"""What a part of the console is made of: pages, and its entry in the navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response

from provision.console.visit import Visit

PAGE: Final = 20
FURTHEST: Final = 10**9


@frozen
class Pager:
    """Where in a list a page stands; ``query`` is what else the list's address says."""

    path: str
    query: Mapping[str, str]
    offset: int
    total: int
    limit: int = PAGE

    @property
    def first(self) -> int:
        """The number of the first entry shown, from 1; 0 where there is none."""
        return self.offset + 1 if self.total > self.offset else 0

    @property
    def last(self) -> int:
        """The number of the last entry shown."""
        return min(self.offset + self.limit, self.total)

    @property
    def first_url(self) -> str:
        """The address of the first page."""
        return self._url(0)

    @property
    def previous_url(self) -> str:
        """The address of the page before; empty on the first one."""
        return self._url(max(0, self.offset - self.limit)) if self.offset else ""

    @property
    def next_url(self) -> str:
        """The address of the page after; empty on the last one."""
        after = self.offset + self.limit
        return self._url(after) if after < self.total else ""

    def _url(self, offset: int) -> str:
        told = {key: value for key, value in self.query.items() if value}
        if offset:
            told["offset"] = str(offset)
        return f"{self.path}?{urlencode(told)}" if told else self.path


def offset_of(request: Request) -> int:
    """Return how many entries the address passes over; what is no number is none."""
    written = request.query_params.get("offset", "0")
    number = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0
    return min(number, FURTHEST)


def pager(
    request: Request, page: Mapping[str, Any], query: Mapping[str, str], limit: int = PAGE
) -> Pager:
    """Return the pager of an API's page (with its ``total``) at the request's address."""
    return Pager(request.url.path, query, offset_of(request), int(page.get("total", 0)), limit)


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


Handler = Callable[[Visit], Awaitable[Response]]


@frozen
class Page:
    """What is answered on a method and path (``/console/...``, Starlette's syntax).

    A page of the method POST is reached with the form token only; GET takes effect on nothing.
    """

    method: str
    path: str
    handler: Handler


class Section(Protocol):
    """A part of the console."""

    def pages(self) -> Sequence[Page]:
        """Return its pages; the first one may stand in the navigation."""
        ...
