"""Onboarding a gateway in a browser, down to the device's fetch."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.console.browsing import Console

pytestmark = pytest.mark.slow


def test_from_the_layout_to_the_devices_fetch(console: Console) -> None:
    page = console.page
    console.open("/console/onboard")
    console.is_accessible("onboard")
    page.get_by_label("External ID").fill("pi-7/a")
    page.get_by_label("Layout").select_option("raspberry-pi-temperature")
    page.get_by_role("heading", name="raspberry-pi-temperature").wait_for()
    assert page.get_by_label("External ID").input_value() == "pi-7/a"
    page.get_by_label("Layout").select_option("gateway")
    page.get_by_label("mqtt_url").fill("not an address")
    console.press("Generate")
    key = page.get_by_label("External key").input_value()
    assert re.fullmatch(r"[\w-]{32}", key)
    console.press("Show the plan")
    console.says("must match the pattern")
    console.is_accessible("onboard-refused")
    page.get_by_label("mqtt_url").fill("mqtts://broker.example.com:8883")
    console.press("Show the plan")
    console.says("Nothing is made yet")
    console.says("mqtts://broker.example.com:8883")
    assert page.get_by_text(key).count() == 0
    console.is_accessible("plan")
    page.get_by_role("button", name="Onboard", exact=True).first.dblclick()
    console.says("The gateway pi-7/a is onboarded.")
    assert page.get_by_text(key).count() == 2
    console.is_accessible("onboarded")
    fetched = httpx.get(
        f"{console.served.url}/clients/bootstrap/pi-7%2Fa",
        headers={"Authorization": f"Client {key}"},
    )
    assert fetched.status_code == 200, fetched.text
    assert "broker.example.com" in fetched.json()["content"]
    page.reload()
    page.get_by_text("Service address and external ID").wait_for()
    assert page.get_by_text(key).count() == 0
    rows = httpx.get(
        f"{console.served.url}/{console.served.domain}/onboardings",
        headers={"Authorization": f"Bearer {console.served.token}"},
    ).json()
    assert [each["external_id"] for each in rows["onboardings"]] == ["pi-7/a"]


def test_what_goes_wrong_is_said(console: Console) -> None:
    page = console.page
    console.served.map("gw-there")
    console.open("/console/onboard")
    page.get_by_label("External ID").fill("gw-there")
    page.get_by_label("If the gateway exists").select_option("fail")
    console.press("Show the plan")
    console.says("Differences to the gateway as it is")
    console.is_accessible("plan-of-existing")
    page.get_by_role("button", name="Onboard", exact=True).first.press("Enter")
    console.says("gw-there was not onboarded")
    console.is_accessible("not-onboarded")
    console.press("Change and try again")
    assert page.get_by_label("External ID").input_value() == "gw-there"
    console.open("/console/onboard/watch/of-somebody-else")
    console.says("This page has expired")
    console.is_accessible("not-watched")


def test_the_list_of_layouts_and_one_of_them(console: Console) -> None:
    console.open("/console/layouts")
    console.is_accessible("layouts")
    console.follow("lora-gateway")
    console.says("layouts/fragments/agent.toml")
    console.is_accessible("layout")
