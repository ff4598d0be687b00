"""Operations of an HTTP interface, told once: routes and the OpenAPI 3.1 document come from them.

operations = [Operation("GET", "/{domain_id}/clients/configs", handler, ...)]
app = Starlette(routes=routes(operations))
document = describe(operations, schemas, title="...", version="...")
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bootstrap_core.bodies import Schema
from bootstrap_core.http.json_schema import name_of, schemas_of
from bootstrap_core.model import Asked


class ExactRoute(Route):
    """A route of Starlette whose parameters are taken whole, line breaks included.

    Starlette's own patterns end with ``$``, which also matches before a line break at the end, and
    its parameters of kind ``path`` end at any line break: a path with ``%0A`` would be taken for
    the path without it.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]] | Callable[..., Any],
        *,
        methods: Collection[str] | None,
    ) -> None:
        """Take a path in Starlette's syntax, its handler and its methods (an app's: None, any)."""
        super().__init__(path, endpoint, methods=methods)
        pattern = self.path_regex.pattern.removesuffix("$")
        self.path_regex = re.compile(pattern + r"\Z", re.DOTALL)


Handler = Callable[[Request], Awaitable[Response]]
JSON: Final = "application/json"
ASKED: Final = "bootstrap_core.asked"
"""Where a request's scope has its route: the method and the path as it is declared."""
ERROR: Final[Schema] = {
    "type": "object",
    "description": "What went wrong, and what to do.",
    "properties": {
        "message": {"type": "string", "description": "For people"},
        "code": {"type": "string", "description": "For programs; it stays the same"},
        "details": {
            "type": ["array", "object"],
            "description": "What else a program may read: a list of fields or of problems, or an "
            "object",
        },
        "request_id": {"type": "string", "description": "The ID of this request in the log"},
    },
    "required": ["message"],
}
ERRORS: Final[Mapping[int, str]] = {
    400: "The request cannot be understood",
    401: "No valid credentials were sent",
    403: "The caller may not do this",
    404: "There is nothing with this ID or name",
    405: "The route does not take this method",
    409: "It conflicts with what exists",
    413: "The body is too large",
    415: "The content type is not one that the route takes",
    422: "Understood, but it cannot be done",
    429: "Too many failed attempts, or too much at once; Retry-After says when to try again",
    502: "The platform answered with an error of its own, or with an answer that cannot be used",
    503: "Not available at the moment",
    504: "The platform did not answer in time",
}


@frozen
class Reply:
    """A successful answer: what it means, its schema by name (none: no body), its headers."""

    meaning: str
    schema: str = ""
    media_type: str = JSON
    headers: Mapping[str, str] = field(factory=dict)


@frozen
class Parameter:
    """A query or header parameter; path parameters are told by the path."""

    name: str
    schema: Schema
    description: str = ""
    place: str = "query"


@frozen
class Operation:
    """One method of one path.

    ``handler`` is None where the route is made elsewhere and only described here. ``body`` is the
    class that says what is taken (``bootstrap_core.bodies``), in a media type of ``kinds``.
    ``errors`` are the statuses that the operation may answer with besides those of ``replies``.
    """

    method: str
    path: str
    handler: Handler | None = field(repr=False)
    id: str
    summary: str
    tag: str
    replies: Mapping[int, Reply]
    errors: Sequence[int] = ()
    parameters: Sequence[Parameter] = ()
    body: type[Any] | None = None
    kinds: Sequence[str] = (JSON,)
    security: str = "bearer"
    right: str = ""
    """The right that callers need, in words; filled in by whoever knows the rights."""


@frozen
class Group:
    """Makes operations that belong together.

    An operation's summary is the first line of its handler's docstring, its ID the group's name
    and the handler's.
    """

    name: str
    security: str = "bearer"

    def on(
        self,
        method: str,
        path: str,
        handler: Handler,
        replies: Mapping[int, Reply],
        errors: Sequence[int] = (),
        *,
        body: type[Any] | None = None,
        kinds: Sequence[str] = (JSON,),
        parameters: Sequence[Parameter] = (),
    ) -> Operation:
        """Return the operation that ``handler`` does on ``method`` and ``path``."""
        name = getattr(handler, "__name__", type(handler).__name__)
        return Operation(
            method=method,
            path=path,
            handler=handler,
            id=f"{self.name}_{name}",
            summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
            tag=self.name,
            replies=replies,
            errors=errors,
            parameters=parameters,
            body=body,
            kinds=kinds,
            security=self.security,
        )


def asked_of(request: Request, *conditions: str, **values: str) -> Asked:
    """Return what a request asks for; ``values`` are added to those of its path."""
    method, path = request.scope[ASKED]
    return Asked(method, path, {**request.path_params, **values}, conditions)


def routes(operations: Sequence[Operation]) -> list[Route]:
    """Return one route for each path, in the order of the operations."""
    by_path: dict[str, dict[str, Handler]] = {}
    for operation in operations:
        if operation.handler is not None:
            by_path.setdefault(operation.path, {})[operation.method] = operation.handler
    return [_route(path, handlers) for path, handlers in by_path.items()]


def describe(
    operations: Sequence[Operation],
    schemas: Mapping[str, Schema],
    *,
    title: str,
    version: str,
    security_schemes: Mapping[str, Schema],
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of ``operations``; ``schemas`` are those of the answers."""
    bodies = schemas_of(*(each.body for each in operations if each.body is not None))
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths(operations),
        "components": {
            "schemas": {"Error": ERROR, **bodies, **schemas},
            "securitySchemes": dict(security_schemes),
        },
    }


def paths(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document's paths."""
    found: dict[str, Any] = {}
    for operation in operations:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", operation.path)
        item = found.setdefault(path, _path_item(path))
        item[operation.method.lower()] = _describe(operation)
    return found


def _route(path: str, handlers: Mapping[str, Handler]) -> Route:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        request.scope[ASKED] = (method, path)
        return await handlers[method](request)

    return ExactRoute(path, endpoint, methods=list(handlers))


def _path_item(path: str) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    if not names:
        return {}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    return {"parameters": parameters}


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [{operation.security: []}] if operation.security else [],
        "responses": {
            **{str(status): _reply(reply) for status, reply in operation.replies.items()},
            **{str(status): _error(status) for status in sorted(operation.errors)},
        },
    }
    if operation.right:
        described["description"] = f"Needs the right: {operation.right}."
        described["x-required-right"] = operation.right
    if operation.parameters:
        described["parameters"] = [
            {
                "name": each.name,
                "in": each.place,
                "description": each.description,
                "schema": dict(each.schema),
            }
            for each in operation.parameters
        ]
    if operation.body is not None:
        schema = _ref(name_of(operation.body))
        described["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind in operation.kinds},
        }
    return described


def _reply(reply: Reply) -> dict[str, Any]:
    described: dict[str, Any] = {"description": reply.meaning}
    if reply.schema:
        described["content"] = {reply.media_type: {"schema": _ref(reply.schema)}}
    if reply.headers:
        described["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in reply.headers.items()
        }
    return described


def _error(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": ERRORS[status],
        "content": {JSON: {"schema": _ref("Error")}},
    }
    if status in (429, 503):
        described["headers"] = {
            "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}
        }
    return described


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
