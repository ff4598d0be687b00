"""How a drift that the API tells of is shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bootstrap_core.secrets import Secret
from provision.console.api import Api
from provision.console.gateways import DriftSeen, drift_of, links_of
from provision.console.widgets import StaticFiles, Templates

FOUND = {
    "what": "deleted",
    "kind": "channel",
    "key": "data",
    "cure": "repair",
    "fields": {"name": {"before": "gw-data", "after": None}},
}


async def seen(status: int, body: Any) -> tuple[DriftSeen, str]:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(status, json=body)

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url="http://api"
    ) as http:
        drift = await drift_of(Api(http, Secret("token"), "domain", "request"), "a/b")
    assert asked == ["/domain/mapping/a%2Fb/drift"]
    page = Templates(StaticFiles()).render(
        "gateways/drift_part.html", {"drift": drift, "form_token": "", **links_of("a/b")}
    )
    return drift, page


async def test_differences_are_shown_with_their_cure() -> None:
    body = {"drift": [FOUND], "checked_at": "2026-01-01T00:00:00Z"}
    drift, page = await seen(200, body)
    assert drift.mark == ("1 different", "bad")
    assert "deleted" in page
    assert "Repair the gateway" in page
    assert 'href="/console/gateway/repair/a%2Fb"' in page


async def test_no_difference_is_said() -> None:
    drift, page = await seen(200, {"drift": [], "checked_at": "2026-01-01T00:00:00Z"})
    assert drift.mark == ("none", "good")
    assert "as it was made" in page


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (404, "does not compare"),
        (405, "does not compare"),
        (503, "The platform could not be asked: it is away"),
    ],
)
async def test_what_cannot_be_told_is_unknown(status: int, told: str) -> None:
    drift, page = await seen(status, {"message": "it is away"})
    assert drift.mark == ("unknown", "calm")
    assert told in page
