"""The whole service answers what the Go provision service was recorded to answer.

``tests/golden/deviations.toml`` lists the exchanges that differ, each with its reason. The recorded
scenarios in which calls of the Go service failed (``leak.*``, ``x509_certs_down``, ...) have tests
of their own: they are about what is left behind.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.replay import by_scenario, load, load_deviations, replay
from tests.service.running import ROOT, embedded

LAYOUTS = ROOT / "tests" / "data" / "layouts"
SETTINGS: dict[str, dict[str, str]] = {
    "gw": {},
    "no_clients": {},
    "no_channels": {},
    "no_external_id": {},
    "no_metadata": {},
    "two_clients": {},
    "export_channel": {},
    "whitelist_off": {"MG_PROVISION_BS_AUTO_WHITELIST": "true"},
    "whitelist_off_both": {"MG_PROVISION_BS_AUTO_WHITELIST": "false"},
    "bootstrap_off_both": {
        "MG_PROVISION_BS_CONFIG_PROVISIONING": "false",
        "MG_PROVISION_BS_AUTO_WHITELIST": "false",
    },
    "profile_unknown": {},
}
WITHOUT_FILE: dict[str, dict[str, str]] = {
    "nofile": {},
    "nofile_content": {"MG_PROVISION_BS_CONTENT": '{"agent":{"a":1},"list":[1,"x"]}'},
}


@pytest.mark.parametrize("scenario", SETTINGS)
async def test_a_recorded_layout(scenario: str, tmp_path: Path) -> None:
    file = LAYOUTS / f"provision-{scenario}.toml"
    settings = {"MG_PROVISION_CONFIG_FILE": str(file)} | SETTINGS[scenario]
    assert await differences(scenario, tmp_path, settings) == []


@pytest.mark.parametrize("scenario", WITHOUT_FILE)
async def test_without_a_file_the_built_in_layout_serves(scenario: str, tmp_path: Path) -> None:
    settings = {"MG_PROVISION_LAYOUTS": str(tmp_path / "none")} | WITHOUT_FILE[scenario]
    assert await differences(scenario, tmp_path, settings) == []


async def test_two_gateways_in_one_layout_are_refused_when_it_is_read(tmp_path: Path) -> None:
    settings = {"MG_PROVISION_CONFIG_FILE": str(LAYOUTS / "provision-two_gateways.toml")}
    assert await differences("two_gateways", tmp_path, settings) == []


async def differences(scenario: str, directory: Path, settings: dict[str, str]) -> list[str]:
    rows = by_scenario(load("provision"))[scenario]
    async with embedded(directory / "data", **settings) as running:
        found = await replay(
            running.http, rows, admin_token=running.token, deviations=load_deviations()
        )
    return [f"{each.id}: {each.what}" for each in found]
