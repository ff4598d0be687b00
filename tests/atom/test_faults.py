"""Never half a gateway, though Atom makes nothing whole, repeats nothing and spends every ID."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.atom.service import BesideAtom, beside_atom
from tests.service.running import KEY, timed_out_when_done

MUTATIONS: Final = 13
"""Of an onboarding with the default layout: 2 for the client, 2 channels, 4 blocks, 4 policies and
a certificate."""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[BesideAtom]:
    async with beside_atom(tmp_path / "data") as running:
        yield running


async def whole(running: BesideAtom, external_id: str = "gw-1") -> dict[str, Any]:
    """Onboard until it succeeds; return the gateway."""
    for _ in range(20):
        answer = await running.map(external_id)
        if answer.is_success:
            return dict(answer.json())
        await asyncio.sleep(0.2)
    raise AssertionError(answer.text)


def audit(running: BesideAtom, gateway: dict[str, Any]) -> None:
    """Compare what is live on the platform with one gateway: all of it, and nothing else."""
    store = running.there.double.store
    secrets = {each["id"]: each["credentials"]["secret"] for each in gateway["clients"]}
    assert sorted(running.live("entities")) == sorted(secrets)
    assert sorted(running.live("resources")) == sorted(each["id"] for each in gateway["channels"])
    for client_id, secret in secrets.items():
        good = {
            each.secret
            for each in store.credentials.values()
            if each.entity_id == client_id and each.is_good
        }
        assert good == {secret}
    granted = sorted(
        (policy.subject_id, store.blocks[policy.block_id].object_id, action)
        for policy in store.policies.values()
        for action in store.blocks[policy.block_id].actions
        if policy.subject_id in secrets
    )
    assert granted == sorted(
        (each["client_id"], each["channel_id"], kind)
        for each in gateway["connections"]
        for kind in each["types"]
    )


@pytest.mark.parametrize("recovers", [True, False])
@pytest.mark.parametrize("cut_after", range(MUTATIONS))
async def test_a_connection_that_breaks_off_leaves_no_half(
    cut_after: int, recovers: bool, running: BesideAtom
) -> None:
    double = running.there.double
    double.cut_after, double.recovers = cut_after, recovers
    await running.map()
    double.cut_after = None

    audit(running, await whole(running))


@pytest.mark.parametrize("lost", range(6))
async def test_a_lost_answer_leaves_no_half(lost: int, running: BesideAtom) -> None:
    left = [lost]

    async def lose(request: Any, inner: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            return await timed_out_when_done(request, inner)
        return await inner.handle_async_request(request)

    running.wire.fail("POST", "/graphql", lose)
    await running.map()
    running.wire.faults.clear()

    audit(running, await whole(running))
    fetched = await running.http.get(
        "/clients/bootstrap/gw-1", headers={"Authorization": f"Client {KEY}"}
    )
    assert fetched.status_code == 200


@pytest.mark.parametrize("cut_after", range(8))
async def test_a_removal_that_breaks_off_is_finished(cut_after: int, running: BesideAtom) -> None:
    await running.map()
    double = running.there.double
    double.cut_after = cut_after
    await running.call("DELETE", "/mapping/gw-1")
    double.cut_after = None

    for _ in range(40):
        answer = await running.call("DELETE", "/mapping/gw-1")
        if not running.live("entities") and not running.live("resources"):
            break
        await asyncio.sleep(0.1)

    assert answer.status_code in (204, 404, 409), answer.text
    assert running.live("entities") == running.live("resources") == {}
    assert not running.there.double.store.policies
