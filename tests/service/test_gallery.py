"""Every layout that ships: it is planned, onboarded, and its device gets what the plan said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.layout.catalog import read_layout_file
from tests.service.running import ALL_LAYOUTS, ROOT, Running, embedded

LAYOUTS = sorted(path.stem for path in (ROOT / "layouts").glob("*.toml"))
PARAMETERS: dict[str, dict[str, Any]] = {
    "lora-gateway": {"application_id": "app-7"},
    "opcua-edge": {"server_uri": "opc.tcp://press:4840"},
    "raspberry-pi-temperature": {"site": "warehouse-1", "sample_interval_seconds": 15},
}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with embedded(tmp_path, **ALL_LAYOUTS) as service:
        yield service


def test_the_gallery_is_whole() -> None:
    assert set(LAYOUTS) >= {
        "gateway",
        "gateway-export",
        "mtls-services",
        "lora-gateway",
        "opcua-edge",
        "raspberry-pi-temperature",
        "sensor-fleet",
    }
    readme = (ROOT / "layouts" / "README.md").read_text()
    assert [each for each in LAYOUTS if f"`{each}`" not in readme] == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_lints_clean(name: str) -> None:
    assert read_layout_file(Path(ROOT / "layouts" / f"{name}.toml")).warnings == ()


@pytest.mark.parametrize("name", LAYOUTS)
async def test_it_is_planned_and_onboarded(running: Running, name: str) -> None:
    body = {"external_id": "gw-1", "layout": name, "parameters": PARAMETERS.get(name, {})}
    answer = await running.http.post(f"/{running.domain}/plan", json=body, headers=running.headers)
    plan = answer.json()
    assert answer.status_code == 200, plan
    assert plan["changes"]
    assert {each["action"] for each in plan["changes"]} == {"add"}
    made = await running.map(layout=name, parameters=PARAMETERS.get(name, {}))
    assert made.status_code == 201, made.text
    device = (await running.fetch()).json()
    content = json.loads(device["content"])
    assert shape(content) == shape(json.loads(plan["rendered"]["content"]))
    given = {device.get("client_cert"), device.get("client_key"), *texts(content)}
    for kind in ("client_cert", "client_key"):
        assert set(made.json().get(kind, {}).values()) <= given
    again = await running.http.post(
        f"/{running.domain}/plan",
        json={"external_id": "gw-1", "layout": name},
        headers=running.headers,
    )
    assert again.json()["changes"] == []
    assert again.json()["drift"] == []


async def test_the_raspberry_pi_gets_what_the_document_shows(running: Running) -> None:
    name = "raspberry-pi-temperature"
    made = (await running.map("rpi-1", layout=name, parameters=PARAMETERS[name])).json()
    content = json.loads((await running.fetch("rpi-1")).json()["content"])
    (pi,) = made["clients"]
    assert content["device"] == {
        "id": pi["id"],
        "external_id": "rpi-1",
        "site": "warehouse-1",
        "sensor": "DHT22",
        "sample_interval_seconds": 15,
    }
    assert content["mqtt"]["client_id"] == "raspberry-pi-rpi-1"
    assert content["mqtt"]["client_secret"] == pi["credentials"]["secret"]


async def test_services_get_certificates_of_their_own(running: Running) -> None:
    made = (await running.map(layout="mtls-services")).json()
    content = json.loads((await running.fetch()).json()["content"])
    for service in content["services"]:
        assert service["client_cert"] == made["client_cert"][service["client_id"]]
        assert service["client_key"] == made["client_key"][service["client_id"]]


async def test_export_logs_in_with_its_own_certificate(running: Running) -> None:
    made = (await running.map(layout="gateway-export")).json()
    content = json.loads((await running.fetch()).json()["content"])
    mqtt = content["export"]["mqtt"]
    assert mqtt["mtls"] is True
    assert mqtt["ca_path"] == "ca.crt"
    assert mqtt["client_cert"] == made["client_cert"][mqtt["username"]]
    assert mqtt["client_cert_key"] == made["client_key"][mqtt["username"]]


def texts(value: Any) -> Iterator[str]:
    """Yield all texts in a document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def shape(value: Any) -> Any:
    """Return ``value`` with types in place of its scalars."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__
