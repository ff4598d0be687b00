"""Routes found by the first segments of a path, against Starlette's own router."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Scope

from provision.api.app import IndexedRouter

METHODS = ("GET", "POST")
WORDS = st.sampled_from(["a", "b", "c"])
BEGINNINGS = st.sampled_from(["/a", "/a/b", "/c"])
SEGMENTS = st.one_of(WORDS, st.sampled_from(["{p}", "a{p}", "{p:path}", ""]))
PATTERNS = st.lists(SEGMENTS, min_size=1, max_size=4)
PATHS = st.lists(st.one_of(WORDS, st.sampled_from(["ab", "x", "", "%2F"])), max_size=5)


def named(parts: list[str]) -> str:
    """Return a route's path; no two of its parameters have the same name."""
    return "/" + "/".join(part.replace("{p", f"{{p{n}") for n, part in enumerate(parts))


def routes(patterns: list[tuple[list[str], str]]) -> list[Route]:
    return [
        Route(named(parts), answering(number), methods=[method])
        for number, (parts, method) in enumerate(patterns)
    ]


def answering(number: int) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"{number} {request.path_params}")

    return answer


class Beginning(Route):
    """A route that takes whatever has its path behind the first segment."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        _, _, rest = scope["path"].removeprefix("/").partition("/")
        found = Match.FULL if f"/{rest}".startswith(self.path) else Match.NONE
        return found, {"endpoint": self.endpoint, "path_params": {}}


async def asked(app: ASGIApp, method: str, path: str) -> tuple[int, str, str | None]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport) as http:
        answer = await http.request(method, f"http://service{path}")
    return answer.status_code, answer.text, answer.headers.get("allow")


@given(
    st.lists(st.tuples(PATTERNS, st.sampled_from(METHODS)), max_size=8),
    st.lists(st.tuples(st.sampled_from(METHODS), PATHS), min_size=1, max_size=4),
)
async def test_it_answers_as_starlettes_router_does(
    patterns: list[tuple[list[str], str]], requests: list[tuple[str, list[str]]]
) -> None:
    indexed = IndexedRouter(routes(patterns))
    plain = Router(routes(patterns), redirect_slashes=False)
    for method, parts in requests:
        path = "/" + "/".join(parts)
        assert await asked(indexed, method, path) == await asked(plain, method, path)


@given(st.lists(st.tuples(PATTERNS, st.sampled_from(METHODS)), max_size=6), BEGINNINGS, st.data())
async def test_a_route_that_decides_in_its_own_way_is_always_asked(
    patterns: list[tuple[list[str], str]], beginning: str, data: st.DataObject
) -> None:
    def served() -> list[Route]:
        found = routes(patterns)
        return [*found[:2], Beginning(beginning, answering(-1)), *found[2:]]

    path = "/" + "/".join(data.draw(PATHS))
    plain = Router(served(), redirect_slashes=False)
    assert await asked(IndexedRouter(served()), "GET", path) == await asked(plain, "GET", path)
