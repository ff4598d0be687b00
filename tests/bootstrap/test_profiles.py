"""Profiles over HTTP: formats, slots, uploads, versions and removal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bootstrap.world import World

COLLECTION = "/{d}/clients/bootstrap/profiles"
UNKNOWN = "11111111-2222-4333-8444-555555555555"
CHANNEL_SLOT = {"name": "data", "type": "channel", "required": True, "fields": ["id"]}


async def create(world: World, **document: Any) -> tuple[int, dict[str, Any]]:
    answer = await world.call("POST", COLLECTION, json=document)
    return answer.status_code, answer.json()


class TestFormats:
    """The format has two names, in requests and in answers."""

    @pytest.mark.parametrize("name", ["content_format", "template_format"])
    async def test_either_name_is_taken_and_both_are_answered(
        self, world: World, name: str
    ) -> None:
        status, made = await create(world, name="p", **{name: "yaml"})
        assert status == 201
        assert made["content_format"] == made["template_format"] == "yaml"
        path = f"{COLLECTION}/{made['id']}"
        answer = await world.call("PATCH", path, json={name: "raw"})
        assert answer.json()["content_format"] == answer.json()["template_format"] == "raw"

    async def test_two_names_that_differ_are_refused(self, world: World) -> None:
        status, error = await create(world, name="p", content_format="json", template_format="raw")
        assert status == 400
        assert "template_format" in error["message"]

    @pytest.mark.parametrize("kind", ["xml", "JSON", "text"])
    async def test_an_unknown_format_is_refused_with_what_is_allowed(
        self, world: World, kind: str
    ) -> None:
        status, error = await create(world, name="p", content_format=kind)
        assert status == 400
        assert error["details"]["allowed"] == ["go-template", "json", "yaml", "toml", "raw"]


class TestChecks:
    """What cannot work is refused when it is written."""

    @pytest.mark.parametrize("template", ["{{ .X", "{{ if .X }}", "{{ nofunc 1 }}", "a\n{{ end }}"])
    async def test_a_template_that_does_not_parse(self, world: World, template: str) -> None:
        status, error = await create(world, name="p", content_template=template)
        assert (status, error["code"]) == (400, "profile_invalid")
        assert error["message"].startswith("content_template: line ")
        made = await world.make("bootstrap/profiles", name="p", content_template="ok")
        path = f"{COLLECTION}/{made['id']}"
        answer = await world.call("PATCH", path, json={"content_template": template})
        assert answer.status_code == 400
        assert (await world.call("GET", path)).json()["content_template"] == "ok"

    async def test_raw_content_is_not_parsed_until_it_is_a_template(self, world: World) -> None:
        made = await world.make(
            "bootstrap/profiles", name="p", content_format="raw", content_template="{{ oops"
        )
        answer = await world.call(
            "PATCH", f"{COLLECTION}/{made['id']}", json={"content_format": "json"}
        )
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("slots", "place"),
        [
            ([{"type": "client"}], "binding_slots[0].name"),
            ([{"name": "a"}], "binding_slots[0].type"),
            ([{"name": "a", "type": "ship"}], "binding_slots[0].type"),
            ([CHANNEL_SLOT, CHANNEL_SLOT], "binding_slots[1].name"),
            ([CHANNEL_SLOT | {"fields": [1]}], "binding_slots[0].fields[0]"),
            ([CHANNEL_SLOT | {"required": "yes"}], "binding_slots[0].required"),
            ([CHANNEL_SLOT | {"name": "x" * 257}], "binding_slots[0].name"),
            (["a"], "binding_slots[0]"),
            ({"a": 1}, "binding_slots"),
        ],
    )
    async def test_a_bad_slot_is_told_with_its_place(
        self, world: World, slots: object, place: str
    ) -> None:
        status, error = await create(world, name="p", binding_slots=slots)
        assert status == 400
        assert error["message"].startswith(place + ":")

    async def test_names(self, world: World) -> None:
        for name in (None, "", "n" * 1025, 5):
            status, error = await create(world, name=name)
            assert status == 400
            assert "name" in error["message"]
        assert (await create(world, name="n" * 1024))[0] == 201
        status, error = await create(world, name="n" * 1024)
        assert (status, error["code"]) == (409, "conflict")


class TestUploads:
    """JSON, YAML and TOML say the same."""

    DOCUMENTS = (
        ("application/json", b'{"name": "p", "defaults": {"n": 7, "l": [1, true]}}', "json"),
        ("application/yaml", b"name: p\ndefaults: {n: 7, l: [1, true]}\n", "yaml"),
        ("application/x-yaml; charset=utf-8", b"name: p\ndefaults: {n: 7, l: [1, true]}\n", "yaml"),
        ("text/yaml", b"name: p\ndefaults:\n  n: 7\n  l: [1, true]\n", "yaml"),
        ("application/toml", b'name = "p"\n[defaults]\nn = 7\nl = [1, true]\n', "toml"),
    )

    @pytest.mark.parametrize(("kind", "body", "content_format"), DOCUMENTS)
    async def test_they_are_read(
        self, world: World, kind: str, body: bytes, content_format: str
    ) -> None:
        headers = {"Content-Type": kind}
        answer = await world.call("POST", COLLECTION + "/upload", content=body, headers=headers)
        assert answer.status_code == 201
        made = answer.json()
        assert made["defaults"] == {"n": 7, "l": [1, True]}
        assert made["content_format"] == content_format
        located = await world.call("GET", answer.headers["location"])
        assert located.json() == made

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/yaml", b"name: [unclosed"),
            ("application/yaml", b"- a\n"),
            ("application/json", b'{"name": "p", "defaults": {"a": 1, "a": 2}}'),
            ("application/yaml", b"name: 5\n"),
            ("application/yaml", b"name: p\ndefaults: {1: a}\n"),
            ("application/yaml", b"name: p\nname: q\n"),
            ("application/yaml", b"name: p\ndefaults: {a: .inf}\n"),
            ("application/yaml", b"\xff\xfe\xfd"),
            ("application/yaml", b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nname: p\nname: q"),
            ("application/yaml", b"!!python/object/apply:os.system [ls]"),
            ("application/toml", b"name = \n"),
            ("application/toml", b'name = "a"\nname = "b"\n'),
            ("application/toml", b"\xff"),
            ("application/toml", b'name = "p"\n[defaults]\na' + b".a" * 150 + b" = 1"),
            ("application/toml", b'name = "p"\n[defaults]\n"\\""' + b'."\\""' * 150 + b" = 1"),
            ("application/toml", b'name = "p"\n[defaults]\na = ' + b"[" * 150 + b"]" * 150),
            ("application/json", b'{"name":'),
            (
                "application/json",
                b'{"name": "p", "defaults": ' + b'{"a": ' * 600 + b"1" + b"}" * 601,
            ),
        ],
    )
    async def test_what_is_broken_is_400(self, world: World, kind: str, body: bytes) -> None:
        headers = {"Content-Type": kind}
        answer = await world.call("POST", COLLECTION + "/upload", content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["message"]

    async def test_times_become_text(self, world: World) -> None:
        body = b'name = "p"\n[defaults]\nd = 1979-05-27T07:32:00Z\nt = 07:32:00\n'
        headers = {"Content-Type": "application/toml"}
        answer = await world.call("POST", COLLECTION + "/upload", content=body, headers=headers)
        assert answer.json()["defaults"] == {"d": "1979-05-27T07:32:00Z", "t": "07:32:00"}

    async def test_another_content_type_is_415(self, world: World) -> None:
        headers = {"Content-Type": "text/plain"}
        answer = await world.call("POST", COLLECTION + "/upload", content=b"", headers=headers)
        assert answer.status_code == 415
        assert "application/toml" in answer.json()["message"]


class TestVersions:
    """Each update raises the version, and names what it changes."""

    async def test_what_is_not_named_stays(self, world: World) -> None:
        document = {"description": "d", "content_template": "{}", "defaults": {"a": 1}}
        made = await world.make(
            "bootstrap/profiles", name="p", **document, binding_slots=[CHANNEL_SLOT]
        )
        path = f"{COLLECTION}/{made['id']}"
        changed = (await world.call("PATCH", path, json={"name": "q"})).json()
        assert changed | {"name": "p"} == made | {
            "version": 2,
            "updated_at": changed["updated_at"],
        }
        assert (await world.call("PATCH", path, json={})).json()["version"] == 3
        changed = (await world.call("PATCH", path, json={"binding_slots": []})).json()
        assert changed["version"] == 4
        assert "binding_slots" not in changed
        slots = (await world.call("GET", path + "/slots")).json()
        assert slots == {"binding_slots": []}

    async def test_what_is_not_there_is_404(self, world: World) -> None:
        for profile_id in (UNKNOWN, "abc"):
            path = f"{COLLECTION}/{profile_id}"
            for method, end in (("GET", ""), ("PATCH", ""), ("GET", "/slots")):
                answer = await world.call(method, path + end, json={})
                assert answer.status_code == 404
            assert (await world.call("DELETE", path)).status_code == 204


class TestRemoval:
    """A profile that configs have is not removed by mistake."""

    async def test_the_configs_that_have_it_are_named(self, world: World) -> None:
        profile = await world.make("bootstrap/profiles", name="p", content_template='{"p": 1}')
        config = await world.make(
            "configs",
            external_id="gw",
            external_key="k",
            profile_id=profile["id"],
            content="own",
        )
        path = f"{COLLECTION}/{profile['id']}"
        refused = await world.call("DELETE", path)
        assert (refused.status_code, refused.json()["code"]) == (409, "profile_in_use")
        named = {"configs": [{"id": config["id"], "external_id": "gw"}], "total": 1}
        assert refused.json()["details"] == named
        assert json.loads((await world.fetch("gw", "k")).json()["content"]) == {"p": 1}

        assert (await world.call("DELETE", path + "?force=true")).status_code == 204
        assert (await world.fetch("gw", "k")).json()["content"] == "own"
        view = await world.call("GET", f"/{{d}}/clients/configs/{config['id']}")
        assert "profile_id" not in view.json()

    async def test_force_is_a_truth_value(self, world: World) -> None:
        answer = await world.call("DELETE", f"{COLLECTION}/{UNKNOWN}?force=perhaps")
        assert answer.status_code == 400


class TestLists:
    """Newest first, by part of the name, in pages of at most 100."""

    async def test_pages_and_names(self, world: World) -> None:
        for name in ("one", "two", "Twofold"):
            await world.make("bootstrap/profiles", name=name)
        found = (await world.call("GET", COLLECTION + "?name=TWO&limit=1")).json()
        assert (found["total"], found["limit"]) == (2, 1)
        assert [each["name"] for each in found["profiles"]] == ["Twofold"]
        found = (await world.call("GET", COLLECTION + "?name=nothing")).json()
        assert found["profiles"] == []
        slashed = await world.call("GET", COLLECTION + "/")
        assert slashed.json()["total"] == 3

    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=a", "name=a&name=b"])
    async def test_odd_queries_are_told(self, world: World, query: str) -> None:
        assert (await world.call("GET", f"{COLLECTION}?{query}")).status_code == 400
