"""What a part of the console is made of: pages, and its entry in the navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import frozen
from starlette.responses import Response

from provision.console.visit import Visit

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
