"""A real browser in front of a running service."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from playwright.sync_api import Browser, Page, sync_playwright

from tests.cli.served import Served

AXE = (Path(__file__).parent / "vendored" / "axe.min.js").read_text(encoding="utf-8")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = 1280, 360
LOOKS = (("light", WIDE), ("dark", NARROW))
"""Theme and width: what a test of a flow looks at; each theme and each width once."""
ALL_LOOKS = (*LOOKS, ("dark", WIDE), ("light", NARROW))
PATIENCE = 20_000
"""Milliseconds that anything on a page may take to appear."""


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """Run Chromium until the context ends."""
    chromium = shutil.which("chromium")
    assert chromium, "install chromium (apt-get install chromium) to run the console's tests"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@frozen
class Console:
    """The console in a browser's page, with the service behind it."""

    page: Page
    served: Served
    pictures: Path

    def open(self, path: str) -> None:
        """Go to an address of the console, such as ``/console/gateways``."""
        self.page.goto(self.served.url + path)

    def sign_in(self) -> None:
        """Sign in as the operator by way of the form."""
        self.open("/console")
        account = self.served.operator
        self.page.get_by_label("User name or e-mail address").fill(account["username"])
        self.page.get_by_label("Password").fill(account["password"])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Overview").wait_for()

    def press(self, name: str) -> None:
        """Press the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        """Follow the link of this name in the page's main part."""
        self.page.get_by_role("main").get_by_role("link", name=name, exact=True).click()

    def says(self, text: str) -> None:
        """Wait until the page shows ``text``."""
        self.page.get_by_text(text).first.wait_for()

    def is_accessible(self, name: str, looks: Sequence[tuple[str, int]] = LOOKS) -> None:
        """Check the page in both themes and widths: no violation, nothing beside the screen.

        A picture of each is kept under ``name``.
        """
        for theme, width in looks:
            self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            self.page.set_viewport_size({"width": width, "height": 800})
            picture = self.pictures / f"{name}-{theme}-{width}.png"
            self.page.screenshot(path=picture, full_page=True)
            found = violations(self.page)
            assert found == [], f"{name}, {theme}, {width} px: {found}"
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} px wide on a screen of {width} px"
        self.page.set_viewport_size({"width": WIDE, "height": 800})


def violations(page: Page) -> list[Any]:
    """Return what axe-core finds wrong with a page: rule, what it means, and where."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (each["id"], each["help"], [node["html"] for node in each["nodes"]])
        for each in found["violations"]
    ]
