"""A router that looks only at routes whose first path segments can match.

Starlette tries one route after the other; with some hundred of them that takes longer than many a
handler. What is answered is the same, since routes that could match are tried in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

DEPTH: Final = 3

Key: TypeAlias = tuple[str | None, ...]
"""First segments of a path: None stands for any in a route, for one that no route names else."""


class IndexedRouter(Router):
    """Routes requests as Starlette's router does, without redirects for slashes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        """Serve ``routes``; the first one that matches answers."""
        super().__init__(routes, redirect_slashes=False)
        self._keys = [(_key(route), route) for route in routes]
        self._named = [{key[place]: key[place] for key, _ in self._keys} for place in range(DEPTH)]
        self._routers: dict[Key, Router] = {}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to those routes that may match it."""
        if scope["type"] != "http":
            await super().app(scope, receive, send)
            return
        segments = _segments(scope["path"].removeprefix(scope.get("root_path", "")))
        key = tuple(map(dict.get, self._named, segments))
        # There are no more of these than combinations of what the routes name.
        router = self._routers.get(key) or self._routers.setdefault(key, self._router(key))
        await router.app(scope, receive, send)

    def _router(self, key: Key) -> Router:
        fitting = [
            route
            for pattern, route in self._keys
            if all(wanted in (None, given) for wanted, given in zip(pattern, key, strict=True))
        ]
        return Router(fitting, redirect_slashes=False)


def _key(route: Route) -> Key:
    """Return what a route asks of the first segments; nothing where it decides in its own way."""
    if type(route).matches is not Route.matches:
        return (None,) * DEPTH
    key: list[str | None] = []
    is_open = False
    for segment in _segments(route.path):
        key.append(None if is_open or "{" in segment else segment)
        # A parameter of kind "path" takes the segments that follow as well.
        is_open = is_open or ":path}" in segment
    return tuple(key)


def _segments(path: str) -> list[str]:
    """Return the first segments; the empty text stands for one that is not there."""
    found = path.split("/", DEPTH + 1)[1 : DEPTH + 1]
    return found + [""] * (DEPTH - len(found))
