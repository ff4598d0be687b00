"""What is taken as JSON, YAML and TOML in bodies, uploads, previews, files and settings."""

from __future__ import annotations

import codecs
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from provision.settings_reader import load
from tests.cli.prompt import provision
from tests.service.running import Running

MARK = codecs.BOM_UTF8
NEW_TOML = b'name = "p"\n[defaults]\nt = {\n b = 1,\n}\ne = "\\e"\nat = 10:00\n'
LAYOUT = b"""[layout]
description = "esc\\e"

[[clients]]
key = "agent"
name = "agent"
metadata = {
  "a" = 1,
}

[[channels]]
key = "data"
name = "data"
"""


async def upload(running: Running, kind: str, body: bytes) -> Any:
    headers = running.headers | {"Content-Type": f"application/{kind}"}
    path = f"/{running.domain}/clients/bootstrap/profiles/upload"
    answer = await running.http.post(path, content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def preview(running: Running, content_format: str, template: str) -> str:
    body = {"profile": {"content_format": content_format, "content_template": template}}
    path = f"/{running.domain}/clients/bootstrap/profiles/render-preview"
    answer = await running.http.post(path, json=body, headers=running.headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["content"])


async def test_uploads_take_toml_1_1(running: Running) -> None:
    made = await upload(running, "toml", NEW_TOML)
    assert made["defaults"] == {"t": {"b": 1}, "e": "\x1b", "at": "10:00:00"}


async def test_a_device_gets_toml_that_readers_of_1_0_take(running: Running) -> None:
    content = await preview(running, "toml", "t = {\n b = 1,\n}\nat = 10:00\n")
    assert tomllib.loads(content)["t"] == {"b": 1}
    old = "# kept as it is\nt = {b = 1}\n"
    assert await preview(running, "toml", old) == old


async def test_a_json_profile_may_be_written_as_toml_1_1(running: Running) -> None:
    assert json.loads(await preview(running, "json", "t = {\n b = 1,\n}\n")) == {"t": {"b": 1}}


@pytest.mark.parametrize("content_format", ["json", "yaml", "toml"])
async def test_a_mark_in_a_template_does_not_reach_the_device(
    running: Running, content_format: str
) -> None:
    text = "a = 1\n" if content_format == "toml" else '{"a": 1}'
    assert await preview(running, content_format, "\ufeff" + text) == text


async def refused(running: Running, path: str, **request: Any) -> str:
    answer = await running.http.post(
        f"/{running.domain}/clients/bootstrap/profiles/{path}".rstrip("/"),
        headers=running.headers | request.pop("headers", {}),
        **request,
    )
    assert answer.status_code in {400, 422}, answer.text
    return answer.text


@pytest.mark.parametrize("content_format", ["json", "yaml", "toml"])
async def test_a_comment_that_no_format_has_is_refused_at_save_and_preview(
    running: Running, content_format: str
) -> None:
    profile = {
        "name": "commented",
        "content_format": content_format,
        "content_template": '{\n"port": 1883 // note\n}',
    }
    for path, body in (("", profile), ("render-preview", {"profile": profile})):
        answer = await refused(running, path, json=body)
        assert "'// note' is no comment in JSON or YAML" in answer
        assert '"line":2' in answer.replace(" ", "")


async def test_an_upload_with_a_tag_is_refused_with_its_line(running: Running) -> None:
    answer = await refused(
        running,
        "upload",
        content=b"name: p\ndefaults:\n  password: !secret x\n",
        headers={"Content-Type": "application/yaml"},
    )
    assert "line 3: the tag !secret means something to YAML alone" in answer


async def test_a_device_reads_numbers_and_tags_of_yaml_as_they_are(running: Running) -> None:
    content = await preview(running, "yaml", "mode: 0644\nkey: !secret x\non: off\n")
    assert content == 'mode: 420\nkey: !secret x\n"on": "off"\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("json", b'{"name": "p"}'),
        ("yaml", b"name: p\n"),
        ("toml", b'name = "p"\n'),
    ],
)
async def test_uploads_take_a_mark(running: Running, kind: str, body: bytes) -> None:
    assert (await upload(running, kind, MARK + body))["name"] == "p"


async def test_request_bodies_take_a_mark(running: Running) -> None:
    headers = running.headers | {"Content-Type": "application/json"}
    for path, body, status in (
        ("mapping", {"external_id": "gw-1", "external_key": "device-key-1"}, 201),
        ("clients/bootstrap/profiles", {"name": "q"}, 201),
        ("channels", {"name": "c"}, 201),
    ):
        content = MARK + json.dumps(body).encode()
        answer = await running.http.post(
            f"/{running.domain}/{path}", content=content, headers=headers
        )
        assert answer.status_code == status, answer.text


def test_layout_files_take_both(tmp_path: Path) -> None:
    file = tmp_path / "marked.toml"
    file.write_bytes(MARK + LAYOUT)
    ended = provision("layout", "lint", str(file))
    assert ended.code == 0, ended.err


def test_settings_take_both(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(MARK + b"server = {\n port = 9123,\n}\n")
    settings = load({"MG_PROVISION_CONFIG_FILE": str(file)}, {}).settings
    assert settings.http_port == 9123


def test_settings_that_are_nested_too_deeply_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("x = " + "[" * 9000 + "]" * 9000)
    monkeypatch.setenv("MG_PROVISION_CONFIG_FILE", str(file))
    ended = provision("settings")
    assert ended.code == 1
    assert "nested too deeply" in ended.err


def test_files_of_json_on_the_command_line_take_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(MARK + b"{}")
    ended = provision("bootstrap", "create", f"@{file}", "d", "t", "--url", "http://127.0.0.1:9")
    assert "does not answer" in ended.err
