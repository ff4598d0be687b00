"""Bootstraps in a browser: from sign-in to the device's fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.cli.served import Served
from tests.console.browsing import Console
from tests.service.tls import self_signed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def channels(served: Served) -> list[str]:
    """Two channels of the domain."""
    made = [
        httpx.post(
            f"{served.url}/{served.domain}/channels",
            json={"name": name},
            headers={"Authorization": f"Bearer {served.token}"},
        )
        for name in ("telemetry", "commands")
    ]
    return [str(each.json()["id"]) for each in made]


def fetch(served: Served, external_id: str, key: str) -> httpx.Response:
    """Ask as the device does."""
    return httpx.get(
        f"{served.url}/clients/bootstrap/{external_id}",
        headers={"Authorization": f"Client {key}"},
    )


def ask(served: Served, path: str) -> Any:
    """Ask the platform as the operator."""
    headers = {"Authorization": f"Bearer {served.token}"}
    return httpx.get(f"{served.url}/{served.domain}{path}", headers=headers).json()


def test_from_the_empty_list_to_the_devices_fetch(
    console: Console, channels: list[str], tmp_path: Path
) -> None:
    page, served = console.page, console.served
    page.get_by_role("navigation", name="Console").get_by_role("link", name="Bootstraps").click()
    console.says("There are no bootstraps yet")
    console.follow("Create a bootstrap")
    page.get_by_label("Name", exact=True).fill("Pump 1")
    page.get_by_label("External ID").fill("pump-1")
    page.get_by_role("button", name="Generate").click()
    field = page.get_by_label("External key", exact=True)
    expect(field).not_to_have_value("")
    key = field.input_value()
    page.get_by_label("Find channels").press_sequentially("telem")
    page.get_by_label("commands").wait_for(state="detached")
    page.get_by_label("telemetry").check()
    page.get_by_role("textbox", name="Content").fill('{"interval": 5}')
    page.get_by_text("Encryption settings").click()
    certificate, private_key = self_signed(tmp_path, "127.0.0.1")
    page.locator("#file-client_cert").set_input_files(certificate)
    console.says("CN=127.0.0.1, valid until")
    page.get_by_role("textbox", name="Client key").fill(private_key.read_text())
    page.get_by_role("textbox", name="Client key").press("Tab")
    console.says("key that belongs to the certificate")
    dropped = page.evaluate_handle(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "ca.pem"));
            return data;
        }""",
        certificate.read_text(),
    )
    authority = page.get_by_role("textbox", name="CA certificate")
    authority.dispatch_event("dragover", {"dataTransfer": dropped})
    authority.dispatch_event("drop", {"dataTransfer": dropped})
    console.says("It issued the client certificate.")
    console.is_accessible("bootstraps-new")
    page.locator("form.card").get_by_role("button", name="Create").last.click()
    console.says("Pump 1 was created. It is disabled until you enable it.")
    assert page.get_by_text(key).is_visible()
    console.is_accessible("bootstraps-created")
    page.reload()
    console.says("telemetry")
    assert page.get_by_text(key).count() == 0
    config_id = page.url.rpartition("/")[2]
    assert fetch(served, "pump-1", key).status_code == 403
    console.press("Enable")
    console.says("Pump 1 is enabled")
    fetched = fetch(served, "pump-1", key).json()
    assert fetched["id"] == config_id
    assert fetched["content"] == '{"interval": 5}'
    assert fetched["client_cert"] == certificate.read_text()
    assert fetched["client_key"] == private_key.read_text()
    assert fetched["ca_cert"] == certificate.read_text()
    assert ask(served, f"/clients/{config_id}")["name"] == "Pump 1"
    connected = ask(served, f"/channels?client={config_id}")["channels"]
    assert [each["id"] for each in connected] == [channels[0]]


def pump(served: Served, external_id: str, channels: list[str]) -> str:
    """Make a bootstrap by the API; return its ID."""
    made = httpx.post(
        f"{served.url}/{served.domain}/clients/configs/with-client",
        json={
            "external_id": external_id,
            "external_key": "key-2",
            "name": f"Pump {external_id}",
            "channels": channels,
            "content": "old",
        },
        headers={"Authorization": f"Bearer {served.token}"},
    )
    return str(made.json()["id"])


def test_content_and_channels_are_edited_in_place(console: Console, channels: list[str]) -> None:
    page, served = console.page, console.served
    config_id = pump(served, "edited", channels[:1])
    console.open(f"/console/bootstraps/{config_id}")
    page.get_by_role("link", name="Edit the content").click()
    page.get_by_role("textbox", name="Content").fill("new: 1\n")
    assert page.url.endswith(config_id)
    console.press("Save")
    console.says("The content was changed.")
    page.get_by_role("link", name="Edit the channels").click()
    page.get_by_label("commands").check()
    page.get_by_label("telemetry").uncheck()
    console.is_accessible("bootstraps-edit-channels")
    console.press("Save")
    console.says("The channels were changed.")
    connected = ask(served, f"/channels?client={config_id}")["channels"]
    assert [each["id"] for each in connected] == [channels[1]]
    assert fetch(served, "edited", "key-2").json()["content"] == "new: 1\n"


def test_name_and_encryption_are_edited_and_all_is_deleted(console: Console) -> None:
    page, served = console.page, console.served
    config_id = pump(served, "to go/now", [])
    console.open(f"/console/bootstraps/{config_id}")
    page.get_by_role("link", name="Edit the name").click()
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    page.get_by_role("textbox", name="Name").fill("Pump two")
    page.keyboard.press("Enter")
    console.says("The name was changed.")
    page.get_by_role("link", name="Edit the encryption").click()
    page.get_by_role("textbox", name="Client certificate").fill("no certificate")
    page.get_by_role("textbox", name="Client certificate").press("Tab")
    console.says("The text is no certificate")
    console.press("Save")
    expect(page.get_by_role("alert")).to_be_focused()
    console.is_accessible("bootstraps-edit-encryption")
    assert fetch(served, "to%20go%2Fnow", "key-2").status_code == 200
    console.open(f"/console/bootstraps/{config_id}")
    console.says("delivered")
    console.follow("Delete")
    console.press("Delete")
    console.says("Pump two was deleted.")
    assert fetch(served, "to%20go%2Fnow", "key-2").status_code == 403


def test_the_list_follows_what_is_typed(console: Console) -> None:
    page, served = console.page, console.served
    for number, status in enumerate(("enabled", "disabled", "disabled")):
        made = httpx.post(
            f"{served.url}/{served.domain}/clients/configs/with-client",
            json={
                "external_id": f"meter-{number}",
                "external_key": "key",
                "name": f"Meter {number}",
                "channels": [],
                "status": status,
            },
            headers={"Authorization": f"Bearer {served.token}"},
        )
        assert made.status_code == 201
    console.open("/console/bootstraps?q=meter")
    console.says("1 to 3 of 3")
    console.is_accessible("bootstraps-list")
    page.get_by_label("Search").fill("")
    page.get_by_label("Search").press_sequentially("meter-1")
    console.says("1 to 1 of 1")
    expect(page.locator("#announcements")).to_have_text("1 bootstrap")
    page.get_by_label("Search").fill("meter")
    page.get_by_label("Status").select_option("disabled")
    console.says("1 to 2 of 2")
    page.reload()
    console.says("1 to 2 of 2")
    page.get_by_role("button", name="Enable Meter 2").click()
    console.says("Meter 2 is enabled")
    console.says("1 to 1 of 1")
    page.get_by_label("Search").fill("no such meter")
    console.says("Nothing matches")


def test_what_the_service_can_not_answer_is_said(console: Console) -> None:
    page = console.page
    console.open("/console/bootstraps/new")
    page.route("**/console/bootstraps/new", lambda route: route.fulfill(status=502))
    page.get_by_role("button", name="Generate").click()
    console.says("The service could not do this (status 502)")
    page.unroute("**/console/bootstraps/new")
    page.route("**/console/bootstraps/new", lambda route: route.abort())
    page.get_by_role("button", name="Generate").click()
    console.says("The service can't be reached")
    assert page.get_by_label("External key", exact=True).is_visible()
