"""What somebody does in the console is one request: counted once, and one line of the log."""

from __future__ import annotations

import re

import pytest
from structlog.testing import capture_logs

from tests.console.visiting import Visitor
from tests.service.running import Running


async def counted(running: Running) -> dict[str, float]:
    """Return how many requests there were by route, save for those for the metrics."""
    text = (await running.http.get("/metrics")).text
    found = re.findall(r'provision_http_requests_total\{.*route="([^"]*)".*\} (\S+)', text)
    return {route: float(number) for route, number in found if route != "/metrics"}


@pytest.mark.parametrize("page", ["/console/gateways", "/console/layouts"])
async def test_a_page_is_counted_and_logged_once(
    running: Running, visitor: Visitor, page: str
) -> None:
    before = await counted(running)
    with capture_logs() as logs:
        assert (await visitor.open(page)).status_code == 200
    after = await counted(running)
    more = {route: after[route] - before.get(route, 0) for route in after}
    assert {route: number for route, number in more.items() if number} == {page: 1}
    assert [row["path"] for row in logs if row["event"] == "request"] == [page]
