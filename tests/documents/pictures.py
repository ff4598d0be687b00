"""``python -m tests.documents.pictures``: the documents' pictures of the console, taken anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx

from tests.cli.served import ROOT, serving
from tests.console.browsing import WIDE, Console, browsing

IMAGES = ROOT / "docs/images"
GATEWAY, KEY = "gateway-3", "gateway-3-key"


def main() -> None:
    """Onboard a gateway in the console, and take a picture of its form, its plan and its page."""
    with (
        tempfile.TemporaryDirectory() as space,
        serving(Path(space) / "data", ROOT / "layouts") as served,
        browsing() as browser,
    ):
        page = browser.new_page(viewport={"width": WIDE, "height": 800}, color_scheme="light")
        console = Console(page, served, Path(space))
        console.sign_in()
        console.open("/console/onboard")
        page.get_by_label("External ID").fill(GATEWAY)
        page.get_by_label("External key").fill(KEY)
        take(console, "console-onboard", 900)
        console.press("Show the plan")
        console.says("Nothing is made yet")
        take(console, "console-plan", 900)
        page.get_by_role("button", name="Onboard", exact=True).first.click()
        page.get_by_role("link", name="Look at the gateway").wait_for()
        headers = {"Authorization": f"Client {KEY}"}
        httpx.get(f"{served.url}/clients/bootstrap/{GATEWAY}", headers=headers).raise_for_status()
        console.follow("Look at the gateway")
        # The fetch log is written once a second.
        while not page.get_by_text("delivered").count():
            page.reload()
        console.says("The platform has everything as it was made")
        take(console, "console-gateway", 1200)


def take(console: Console, name: str, height: int) -> None:
    """Write a picture of the upper part of the page."""
    console.page.set_viewport_size({"width": WIDE, "height": height})
    console.page.evaluate("document.activeElement.blur()")
    console.page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
