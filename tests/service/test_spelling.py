"""Misspelt fields, on every route that takes a body; fields that some release knows pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.service.running import Running, embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEVICE = {"external_id": "gw-1", "external_key": "k"}
CONFIGS = "/{domain}/clients/configs"
PROFILES = "/{domain}/clients/bootstrap/profiles"
ENROLLMENT = "/{domain}/clients/bootstrap/enrollments/some-id"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with embedded(tmp_path_factory.mktemp("data")) as service:
        yield service


@pytest.mark.parametrize(
    ("method", "path", "body", "place", "near"),
    [
        ("POST", CONFIGS, DEVICE | {"contnet": "{}"}, "contnet", "content"),
        ("POST", CONFIGS, DEVICE | {"chanels": []}, "chanels", "channels"),
        ("POST", CONFIGS, DEVICE | {"Content": "{}"}, "Content", "content"),
        ("POST", CONFIGS + "/with-client", DEVICE | {"chanels": []}, "chanels", "channels"),
        ("PATCH", CONFIGS + "/some-id", {"nmae": "a"}, "nmae", "name"),
        ("PATCH", CONFIGS + "/certs/some-id", {"client_crt": ""}, "client_crt", "client_cert"),
        ("PUT", CONFIGS + "/connections/some-id", {"chanels": []}, "chanels", "channels"),
        ("POST", PROFILES, {"name": "a", "defualts": {}}, "defualts", "defaults"),
        ("POST", PROFILES + "/upload", {"name": "a", "defualts": {}}, "defualts", "defaults"),
        ("PUT", PROFILES + "/some-id", {"name": "a", "defualts": {}}, "defualts", "defaults"),
        ("PATCH", PROFILES + "/some-id", {"binding_slot": []}, "binding_slot", "binding_slots"),
        (
            "POST",
            PROFILES,
            {"name": "a", "binding_slots": [{"name": "a", "type": "client", "requird": True}]},
            "binding_slots[0].requird",
            "required",
        ),
        ("POST", PROFILES + "/some-id/render-preview", {"conifg": {}}, "conifg", "config"),
        (
            "POST",
            PROFILES + "/render-preview",
            {"profile": {"content_templat": "x"}},
            "profile.content_templat",
            "content_template",
        ),
        ("PATCH", ENROLLMENT + "/profile", {"profil_id": "a"}, "profil_id", "profile_id"),
        ("PUT", ENROLLMENT + "/bindings", {"bindigns": []}, "bindigns", "bindings"),
        (
            "PUT",
            ENROLLMENT + "/bindings",
            {"bindings": [{"slot": "a", "type": "client", "resource": "x"}]},
            "bindings[0].resource",
            "resource_id",
        ),
        ("POST", "/things/configs", DEVICE | {"chanels": []}, "chanels", "channels"),
        ("PUT", "/things/configs/some-id", {"contnet": "{}"}, "contnet", "content"),
        ("PUT", "/things/state/some-id", {"sate": 1}, "sate", "state"),
        ("POST", "/{domain}/mapping", DEVICE | {"layuot": "x"}, "layuot", "layout"),
        ("POST", "/{domain}/cert", {"client_id": "x", "tll": "1h"}, "tll", "ttl"),
        ("POST", "/{domain}/clients", {"nmae": "x"}, "nmae", "name"),
        ("POST", "/{domain}/clients", {"credentials": {"secrte": "x"}}, "secrte", "secret"),
        ("POST", "/{domain}/channels", {"metdata": {}}, "metdata", "metadata"),
        ("POST", "/{domain}/channels/connect", {"chanel_ids": []}, "chanel_ids", "channel_ids"),
        ("POST", "/domains", {"rout": "x"}, "rout", "route"),
        ("POST", "/users/tokens/issue", {"usernam": "x"}, "usernam", "username"),
    ],
)
async def test_a_misspelt_field_is_refused_with_the_nearest_spelling(
    running: Running, method: str, path: str, body: Any, place: str, near: str
) -> None:
    path = path.format(domain=running.domain)
    answer = await running.http.request(method, path, json=body, headers=running.headers)
    assert answer.status_code == 400, answer.text
    message = answer.json()["message"]
    assert place in message
    assert f"did you mean {near!r}?" in message
    assert await running.nothing_is_there()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("application/yaml", "name: a\ndefualts: {}\n"),
        ("application/toml", 'name = "a"\n[defualts]\n'),
    ],
)
async def test_a_misspelt_field_of_an_uploaded_document(
    running: Running, kind: str, text: str
) -> None:
    answer = await running.http.post(
        PROFILES.format(domain=running.domain) + "/upload",
        content=text,
        headers=running.headers | {"Content-Type": kind},
    )
    assert answer.status_code == 400
    assert "defualts: no such field is known; did you mean 'defaults'?" in answer.text


async def test_what_a_release_answers_can_be_sent_back(running: Running) -> None:
    """A field that some release knows passes, although it can't be changed."""
    configs = CONFIGS.format(domain=running.domain)
    body = DEVICE | {"external_id": "gw-2", "name": "two", "owner": "a", "thing_key": "b"}
    made = await running.http.post(configs, json=body, headers=running.headers)
    assert made.status_code == 201, made.text
    config = f"{configs}/{made.json()['id']}"
    shown = (await running.http.get(config, headers=running.headers)).json()
    changed = await running.http.patch(
        config, json=shown | {"name": "three", "state": 1}, headers=running.headers
    )
    assert changed.status_code == 200, changed.text
    again = (await running.http.get(config, headers=running.headers)).json()
    assert again["name"] == "three"
    profiles = PROFILES.format(domain=running.domain)
    made = await running.http.post(profiles, json={"name": "p"}, headers=running.headers)
    put = await running.http.put(
        f"{profiles}/{made.json()['id']}", json=made.json(), headers=running.headers
    )
    assert put.status_code == 200, put.text
    await running.http.delete(config, headers=running.headers)


async def test_what_looks_like_no_known_field_passes_as_in_the_releases(running: Running) -> None:
    configs = CONFIGS.format(domain=running.domain)
    body = DEVICE | {"external_id": "gw-3", "zzz": 1}
    made = await running.http.post(configs, json=body, headers=running.headers)
    assert made.status_code == 201, made.text
    await running.http.delete(f"{configs}/{made.json()['id']}", headers=running.headers)
