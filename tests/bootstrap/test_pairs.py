"""A device is of the domain that registered its external ID and key first, and of no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select, update

from bootstrap_core.errors import Throttled
from bootstrap_core.store.pair_rows import KeyChanges, PairDigests
from bootstrap_core.store.tables import configs, device_pairs
from bootstrap_core.throttle import Allowance
from tests.bootstrap.world import ALICE, BOB, World, running


async def register(world: World, token: str, key: str = "key", **more: Any) -> httpx.Response:
    domain = world.domain if token == ALICE else world.other_domain
    content = "alice's" if token == ALICE else "bob's"
    document = {"external_id": "gw", "external_key": key, "content": content} | more
    return await world.call("POST", f"/{domain}/clients/configs", token, json=document)


async def remove(world: World, token: str, made: httpx.Response) -> None:
    domain = world.domain if token == ALICE else world.other_domain
    path = f"/{domain}/clients/configs/{made.json()['id']}"
    assert (await world.call("DELETE", path, token)).status_code == 204


async def fetched(world: World, key: str = "key") -> str | int:
    answer = await world.fetch("gw", key)
    return str(answer.json()["content"]) if answer.status_code == 200 else answer.status_code


async def forget_pairs(world: World) -> None:
    """Leave the database as an earlier version has made it."""
    async with world.engine.begin() as connection:
        await connection.execute(delete(device_pairs))


async def in_both_of_earlier(world: World) -> tuple[httpx.Response, httpx.Response]:
    """Make what an earlier version allowed: the same pair in two domains, alice's first."""
    first = await register(world, ALICE)
    second = await register(world, BOB, "other")
    async with world.engine.begin() as connection:
        hashed = select(configs.c.external_key_hash).where(configs.c.id == first.json()["id"])
        same = await connection.scalar(hashed)
        of_bob = update(configs).where(configs.c.id == second.json()["id"])
        await connection.execute(of_bob.values(external_key_hash=same))
    await forget_pairs(world)
    return first, second


class TestRegistration:
    async def test_the_pair_of_another_domain_is_refused(self, world: World) -> None:
        assert (await register(world, ALICE)).status_code == 201
        refused = await register(world, BOB)
        assert refused.status_code == 409
        assert refused.json() == {
            "message": "external_key: cannot be used with this external ID; give the device "
            "another key",
            "code": "external_key_taken",
            "details": {"field": "external_key"},
        }
        assert await fetched(world) == "alice's"

    async def test_a_refused_registration_keeps_nothing_from_others(self, world: World) -> None:
        await register(world, ALICE)
        assert (await register(world, ALICE, "b")).status_code == 409
        assert (await register(world, BOB, "b")).status_code == 201

    async def test_another_key_or_another_id_is_free(self, world: World) -> None:
        await register(world, ALICE)
        assert (await register(world, BOB, "b")).status_code == 201
        other = await register(world, BOB, "key", external_id="other")
        assert other.status_code == 201
        assert await fetched(world) == "alice's"
        assert await fetched(world, "b") == "bob's"

    async def test_what_was_removed_is_free_but_served_to_nobody(self, world: World) -> None:
        made = await register(world, ALICE)
        assert (await register(world, BOB)).status_code == 409
        await remove(world, ALICE, made)
        assert await fetched(world) == 403
        assert (await register(world, BOB)).status_code == 201
        assert await fetched(world) == "bob's"
        assert (await register(world, ALICE)).status_code == 409

    async def test_nothing_is_left_of_devices_that_are_gone(self, world: World) -> None:
        for _ in range(3):
            await remove(world, ALICE, await register(world, ALICE))
        async with world.engine.connect() as connection:
            assert await connection.scalar(select(func.count()).select_from(device_pairs)) == 0

    async def test_a_refused_config_with_a_client_leaves_no_client(self, world: World) -> None:
        await register(world, ALICE)
        document = {"external_id": "gw", "external_key": "key"}
        path = f"/{world.other_domain}/clients/configs/with-client"
        assert (await world.call("POST", path, BOB, json=document)).status_code == 409
        assert [d for d, _, _ in world.platform.resources if d == world.other_domain] == []

    async def test_registering_is_no_way_to_guess_a_key(self, world: World) -> None:
        await register(world, ALICE)
        answers = []
        for number in range(25):
            made = await register(world, BOB, f"guess-{number}")
            answers.append(made.status_code)
            if made.status_code == 201:
                await remove(world, BOB, made)
        assert answers == [201] * 20 + [429] * 5
        # The same key again is no guess.
        assert (await register(world, BOB, "guess-19")).status_code == 201


class TestDataOfEarlierVersions:
    async def test_the_first_registered_is_served_and_stays(self, world: World) -> None:
        first, second = await in_both_of_earlier(world)
        for _ in range(2):
            assert await fetched(world) == "alice's"
        await remove(world, ALICE, first)
        assert await fetched(world) == 403
        # Whoever names the domain gets what is there.
        named = f"/{world.other_domain}/clients/bootstrap/gw"
        headers = {"Authorization": "Client key"}
        answer = await world.call("GET", named, BOB, headers=headers)
        assert answer.json()["content"] == "bob's"
        # Registered anew, by who shows that the key is known there, it is bob's.
        await remove(world, BOB, second)
        assert (await register(world, BOB)).status_code == 201
        assert await fetched(world) == "bob's"

    async def test_removing_the_first_before_any_fetch_hands_over_nothing(
        self, world: World
    ) -> None:
        first, second = await in_both_of_earlier(world)
        await remove(world, ALICE, first)
        for _ in range(2):
            assert await fetched(world) == 403
        await remove(world, BOB, second)
        assert (await register(world, BOB)).status_code == 201
        assert await fetched(world) == "bob's"

    async def test_removing_the_second_before_any_fetch_changes_nothing(self, world: World) -> None:
        _, second = await in_both_of_earlier(world)
        await remove(world, BOB, second)
        assert await fetched(world) == "alice's"

    async def test_a_later_registration_does_not_win(self, world: World) -> None:
        await register(world, ALICE)
        await forget_pairs(world)
        # Nothing is said of a device whose key is known by its slow hash only.
        assert (await register(world, BOB)).status_code == 201
        for _ in range(2):
            assert await fetched(world) == "alice's"
        assert (await register(world, BOB, external_id="x")).status_code == 201

    async def test_a_later_registration_with_another_key_is_served(self, world: World) -> None:
        await register(world, ALICE)
        await forget_pairs(world)
        await register(world, BOB, "b")
        assert await fetched(world, "b") == "bob's"
        assert await fetched(world, "key") == "alice's"

    async def test_one_fetch_is_enough_to_know_a_device_again(self, world: World) -> None:
        made = await register(world, ALICE)
        await forget_pairs(world)
        assert await fetched(world) == "alice's"
        async with world.engine.begin() as connection:
            of = update(configs).where(configs.c.id == made.json()["id"])
            await connection.execute(of.values(external_key_hash="none", revision="another"))
        assert await fetched(world) == "alice's"


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    digests = PairDigests()
    async with running(tmp_path, pair_digests=digests) as world:
        await register(world, ALICE)
        async with running(tmp_path, pair_digests=digests) as again:
            again.platform.members.update(world.platform.members)
            document = {"external_id": "gw", "external_key": "key"}
            path = f"/{world.other_domain}/clients/configs"
            assert (await again.call("POST", path, BOB, json=document)).status_code == 409
            assert await fetched(again) == "alice's"


async def test_digests_under_a_lost_key_are_made_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await register(world, ALICE)
        async with running(tmp_path) as again:
            for _ in range(2):
                assert await fetched(again) == "alice's"


def test_digests_tell_nothing_without_their_key() -> None:
    ours, theirs = PairDigests(), PairDigests()
    assert ours.of("gw", b"key") == ours.of("gw", b"key")
    assert ours.of("gw", b"key") != theirs.of("gw", b"key")
    assert ours.of("gw", b"key") != ours.of("gwk", b"ey")
    assert ours.of("gw", b"\xff") == ours.of("gw", b"") == ours.of("gw", None) == ""
    assert ours.key.hex() not in repr(ours)


def test_the_same_key_again_is_no_guess() -> None:
    changes = KeyChanges(Allowance(2, 60.0), limit=3, clock=lambda: 0.0)
    for _ in range(5):
        changes.note("domain", "gw", "a")
    changes.note("domain", "gw", "b")
    with pytest.raises(Throttled):
        changes.note("domain", "gw", "c")
    changes.note("other", "gw", "c")
    changes.note("domain", "gw-2", "c")
