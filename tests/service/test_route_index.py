"""Routes found by the first segments of a path, against Starlette's own router."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from provision.api.route_index import IndexedRouter

METHODS = ("GET", "POST")
WORDS = st.sampled_from(["a", "b", "c"])
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
