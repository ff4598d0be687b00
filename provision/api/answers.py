"""Answers: JSON bodies, and one rendering of every error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.secret import Secret

INTERNAL = 500


class JsonAnswer(Response):
    """A JSON body. The secrets in it are meant for the reader of this answer and are shown."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode compactly, as UTF-8."""
        return json.dumps(
            content, ensure_ascii=False, separators=(",", ":"), default=_reveal
        ).encode()


def error_answer(request: Request, error: Exception) -> Response:
    """Render an exception: ``message`` (which Magistrala's clients read), ``code``, ``details``."""
    request_id = request.scope.get("request_id", "")
    if isinstance(error, HTTPException):
        status, headers = error.status_code, dict(error.headers or {})
        body = _http_error(request, error)
    elif (status := _status(error)) != INTERNAL:
        headers = dict(getattr(error, "headers", {}))
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            headers.setdefault("Retry-After", str(max(1, round(retry_after))))
        body = {"message": getattr(error, "message", str(error)), "code": _code(error)}
        if details := _details(error):
            body["details"] = details
    else:
        headers = {}
        structlog.get_logger().exception("request failed", exc_info=error)
        body = {
            "message": f"an error inside the service; its log has it under request ID {request_id}",
            "code": "internal",
        }
    return JsonAnswer({**body, "request_id": request_id}, status, headers)


def _http_error(request: Request, error: HTTPException) -> dict[str, Any]:
    match error.status_code:
        case 404:
            text = f"there is nothing at {request.url.path}; GET /openapi.json lists all routes"
            return {"message": text, "code": "unknown_route"}
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            text = f"{request.url.path} does not take {request.method}; allowed: {allowed}"
            return {"message": text, "code": "unknown_method"}
        case _:
            return {"message": str(error.detail), "code": "bad_request"}


def _status(error: Exception) -> int:
    status = getattr(error, "status", INTERNAL)
    return status if isinstance(status, int) else INTERNAL


def _code(error: Exception) -> str:
    code = getattr(error, "code", "internal")
    return code if isinstance(code, str) else "internal"


def _details(error: Exception) -> Any:  # noqa: ANN401 - whatever JSON the error carries
    details = getattr(error, "details", None)
    return dict(details) if isinstance(details, Mapping) else list(details or ())


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")
