"""A platform that keeps the half of a creation, as it looks over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
from attrs import define, field

from tests.service.running import FaultyWire

WORDS = {
    "clients": (422, "failed to create entity"),
    "channels": (400, "channel id already exists"),
}


@define
class Halves:
    """Cuts the next creations of a kind short, after their row or after their authorization tuples.

    Whose tuples are there is shown by its ID (``shown``); a deletion is refused and marks it.
    """

    kind: str
    shown: bool = False
    cuts: int = 1
    kept: dict[str, dict[str, Any]] = field(factory=dict)

    def on(self, wire: FaultyWire) -> None:
        """Play on a wire."""
        wire.fail("POST", f"/{self.kind}/bulk", self._create)
        wire.fail("GET", f"/{self.kind}/", self._view)
        wire.fail("DELETE", f"/{self.kind}/", self._delete)

    async def _create(
        self, request: httpx.Request, inner: httpx.AsyncBaseTransport
    ) -> httpx.Response:
        drafts = json.loads(request.content)
        if any(each["id"] in self.kept for each in drafts):
            status, words = WORDS[self.kind]
            return httpx.Response(status, json={"message": words}, request=request)
        if not self.cuts:
            return await inner.handle_async_request(request)
        self.cuts -= 1
        domain_id = request.url.path.split("/")[1]
        extra = {"domain_id": domain_id, "created_at": "2026-01-01T00:00:00Z"}
        self.kept |= {each["id"]: {**each, **extra} for each in drafts}
        raise httpx.ReadError("cut", request=request)

    async def _view(
        self, request: httpx.Request, inner: httpx.AsyncBaseTransport
    ) -> httpx.Response:
        half = self.kept.get(request.url.path.rpartition("/")[2])
        if half is None:
            return await inner.handle_async_request(request)
        return httpx.Response(200, json=half, request=request) if self.shown else _denied(request)

    async def _delete(
        self, request: httpx.Request, inner: httpx.AsyncBaseTransport
    ) -> httpx.Response:
        half = self.kept.get(request.url.path.rpartition("/")[2])
        if half is None:
            return await inner.handle_async_request(request)
        if not self.shown:
            return _denied(request)
        half["status"] = "deleted"
        words = {"message": "failed to remove entity"}
        return httpx.Response(400, json=words, request=request)


def _denied(request: httpx.Request) -> httpx.Response:
    words = {"message": "failed to perform authorization"}
    return httpx.Response(403, json=words, request=request)
