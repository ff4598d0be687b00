"""The app: every route of every part, described once, wrapped once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bootstrap_core.core import BootstrapCore
from bootstrap_core.http.schemas import SCHEMAS as BOOTSTRAP_SCHEMAS
from bootstrap_core.http.schemas import SECURITY_SCHEMES
from bootstrap_core.openapi import Operation, Reply, describe, routes
from provision.api.answers import JsonAnswer
from provision.api.route_index import IndexedRouter
from provision.api.schemas import SCHEMAS
from provision.api.wrapper import Wrapper
from provision.build_info import release
from provision.metrics import Metrics

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EXPOSED = ("Location", "ETag", "Retry-After", "X-Request-ID")
ALLOWED = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID")


class Part(Protocol):
    """A part of the API."""

    def operations(self) -> list[Operation]:
        """Return what it serves."""
        ...


def make_api(parts: Sequence[Part], core: BootstrapCore, further: Sequence[Route]) -> ASGIApp:
    """Return the routes of the parts, of the bootstrap core and ``further`` ones, not yet wrapped.

    Devices' routes come first, since they are asked most.
    """
    operations = [each for part in parts for each in part.operations()]
    document = describe(
        [*operations, *core.operations()],
        {**BOOTSTRAP_SCHEMAS, **SCHEMAS},
        title="provision",
        version=release(),
        security_schemes=SECURITY_SCHEMES,
    )
    served = [*core.routes(), *routes([*operations, _showing(document)]), *further]
    return IndexedRouter(served)


def make_app(served: ASGIApp, metrics: Metrics, origins: Sequence[str]) -> ASGIApp:
    """Return what is served, wrapped once. Web pages of ``origins`` may call it."""
    app = Wrapper(served, metrics)
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
    )


def _showing(document: Mapping[str, Any]) -> Operation:
    async def show(_: Request) -> Response:
        return JsonAnswer(document)

    return Operation(
        method="GET",
        path="/openapi.json",
        handler=show,
        id="openapi",
        summary="Show the OpenAPI document",
        tag="operations",
        replies={200: Reply("The document")},
        security="",
    )
