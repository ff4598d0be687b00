"""Configs of clients: made with a client and channels in one request."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bootstrap_core.model import ResourceType
from tests.bootstrap.world import World

CONFIGS = "/{d}/clients/configs/with-client"


async def create(world: World, **fields: Any) -> httpx.Response:
    body = {"external_id": "gw", "external_key": "key-1", "name": "gw"} | fields
    return await world.call("POST", CONFIGS, json=body)


async def channels_of(world: World, config_id: str) -> list[str]:
    answer = await world.call("GET", f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings")
    return sorted(
        each["resource_id"] for each in answer.json()["bindings"] if each["type"] == "channel"
    )


async def test_a_client_is_made_and_connected(world: World) -> None:
    channels = sorted(world.platform.add_channel(world.domain) for _ in range(2))
    made = await create(world, client_id="", channels=[*channels, channels[0]], content="{}")
    assert made.status_code == 201, made.text
    config_id = made.json()["id"]
    assert (world.domain, ResourceType.CLIENT, config_id) in world.platform.resources
    assert world.platform.connections == {(config_id, each) for each in channels}
    assert await channels_of(world, config_id) == channels
    older = await world.http.get("/things/bootstrap/gw", headers={"Authorization": "key-1"})
    assert older.status_code == 200, older.text
    assert older.json()["thing_id"] == config_id
    assert sorted(each["id"] for each in older.json()["channels"]) == channels


async def test_a_config_may_start_disabled(world: World) -> None:
    made = await create(world, channels=[], status="disabled")
    assert made.json()["status"] == "disabled"
    refused = await create(world, channels=[], external_id="2", name="2", status="all")
    assert refused.status_code == 400
    assert "enabled or disabled" in refused.json()["message"]


async def test_an_existing_client_gives_its_name_to_the_config(world: World) -> None:
    client = world.platform.add_client(world.domain)
    made = await create(world, client_id=client)
    assert made.json()["id"] == client
    again = await create(world, client_id=client, external_id="other", name="other")
    assert again.status_code == 409
    assert (world.domain, ResourceType.CLIENT, client) in world.platform.resources


@pytest.mark.parametrize("fields", [{"client_id": "nowhere"}, {"channels": ["nowhere"]}])
async def test_what_is_named_must_be_there(world: World, fields: dict[str, Any]) -> None:
    refused = await create(world, **fields)
    assert refused.status_code == 404
    assert next(iter(fields)) in refused.json()["message"]
    assert world.platform.resources == {}


async def test_a_refusal_leaves_no_client_behind(world: World) -> None:
    await world.make("configs", external_id="gw", external_key="key-1")
    refused = await create(world)
    assert refused.status_code == 409
    assert world.platform.resources == {}


async def test_channels_are_replaced(world: World) -> None:
    kept, dropped, added = (world.platform.add_channel(world.domain) for _ in range(3))
    config_id = (await create(world, channels=[kept, dropped])).json()["id"]
    place = f"/{{d}}/clients/configs/connections/{config_id}"
    changed = await world.call("PUT", place, json={"channels": [kept, added]})
    assert changed.status_code == 200, changed.text
    assert await channels_of(world, config_id) == sorted([kept, added])
    assert world.platform.connections == {(config_id, kept), (config_id, added)}
    refused = await world.call("PUT", place, json={"channels": ["nowhere"]})
    assert refused.status_code == 404
    assert await channels_of(world, config_id) == sorted([kept, added])


async def test_a_channel_that_a_slot_needs_stays_connected(world: World) -> None:
    channel = world.platform.add_channel(world.domain)
    config_id = (await create(world, channels=[channel])).json()["id"]
    slot = {"name": "data", "type": "channel"}
    profile = await world.call(
        "POST",
        "/{d}/clients/bootstrap/profiles",
        json={"name": "p", "binding_slots": [slot], "content_template": "{}"},
    )
    enrollment = f"/{{d}}/clients/bootstrap/enrollments/{config_id}"
    await world.call("PATCH", f"{enrollment}/profile", json={"profile_id": profile.json()["id"]})
    binding = {"slot": "data", "type": "channel", "resource_id": channel}
    bound = await world.call("PUT", f"{enrollment}/bindings", json={"bindings": [binding]})
    assert bound.status_code == 204, bound.text
    place = f"/{{d}}/clients/configs/connections/{config_id}"
    assert (await world.call("PUT", place, json={"channels": []})).status_code == 200
    assert await channels_of(world, config_id) == [channel]
    assert world.platform.connections == {(config_id, channel)}


async def test_a_config_without_a_client_has_nothing_to_connect(world: World) -> None:
    channel = world.platform.add_channel(world.domain)
    config_id = (await world.make("configs", external_id="gw", external_key="key-1"))["id"]
    place = f"/{{d}}/clients/configs/connections/{config_id}"
    refused = await world.call("PUT", place, json={"channels": [channel]})
    assert refused.status_code == 404
    assert "not named after a client" in refused.json()["message"]
    elsewhere = await world.call(
        "PUT", "/{d}/clients/configs/connections/none", json={"channels": []}
    )
    assert elsewhere.status_code == 404


async def test_the_requests_of_supermq_s_releases(world: World) -> None:
    """A config is named after its client, which its state connects to its channels."""
    client = world.platform.add_client(world.domain, secret="its-secret")
    channel = world.platform.add_channel(world.domain, "data")
    body = {"external_id": "gw", "external_key": "key-1", "client_id": client}
    made = await world.call("POST", "/{d}/clients/configs", json=body | {"channels": [channel]})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/clients/configs/{client}"
    assert world.platform.connections == set()
    one = f"/{{d}}/clients/configs/{client}"
    told = {
        "id": client,
        "client_id": client,
        "state": 0,
        "channels": [{"id": channel, "name": "data", "metadata": {}}],
    }
    assert made.json().items() >= told.items()
    assert (await world.call("GET", one)).json().items() >= told.items()
    (listed,) = (await world.call("GET", "/{d}/clients/configs")).json()["configs"]
    assert listed.items() >= told.items()
    changed = await world.call("PUT", one, json={"name": "n", "content": "{}"})
    assert changed.status_code == 200
    state = f"/{{d}}/clients/state/{client}"
    assert (await world.call("PUT", state, json={"state": 1})).status_code == 200
    assert world.platform.connections == {(client, channel)}
    shown = (await world.call("GET", one)).json()
    assert (shown["name"], shown["content"], shown["state"]) == ("n", "{}", 1)
    assert (await world.call("PUT", state, json={"state": 0})).status_code == 200
    assert world.platform.connections == set()
    assert (await world.call("PUT", state, json={"state": 2})).status_code == 400


async def test_a_config_of_no_client_tells_of_none(world: World) -> None:
    body = {"external_id": "gw", "external_key": "key-1"}
    made = await world.call("POST", "/{d}/clients/configs", json=body)
    assert "client_id" not in made.json()
    assert "channels" not in made.json()
