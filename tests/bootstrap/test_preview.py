"""Previews: with data sent along, with what is stored, and with both."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bootstrap.world import World

UNKNOWN = "11111111-2222-4333-8444-555555555555"
TEMPLATE = (
    "{{ .Device.ID }}|{{ .Device.ExternalID }}|{{ .Vars.a }}|{{ .Vars.b }}|{{ .Vars.c }}"
    "{{ range $slot, $bound := .Bindings }}|{{ $slot }}={{ $bound.ID }}{{ end }}"
)


async def profile(world: World, template: str = TEMPLATE) -> str:
    made = await world.make(
        "bootstrap/profiles",
        name="p",
        content_format="go-template",
        content_template=template,
        defaults={"a": "default", "b": "default", "c": "default"},
    )
    profile_id: str = made["id"]
    return profile_id


async def preview(world: World, profile_id: str, **document: Any) -> Any:
    path = f"/{{d}}/clients/bootstrap/profiles/{profile_id}/render-preview"
    return await world.call("POST", path, json=document)


async def test_nothing_need_be_sent(world: World) -> None:
    answer = await preview(world, await profile(world))
    assert answer.json() == {"content": "||default|default|default"}


async def test_the_inline_configs_variables_win_over_the_requests(world: World) -> None:
    answer = await preview(
        world,
        await profile(world),
        config={"id": "i", "external_id": "e", "render_context": {"a": "config"}},
        render_context={"a": "request", "b": "request"},
    )
    assert answer.json()["content"] == "i|e|config|request|default"


async def test_a_stored_config_lends_its_data(world: World) -> None:
    profile_id = await profile(world)
    config = await world.make(
        "configs",
        external_id="gw",
        external_key="k",
        profile_id=profile_id,
        render_context={"a": "stored", "b": "stored"},
    )
    client = world.platform.add_client(world.domain)
    bound = {"bindings": [{"slot": "s", "type": "client", "resource_id": client}]}
    path = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/bindings"
    assert (await world.call("PUT", path, json=bound)).status_code == 204
    answer = await preview(
        world,
        profile_id,
        config_id=config["id"],
        render_context={"a": "request"},
        bindings=[{"slot": "t", "type": "channel", "resource_id": "r"}],
    )
    expected = f"{config['id']}|gw|request|stored|default|s={client}|t=r"
    assert answer.json()["content"] == expected


async def test_nothing_is_changed(world: World) -> None:
    profile_id = await profile(world)
    config = await world.make("configs", external_id="gw", external_key="k", content="own")
    path = f"/{{d}}/clients/configs/{config['id']}"
    before = (await world.call("GET", path)).json()
    await preview(world, profile_id, config_id=config["id"], render_context={"a": "x"})
    assert (await world.call("GET", path)).json() == before
    assert world.platform.calls.count("resolve client") == 0


async def test_inline_secrets_are_shown_to_who_sent_them(world: World) -> None:
    profile_id = await profile(world, "{{ .Bindings.s.Secret.secret }}")
    bindings = [{"slot": "s", "type": "client", "secret_snapshot": {"secret": "mine"}}]
    answer = await preview(world, profile_id, bindings=bindings)
    assert answer.json()["content"] == "mine"


async def test_what_does_not_render_is_told_with_its_place(world: World) -> None:
    answer = await preview(world, await profile(world, "a\n  {{ .Vars.missing }}"))
    assert answer.status_code == 400
    error = answer.json()
    assert error["code"] == "profile_invalid"
    assert error["details"]["line"] == 2
    assert "missing" in error["message"]


@pytest.mark.parametrize("status", ["enabled", "DISABLED", 0, 1, None])
async def test_a_status_is_taken_in_any_writing(world: World, status: object) -> None:
    answer = await preview(world, await profile(world), config={"status": status})
    assert answer.status_code == 200


@pytest.mark.parametrize("status", ["bogus", 2, True, {}])
async def test_an_unknown_status_is_refused(world: World, status: object) -> None:
    answer = await preview(world, await profile(world), config={"status": status})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("config.status:")


async def test_profile_and_config_must_be_there(world: World) -> None:
    assert (await preview(world, UNKNOWN)).status_code == 404
    assert (await preview(world, await profile(world), config_id=UNKNOWN)).status_code == 404
