"""What devices get over HTTP: their configuration, as it is now, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bootstrap_core.credentials import external_id_fault, external_key_fault
from bootstrap_core.delivery.answers import Place
from bootstrap_core.store.tables import configs
from tests.bootstrap.world import ALICE, World, running

TEMPLATE = '{"id": "{{ .Device.ID }}", "site": "{{ .Vars.site }}"}'


async def make_rendered(world: World) -> tuple[str, str]:
    """Make a config with a profile; return both IDs."""
    profile = await world.make(
        "bootstrap/profiles", name="p", content_template=TEMPLATE, defaults={"site": "hq"}
    )
    config = await world.make(
        "configs", external_id="gw", external_key="key", profile_id=profile["id"]
    )
    return config["id"], profile["id"]


async def test_the_whole_configuration_comes_with_the_key(world: World) -> None:
    made = await world.make(
        "configs",
        external_id="gw",
        external_key="key",
        content="plain",
        client_cert="CERT",
        client_key="PRIVATE",
        ca_cert="CA",
    )
    answer = await world.fetch("gw", "key")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "id": made["id"],
        "content": "plain",
        "client_cert": "CERT",
        "client_key": "PRIVATE",
        "ca_cert": "CA",
    }


async def test_delivery_never_asks_the_platform(world: World) -> None:
    await make_rendered(world)
    asked = len(world.platform.calls)
    for _ in range(3):
        assert (await world.fetch("gw", "key")).status_code == 200
    assert len(world.platform.calls) == asked


@pytest.mark.parametrize(
    "external_id", ["a/b", "AA:BB", "ä ö", "100%", "a?b=c#d", "secure", "..x", "a/b/c", "%0A"]
)
async def test_any_external_id_can_be_fetched(world: World, external_id: str) -> None:
    await world.make("configs", external_id=external_id, external_key="key", content="mine")
    escaped = quote(external_id, safe="").replace(".", "%2E")
    answer = await world.fetch(escaped, "key")
    assert answer.json()["content"] == "mine"
    named = f"/{{d}}/clients/bootstrap/{escaped}"
    answer = await world.call("GET", named, headers={"Authorization": "Client key"})
    assert answer.json()["content"] == "mine"


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_an_external_id_is_fetched_or_refused_at_the_door(external_id: str) -> None:
    async def check(directory: str) -> None:
        async with running(Path(directory)) as world:
            fault = external_id_fault(external_id)
            document = {"external_id": external_id, "external_key": "key"}
            made = await world.call("POST", "/{d}/clients/configs", json=document)
            assert made.status_code == 201 if not fault else made.status_code in (400, 422)
            if not fault:
                assert (await world.fetch(quote(external_id, safe=""), "key")).status_code == 200

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check(directory))


UNFIT_KEYS = {
    "a line break at the end": "nl\n",
    "a carriage return": "crlf\r\n",
    "a control character": "k\x1by",
    "a tab": "k\ty",
    "a control character beyond ASCII": "k\x85y",
    "a blank at the end": "trail ",
    "a blank at the beginning": " lead",
    "a wide blank at the end": "trail\u00a0",
    "1025 bytes": "k" * 1025,
    "nothing": "",
}


@pytest.mark.parametrize("key", UNFIT_KEYS.values(), ids=UNFIT_KEYS)
async def test_a_key_that_no_header_carries_is_refused(world: World, key: str) -> None:
    for path in ("/{d}/clients/configs", "/{d}/clients/configs/with-client", "/things/configs"):
        document = {"external_id": "gw", "external_key": key}
        answer = await world.call("POST", path, json=document)
        assert answer.status_code == 400, path
        assert answer.json()["message"].startswith("external_key: ")
        if len(key) > 1:
            assert key.strip() not in answer.json()["message"]
    assert (await world.call("GET", "/{d}/clients/configs")).json()["total"] == 0


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_a_key_opens_or_is_refused_at_the_door(key: str) -> None:
    async def check(directory: str) -> None:
        async with running(Path(directory)) as world:
            fault = external_key_fault(key)
            document = {"external_id": "gw", "external_key": key}
            made = await world.call("POST", "/{d}/clients/configs", json=document)
            assert made.status_code == 201 if not fault else made.status_code in (400, 422)
            if not fault:
                shown = {"Authorization": f"Client {key}".encode()}
                answer = await world.http.get("/clients/bootstrap/gw", headers=shown)
                assert answer.status_code == 200

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check(directory))


async def test_keys_of_up_to_1024_bytes_are_taken(world: World) -> None:
    await world.make("configs", external_id="gw", external_key="k" * 1024)
    assert (await world.fetch("gw", "k" * 1024)).status_code == 200
    refused = await world.call(
        "POST", "/{d}/clients/configs", json={"external_id": "x", "external_key": "k" * 1025}
    )
    assert refused.status_code == 400
    assert "1024" in refused.json()["message"]


class TestFreshness:
    """What is kept is never older than what it is made of."""

    async def test_a_changed_config_is_delivered_at_once(self, world: World) -> None:
        config_id, _ = await make_rendered(world)
        assert json.loads((await world.fetch("gw", "key")).json()["content"])["site"] == "hq"
        await world.call(
            "PATCH", f"/{{d}}/clients/configs/{config_id}", json={"render_context": {"site": "lab"}}
        )
        assert json.loads((await world.fetch("gw", "key")).json()["content"])["site"] == "lab"

    async def test_a_changed_profile_is_delivered_at_once(self, world: World) -> None:
        _, profile_id = await make_rendered(world)
        await world.fetch("gw", "key")
        await world.call(
            "PATCH",
            f"/{{d}}/clients/bootstrap/profiles/{profile_id}",
            json={"content_template": '{"new": 1}'},
        )
        assert json.loads((await world.fetch("gw", "key")).json()["content"]) == {"new": 1}

    async def test_refreshed_bindings_are_delivered_at_once(self, world: World) -> None:
        client = world.platform.add_client(world.domain, secret="first")
        profile = await world.make(
            "bootstrap/profiles",
            name="p",
            content_format="go-template",
            content_template="{{ .Bindings.mqtt.Secret.secret }}",
        )
        config = await world.make(
            "configs", external_id="gw", external_key="key", profile_id=profile["id"]
        )
        enrollment = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/bindings"
        bound = [{"slot": "mqtt", "type": "client", "resource_id": client}]
        await world.call("PUT", enrollment, json={"bindings": bound})
        assert (await world.fetch("gw", "key")).json()["content"] == "first"
        world.platform.add_client(world.domain, client_id=client, secret="second")
        assert (await world.fetch("gw", "key")).json()["content"] == "first"
        await world.call("POST", enrollment + "/refresh")
        assert (await world.fetch("gw", "key")).json()["content"] == "second"

    async def test_a_disabled_config_is_refused_at_once(self, world: World) -> None:
        config_id, _ = await make_rendered(world)
        await world.fetch("gw", "key")
        await world.call("POST", f"/{{d}}/clients/configs/{config_id}/disable")
        refused = await world.fetch("gw", "key")
        assert refused.status_code == 403
        assert refused.json()["code"] == "config_disabled"
        view = await world.call("GET", f"/{{d}}/clients/configs/{config_id}")
        assert view.json()["last_fetch"]["outcome"] == "config_disabled"
        await world.call("POST", f"/{{d}}/clients/configs/{config_id}/enable")
        assert (await world.fetch("gw", "key")).status_code == 200

    async def test_a_deleted_config_is_gone_at_once(self, world: World) -> None:
        config_id, _ = await make_rendered(world)
        await world.fetch("gw", "key")
        await world.call("DELETE", f"/{{d}}/clients/configs/{config_id}")
        assert (await world.fetch("gw", "key")).status_code == 403


class TestPolling:
    """Devices that ask again what they have."""

    async def test_an_unchanged_configuration_is_not_sent_again(self, world: World) -> None:
        await make_rendered(world)
        first = await world.fetch("gw", "key")
        tag = first.headers["etag"]
        for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = await world.fetch("gw", "key", **{"If-None-Match": condition})
            assert again.status_code == 304
            assert again.content == b""
            assert again.headers["etag"] == tag

    async def test_a_changed_one_is(self, world: World) -> None:
        config_id, _ = await make_rendered(world)
        tag = (await world.fetch("gw", "key")).headers["etag"]
        change = {"render_context": {"site": "lab"}}
        await world.call("PATCH", f"/{{d}}/clients/configs/{config_id}", json=change)
        again = await world.fetch("gw", "key", **{"If-None-Match": tag})
        assert again.status_code == 200
        assert again.headers["etag"] != tag

    async def test_the_tag_is_no_key(self, world: World) -> None:
        await make_rendered(world)
        tag = (await world.fetch("gw", "key")).headers["etag"]
        refused = await world.fetch("gw", "wrong", **{"If-None-Match": tag})
        assert refused.status_code == 403

    async def test_content_is_rendered_once_for_all_that_ask(self, world: World) -> None:
        await make_rendered(world)
        address = "10.0.0.1"
        first = await world.core.delivery.fetch(Place("gw"), b"key", address)
        assert await world.core.delivery.fetch(Place("gw"), b"key", address) is first


async def test_the_last_fetch_is_told_and_outlives_the_process(tmp_path: Path) -> None:
    async with running(tmp_path, fetch_log_seconds=1000.0) as world:
        config_id, _ = await make_rendered(world)
        path = f"/{{d}}/clients/configs/{config_id}"
        assert "last_fetch" not in (await world.call("GET", path)).json()
        answer = await world.fetch("gw", "key")
        told = (await world.call("GET", path)).json()["last_fetch"]
        assert told["outcome"] == "delivered"
        assert told["digest"] == hashlib.sha256(answer.content).hexdigest()
        await world.fetch("gw", "key", **{"If-None-Match": answer.headers["etag"]})
        told = (await world.call("GET", path)).json()["last_fetch"]
        assert told["outcome"] == "unchanged"
        await world.fetch("gw", "wrong")
        assert (await world.call("GET", path)).json()["last_fetch"] == told
        await world.core.stop()
        # What was noted is in the store now, and is told without the notes.
        assert world.core.fetch_log.pending(config_id) is None
        assert (await world.call("GET", path)).json()["last_fetch"]["at"] == told["at"]


async def test_what_was_delivered_last_is_shown_though_the_device_is_refused_now(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, fetch_log_seconds=1000.0) as world:
        config_id, _ = await make_rendered(world)
        config = f"/{{d}}/clients/configs/{config_id}"

        async def last_fetch() -> Any:
            return (await world.call("GET", config + "/delivery")).json()["last_fetch"]

        await world.fetch("gw", "key")
        delivered = await last_fetch()
        assert delivered["content"]
        await world.call("POST", config + "/disable")
        # What was noted in memory alone first, then what is in the store.
        for _ in range(2):
            await world.fetch("gw", "key")
            refused = await last_fetch()
            assert refused["outcome"] == "config_disabled"
            assert refused["content"] == delivered["content"]
            await world.core.fetch_log.flush()


async def test_a_private_key_is_opened_only_after_the_device_has_shown_its_own(
    world: World,
) -> None:
    await world.make("configs", external_id="gw", external_key="key", client_key="PRIVATE")
    async with world.engine.begin() as connection:
        broken = update(configs).values(sealed_client_key="v1.000000000000.AAAA")
        await connection.execute(broken)
    assert (await world.fetch("gw", "wrong")).status_code == 403
    broken = await world.fetch("gw", "key")
    assert broken.status_code == 500
    assert broken.json()["code"] == "sealed_value_unreadable"


@pytest.mark.parametrize("token", ["", "Thing key", "Clientkey", "key", "Client", "Client "])
async def test_a_device_without_a_key_is_told_how_to_send_it(world: World, token: str) -> None:
    headers = {"Authorization": token} if token else {}
    answer = await world.http.get("/clients/bootstrap/gw", headers=headers)
    assert answer.status_code == 401
    assert "Client <external_key>" in answer.json()["message"]


async def test_a_user_token_is_no_device_key(world: World) -> None:
    await make_rendered(world)
    answer = await world.call("GET", "/clients/bootstrap/gw", ALICE)
    assert answer.status_code == 401


async def test_only_get_is_taken(world: World) -> None:
    answer = await world.call("POST", "/clients/bootstrap/gw", json={})
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["a/b", "gw/", "secure/", "secure/a/b"])
async def test_what_is_no_route_is_not_found(world: World, path: str) -> None:
    answer = await world.fetch(path, "key")
    assert answer.status_code == 404
    assert answer.json()["message"]


async def test_a_path_that_is_no_text_is_refused(world: World) -> None:
    await world.make("configs", external_id="\ufffd\ufffd", external_key="key")
    assert (await world.fetch("%ff%fe", "key")).status_code == 400
    assert (await world.fetch("a%00b", "key")).status_code == 403
