"""The service's own HTTP API, asked in this process: one way for everything.

::

    await api.get("layouts")                                        GET /layouts
    await api.in_domain.post("mapping", body={...})                 POST /<domain>/mapping
    await api.in_domain.get("clients", "configs", query={"limit": 10})
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx
from attrs import evolve, field, frozen
from starlette.types import ASGIApp

from bootstrap_core.model import segment
from bootstrap_core.secrets import Secret
from provision.console.errors import NoDomain, Refused, SignedOut

BASE: Final = "http://console"
TIMEOUT: Final = 120.0
"""Seconds that the API may take; it bounds its own calls to the platform before that."""
JSON: Final = "application/json"
RECORD: Final = {"record": "true"}
"""Asks for a gateway's record although it was removed."""
FAILED: Final = 400
UNAUTHENTICATED: Final = 401
NOT_FOUND: Final = 404


def open_api(app: ASGIApp) -> httpx.AsyncClient:
    """Return a client of ``app``, an API that renders its own errors."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=BASE, timeout=TIMEOUT)


@frozen
class Api:
    """The API as one user sees it; every path is given in its parts, as they are.

    Each method returns the decoded JSON answer (None where it is empty; text where it is not JSON)
    and raises ``Refused`` (the API's own words) and ``SignedOut`` (it does not take the token).
    """

    http: httpx.AsyncClient
    token: Secret
    domain_id: str
    request_id: str
    inside: tuple[str, ...] = field(default=())

    @property
    def in_domain(self) -> Api:
        """The same API, with the session's domain before every path. Raises ``NoDomain``."""
        if not self.domain_id:
            raise NoDomain
        return evolve(self, inside=(self.domain_id,))

    async def get(self, *path: str, query: Mapping[str, str | int] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Read."""
        return await self._send("GET", path, None, query)

    async def post(
        self,
        *path: str,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Create or act."""
        return await self._send("POST", path, body, query, headers)

    async def upload(self, *path: str, text: str, media_type: str) -> Any:  # noqa: ANN401 - JSON
        """Create from a document in a format of its own."""
        return await self._send("POST", path, text, headers={"Content-Type": media_type})

    async def put(self, *path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Replace."""
        return await self._send("PUT", path, body)

    async def patch(self, *path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Change what the body names."""
        return await self._send("PATCH", path, body)

    async def delete(self, *path: str) -> Any:  # noqa: ANN401 - JSON
        """Remove."""
        return await self._send("DELETE", path)

    async def _send(
        self,
        method: str,
        path: tuple[str, ...],
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        sent = {"Authorization": f"Bearer {self.token.reveal()}", "X-Request-ID": self.request_id}
        if body is not None:
            sent["Content-Type"] = JSON
        try:
            answer = await self.http.request(
                method,
                "/" + "/".join(segment(part) for part in (*self.inside, *path)),
                params=query,
                content=_written(body),
                headers={**sent, **(headers or {})},
            )
        except httpx.InvalidURL as error:
            raise Refused(NOT_FOUND, "not_found", "nothing has so long a name") from error
        if answer.status_code == UNAUTHENTICATED:
            raise SignedOut
        document = _decoded(answer)
        if answer.status_code < FAILED:
            return document
        refusal = document if isinstance(document, dict) else {}
        raise Refused(
            answer.status_code,
            str(refusal.get("code", "")),
            str(refusal.get("message", "")) or f"the service answered {answer.status_code}",
            refusal.get("details"),
        )


def _written(body: object) -> str | None:
    return body if body is None or isinstance(body, str) else json.dumps(body)


def _decoded(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    if not answer.content:
        return None
    try:
        return answer.json()
    except json.JSONDecodeError:
        return answer.text
