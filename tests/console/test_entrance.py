"""Signing in and out, with a browser."""

from __future__ import annotations

import pytest

from tests.console.browsing import Console

pytestmark = pytest.mark.slow


def test_from_sign_in_to_sign_out(stranger: Console) -> None:
    stranger.open("/console/domains?offset=0")
    stranger.says("You sign in as a user of the platform")
    stranger.is_accessible("sign-in")
    page, account = stranger.page, stranger.served.operator
    page.get_by_label("User name or e-mail address").fill(account["username"])
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_label("Password").press("Enter")
    stranger.says("The name and the password do not belong together")
    stranger.is_accessible("sign-in-refused")
    page.get_by_label("Password").fill(account["password"])
    page.get_by_label("Password").press("Enter")
    page.get_by_role("heading", name="Domains").wait_for()
    stranger.is_accessible("domains")
    page.reload()
    page.get_by_role("heading", name="Domains").wait_for()
    page.locator("details.menu summary").click()
    stranger.press("Sign out")
    page.get_by_role("heading", name="Sign in").wait_for()
    stranger.open("/console/domains")
    page.get_by_role("heading", name="Sign in").wait_for()


def test_the_theme_is_remembered_and_the_keyboard_suffices(console: Console) -> None:
    page = console.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    menu = page.locator("details.menu summary")
    menu.focus()
    page.keyboard.press("Enter")
    console.is_accessible("menu")
    page.get_by_role("button", name="Dark").press("Enter")
    page.locator("html[data-theme=dark]").wait_for()
    page.reload()
    page.locator("html[data-theme=dark]").wait_for()
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
