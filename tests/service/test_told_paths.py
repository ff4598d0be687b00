"""Paths in the log: no token and no key stands in one, whatever people mix up."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from tests.service.running import KEY, Running

PERSONAL_TOKEN = "pat_" + "QWxhZGRpbjpvcGVuIHNlc2FtZQ" * 3 + "_" + "x" * 40


async def told(
    running: Running, method: str, path: str, headers: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Ask, and return the status and the paths that the log tells."""
    with capture_logs() as logs:
        answer = await running.http.request(method, path, headers=dict(headers))
    return answer.status_code, [row["path"] for row in logs if row["event"] == "request"]


@pytest.mark.parametrize(
    "path", ["/{}/clients/configs", "/clients/bootstrap/{}", "/users/clients/configs/{}/enable"]
)
@pytest.mark.slow
async def test_a_token_in_a_path_is_refused_and_not_told(running: Running, path: str) -> None:
    for token in (running.token, PERSONAL_TOKEN):
        status, paths = await told(
            running, "POST", path.format(quote(token, safe="")), running.headers
        )
        assert status == 400
        assert paths == [path.format("***")]


async def test_what_is_sent_as_credentials_is_masked_in_the_path(running: Running) -> None:
    sent = {"Authorization": "Bearer some-word"}
    _, paths = await told(running, "GET", f"/{running.domain}/clients/configs/some-word", sent)
    assert paths == ["/{domain_id}/clients/configs/{config_id}"]


def routes(running: Running) -> list[tuple[str, str, str]]:
    """Return requests in which somebody mixes up an ID and a secret, and what is told of each."""
    own = f"/{running.domain}"
    return [
        ("GET", own + "/clients/configs/{}", own + "/clients/configs/{config_id}"),
        ("POST", own + "/clients/configs/{}/enable", own + "/clients/configs/{config_id}/enable"),
        ("DELETE", own + "/clients/{}", "/{domain_id}/clients/{client_id}"),
        ("GET", own + "/mapping/{}", own + "/mapping/{external_id}"),
        ("GET", "/{}/mapping/gw-1", "/{domain_id}/mapping/{external_id}"),
        ("PUT", own + "/mapping/{}", "/{domain_id}/mapping/{external_id}"),
        ("GET", "/layouts/{}", "/layouts/{layout}"),
        ("GET", "/{}/clients/bootstrap/gw-1", "/{domain_id}/clients/bootstrap/{external_id}"),
        ("GET", own + "/clients/bootstrap/{}", "/{domain_id}/clients/bootstrap/{external_id}"),
        ("GET", "/console/gateways/{}", "/console/gateways/{external_id}"),
        ("GET", "/nowhere/clients/{}/x/y/z", "/***/clients/***/***/***/***"),
    ]


async def test_a_secret_that_is_no_token_or_half_of_one_is_told_nowhere(running: Running) -> None:
    device = {"Authorization": f"Client {KEY}"}
    for secret in (KEY, KEY[:7], running.token[:40], "6f2c1f3e-0d4b-4a50-9d5c-3b1f6f1f9f00"):
        for method, path, expected in routes(running):
            sent = device if "/bootstrap/" in path else running.headers
            _, paths = await told(running, method, path.format(secret), sent)
            assert paths == [expected], path


async def test_what_is_there_is_told_by_its_name(running: Running) -> None:
    assert (await running.map("gw-1")).status_code == 201
    for path in (f"/{running.domain}/mapping/gw-1", "/layouts/gateway"):
        assert await told(running, "GET", path, running.headers) == (200, [path])


@pytest.mark.parametrize("before", ["/clients", "/things", "/{}/clients"])
async def test_an_external_id_is_told_where_a_device_has_it(running: Running, before: str) -> None:
    assert (await running.map("gw-1")).status_code == 201
    route, unknown = before.format(running.domain) + "/bootstrap", before.format("{domain_id}")
    for external_id, key, expected in (
        ("gw-1", "wrong", "gw-1"),
        (KEY, "gw-1", ""),
        (f"secure/{KEY}", "gw-1", ""),
    ):
        telling = f"{route}/{expected}" if expected else f"{unknown}/bootstrap/{{external_id}}"
        sent = {"Authorization": f"{'Thing' if before == '/things' else 'Client'} {key}"}
        status, paths = await told(running, "GET", f"{route}/{external_id}", sent)
        assert status >= 400
        assert paths == [telling]


async def test_a_name_that_begins_as_a_token_does_is_no_token(running: Running) -> None:
    long_path = f"/pat_domain/clients/bootstrap/profiles/{running.domain}/versions"
    status, paths = await told(running, "GET", long_path, running.headers)
    assert status != 400
    assert paths == ["/{domain_id}/clients/bootstrap/profiles/{profile_id}/versions"]


async def test_an_external_id_can_not_be_a_token(running: Running) -> None:
    refused = await running.map(PERSONAL_TOKEN)
    assert refused.status_code == 400
    assert PERSONAL_TOKEN not in refused.text
