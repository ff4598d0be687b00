"""Binding: resources are read from the platform, kept as snapshots, and connected."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from bootstrap_core.enrollments import Enrollments
from bootstrap_core.model import Caller, Resource, ResourceType, certificate_resource, new_id
from bootstrap_core.secrets import Secret
from tests.bootstrap.world import ALICE, SEALER, World

UNKNOWN = "11111111-2222-4333-8444-555555555555"


async def enroll(world: World, slots: list[dict[str, Any]], **profile: Any) -> str:
    """Make a config with a profile that has these slots; return the config's ID."""
    made = await world.make("bootstrap/profiles", name="p", binding_slots=slots, **profile)
    config = await world.make("configs", external_id="gw", external_key="k", profile_id=made["id"])
    config_id: str = config["id"]
    return config_id


async def bind(world: World, config_id: str, *bindings: tuple[str, str, str]) -> Any:
    document = [dict(zip(("slot", "type", "resource_id"), each, strict=True)) for each in bindings]
    path = f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings"
    return await world.call("PUT", path, json={"bindings": document})


async def bindings(world: World, config_id: str) -> dict[str, Any]:
    answer = await world.call("GET", f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings")
    return {each["slot"]: each for each in answer.json()["bindings"]}


def slot(name: str, kind: str, *fields: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": required, "fields": list(fields)}


class TestSnapshots:
    """A binding keeps what its slot asks for, secrets apart."""

    async def test_without_fields_all_that_is_public_is_kept(self, world: World) -> None:
        client = world.platform.add_client(world.domain, "a client", identity="user")
        channel = world.platform.add_channel(
            world.domain, "a channel", route="topic", metadata={"type": "data"}
        )
        config_id = await enroll(world, [slot("c", "client"), slot("d", "channel")])
        bound = await bind(world, config_id, ("c", "client", client), ("d", "channel", channel))
        assert bound.status_code == 204
        found = await bindings(world, config_id)
        assert found["c"]["snapshot"] == {
            "id": client,
            "name": "a client",
            "identity": "user",
            "domain_id": world.domain,
        }
        assert found["d"]["snapshot"] == {
            "id": channel,
            "name": "a channel",
            "topic": "topic",
            "domain_id": world.domain,
            "metadata": {"type": "data"},
        }

    async def test_fields_keep_what_they_name_and_nothing_else(self, world: World) -> None:
        client = world.platform.add_client(world.domain, "a client", secret="hidden")
        config_id = await enroll(
            world,
            [slot("with", "client", "id", "secret"), slot("without", "client", "id", "name")],
            content_format="go-template",
            content_template="{{ .Bindings.with.Secret.secret }}|{{ .Bindings.without.Secret }}",
        )
        await bind(world, config_id, ("with", "client", client), ("without", "client", client))
        found = await bindings(world, config_id)
        assert found["with"]["snapshot"] == {"id": client}
        assert found["without"]["snapshot"] == {"id": client, "name": "a client"}
        content = (await world.fetch("gw", "k")).json()["content"]
        assert content == "hidden|map[]"

    async def test_certificates_can_be_bound(self, world: World) -> None:
        resource = certificate_resource(
            "0a:1b", client_id=new_id(), certificate="PEM", private_key=Secret("KEY")
        )
        world.platform.resources[world.domain, ResourceType.CERTIFICATE, "0a:1b"] = resource
        config_id = await enroll(
            world,
            [slot("cert", "certificate")],
            content_format="go-template",
            content_template="{{ .Bindings.cert.Snapshot.certificate }}"
            "{{ .Bindings.cert.Secret.private_key }}",
        )
        assert (await bind(world, config_id, ("cert", "certificate", "0a:1b"))).status_code == 204
        assert (await world.fetch("gw", "k")).json()["content"] == "PEMKEY"


class TestBinding:
    """Slots are bound one after another, and checked."""

    async def test_other_slots_stay_as_they_are(self, world: World) -> None:
        first, second = (world.platform.add_client(world.domain) for _ in range(2))
        config_id = await enroll(world, [slot("a", "client"), slot("b", "client", required=True)])
        assert (await bind(world, config_id, ("a", "client", first))).status_code == 204
        assert (await bind(world, config_id, ("b", "client", first))).status_code == 204
        assert (await bind(world, config_id, ("a", "client", second))).status_code == 204
        found = await bindings(world, config_id)
        assert {name: each["resource_id"] for name, each in found.items()} == {
            "a": second,
            "b": first,
        }

    @pytest.mark.parametrize(
        ("binding", "place"),
        [
            (("nope", "client", "x"), "bindings[0].slot"),
            (("a", "channel", "x"), "bindings[0].type"),
            (("a", "ship", "x"), "bindings[0].type"),
            (("", "client", "x"), "bindings[0].slot"),
            (("a", "", "x"), "bindings[0].type"),
            (("a", "client", ""), "bindings[0].resource_id"),
        ],
    )
    async def test_what_does_not_fit_is_told_with_its_place(
        self, world: World, binding: tuple[str, str, str], place: str
    ) -> None:
        config_id = await enroll(world, [slot("a", "client")])
        answer = await bind(world, config_id, binding)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(place + ":")

    async def test_a_slot_named_twice(self, world: World) -> None:
        client = world.platform.add_client(world.domain)
        config_id = await enroll(world, [slot("a", "client")])
        answer = await bind(world, config_id, ("a", "client", client), ("a", "client", client))
        assert answer.status_code == 400
        assert "bindings[1].slot" in answer.json()["message"]

    async def test_nothing_is_bound_where_one_resource_is_missing(self, world: World) -> None:
        client = world.platform.add_client(world.domain)
        theirs = world.platform.add_client(world.other_domain)
        config_id = await enroll(world, [slot("a", "client"), slot("b", "client")])
        for missing in (UNKNOWN, "abc", theirs):
            answer = await bind(world, config_id, ("a", "client", client), ("b", "client", missing))
            assert answer.status_code == 404
            assert answer.json()["message"].startswith("bindings[1].resource_id:")
        assert await bindings(world, config_id) == {}

    async def test_a_profile_without_slots_takes_any(self, world: World) -> None:
        client = world.platform.add_client(world.domain)
        config_id = await enroll(world, [])
        assert (await bind(world, config_id, ("anything", "client", client))).status_code == 204
        assert (await bind(world, config_id, ("other", "cert", client))).status_code == 400

    async def test_a_config_without_a_profile_cannot_be_bound(self, world: World) -> None:
        config = await world.make("configs", external_id="gw", external_key="k")
        answer = await bind(world, config["id"], ("a", "client", UNKNOWN))
        assert answer.status_code == 404
        assert "assign" in answer.json()["message"]

    @pytest.mark.parametrize("body", [{}, {"bindings": []}, {"bindings": None}])
    async def test_something_must_be_bound(self, world: World, body: dict[str, Any]) -> None:
        config_id = await enroll(world, [])
        path = f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings"
        assert (await world.call("PUT", path, json=body)).status_code == 400


class TestConnections:
    """A bound channel is connected to the client that the config is named after."""

    async def test_the_enrolled_client_is_connected(self, world: World) -> None:
        channel = world.platform.add_channel(world.domain)
        config_id = await enroll(world, [slot("d", "channel")])
        world.platform.add_client(world.domain, client_id=config_id)
        assert (await bind(world, config_id, ("d", "channel", channel))).status_code == 204
        assert world.platform.connections == {(config_id, channel)}

    async def test_a_config_that_is_named_after_no_client_is_bound_all_the_same(
        self, world: World
    ) -> None:
        channel = world.platform.add_channel(world.domain)
        config_id = await enroll(world, [slot("d", "channel")])
        assert (await bind(world, config_id, ("d", "channel", channel))).status_code == 204
        assert world.platform.connections == set()
        assert set(await bindings(world, config_id)) == {"d"}


class TestRefresh:
    """Refreshing reads the resources again."""

    async def test_fields_are_those_of_the_profile_now(self, world: World) -> None:
        client = world.platform.add_client(world.domain, "old", secret="s")
        config_id = await enroll(world, [slot("c", "client", "id")])
        await bind(world, config_id, ("c", "client", client))
        world.platform.add_client(world.domain, "new", client_id=client)
        profiles = (await world.call("GET", "/{d}/clients/bootstrap/profiles")).json()["profiles"]
        path = f"/{{d}}/clients/bootstrap/profiles/{profiles[0]['id']}"
        await world.call("PATCH", path, json={"binding_slots": [slot("c", "client", "name")]})
        refresh = f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings/refresh"
        assert (await world.call("POST", refresh)).status_code == 204
        assert (await bindings(world, config_id))["c"]["snapshot"] == {"name": "new"}

    async def test_a_resource_that_is_gone_is_told_and_the_rest_stays(self, world: World) -> None:
        client = world.platform.add_client(world.domain, "old")
        config_id = await enroll(world, [slot("c", "client")])
        await bind(world, config_id, ("c", "client", client))
        before = await bindings(world, config_id)
        world.platform.resources.clear()
        refresh = f"/{{d}}/clients/bootstrap/enrollments/{config_id}/bindings/refresh"
        assert (await world.call("POST", refresh)).status_code == 404
        assert await bindings(world, config_id) == before


class TestAssigning:
    """A config takes another profile."""

    async def test_the_device_gets_the_new_profiles_content(self, world: World) -> None:
        config = await world.make("configs", external_id="gw", external_key="k", content="own")
        assert (await world.fetch("gw", "k")).json()["content"] == "own"
        profile = await world.make(
            "bootstrap/profiles", name="p", content_format="raw", content_template="new"
        )
        path = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/profile"
        for _ in range(2):
            answer = await world.call("PATCH", path, json={"profile_id": profile["id"]})
            assert answer.status_code == 204
        assert (await world.fetch("gw", "k")).json()["content"] == "new"

    async def test_both_must_be_there(self, world: World) -> None:
        config = await world.make("configs", external_id="gw", external_key="k")
        path = "/{d}/clients/bootstrap/enrollments/"
        profile = {"profile_id": UNKNOWN}
        for target in (config["id"], UNKNOWN):
            answer = await world.call("PATCH", f"{path}{target}/profile", json=profile)
            assert answer.status_code == 404
        answer = await world.call("PATCH", f"{path}{config['id']}/profile", json={})
        assert answer.status_code == 400


@frozen
class ReboundMeanwhile:
    """A platform that is slow enough for somebody to bind another client before it answers."""

    world: World
    config_id: str
    other: str

    async def resolve(self, caller: Caller, kind: ResourceType, resource_id: str) -> Resource:
        await bind(self.world, self.config_id, ("c", "client", self.other))
        return await self.world.platform.resolve(caller, kind, resource_id)


async def test_refreshing_leaves_what_is_bound_meanwhile(world: World) -> None:
    config_id = await enroll(world, [slot("c", "client")])
    first, other = world.platform.add_client(world.domain), world.platform.add_client(world.domain)
    await bind(world, config_id, ("c", "client", first))
    platform: Any = ReboundMeanwhile(world, config_id, other)
    caller = Caller(ALICE, world.domain, Secret(ALICE))
    await Enrollments(world.engine, platform, SEALER).refresh(caller, config_id)
    assert (await bindings(world, config_id))["c"]["resource_id"] == other


async def test_a_slots_name_has_an_end(world: World) -> None:
    config_id = await enroll(world, [])
    client = world.platform.add_client(world.domain)
    assert (await bind(world, config_id, ("s" * 256, "client", client))).status_code == 204
    assert (await bind(world, config_id, ("s" * 257, "client", client))).status_code == 400
