"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from attrs import frozen
from starlette.requests import Request

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
