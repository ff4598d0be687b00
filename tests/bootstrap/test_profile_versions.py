"""What a profile was before it was changed, and profiles that are only tried."""

from __future__ import annotations

from typing import Any

from bootstrap_core.store.profile_rows import KEPT
from tests.bootstrap.world import World

COLLECTION = "/{d}/clients/bootstrap/profiles"
UNKNOWN = "11111111-2222-4333-8444-555555555555"
FIRST = {
    "name": "p",
    "description": "the first",
    "content_template": "one {{ .Vars.a }}",
    "content_format": "go-template",
    "defaults": {"a": 1},
    "binding_slots": [{"name": "data", "type": "channel", "required": True, "fields": ["id"]}],
}


async def get(world: World, path: str, status: int = 200) -> Any:
    answer = await world.call("GET", f"{COLLECTION}/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_each_update_leaves_what_was_before(world: World) -> None:
    made = await world.make("bootstrap/profiles", **FIRST)
    path = f"{COLLECTION}/{made['id']}"
    await world.call("PATCH", path, json={"content_template": "two", "name": "q"})
    await world.call("PATCH", path, json={"defaults": {}})
    listed = (await get(world, f"{made['id']}/versions"))["versions"]
    assert [(each["version"], each["name"]) for each in listed] == [(3, "q"), (2, "q"), (1, "p")]
    first = await get(world, f"{made['id']}/versions/1")
    assert first == made
    second = await get(world, f"{made['id']}/versions/2")
    assert (second["content_template"], second["defaults"]) == ("two", {"a": 1})
    assert await get(world, f"{made['id']}/versions/3") == await get(world, made["id"])
    assert "version 4" in (await get(world, f"{made['id']}/versions/4", 404))["message"]
    await get(world, f"{made['id']}/versions/x", 400)
    await get(world, f"{UNKNOWN}/versions", 404)
    await get(world, f"{UNKNOWN}/versions/1", 404)


async def test_an_old_version_saved_again_is_a_new_one(world: World) -> None:
    made = await world.make("bootstrap/profiles", **FIRST)
    path = f"{COLLECTION}/{made['id']}"
    replaced = await world.call("PUT", path, json={"name": "p", "content_format": "raw"})
    assert replaced.status_code == 200, replaced.text
    assert "description" not in replaced.json()
    assert "binding_slots" not in replaced.json()
    old = await get(world, f"{made['id']}/versions/1")
    restored = (await world.call("PUT", path, json=old)).json()
    assert restored["version"] == 3
    assert {key: restored[key] for key in FIRST} == FIRST
    refused = await world.call("PUT", path, json={"name": "p", "content_template": "{{ if"})
    assert (refused.status_code, refused.json()["code"]) == (400, "profile_invalid")
    assert (await world.call("PUT", path, json={})).status_code == 400
    assert (await world.call("PUT", f"{COLLECTION}/{UNKNOWN}", json=old)).status_code == 404


async def test_what_is_kept_is_bounded_and_goes_with_the_profile(world: World) -> None:
    made = await world.make("bootstrap/profiles", **FIRST)
    path = f"{COLLECTION}/{made['id']}"
    for number in range(KEPT + 2):
        await world.call("PATCH", path, json={"description": str(number)})
    listed = (await get(world, f"{made['id']}/versions"))["versions"]
    assert [each["version"] for each in listed] == list(range(KEPT + 3, 2, -1))
    assert (await world.call("DELETE", path)).status_code == 204
    await get(world, f"{made['id']}/versions", 404)


async def test_configs_are_listed_by_their_profile(world: World) -> None:
    made = await world.make("bootstrap/profiles", **FIRST)
    mine = await world.make("configs", external_id="a", external_key="ka", profile_id=made["id"])
    await world.make("configs", external_id="b", external_key="kb")
    answer = await world.call("GET", f"/{{d}}/clients/configs?profile_id={made['id']}")
    assert [each["id"] for each in answer.json()["configs"]] == [mine["id"]]


async def test_a_draft_is_rendered_without_being_stored(world: World) -> None:
    draft = {"content_template": '{"a": {{ .Vars.a }}, "b": "{{ .Device.ExternalID }}"}'}
    body = {
        "profile": draft | {"defaults": {"a": 1}},
        "config": {"external_id": "gw"},
        "render_context": {"a": 2},
    }
    answer = await world.call("POST", f"{COLLECTION}/render-preview", json=body)
    assert answer.json() == {"content": '{"a": 2, "b": "gw"}'}
    wrong = {"profile": {"content_template": "{\n{{ .Vars.a.b }}"}}
    refused = await world.call("POST", f"{COLLECTION}/render-preview", json=wrong)
    assert (refused.status_code, refused.json()["details"]["line"]) == (400, 2)
    assert (await world.call("GET", COLLECTION)).json()["total"] == 0
