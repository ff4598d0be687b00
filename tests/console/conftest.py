from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.cli.served import ROOT, Served, serving
from tests.console.browsing import PATIENCE, Console, browsing
from tests.console.visiting import Visitor, operator, visiting
from tests.service.running import ALL_LAYOUTS, Running, embedded


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service on a loopback port, shared by the tests of one file."""
    with serving(tmp_path_factory.mktemp("data"), ROOT / "layouts") as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, shared by the tests of one file."""
    with browsing() as chromium:
        yield chromium


@pytest.fixture
def stranger(browser: Browser, served: Served, tmp_path: Path) -> Iterator[Console]:
    """The console in a browser in which nobody is signed in; no page may log an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield Console(page, served, tmp_path)
    context.close()
    assert complaints == []


@pytest.fixture
def console(stranger: Console) -> Console:
    """The console in a browser, the operator signed in."""
    stranger.sign_in()
    return stranger


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """The service in this process, on its embedded platform."""
    async with embedded(tmp_path, **ALL_LAYOUTS) as service:
        yield service


@pytest.fixture
async def visitor(running: Running, tmp_path: Path) -> AsyncIterator[Visitor]:
    """A browser without script, the operator signed in."""
    async with visiting(running) as someone:
        answer = await someone.sign_in(**operator(tmp_path))
        assert answer.status_code == 200
        assert "Overview" in answer.text
        yield someone
