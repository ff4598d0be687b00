"""The console is a route among others: only requests for it enter its code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from tests.service.running import Running

CONSOLE = "provision.console"
HTML = {"Accept": "text/html,*/*;q=0.8"}


@contextmanager
def entered() -> Iterator[set[str]]:
    """Collect the modules of the console whose functions are called."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(CONSOLE):
            found.add(module)

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


async def test_devices_and_callers_of_the_api_do_not_pass_the_console(running: Running) -> None:
    made = (await running.map()).json()
    config = f"/{running.domain}/clients/configs/{made['bootstrap']['config_id']}"
    with entered() as modules:
        assert (await running.fetch()).status_code == 200
        assert (await running.fetch(key="wrong")).status_code == 403
        assert (await running.http.get(config, headers=running.headers)).status_code == 200
        assert (await running.http.get("/health")).status_code == 200
        assert (await running.http.get("/no/such/route")).status_code == 404
    assert modules == set()
    with entered() as modules:
        assert (await running.http.get("/console")).status_code == 303
    assert modules


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/console", 303),
        ("GET", "/console/", 308),
        ("GET", "/console/gateways", 303),
        ("GET", "/console/gateways/a%0Ab", 303),
        ("PROPFIND", "/console/gateways", 405),
        ("GET", "/console/nothing/here", 404),
        ("GET", "/console/%0A", 404),
    ],
)
async def test_whatever_is_asked_below_console_is_answered_with_pages(
    running: Running, method: str, path: str, status: int
) -> None:
    answer = await running.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status in (404, 405):
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/consoles", "/Console", "/console%0A"])
async def test_a_path_that_only_looks_alike_is_the_apis(running: Running, path: str) -> None:
    answer = await running.http.get(path, headers=HTML)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_route")


async def test_browsers_are_led_to_the_console_and_others_are_not(running: Running) -> None:
    led = await running.http.get("/", headers=HTML)
    assert (led.status_code, led.headers["location"]) == (303, "/console")
    assert (await running.http.head("/", headers=HTML)).status_code == 303
    for method, headers in (("GET", {}), ("POST", HTML), ("OPTIONS", HTML)):
        answer = await running.http.request(method, "/", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_route")
    text = (await running.http.get("/metrics")).text
    assert 'route="unknown"' in text
    assert 'route="/console/{rest:path}"' not in text
