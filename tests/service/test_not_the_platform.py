"""Another server that answers in the place of the platform: it is told as that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service.running import Running, answered, beside, beside_platform

PAGE = b"<html><head><title>404 Not Found</title></head></html>"
ADDRESS = "http://platform"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with beside_platform(tmp_path) as service:
        yield service


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, PAGE), (404, b"404 page not found\n"), (405, b""), (403, b'{"detail": "Forbidden"}')],
)
@pytest.mark.parametrize(
    ("method", "part", "setting"),
    [
        ("GET", "/domains/", "domains_url"),
        ("POST", "/clients/bulk", "clients_url"),
        ("POST", "/channels/connect", "channels_url"),
    ],
)
@pytest.mark.slow
async def test_a_refusal_without_the_platforms_words_is_502_and_names_the_address(
    running: Running, method: str, part: str, setting: str, status: int, body: bytes
) -> None:
    assert running.wire is not None
    running.wire.fail(method, part, answered(status, body))

    answer = await running.map()

    assert (answer.status_code, answer.json()["code"]) == (502, "not_the_platform"), answer.text
    message = answer.json()["message"]
    assert ADDRESS in message
    assert f"it answered {status}" in message
    assert setting in message


async def test_a_passing_404_of_a_proxy_undoes_nothing_for_good(running: Running) -> None:
    assert running.wire is not None
    assert (await running.map()).status_code == 201
    running.wire.fail("DELETE", "/clients/", answered(404, PAGE), times=2)
    path = f"/{running.domain}/mapping/gw-1"
    first = await running.http.delete(path, headers=running.headers)
    assert first.status_code == 202
    while (await running.http.delete(path, headers=running.headers)).status_code != 204:
        pass
    assert await running.nothing_is_there()


@pytest.mark.slow
async def test_own_credentials_are_not_blamed(running: Running, tmp_path: Path) -> None:
    assert running.wire is not None
    running.wire.fail("POST", "/users/tokens/issue", answered(404, PAGE))
    urls = {
        f"MG_PROVISION_{name}_URL": ADDRESS for name in ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
    }
    own = {"MG_PROVISION_USERNAME": "somebody", "MG_PROVISION_PASS": "12345678"}
    async with beside(tmp_path / "other", running.wire, running, **urls, **own) as other:
        body = {"external_id": "gw-1", "external_key": "k"}
        answer = await other.http.post(f"/{other.domain}/mapping", json=body)
    assert (answer.status_code, answer.json()["code"]) == (502, "not_the_platform")


async def test_health_warns_of_it(running: Running) -> None:
    assert running.wire is not None
    running.wire.fail("GET", "/clients", answered(404, PAGE))

    health = await running.http.get("/health")

    assert (health.status_code, health.json()["status"]) == (200, "warn")
    (check,) = health.json()["checks"]["platform:clients"]
    assert "clients_url" in check["output"]
    assert ADDRESS not in health.text


async def test_health_passes_beside_a_platform_that_is_there(running: Running) -> None:
    health = (await running.http.get("/health")).json()
    assert health["status"] == "pass"
    assert "checks" not in health


async def test_health_asks_the_platform_once_for_all_who_ask(running: Running) -> None:
    assert running.wire is not None
    await running.http.get("/health")
    asked = len(running.wire.calls)
    await running.http.get("/health")
    assert asked
    assert len(running.wire.calls) == asked
