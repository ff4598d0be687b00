"""An error that is not the product's own tells nobody anything, whatever it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.console.visiting import operator, visiting
from tests.service.running import beside_platform

QUOTED = "password=hunter2"


class ForeignError(Exception):
    """An error of some library, which has what the product's own errors have."""

    status = 403
    code = "foreign"
    message = QUOTED
    details = ({"field": QUOTED},)

    def __init__(self) -> None:
        super().__init__(QUOTED)


async def raises(_: httpx.Request, __: Any) -> httpx.Response:
    raise ForeignError


@pytest.mark.parametrize("page", [False, True])
async def test_its_text_is_shown_to_nobody(tmp_path: Path, page: bool) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire is not None
        if page:
            account = operator(tmp_path / "platform")
            async with visiting(running) as visitor:
                await visitor.open("/console/sign-in")
                running.wire.fail("POST", "/", raises)
                answer = await visitor.send("/console/sign-in", **account)
        else:
            for method in ("GET", "POST"):
                running.wire.fail(method, "/", raises)
            answer = await running.http.get(f"/{running.domain}/gateways", headers=running.headers)
            assert answer.json()["code"] == "internal"
    assert answer.status_code == 500
    assert QUOTED not in answer.text
    assert "foreign" not in answer.text
