"""Which config answers a device, and what a device is told whose config cannot answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bootstrap_core.delivery.answers import Place, RenderedContent
from bootstrap_core.delivery.delivery import Delivery
from bootstrap_core.errors import DeviceRefused
from bootstrap_core.formats.rendering import Renderer
from bootstrap_core.keys import KeyHasher
from bootstrap_core.store.device_reads import DeviceRow
from bootstrap_core.throttle import Throttle
from tests.bootstrap.world import BOB, CHEAP, SEALER, World


class TestSeveralDomains:
    """A device names no domain; its key decides."""

    async def make_in_both(self, world: World, keys: tuple[str, str]) -> None:
        await world.make("configs", external_id="gw", external_key=keys[0], content="alice's")
        made = await world.call(
            "POST",
            f"/{world.other_domain}/clients/configs",
            BOB,
            json={"external_id": "gw", "external_key": keys[1], "content": "bob's"},
        )
        assert made.status_code == 201

    async def test_the_key_decides(self, world: World) -> None:
        await self.make_in_both(world, ("a", "b"))
        for _ in range(2):
            assert (await world.fetch("gw", "a")).json()["content"] == "alice's"
            assert (await world.fetch("gw", "b")).json()["content"] == "bob's"
        assert (await world.fetch("gw", "c")).status_code == 403

    async def test_a_device_may_name_its_domain(self, world: World) -> None:
        await self.make_in_both(world, ("a", "b"))
        headers = {"Authorization": "Client b"}
        named = f"/{world.other_domain}/clients/bootstrap/gw"
        assert (await world.call("GET", named, headers=headers)).json()["content"] == "bob's"
        elsewhere = "/11111111-2222-4333-8444-555555555555/clients/bootstrap/gw"
        assert (await world.call("GET", elsewhere, headers=headers)).status_code == 403


class TestNotRenderable:
    """A device whose configuration is not complete yet is told that, and nothing about it."""

    @pytest.mark.parametrize(
        ("template", "slots"),
        [
            ("{{ .Vars.missing_and_private }}", []),
            ("ok", [{"name": "mqtt", "type": "client", "required": True}]),
        ],
    )
    async def test_it_is_told_with_a_stable_code(
        self, world: World, template: str, slots: list[dict[str, object]]
    ) -> None:
        profile = await world.make(
            "bootstrap/profiles",
            name="p",
            content_format="go-template",
            content_template=template,
            binding_slots=slots,
        )
        config = await world.make(
            "configs", external_id="gw", external_key="key", profile_id=profile["id"]
        )
        answer = await world.fetch("gw", "key")
        assert answer.status_code == 409
        assert answer.json()["code"] == "not_renderable"
        assert "missing_and_private" not in answer.text
        assert "mqtt" not in answer.text
        view = await world.call("GET", f"/{{d}}/clients/configs/{config['id']}")
        assert view.json()["last_fetch"]["outcome"] == "not_renderable"

    async def test_a_binding_of_another_type_than_the_slot_now_has(self, world: World) -> None:
        client = world.platform.add_client(world.domain)
        slot = {"name": "s", "type": "client", "required": False}
        profile = await world.make(
            "bootstrap/profiles",
            name="p",
            content_format="go-template",
            content_template="{{ .Bindings.s.ID }}",
            binding_slots=[slot],
        )
        config = await world.make(
            "configs", external_id="gw", external_key="key", profile_id=profile["id"]
        )
        bound = {"bindings": [{"slot": "s", "type": "client", "resource_id": client}]}
        enrollment = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/bindings"
        assert (await world.call("PUT", enrollment, json=bound)).status_code == 204
        assert (await world.fetch("gw", "key")).json()["content"] == client
        path = f"/{{d}}/clients/bootstrap/profiles/{profile['id']}"
        await world.call("PATCH", path, json={"binding_slots": [slot | {"type": "channel"}]})
        assert (await world.fetch("gw", "key")).status_code == 409


class NoNul:
    """Reads as PostgreSQL does, which takes no text with NUL in it."""

    async def profile_revision(self, external_id: str, revision: str) -> str | None:
        assert "\0" not in external_id
        return None

    async def rows(self, external_id: str, domain_id: str) -> Sequence[DeviceRow]:
        assert "\0" not in external_id + domain_id
        return ()

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("place", [Place("g\0w"), Place("gw", "d\0")])
async def test_nul_is_in_no_device_and_no_domain(world: World, place: Place) -> None:
    hasher = KeyHasher(CHEAP)
    delivery = Delivery(
        NoNul(),
        hasher,
        SEALER,
        Renderer(),
        world.core.fetch_log,
        ownership=world.core.ownership,
        throttle=Throttle(),
        rendered=RenderedContent(),
        refusal_step=0.0,
    )
    with pytest.raises(DeviceRefused):
        await delivery.fetch(place, b"key", "127.0.0.1")
    hasher.close()
