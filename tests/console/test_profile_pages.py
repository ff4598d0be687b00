"""Profiles by forms alone. No browser is needed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.visiting import Visitor
from tests.service.running import Running

NEW = "/console/profiles/new"
PREVIEW = "/console/profiles/preview"
UPLOAD = "/console/profiles/upload"
YAML = """\
name: {name}
content_format: yaml
content_template: |
  id: {{{{ .Device.ID }}}}
binding_slots:
  - name: data
    type: channel
    required: true
"""
TOML = """\
# a comment
name = "{name}"
content_template = '{{"id": {{{{ toJSON .Device.ID }}}}}}'
[defaults]
a = 1
"""
JSON = '{{"name": "{name}", "content_format": "raw", "content_template": "x"}}'


async def stored(running: Running) -> dict[str, Any]:
    found = await running.get("/clients/bootstrap/profiles?limit=100")
    return {each["name"]: each for each in found["profiles"]}


async def make(visitor: Visitor, **fields: str) -> str:
    await visitor.open(NEW)
    made = await visitor.send(NEW, **fields)
    assert made.status_code == 200, made.text
    return made.url.path


async def test_a_whole_profile_is_made_by_the_form(visitor: Visitor, running: Running) -> None:
    await make(
        visitor,
        name="Pump",
        description="of the cellar",
        content_format="go-template",
        content_template="{{ .Vars.size }}\r\n",
        defaults='{"size": 5}',
        slot_name_0="data",
        slot_type_0="channel",
        slot_required_0="yes",
        slot_fields_0="id, name",
    )
    made = (await stored(running))["Pump"]
    assert made["content_template"] == "{{ .Vars.size }}\n"
    assert made["defaults"] == {"size": 5}
    assert made["binding_slots"] == [
        {"name": "data", "type": "channel", "required": True, "fields": ["id", "name"]}
    ]


async def test_what_is_emptied_in_the_form_is_empty(visitor: Visitor, running: Running) -> None:
    path = await make(
        visitor, name="Pump", description="old", slot_name_0="data", defaults='{"a": 1}'
    )
    await visitor.open(path + "/edit")
    await visitor.send(path + "/edit", description="", slot_name_0="", defaults="")
    made = (await stored(running))["Pump"]
    assert made["version"] == 2
    assert not {"description", "binding_slots", "defaults"} & set(made)


async def test_a_preview_stores_nothing_and_keeps_what_was_written(
    visitor: Visitor, running: Running
) -> None:
    await visitor.open(NEW)
    values = visitor.form(NEW).values | {
        "name": "Pump",
        "content_template": '{"c": "{{ .Bindings.data.Snapshot.name }}", "v": {{ .Vars.v }}}',
        "slot_name_0": "data",
        "slot_type_0": "channel",
        "variables": '{"v": 7}',
    }
    shown = visitor.last = await visitor.post(PREVIEW, values)
    assert "{&#34;c&#34;: &#34;sample-data&#34;, &#34;v&#34;: 7}" in shown.text
    assert visitor.form(NEW).values["slot_name_0"] == ["data"]
    wrong = await visitor.post(PREVIEW, values | {"content_template": "{\n{{ .Vars.v.x.y }}"})
    assert '<li class="marked error"><code>{{ .Vars.v.x.y }}</code>' in wrong.text
    wrong = await visitor.post(PREVIEW, values | {"variables": '{"v":\n}'})
    assert "variables: is not JSON at line 2, column 1" in wrong.text
    assert await stored(running) == {}


async def test_a_gateways_secrets_are_masked_in_the_preview(
    visitor: Visitor, running: Running
) -> None:
    answer = (await running.map()).json()
    secret = answer["clients"][0]["credentials"]["secret"]
    profile = next(iter((await stored(running)).values()))
    await visitor.open(f"/console/profiles/{profile['id']}/edit")
    values = visitor.form(f"/console/profiles/{profile['id']}/edit").values
    config = answer["bootstrap"]["config_id"]
    shown = await visitor.post(PREVIEW, values | {"config_id": config})
    assert config in shown.text
    assert "&#34;secret&#34;: &#34;********&#34;" in shown.text
    assert secret not in shown.text


async def test_an_error_of_the_template_stands_at_its_line(
    visitor: Visitor, running: Running
) -> None:
    await visitor.open(NEW)
    refused = await visitor.send(NEW, name="Pump", content_template="{\n{{ if }}\n")
    assert refused.status_code == 422
    assert 'id="error-content_template"' in refused.text
    assert '<li class="marked error"><code>{{ if }}</code>' in refused.text
    assert visitor.form(NEW).values["name"] == ["Pump"]
    assert await stored(running) == {}


async def test_two_people_who_write_do_not_overwrite_unseen(
    visitor: Visitor, running: Running
) -> None:
    path = await make(visitor, name="Pump")
    await visitor.open(path + "/edit")
    mine = visitor.form(path + "/edit").values
    await visitor.send(path + "/edit", description="theirs")
    visitor.last = await visitor.post(path + "/edit", mine | {"description": "mine"})
    assert visitor.last.status_code == 422
    assert "version 2 was saved while you were writing" in visitor.last.text
    assert (await stored(running))["Pump"]["description"] == "theirs"
    await visitor.send(path + "/edit")
    assert (await stored(running))["Pump"]["description"] == "mine"


@pytest.mark.parametrize("document", [YAML, TOML, JSON])
@pytest.mark.slow
async def test_a_file_is_taken_in_any_format(
    visitor: Visitor, running: Running, document: str
) -> None:
    await visitor.open(UPLOAD)
    await visitor.send(UPLOAD, document=document.format(name="pasted"))
    await visitor.open(UPLOAD)
    sent = visitor.form(UPLOAD).values | {"document": "", "kind": "guess"}
    file = {"document_file": ("profile", document.format(name="chosen").encode())}
    answer = await visitor.http.post(UPLOAD, data=sent, files=file, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    made = await stored(running)
    assert set(made) == {"pasted", "chosen"}
    assert made["pasted"]["content_template"] == made["chosen"]["content_template"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ("name: [\n", "YAML at line 2"),
        ('name = "a"\nb = = 1', "line 2"),
        ('{"name": "a"\n "b"}', "line 2"),
        ("description: x", "name: is missing"),
    ],
)
async def test_what_is_wrong_in_a_file_is_said_with_its_line(
    visitor: Visitor, document: str, place: str
) -> None:
    await visitor.open(UPLOAD)
    refused = await visitor.send(UPLOAD, document=document)
    assert refused.status_code == 422
    assert place in refused.text
    assert visitor.form(UPLOAD).values["document"] == [document]


async def test_a_profile_in_use_is_not_deleted(visitor: Visitor, running: Running) -> None:
    await running.map("gw-7")
    profile = next(iter((await stored(running)).values()))
    path = f"/console/profiles/{profile['id']}/delete"
    asked = await visitor.open(path)
    assert "gw-7" in asked.text
    refused = await visitor.send(path)
    assert refused.status_code == 409
    assert "is assigned to 1 config:" in refused.text
    assert "force" not in refused.text
    assert len(await stored(running)) == 1


async def test_a_search_finds_by_a_part_of_the_name(visitor: Visitor) -> None:
    await make(visitor, name="Pump")
    await make(visitor, name="Lamp")
    found = await visitor.open("/console/profiles?q=pum")
    assert "Pump" in found.text
    assert "Lamp" not in found.text
    assert "No profile has this name" in (await visitor.open("/console/profiles?q=x")).text


@pytest.mark.slow
async def test_a_version_that_is_not_there_is_said(visitor: Visitor) -> None:
    path = await make(visitor, name="Pump")
    assert "This profile has one version" in (await visitor.open(path + "/versions")).text
    assert (await visitor.open(path + "/versions/7")).status_code == 404
    assert (await visitor.open(path + "/versions/x")).status_code == 400
    assert "The two versions are the same" in (await visitor.open(path + "/versions/1")).text
