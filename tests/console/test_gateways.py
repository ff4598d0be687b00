"""Gateways and onboardings, with a browser."""

from __future__ import annotations

import httpx
import pytest

from tests.console.browsing import Console

pytestmark = pytest.mark.slow


def fetched(console: Console, external_id: str, key: str) -> int:
    answer = httpx.get(
        f"{console.served.url}/clients/bootstrap/{external_id}",
        headers={"Authorization": f"Client {key}"},
    )
    return answer.status_code


def test_from_the_list_to_a_rotated_gateway(console: Console) -> None:
    console.open("/console/gateways")
    console.says("No gateway has been onboarded yet")
    console.is_accessible("gateways-empty")
    console.served.map("plant-1")
    console.served.map("plant-2")
    assert fetched(console, "plant-1", "device-key-1") == 200
    console.open("/console/gateways")
    console.page.locator("[hx-trigger=revealed] .badge").nth(1).wait_for()
    console.is_accessible("gateways")
    console.page.get_by_label("External ID").fill("ANT-1")
    console.page.get_by_text(" of 1", exact=False).wait_for()
    assert "search=ANT-1" in console.page.url
    console.follow("plant-1")
    console.page.locator("#drift .badge").wait_for()
    console.says("onboard")
    console.is_accessible("gateway")
    console.press("Show secrets")
    console.says("Hide secrets")
    console.open("/console/gateways/plant-1")
    console.follow("Rotate…")
    console.is_accessible("rotate")
    console.press("Generate")
    key = console.page.get_by_label("New external key").input_value()
    console.press("Rotate")
    console.says("has new secrets")
    console.is_accessible("rotated")
    assert console.page.locator("#once-external-key").text_content() == key
    assert fetched(console, "plant-1", key) == 200


def test_replacing_repairing_and_removing(console: Console) -> None:
    console.served.map("mill-1")
    console.open("/console/gateway/repair/mill-1")
    console.is_accessible("repair")
    console.press("Repair")
    console.says("is repaired")
    console.follow("Replace…")
    console.page.get_by_label("Layout").select_option("mtls-services")
    console.page.get_by_label("Parameters").fill("{}")
    console.page.get_by_role("button", name="Show the differences").last.press("Enter")
    console.page.locator(".difference").wait_for()
    console.is_accessible("replace")
    console.open("/console/gateways/mill-1")
    console.page.get_by_role("link", name="Renew…").first.click()
    console.is_accessible("renew")
    console.press("Renew")
    console.says("has a new certificate")
    console.follow("Remove…")
    console.is_accessible("remove")
    console.press("Remove")
    console.says("Gateway mill-1 is removed")
    assert fetched(console, "mill-1", "device-key-1") == 403


def test_the_journal(console: Console) -> None:
    console.served.map("dock-1")
    console.open("/console/onboardings")
    console.is_accessible("onboardings")
    console.page.get_by_label("External ID").fill("dock-1")
    console.page.get_by_text(" of 1", exact=False).wait_for()
    console.follow("dock-1")
    console.says("Steps run side by side")
    console.is_accessible("onboarding")
    console.follow("Undo…")
    console.is_accessible("undo")
    console.press("Undo")
    console.says("is undone now")
    assert fetched(console, "dock-1", "device-key-1") == 403
