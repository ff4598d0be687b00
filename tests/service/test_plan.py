"""What a plan tells before anything is made: each change, and the device's configuration."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.service.running import Running, by_key, embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEFORE = """
[layout]
name = "site"

[parameters.place]
type = "string"
default = "lab"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
bootstrap = true
certificate = true
tags = ["edge"]
metadata = { place = "{{ .Vars.place }}" }

[[clients]]
key = "helper"
name = "{{ .ExternalID }}-helper"

[[channels]]
key = "control"
name = "{{ .ExternalID }}-control"

[[channels]]
key = "data"
name = "{{ .ExternalID }}-data"

[[connections]]
clients = ["agent"]
channels = ["control", "data"]

[[connections]]
clients = ["helper"]
channels = ["data"]
types = ["publish"]

[certificates]
ttl = "2400h"

[profile]
name = "site"
content_format = "json"
content_template = '''
{"agent": {{ toJSON .Bindings.agent.Snapshot }}, "pass": {{ toJSON .Bindings.agent.Secret }},
 "data": {{ toJSON .Bindings.data.Snapshot }},
 "identity": {{ toJSON .Bindings.identity.Snapshot }},
 "key": {{ toJSON .Bindings.identity.Secret }}}'''

[[profile.binding_slots]]
name = "agent"
type = "client"
required = true

[[profile.binding_slots]]
name = "data"
type = "channel"
fields = ["id", "name"]

[[profile.binding_slots]]
name = "identity"
type = "certificate"

[[bindings]]
slot = "agent"
client = "agent"

[[bindings]]
slot = "data"
channel = "data"

[[bindings]]
slot = "identity"
certificate = "agent"
"""
HELPER = """
[[clients]]
key = "helper"
name = "{{ .ExternalID }}-helper"
"""
METER = """
[[clients]]
key = "meter"
name = "{{ .ExternalID }}-meter"
identity = "meter"
"""
AFTER = (
    BEFORE.replace(HELPER, METER)
    .replace('clients = ["helper"]', 'clients = ["meter"]')
    .replace(
        'channels = ["control", "data"]', 'channels = ["control", "data"]\ntypes = ["publish"]'
    )
    .replace('ttl = "2400h"', 'ttl = "1200h"')
    .replace("required = true\n", "")
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    directory: Path = tmp_path_factory.mktemp("service")
    layouts = directory / "layouts"
    layouts.mkdir()
    (layouts / "site.toml").write_text(BEFORE)
    (layouts / "wrong.toml").write_text(with_profile("wrong"))
    async with embedded(directory / "data", MG_PROVISION_LAYOUTS=str(layouts)) as service:
        yield service


async def plan(running: Running, external_id: str, **fields: Any) -> Any:
    body = {"external_id": external_id, "layout": "site"} | fields
    answer = await running.http.post(f"/{running.domain}/plan", json=body, headers=running.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(planned: Any) -> list[tuple[str, str, str]]:
    return [(each["action"], each["kind"], each["key"]) for each in planned["changes"]]


def with_profile(name: str) -> str:
    """Return the layout with a profile of the domain in place of its own."""
    start, end = BEFORE.index("[profile]"), BEFORE.index("[[bindings]]")
    return f'{BEFORE[:start]}[bootstrap]\nprofile = "{name}"\n\n{BEFORE[end:]}'


def fields(planned: Any, kind: str, key: str) -> Any:
    """Return the fields of one change, each as before and after."""
    change = by_key(planned["changes"], kind=kind, key=key)
    return {name: (each["before"], each["after"]) for name, each in change["fields"].items()}


async def test_a_new_gateway_is_added_part_by_part_with_words_for_what_is_not_chosen_yet(
    running: Running,
) -> None:
    planned = await plan(running, "gw-new")
    assert told(planned) == [
        ("add", "client", "agent"),
        ("add", "client", "helper"),
        ("add", "channel", "control"),
        ("add", "channel", "data"),
        ("add", "connection", "agent - control"),
        ("add", "connection", "agent - data"),
        ("add", "connection", "helper - data"),
        ("add", "certificate", "agent"),
        ("add", "config", "agent"),
        ("add", "profile", "site"),
        ("add", "binding", "agent"),
        ("add", "binding", "data"),
        ("add", "binding", "identity"),
    ]
    assert not planned["exists"]
    assert "rendered_before" not in planned
    agent = fields(planned, "client", "agent")
    assert agent["name"] == (None, "gw-new-agent")
    assert agent["tags"] == (None, ["edge"])
    assert agent["metadata"][1]["place"] == "lab"
    assert agent["metadata"][1]["cfg_id"] == "(ID of agent)"
    assert fields(planned, "connection", "helper - data") == {"types": (None, ["publish"])}
    assert fields(planned, "binding", "data") == {
        "type": (None, "channel"),
        "resource": (None, "data"),
    }
    assert fields(planned, "certificate", "agent")["ttl_seconds"] == (None, 8_640_000)
    assert json.loads(planned["rendered"]["content"]) == {
        "agent": {"id": "(ID of agent)", "name": "gw-new-agent", "domain_id": running.domain},
        "pass": {"secret": "(secret of agent)"},
        "data": {"id": "(ID of data)", "name": "gw-new-data"},
        "identity": {
            "id": "(serial number for agent)",
            "serial_number": "(serial number for agent)",
            "client_id": "(ID of agent)",
            "certificate": "(certificate of agent)",
            "expires_at": "(end for agent)",
        },
        "key": {"private_key": "(private key of agent)"},
    }


async def test_a_changed_layout_says_what_it_adds_changes_and_removes(running: Running) -> None:
    made = (await running.map("gw-1", layout="site", parameters={"place": "roof"})).json()
    agent, data = made["clients"][0], by_key(made["channels"], name="gw-1-data")
    planned = await plan(running, "gw-1", files={"site.toml": AFTER})
    assert told(planned) == [
        ("add", "client", "meter"),
        ("change", "connection", "agent - control"),
        ("change", "connection", "agent - data"),
        ("add", "connection", "meter - data"),
        ("change", "certificate", "agent"),
        ("change", "profile", "site"),
        ("remove", "client", "helper"),
        ("remove", "connection", "helper - data"),
    ]
    assert planned["exists"]
    assert planned["summary"] == {"add": 2, "change": 4, "remove": 2}
    assert fields(planned, "client", "meter") == {
        "name": (None, "gw-1-meter"),
        "identity": (None, "meter"),
        "is_gateway": (None, False),
        "certificate": (None, False),
    }
    assert fields(planned, "client", "helper")["name"] == ("gw-1-helper", None)
    assert fields(planned, "connection", "agent - data") == {
        "types": (["publish", "subscribe"], ["publish"])
    }
    assert fields(planned, "connection", "helper - data") == {"types": (["publish"], None)}
    assert fields(planned, "certificate", "agent") == {"ttl_seconds": (8_640_000, 4_320_000)}
    assert list(fields(planned, "profile", "site")) == ["binding_slots"]
    # What exists keeps its IDs; its secrets stay words.
    for rendered in (planned["rendered"], planned["rendered_before"]):
        content = json.loads(rendered["content"])
        assert content["agent"]["id"] == agent["id"]
        assert content["data"]["id"] == data["id"]
        assert content["pass"] == {"secret": "(secret of agent)"}


async def test_what_the_request_leaves_out_is_taken_from_the_gateway(running: Running) -> None:
    await running.map("gw-2", layout="site", name="by the door", parameters={"place": "roof"})
    planned = await plan(running, "gw-2")
    assert planned["changes"] == []
    assert json.loads(planned["rendered"]["content"])["agent"]["name"] == "by the door"
    for none in ({}, None):
        planned = await plan(running, "gw-2", name="gw-2-agent", parameters=none)
        agent = fields(planned, "client", "agent")
        assert agent["name"] == ("by the door", "gw-2-agent")
        assert [each["place"] for each in agent["metadata"]] == ["roof", "lab"]
    undeclared = BEFORE.replace("[parameters.place]", "[parameters.spot]").replace(
        ".Vars.place", ".Vars.spot"
    )
    planned = await plan(running, "gw-2", files={"site.toml": undeclared})
    agent = fields(planned, "client", "agent")
    assert [each["place"] for each in agent["metadata"]] == ["roof", "lab"]


async def test_a_name_with_the_external_id_in_it_follows_the_layout(running: Running) -> None:
    await running.map("gw-3", layout="site")
    renamed = BEFORE.replace("{{ .ExternalID }}-agent", "agent of {{ .ExternalID }}")
    planned = await plan(running, "gw-3", files={"site.toml": renamed})
    assert fields(planned, "client", "agent")["name"] == ("gw-3-agent", "agent of gw-3")


async def test_a_configuration_that_can_not_be_rendered_says_why(running: Running) -> None:
    broken = BEFORE.replace('{"agent": ', '{"agent": {{ .Vars.nothing }}')
    planned = await plan(running, "gw-new", files={"site.toml": broken})
    assert "nothing" in planned["rendered"]["error"]
    planned = await plan(running, "gw-new", files={"site.toml": with_profile("nowhere")})
    assert "nowhere" in planned["rendered"]["error"]
    assert ("add", "profile", "nowhere") in told(planned)


async def test_a_profile_of_the_domain_renders_with_the_fields_that_its_slots_name(
    running: Running,
) -> None:
    profile = {
        "name": "shared",
        "content_format": "json",
        "content_template": "{{ toJSON .Bindings }}",
        "binding_slots": [
            {"name": "agent", "type": "client", "fields": ["name"]},
            {"name": "data", "type": "channel"},
            {"name": "identity", "type": "certificate", "fields": ["client_id"]},
        ],
    }
    path = f"/{running.domain}/clients/bootstrap/profiles"
    made = await running.http.post(path, json=profile, headers=running.headers)
    assert made.status_code == 201, made.text
    planned = await plan(running, "gw-new", files={"site.toml": with_profile("shared")})
    content = json.loads(planned["rendered"]["content"])
    assert {slot: each["Snapshot"] for slot, each in content.items()} == {
        "agent": {"name": "gw-new-agent"},
        "data": {"id": "(ID of data)", "name": "gw-new-data", "domain_id": running.domain},
        "identity": {"client_id": "(ID of agent)"},
    }


async def test_without_a_bootstrap_config_nothing_is_rendered(running: Running) -> None:
    plain = BEFORE[: BEFORE.index("[certificates]")].replace("bootstrap = true\n", "")
    planned = await plan(running, "gw-new", files={"site.toml": plain})
    assert planned["rendered"] == {"content": ""}
    assert {each[1] for each in told(planned)} == {"client", "channel", "connection", "certificate"}


async def test_a_slot_takes_what_it_is_for(running: Running) -> None:
    profile = {
        "name": "wrong",
        "content_format": "json",
        "content_template": "{}",
        "binding_slots": [
            {"name": "agent", "type": "channel"},
            {"name": "data", "type": "channel"},
            {"name": "identity", "type": "certificate"},
        ],
    }
    path = f"/{running.domain}/clients/bootstrap/profiles"
    await running.http.post(path, json=profile, headers=running.headers)
    refused = await running.map("gw-wrong", layout="wrong")
    assert (refused.status_code, refused.json()["code"]) == (422, "binding_refused")
    assert "binds a client to slot 'agent'" in refused.json()["message"]
    assert "which takes a channel" in refused.json()["message"]
