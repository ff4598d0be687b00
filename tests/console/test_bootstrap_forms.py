"""Bootstraps without script: forms, redirects, and what is said where something is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.console.visiting import Visitor, operator, visiting
from tests.service.running import Running, answered, beside_platform
from tests.service.tls import self_signed

LIST = "/console/bootstraps"
NEW = LIST + "/new"
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "Give it a name"),
    ({"external_id": " "}, "external_id", "Enter the ID that the device sends"),
    ({"external_key": ""}, "external_key", "or generate one"),
    ({"external_id": "taken", "name": "x"}, "external_id", "has a config in this domain"),
    ({"name": "Taken"}, "name", "choose another one"),
    ({"external_id": "x" * 1025}, "external_id", "at most 1024"),
    ({"client_id": "nowhere"}, "client_id", "There is no client"),
    ({"channels": ["nowhere"]}, "channels", "There is no channel"),
    ({"client_cert": "nonsense"}, "client_cert", "is no certificate"),
    ({"client_key": "-----BEGIN PRIVATE KEY-----"}, "client_key", "is no private key"),
]
"""What is filled in, at which field it is wrong, and what is said there."""


async def channel(running: Running, name: str) -> str:
    made = await running.platform.post(
        f"/{running.domain}/channels", json={"name": name}, headers=running.headers
    )
    return str(made.json()["id"])


async def create(visitor: Visitor, **fields: Any) -> httpx.Response:
    await visitor.open(NEW)
    given = {"name": "Pump", "external_id": "pump", "external_key": "key-1"}
    return await visitor.send(NEW, **given | fields)


async def test_a_bootstrap_without_a_name_is_shown_by_its_external_id(
    visitor: Visitor, running: Running
) -> None:
    made = await running.http.post(
        f"/{running.domain}/clients/configs",
        json={"external_id": "nameless", "external_key": "key-1"},
        headers=running.headers,
    )
    for path in (LIST, f"{LIST}/{made.json()['id']}"):
        shown = await visitor.open(path)
        assert shown.status_code == 200, path
        assert "nameless" in shown.text


async def test_a_bootstrap_is_made_without_script(visitor: Visitor, running: Running) -> None:
    chosen, other = await channel(running, "telemetry"), await channel(running, "commands")
    made = await create(visitor, channels=[chosen], content="a: 1\r\nb: 2\r\n", enabled="yes")
    assert made.status_code == 200
    assert "Pump was created. It is enabled." in made.text
    assert "key-1" in made.text
    assert chosen in made.text
    assert other not in made.text
    again = await visitor.open(made.url.path)
    assert "key-1" not in again.text
    fetched = await running.fetch("pump", "key-1")
    assert fetched.json()["content"] == "a: 1\nb: 2\n"
    (config,) = await running.configs()
    assert fetched.json()["id"] == config["id"] == made.url.path.rpartition("/")[2]
    older = await running.http.get("/things/bootstrap/pump", headers={"Authorization": "key-1"})
    assert [each["id"] for each in older.json()["channels"]] == [chosen]


async def test_it_starts_disabled(visitor: Visitor, running: Running) -> None:
    made = await create(visitor)
    assert "disabled until you enable it" in made.text
    assert (await running.fetch("pump", "key-1")).status_code == 403
    enabled = await visitor.send(f"{made.url.path}/enable")
    assert "its device may fetch now" in enabled.text
    assert (await running.fetch("pump", "key-1")).status_code == 200
    disabled = await visitor.send(f"{made.url.path}/disable")
    assert "gets nothing any more" in disabled.text
    assert (await running.fetch("pump", "key-1")).status_code == 403


async def test_a_key_is_generated_without_script(visitor: Visitor) -> None:
    await visitor.open(NEW)
    keys = set()
    for _ in range(2):
        page = await visitor.send(NEW, name="kept", do="generate")
        assert page.status_code == 200
        values = visitor.form(NEW).values
        assert values["name"] == ["kept"]
        keys.add(values["external_key"][0])
    assert len(keys) == 2
    assert min(map(len, keys)) == 32


@pytest.mark.slow
async def test_channels_are_found_by_name_and_the_chosen_ones_stay(
    visitor: Visitor, running: Running
) -> None:
    chosen = await channel(running, "telemetry")
    await channel(running, "commands")
    await visitor.open(NEW)
    page = await visitor.send(NEW, do="find", channel_q="comm", channels=[chosen])
    assert "commands" in page.text
    assert visitor.form(NEW).values["channels"] == [chosen]
    endless = await visitor.send(NEW, do="find", channel_q="x" * 60_000, channels=[])
    assert endless.status_code == 200
    nothing = await visitor.send(NEW, do="find", channel_q="no such", channels=[])
    assert "There is no such channel" in nothing.text


async def test_an_existing_client_is_used(visitor: Visitor, running: Running) -> None:
    client = await running.platform.post(
        f"/{running.domain}/clients", json={"name": "pump-client"}, headers=running.headers
    )
    client_id = client.json()["id"]
    page = await visitor.open(NEW)
    assert f'<option value="{client_id}">pump-client</option>' in page.text
    made = await create(visitor, client_id=client_id)
    assert made.url.path == f"{LIST}/{client_id}"
    again = await create(visitor, client_id=client_id, name="b", external_id="b")
    assert again.status_code == 422
    assert len((await running.left_on_platform())["clients"]) == 1


@pytest.mark.slow
async def test_what_is_wrong_is_said_at_its_field(visitor: Visitor, running: Running) -> None:
    await create(visitor, name="Taken", external_id="taken")
    clients = (await running.left_on_platform())["clients"]
    for fields, place, said in WRONG:
        refused = await create(visitor, **fields)
        assert refused.status_code == 422, fields
        error = re.search(rf'<p class="error" id="error-{place}">([^<]*)</p>', refused.text)
        assert error is not None, refused.text
        assert said in error[1]
        assert f'href="#field-{place}"' in refused.text
        assert (await running.left_on_platform())["clients"] == clients
        assert visitor.form(NEW).values["name"] == [fields.get("name", "Pump")]


async def test_certificates_are_taken_as_files(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    made = await create(visitor, enabled="yes")
    path = f"{made.url.path}/encryption"
    page = await visitor.open(path)
    assert "never shown" in page.text
    values = visitor.form(path).values
    files = {
        "client_cert_file": ("c.pem", certificate.read_bytes()),
        "client_key_file": ("k.pem", key.read_bytes()),
    }
    answer = await visitor.http.post(path, data=values, files=files, follow_redirects=True)
    assert "The encryption was changed." in answer.text
    assert "CN=127.0.0.1" in answer.text
    fetched = (await running.fetch("pump", "key-1")).json()
    assert fetched["client_cert"] == certificate.read_text()
    assert fetched["client_key"] == key.read_text()
    kept = await visitor.open(path)
    assert "PRIVATE KEY" not in kept.text
    await visitor.send(path, ca_cert=certificate.read_text())
    assert (await running.fetch("pump", "key-1")).json()["client_key"] == key.read_text()
    await visitor.open(path)
    await visitor.send(path, remove_key="yes")
    assert (await running.fetch("pump", "key-1")).json()["client_key"] == ""


async def test_the_variables_of_a_profile_are_edited(visitor: Visitor, running: Running) -> None:
    made = (await running.map(parameters={"mqtt_url": "tcp://broker:1883"})).json()
    path = f"{LIST}/{made['clients'][0]['id']}"
    assert "tcp://broker:1883" in (await visitor.open(path)).text
    await visitor.open(f"{path}/content")
    wrong = await visitor.send(f"{path}/content", render_context="{")
    assert wrong.status_code == 422
    assert "This is not JSON at line 1" in wrong.text
    for given, told in (
        (
            '{"Site": 1, "Site": 2}',
            "The key &#39;Site&#39; stands twice in one object; give it once.",
        ),
        ("[" * 100_000, "This is not JSON: "),
        (f'{{"a": {"9" * 5000}}}', "This is not JSON: "),
    ):
        wrong = await visitor.send(f"{path}/content", render_context=given)
        assert wrong.status_code == 422, given[:20]
        assert told in wrong.text
    variables = '{"mqtt_url": "tcp://other:1883", "name": "n", "external_id": "gw-1"}'
    changed = await visitor.send(f"{path}/content", render_context=variables)
    assert "The content was changed." in changed.text
    assert "tcp://other:1883" in (await running.fetch()).json()["content"]
    asked = await visitor.open(f"{path}/delete")
    assert "belongs to an onboarded gateway" in asked.text


async def test_a_bootstrap_is_deleted_after_a_question(visitor: Visitor, running: Running) -> None:
    path = (await create(visitor)).url.path
    await visitor.open(f"{path}/delete")
    assert len(await running.configs()) == 1
    gone = await visitor.send(f"{path}/delete")
    assert gone.url.path == LIST
    assert "Pump was deleted." in gone.text
    assert await running.configs() == []
    lost = await visitor.open(path)
    assert lost.status_code == 404
    assert "there is no config" in lost.text


@pytest.mark.slow
async def test_long_lists_are_paged(visitor: Visitor, running: Running) -> None:
    for number in range(21):
        body = {"external_id": f"m-{number}", "external_key": "key", "name": f"Meter {number}"}
        await running.http.post(
            f"/{running.domain}/clients/configs", json=body, headers=running.headers
        )
    first = await visitor.open(f"{LIST}?q=meter")
    assert "1 to 20 of 21" in first.text
    assert f'href="{LIST}?q=meter&amp;status=all&amp;offset=20"' in first.text
    last = await visitor.open(f"{LIST}?q=meter&status=all&offset=20")
    assert "21 to 21 of 21" in last.text
    assert "Meter 0" in last.text
    beyond = await visitor.open(f"{LIST}?offset=40")
    assert "nothing on this page" in beyond.text
    by_id = await visitor.open(f"{LIST}?q=m-7")
    assert "1 to 1 of 1" in by_id.text
    for odd in ("offset=x", "offset=-1", "status=odd"):
        assert (await visitor.open(f"{LIST}?{odd}")).status_code == 200


@pytest.mark.slow
async def test_markup_in_names_stays_text(visitor: Visitor) -> None:
    made = await create(visitor, name="<script>alert(1)</script>", content="<b>&amp;")
    assert "<script>alert" not in made.text
    assert "&lt;b&gt;&amp;amp;" in made.text


@pytest.mark.slow
async def test_it_works_beside_a_platform(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running, visiting(running) as someone:
        chosen = await channel(running, "telemetry")
        await someone.sign_in(**operator(tmp_path / "platform"))
        made = await create(someone, channels=[chosen], enabled="yes")
        assert "Pump was created" in made.text, made.text
        assert (await running.fetch("pump", "key-1")).status_code == 200
        assert "Pump" in (await running.left_on_platform())["clients"]
        assert running.wire is not None
        running.wire.fail("GET", "/channels", answered(500))
        failed = await someone.open(NEW)
        assert failed.status_code == 502
        assert "Try again" in failed.text
    async with beside_platform(tmp_path / "b") as running, visiting(running) as someone:
        assert running.wire is not None
        running.wire.fail("POST", "/users/tokens/issue", answered(503))
        refused = await someone.sign_in(**operator(tmp_path / "b" / "platform"))
        assert refused.status_code == 503
        assert "Sign in" in refused.text
