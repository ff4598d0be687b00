"""Enrolling as part of a larger transaction: all of it is there, or nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import evolve

from bootstrap_core.enrollments import Enrollment
from bootstrap_core.errors import Conflict, NotFound
from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import (
    BindingSlot,
    Resource,
    ResourceType,
    Status,
    channel_resource,
    client_resource,
    new_id,
)
from bootstrap_core.profiles import InlineProfile
from bootstrap_core.secrets import Secret
from tests.bootstrap.world import World

INLINE = InlineProfile(
    origin="gateway",
    digest="1" * 64,
    name="gateway-agent",
    content_format=ContentFormat.JSON,
    content_template='{"secret": "{{ .Bindings.mqtt.Secret.secret }}"}',
    binding_slots=(BindingSlot("mqtt", ResourceType.CLIENT, required=True),),
)


async def enrollment(world: World, config_id: str = "", **changes: object) -> Enrollment:
    """Return an enrollment of a new gateway."""
    made = Enrollment(
        config_id=config_id or new_id(),
        domain_id=world.domain,
        external_id="gw",
        external_key_hash=await world.core.hasher.hash(Secret("key")),
        name="gateway",
        client_cert="CERT",
        client_key=Secret("PRIVATE"),
    )
    return evolve(made, **changes)


def resources(world: World, config_id: str, secret: str = "s") -> Mapping[str, Resource]:
    client = client_resource(config_id, name="c", domain_id=world.domain, secret=Secret(secret))
    return {"mqtt": client}


async def enroll(world: World, wanted: Enrollment) -> None:
    async with world.engine.begin() as connection:
        await world.core.enroller.put_config(connection, wanted)


async def test_a_device_fetches_what_was_enrolled(world: World) -> None:
    wanted = await enrollment(world)
    async with world.engine.begin() as connection:
        enroller = world.core.enroller
        profile = await enroller.put_profile(connection, world.domain, INLINE)
        bound = resources(world, wanted.config_id, "client-secret")
        await enroller.put_config(connection, evolve(wanted, profile=profile, bindings=bound))
    fetched = (await world.fetch("gw", "key")).json()
    assert fetched["id"] == wanted.config_id
    assert fetched["content"] == '{"secret": "client-secret"}'
    assert (fetched["client_cert"], fetched["client_key"]) == ("CERT", "PRIVATE")
    async with world.engine.connect() as connection:
        seen = await world.core.enroller.view(connection, world.domain, wanted.config_id)
        same = await world.core.enroller.view_device(connection, world.domain, "gw")
    assert seen is not None
    assert seen.config.connected
    assert [each.slot for each in seen.bindings] == ["mqtt"]
    assert same is not None
    assert same.config == seen.config


async def test_nothing_stays_of_a_transaction_that_fails(world: World) -> None:
    wanted = await enrollment(world)
    async with world.engine.connect() as connection:
        transaction = await connection.begin()
        await world.core.enroller.put_profile(connection, world.domain, INLINE)
        await world.core.enroller.put_config(connection, wanted)
        await transaction.rollback()
    assert (await world.fetch("gw", "key")).status_code == 403
    listed = await world.call("GET", "/{d}/clients/bootstrap/profiles")
    assert listed.json()["total"] == 0


async def test_enrolling_again_replaces_key_bindings_and_certificates(world: World) -> None:
    wanted = await enrollment(world)
    await enroll(world, evolve(wanted, bindings=resources(world, wanted.config_id)))
    assert (await world.fetch("gw", "key")).status_code == 200
    channel = channel_resource(new_id(), name="d", domain_id=world.domain)
    again = evolve(
        await enrollment(world, wanted.config_id),
        external_key_hash=await world.core.hasher.hash(Secret("new key")),
        client_key=Secret("NEW"),
        bindings={"data": channel},
    )
    await enroll(world, again)
    assert (await world.fetch("gw", "key")).status_code == 403
    assert (await world.fetch("gw", "new key")).json()["client_key"] == "NEW"
    path = f"/{{d}}/clients/bootstrap/enrollments/{wanted.config_id}/bindings"
    bound = (await world.call("GET", path)).json()["bindings"]
    assert [each["slot"] for each in bound] == ["data"]


async def test_names_are_made_unique(world: World) -> None:
    first, second = await enrollment(world), await enrollment(world, external_id="other")
    for _ in range(2):
        await enroll(world, first)
        await enroll(world, second)
    listed = (await world.call("GET", "/{d}/clients/configs")).json()["configs"]
    names = {each["id"]: each["name"] for each in listed}
    assert names == {
        first.config_id: "gateway",
        second.config_id: f"gateway-{second.config_id[:8]}",
    }


async def test_an_external_id_that_is_taken_is_a_conflict_that_names_the_config(
    world: World,
) -> None:
    first = await enrollment(world)
    await enroll(world, first)
    with pytest.raises(Conflict) as caught:
        await enroll(world, await enrollment(world))
    assert caught.value.details["config_id"] == first.config_id


async def test_an_id_of_another_domain_is_a_conflict(world: World) -> None:
    first = await enrollment(world)
    await enroll(world, first)
    with pytest.raises(Conflict):
        await enroll(world, evolve(first, domain_id=world.other_domain, name=""))


async def test_a_disabled_or_removed_config_is_refused(world: World) -> None:
    wanted = await enrollment(world, status=Status.DISABLED)
    await enroll(world, wanted)
    assert (await world.fetch("gw", "key")).status_code == 403
    enroller, place = world.core.enroller, (world.domain, wanted.config_id)
    async with world.engine.begin() as connection:
        await enroller.set_status(connection, *place, Status.ENABLED)
    assert (await world.fetch("gw", "key")).status_code == 200
    async with world.engine.begin() as connection:
        await enroller.remove(connection, *place)
        await enroller.remove(connection, *place)
        await enroller.set_status(connection, *place, Status.DISABLED)
    assert (await world.fetch("gw", "key")).status_code == 403
    async with world.engine.connect() as connection:
        assert await enroller.view(connection, *place) is None


class TestInlineProfiles:
    """A layout's profile is made once for each domain, and brought up to date."""

    async def put(self, world: World, inline: InlineProfile) -> tuple[str, int, str]:
        async with world.engine.begin() as connection:
            profile = await world.core.enroller.put_profile(connection, world.domain, inline)
        return profile.id, profile.version, profile.name

    async def test_the_same_digest_is_the_same_profile(self, world: World) -> None:
        assert await self.put(world, INLINE) == await self.put(world, INLINE)

    async def test_another_digest_is_a_new_version(self, world: World) -> None:
        first = await self.put(world, INLINE)
        changed = evolve(INLINE, digest="2" * 64, content_template="{}")
        assert await self.put(world, changed) == (first[0], 2, first[2])
        assert await self.put(world, changed) == (first[0], 2, first[2])

    async def test_each_layout_has_its_own(self, world: World) -> None:
        first = await self.put(world, INLINE)
        second = await self.put(world, evolve(INLINE, origin="other"))
        assert first[0] != second[0]
        assert second[2] == f"gateway-agent-{second[0][:8]}"

    async def test_a_profile_made_by_hand_is_left_alone(self, world: World) -> None:
        made = await world.make("bootstrap/profiles", name="gateway-agent")
        assert (await self.put(world, INLINE))[0] != made["id"]
        async with world.engine.connect() as connection:
            for reference in (made["id"], "gateway-agent"):
                found = await world.core.enroller.find_profile(connection, world.domain, reference)
                assert found.id == made["id"]
            with pytest.raises(NotFound):
                await world.core.enroller.find_profile(connection, world.other_domain, made["id"])


async def test_a_profile_that_is_not_there_is_told(world: World) -> None:
    async with world.engine.connect() as connection:
        with pytest.raises(NotFound, match="none has the ID or name 'nobody'"):
            await world.core.enroller.find_profile(connection, world.domain, "nobody")
