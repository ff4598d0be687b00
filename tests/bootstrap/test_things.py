"""Mainflux's dialect: configs of things, on the same configs and bindings."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bootstrap_core.model import ResourceType, new_id
from tests.bootstrap.world import ALICE, World


async def call(world: World, method: str, path: str, token: str = ALICE, **values: Any) -> Any:
    """Send a request with the plain token that Mainflux's document shows."""
    return await world.http.request(
        method, path, headers={"Authorization": token} | values.pop("headers", {}), **values
    )


async def make(world: World, **document: Any) -> httpx.Response:
    new = {"external_id": "gw", "external_key": "key"} | document
    answer: httpx.Response = await call(world, "POST", "/things/configs", json=new)
    return answer


async def test_a_thing_is_made_where_none_is_named(world: World) -> None:
    answer = await make(world, name="a gateway")
    assert answer.status_code == 201
    thing_id = answer.json()["thing_id"]
    assert answer.headers["location"] == f"/things/configs/{thing_id}"
    assert "create client" in world.platform.calls


def secret_of(world: World, thing_id: str) -> str:
    """Return the secret of a thing as the platform has it."""
    thing = world.platform.resources[world.domain, ResourceType.CLIENT, thing_id]
    return thing.secret["secret"].reveal()


async def test_the_device_gets_thing_channels_and_content(world: World) -> None:
    channel = world.platform.add_channel(world.domain, "data", metadata={"type": "data"})
    certificates = {"client_cert": "CC", "client_key": "CK", "ca_cert": "CA"}
    answer = await make(world, channels=[channel], content="config...", **certificates)
    thing_id = answer.json()["thing_id"]
    key = secret_of(world, thing_id)
    asked = len(world.platform.calls)
    fetched = await call(world, "GET", "/things/bootstrap/gw", "key")
    channels = [{"id": channel, "name": "data", "metadata": {"type": "data"}}]
    assert fetched.json() == {
        "thing_id": thing_id,
        "thing_key": key,
        "channels": channels,
        "mainflux_id": thing_id,
        "mainflux_key": key,
        "mainflux_channels": channels,
        "content": "config...",
        **certificates,
    }
    assert len(world.platform.calls) == asked


async def test_a_thing_that_exists_is_used(world: World) -> None:
    thing = world.platform.add_client(world.domain, secret="its-key")
    assert (await make(world, thing_id=thing)).json()["thing_id"] == thing
    assert "create client" not in world.platform.calls
    fetched = await call(world, "GET", "/things/bootstrap/gw", "key")
    assert fetched.json()["thing_key"] == "its-key"


async def test_a_thing_that_does_not_exist_is_refused(world: World) -> None:
    answer = await make(world, thing_id=new_id())
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("thing_id:")


async def test_channels_that_do_not_exist_are_made(world: World) -> None:
    channel = new_id()
    answer = await make(world, channels=[channel, channel])
    assert [each["id"] for each in answer.json()["channels"]] == [channel]
    assert world.platform.calls.count("create channel") == 1
    assert (await make(world, external_id="b", channels=["no-uuid"])).status_code == 400


async def test_a_thing_is_not_left_behind_where_the_config_cannot_be_kept(world: World) -> None:
    await make(world)
    before = set(world.platform.resources)
    assert (await make(world)).status_code == 409
    assert set(world.platform.resources) == before


async def test_the_state_connects_and_disconnects(world: World) -> None:
    channels = [world.platform.add_channel(world.domain) for _ in range(2)]
    thing_id = (await make(world, channels=channels)).json()["thing_id"]
    path = f"/things/configs/{thing_id}"
    assert (await call(world, "GET", path)).json()["state"] == 0
    assert world.platform.connections == set()
    state = f"/things/state/{thing_id}"
    assert (await call(world, "PUT", state, json={"state": 1})).status_code == 200
    assert world.platform.connections == {(thing_id, channel) for channel in channels}
    assert (await call(world, "GET", path)).json()["state"] == 1
    assert (await call(world, "PUT", state, json={"state": 0})).status_code == 200
    assert world.platform.connections == set()
    assert (await call(world, "GET", "/things/bootstrap/gw", "key")).status_code == 403
    await call(world, "PUT", state, json={"state": 1})
    assert (await call(world, "GET", "/things/bootstrap/gw", "key")).status_code == 200


@pytest.mark.parametrize("body", [{}, {"state": 2}, {"state": True}, {"state": "1"}])
async def test_other_states_are_refused(world: World, body: dict[str, object]) -> None:
    thing_id = (await make(world)).json()["thing_id"]
    answer = await call(world, "PUT", f"/things/state/{thing_id}", json=body)
    assert answer.status_code == 400


async def test_configs_are_listed_changed_and_removed(world: World) -> None:
    channel = world.platform.add_channel(world.domain, "data")
    thing_id = (await make(world, name="one", channels=[channel])).json()["thing_id"]
    await make(world, external_id="other", name="two")
    listed = (await call(world, "GET", "/things/configs?name=ONE&state=0")).json()
    assert listed["total"] == 1
    assert listed["configs"][0]["thing_id"] == thing_id
    assert listed["configs"][0]["channels"][0]["name"] == "data"
    assert (await call(world, "GET", "/things/configs?state=1")).json()["total"] == 0
    assert (await call(world, "GET", "/things/configs?state=x")).status_code == 400
    path = f"/things/configs/{thing_id}"
    change = {"name": "uno", "content": "new"}
    assert (await call(world, "PUT", path, json=change)).status_code == 200
    certs = f"/things/configs/certs/{thing_id}"
    assert (await call(world, "PATCH", certs, json={"ca_cert": "CA"})).status_code == 200
    shown = (await call(world, "GET", path)).json()
    assert (shown["name"], shown["content"], shown["ca_cert"]) == ("uno", "new", "CA")
    assert (await call(world, "DELETE", path)).status_code == 204
    assert (await call(world, "GET", path)).status_code == 404


async def test_no_secret_is_shown_to_users(world: World) -> None:
    thing_id = (await make(world, client_key="PRIVATE")).json()["thing_id"]
    kept = secret_of(world, thing_id)
    for path in ("/things/configs", f"/things/configs/{thing_id}"):
        shown = await call(world, "GET", path)
        for secret in ("PRIVATE", kept, '"key"', "$scrypt$"):
            assert secret not in shown.text


async def test_both_dialects_speak_of_the_same_config(world: World) -> None:
    thing_id = (await make(world, content="c")).json()["thing_id"]
    view = await world.call("GET", f"/{{d}}/clients/configs/{thing_id}")
    assert view.json()["external_id"] == "gw"
    assert (await world.fetch("gw", "key")).json()["content"] == "c"
    made = await world.make("configs", external_id="new", external_key="key", content="n")
    fetched = await call(world, "GET", "/things/bootstrap/new", "key")
    assert (fetched.json()["thing_id"], fetched.json()["content"]) == (made["id"], "n")


async def test_the_caller_must_be_known_and_the_domain_clear(world: World) -> None:
    for token in ("", "nobody"):
        assert (await call(world, "GET", "/things/configs", token)).status_code == 401
    bearer = await call(world, "GET", "/things/configs", f"Bearer {ALICE}")
    assert bearer.status_code == 200
    world.platform.add_domain(ALICE)
    assert (await call(world, "GET", "/things/configs")).status_code == 400


async def test_channels_are_replaced_and_connected_while_the_state_is_1(world: World) -> None:
    first, second, third = (world.platform.add_channel(world.domain) for _ in range(3))
    thing = world.platform.add_client(world.domain)
    await make(world, thing_id=thing, channels=[first])
    path = f"/things/configs/connections/{thing}"
    assert (await call(world, "PUT", path, json={"channels": [second]})).status_code == 200
    assert world.platform.connections == set()
    shown = (await call(world, "GET", f"/things/configs/{thing}")).json()
    assert [each["id"] for each in shown["channels"]] == [second]
    await call(world, "PUT", f"/things/state/{thing}", json={"state": 1})
    assert world.platform.connections == {(thing, second)}
    await call(world, "PUT", path, json={"channels": [third]})
    assert world.platform.connections == {(thing, third)}
    assert (await call(world, "PUT", path, json={"channels": ["nowhere"]})).status_code == 404


async def test_magistrala_0_15_names_the_domain_in_every_path(world: World) -> None:
    channel = world.platform.add_channel(world.domain)
    before = f"/{world.domain}/things"
    new = {"external_id": "gw", "external_key": "key", "channels": [channel]}
    made = await call(world, "POST", f"{before}/configs", json=new)
    assert made.status_code == 201, made.text
    thing = made.json()["thing_id"]
    one = f"{before}/configs/{thing}"
    for method, path, body in (
        ("PUT", one, {"name": "n", "content": "c"}),
        ("PATCH", f"{before}/configs/certs/{thing}", {"client_cert": "CC"}),
        ("PUT", f"{before}/configs/connections/{thing}", {"channels": [channel]}),
        ("PUT", f"{before}/state/{thing}", {"state": 1}),
    ):
        assert (await call(world, method, path, json=body)).status_code == 200, path
    shown = (await call(world, "GET", one)).json()
    assert (shown["name"], shown["client_cert"], shown["state"]) == ("n", "CC", 1)
    assert (await call(world, "GET", f"{before}/configs")).json()["total"] == 1
    assert (await call(world, "DELETE", one)).status_code == 204
    assert (await call(world, "GET", one)).status_code == 404
