"""Gateways' certificates: keys that devices hold, renewal and revocation on request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.certificates.world import (
    Device,
    SettableClock,
    certificates,
    delivered,
    post,
    public,
    read,
    serving,
)
from tests.database import FILE, contents
from tests.service.running import KEY, Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("service"), SettableClock()) as service:
        yield service


async def test_a_device_that_holds_its_key_is_onboarded_without_one_here(running: Running) -> None:
    device = Device.new()
    answer = await running.map("held", csrs={"agent": device.request()})
    assert answer.status_code == 201
    made = answer.json()
    assert made["client_key"] == {}
    (certificate,) = made["client_cert"].values()
    assert device.has(certificate)
    got = await delivered(running, "held")
    assert (got["client_cert"], got["client_key"]) == (certificate, "")
    assert got["content"] == {"certificate": certificate, "key": ""}


@pytest.mark.parametrize(
    ("csrs", "code", "words"),
    [
        ({"agnet": Device.new().request()}, "certificate_request_unusable", "'agent'"),
        ({"meter": Device.new().request()}, "certificate_request_unusable", "no certificate"),
        ({"agent": "x"}, "certificate_request_unusable", "csrs.agent"),
        ({"agent": Device.new().request("a")}, "certificate_request_unusable", "CN=a"),
        ({"agent": 7}, "invalid_fields", "csrs.agent"),
        ([], "invalid_fields", "csrs: must be an object"),
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_a_request_that_can_not_be_used_onboards_nothing(
    running: Running, csrs: Any, code: str, words: str, query: str
) -> None:
    body = {"external_id": "refused", "external_key": KEY, "csrs": csrs}
    answer = await post(running, f"/mapping{query}", **body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert words in answer.json()["message"]
    assert (await running.get("/onboardings?external_id=refused"))["total"] == 0


async def test_rotation_leaves_a_device_its_key_unless_it_sends_another(running: Running) -> None:
    device, another = Device.new(), Device.new()
    await running.map("rotated", csrs={"agent": device.request()})
    kept = (await running.map("rotated", on_existing="rotate")).json()
    assert device.has(*kept["client_cert"].values())
    changed = await running.map("rotated", on_existing="rotate", csrs={"agent": another.request()})
    assert another.has(*changed.json()["client_cert"].values())
    assert changed.json()["client_key"] == {}
    assert [each["revoked"] for each in await certificates(running, "rotated")] == [False, True]


async def test_renewal_puts_another_certificate_where_the_device_fetches_it(
    running: Running,
) -> None:
    await running.map("renewed")
    before = await delivered(running, "renewed")
    (old,) = await certificates(running, "renewed")
    answer = await post(running, f"/cert/{old['serial_number']}/renew")
    assert answer.status_code == 201
    new = answer.json()
    assert public(read(new["certificate"]).public_key()) != public(
        read(before["client_cert"]).public_key()
    )
    after = await delivered(running, "renewed")
    assert (after["client_cert"], after["client_key"]) == (new["certificate"], new["key"])
    assert after["content"] == {"certificate": new["certificate"], "key": new["key"]}
    assert after["ca_cert"] == before["ca_cert"] == new["ca_cert"]
    again = (await running.map("renewed")).json()
    assert list(again["client_key"].values()) == [new["key"]]
    present, former = await certificates(running, "renewed")
    assert present["serial_number"] == new["serial_number"]
    assert (former["in_use"], former["revoked"]) == (False, False)
    bound = (await running.get("/mapping/renewed"))["bootstrap"]["bindings"]
    assert [each["resource_id"] for each in bound] == [new["serial_number"]]
    superseded = await post(running, f"/cert/{old['serial_number']}/renew")
    assert (superseded.status_code, superseded.json()["code"]) == (409, "certificate_superseded")


async def test_the_layout_says_what_a_gateways_certificate_is_like(running: Running) -> None:
    await running.map("typed")
    (old,) = await certificates(running, "typed")
    answer = await post(running, f"/cert/{old['serial_number']}/renew", ttl="1h")
    assert answer.status_code == 400
    assert "layout" in answer.json()["message"]
    assert await certificates(running, "typed") == [old]


async def test_a_device_takes_its_key_over_with_a_renewal(running: Running) -> None:
    device = Device.new()
    await running.map("taken")
    (old,) = await certificates(running, "taken")
    path = f"/cert/{old['serial_number']}/renew"
    refused = await post(running, path, csr=device.request("someone else"))
    assert (refused.status_code, refused.json()["code"]) == (400, "name_not_allowed")
    answer = await post(running, path, csr=device.request())
    assert device.has(answer.json()["certificate"])
    assert answer.json()["key"] == ""
    got = await delivered(running, "taken")
    assert (got["client_cert"], got["client_key"]) == (answer.json()["certificate"], "")


async def test_what_was_put_into_the_config_by_hand_stays(running: Running) -> None:
    made = (await running.map("by-hand")).json()
    config = made["bootstrap"]["config_id"]
    mine = {"client_cert": "MINE", "client_key": "KEY", "ca_cert": "CA"}
    path = f"/{running.domain}/clients/configs/certs/{config}"
    assert (await running.http.patch(path, json=mine, headers=running.headers)).is_success
    (old,) = await certificates(running, "by-hand")
    new = (await post(running, f"/cert/{old['serial_number']}/renew")).json()
    got = await delivered(running, "by-hand")
    assert {name: got[name] for name in mine} == mine
    assert got["content"]["certificate"] == new["certificate"]


async def test_repair_certifies_the_key_again_in_place_of_a_revoked_certificate(
    running: Running,
) -> None:
    made = (await running.map("revoked")).json()
    (old,) = await certificates(running, "revoked")
    await post(running, f"/cert/{old['serial_number']}/revoke")
    (known,) = await certificates(running, "revoked")
    assert (known["revoked"], known["renewal"]["automatic"]) == (True, False)
    mended = (await running.map("revoked", on_existing="repair")).json()
    assert mended["client_cert"] != made["client_cert"]
    assert mended["client_key"] == made["client_key"]
    present, _ = await certificates(running, "revoked")
    assert (present["revoked"], present["renewal"]["automatic"]) == (False, True)


async def test_a_removed_gateway_has_no_certificate_in_use(running: Running) -> None:
    await running.map("removed")
    await running.http.delete(f"/{running.domain}/mapping/removed", headers=running.headers)
    (left,) = await certificates(running, "removed")
    assert (left["revoked"], left["in_use"]) == (True, False)


async def test_certificates_of_an_unknown_gateway_are_not_found(running: Running) -> None:
    answer = await running.http.get(
        f"/{running.domain}/cert?external_id=nobody", headers=running.headers
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "gateway_not_found")


async def test_private_keys_are_sealed_at_rest(tmp_path: Path) -> None:
    async with serving(tmp_path, SettableClock()) as service:
        made = (await service.map()).json()
        (key,) = made["client_key"].values()
    stored = contents(tmp_path / "data" / FILE).decode(errors="replace")
    for line in key.splitlines()[1:-1]:
        assert line not in stored
    assert "PRIVATE KEY" not in stored
