"""``/layouts``: what is served, what it asks for, and what is wrong with a bad edit."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.running import ROOT, Running, embedded


@pytest.fixture
async def editable(tmp_path: Path) -> AsyncIterator[tuple[Running, Path]]:
    layouts = tmp_path / "layouts"
    shutil.copytree(ROOT / "layouts", layouts)
    async with embedded(tmp_path / "data", MG_PROVISION_LAYOUTS=str(layouts)) as running:
        yield running, layouts


async def get(running: Running, path: str, status: int = 200) -> Any:
    answer = await running.http.get(path, headers=running.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_layout_shows_its_parts(running: Running) -> None:
    shown = await get(running, "/layouts/gateway")
    assert shown["good"] is True
    assert shown["clients"] == [
        {
            "key": "agent",
            "name": "{{ .ExternalID }}-agent",
            "gateway": True,
            "certificate": True,
        }
    ]
    assert {each["name"] for each in shown["binding_slots"]} == {
        "mqtt_client",
        "commands",
        "telemetry",
    }
    assert shown["report"] == []
    assert (await get(running, "/layouts/default"))["name"] == "gateway"


async def test_a_layouts_schema_is_for_a_form(running: Running) -> None:
    schema = await get(running, "/layouts/gateway/schema")
    assert schema["properties"]["mqtt_url"]["default"] == "mqtts://localhost:8883"
    assert schema["additionalProperties"] is False


async def test_an_unknown_layout_is_404_with_the_nearest(running: Running) -> None:
    for path in ("/layouts/gatewya", "/layouts/gatewya/schema"):
        assert 'did you mean "gateway"?' in (await get(running, path, 404))["message"]
    assert (await running.http.get("/layouts/gateway")).status_code == 401


async def test_a_bad_edit_is_reported_while_the_good_one_serves(
    editable: tuple[Running, Path],
) -> None:
    running, layouts = editable
    file = layouts / "gateway.toml"
    good = (await get(running, "/layouts/gateway"))["digest"]
    file.write_text(file.read_text().replace("bootstrap = true", "botstrap = true"))
    for _ in range(60):
        shown = await get(running, "/layouts/gateway")
        if not shown["good"]:
            break
        await asyncio.sleep(0.1)
    assert shown["digest"] == good
    first = shown["report"][0]
    assert (first["file"], first["rule"]) == ("layouts/gateway.toml", "unknown-key")
    assert first["suggestion"] == "bootstrap"
    listed = (await get(running, "/layouts"))["layouts"]
    assert any("botstrap" in text for each in listed for text in each["problems"])
    metrics = (await running.http.get("/metrics")).text
    assert 'provision_layout_good{layout="gateway"} 0.0' in metrics
    assert 'provision_layout_good{layout="gateway-export"} 1.0' in metrics
    assert (await running.map(layout="gateway")).status_code == 201


async def test_a_layout_shows_its_files_and_what_fills_its_slots(
    editable: tuple[Running, Path],
) -> None:
    running, _ = editable
    shown = await get(running, "/layouts/lora-gateway")
    files = {each["file"]: each["text"] for each in shown["sources"]}
    assert list(files) == [
        "layouts/lora-gateway.toml",
        "layouts/fragments/agent.toml",
        "layouts/lora-gateway.json.tmpl",
    ]
    assert files["layouts/lora-gateway.toml"] == (ROOT / "layouts/lora-gateway.toml").read_text()
    assert {"slot": "uplink", "type": "channel", "resource": "uplink"} in shown["bindings"]


@pytest.mark.parametrize("ending", ["", "\n[[[broken"])
async def test_credentials_in_a_layouts_file_are_masked(
    editable: tuple[Running, Path], ending: str
) -> None:
    running, layouts = editable
    (layouts / "legacy.toml").write_text(
        "[server]\n"
        'mg_pass = "hidden-1"\n'
        "mg_api_key = '''\nhidden-2\n'''\n"
        'mg_username = "shown"\n'
        '"mf_pass"="hidden-\\"3"\n' + ending
    )
    for _ in range(60):
        answer = await running.http.get("/layouts/legacy", headers=running.headers)
        if answer.status_code == 200:
            break
        await asyncio.sleep(0.1)
    shown = answer.json()
    (source,) = shown["sources"]
    assert "hidden" not in str(shown)
    assert 'mg_username = "shown"' in source["text"]
    assert source["text"].split("\n")[5] == 'mg_username = "shown"'
