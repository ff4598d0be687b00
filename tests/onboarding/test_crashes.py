"""A real process is ended with SIGKILL at every call to the platform and at every durable write.

It is started again, and comes to rest without anybody acting: a whole gateway, or nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from attrs import frozen

from provision.store.data_directory import DataDirectory
from tests.onboarding.auditing import Found, find
from tests.onboarding.processes import KillSwitch, ServiceProcess, served
from tests.service.running import Running, embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = 12
LAGS = (0.0, 0.003, 0.006, 0.01, 0.015, 0.025, 0.05)


@frozen
class Beside:
    """A service process, its platform, and the switch between them."""

    service: ServiceProcess
    platform: Running
    switch: KillSwitch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def beside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Beside]:
    directory = tmp_path_factory.mktemp("crashes")
    async with embedded(directory / "platform") as platform:
        switch = KillSwitch(platform.http._transport.app)  # type: ignore[attr-defined]
        async with served(switch) as address:
            service = ServiceProcess(directory / "service", address, _account(directory))
            yield Beside(service, platform, switch)
            await service.stop()


def _account(directory: Path) -> dict[str, str]:
    account = DataDirectory(directory / "platform").read_operator()
    return {
        "MG_PROVISION_USERNAME": account["username"],
        "MG_PROVISION_PASS": account["password"],
    }


async def _killed(beside: Beside, external_id: str, wanted: int, after: bool, lag: float) -> bool:
    """Onboard while the process is ended at a call; tell whether it came to that call."""
    process = await beside.service.start()
    beside.switch.arm(process, wanted, after=after)
    beside.switch.lag = lag
    async with beside.service.reached(beside.platform) as running:
        with contextlib.suppress(httpx.TransportError):
            await running.map(external_id, layout="gateway")
    fired = beside.switch.fired
    await beside.service.stop()
    return fired


async def _rests(beside: Beside, external_id: str) -> Found:
    """Start the process again, let it come to rest, and return what there is."""
    process = await beside.service.start()
    beside.switch.arm(process, 0, after=False)
    try:
        async with beside.service.reached(beside.platform) as running:
            found = await find(running, external_id)
    finally:
        await beside.service.stop()
    if found.state == "done":
        whole = (len(found.clients), len(found.channels), found.connected, found.configs)
        assert whole == (1, 2, 2, 1), found
        assert found.fetched == 200
        assert found.certificates >= 1
    else:
        assert found.nothing, found
    return found


@pytest.mark.slow
async def test_killed_in_the_middle_and_after_the_last_call(beside: Beside) -> None:
    await _killed(beside, "few-1", 5, after=True, lag=0.0)
    assert (await _rests(beside, "few-1")).state == "done"


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_every_call_of_an_onboarding(beside: Beside, after: bool) -> None:
    for wanted in range(1, CALLS + 5):
        external_id = f"make{wanted}{'after' if after else 'before'}"
        fired = await _killed(beside, external_id, wanted, after=after, lag=0.0)
        await _rests(beside, external_id)
        if not fired:
            break
    assert wanted > 5


@pytest.mark.slow
@pytest.mark.parametrize("lag", LAGS)
async def test_killed_around_the_commit(beside: Beside, lag: float) -> None:
    await _killed(beside, f"probe{lag}", 0, after=True, lag=0.0)
    last = beside.switch.seen
    await _killed(beside, f"commit{lag}", last, after=True, lag=lag)
    assert (await _rests(beside, f"commit{lag}")).state == "done"


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_every_call_of_a_removal(beside: Beside, after: bool) -> None:
    for wanted in range(1, CALLS):
        external_id = f"remove{wanted}{'after' if after else 'before'}"
        process = await beside.service.start()
        beside.switch.arm(process, 0, after=after)
        async with beside.service.reached(beside.platform) as running:
            assert (await running.map(external_id, layout="gateway")).status_code == 201
            beside.switch.arm(process, wanted, after=after)
            with contextlib.suppress(httpx.TransportError):
                await running.http.delete(
                    f"/{running.domain}/mapping/{external_id}", headers=running.headers
                )
        fired = beside.switch.fired
        await beside.service.stop()
        found = await _rests(beside, external_id)
        assert found.nothing or (wanted <= 3 and found.state == "done"), found
        if not fired:
            assert found.nothing
            break
    assert wanted > 4


@pytest.mark.slow
async def test_killed_again_and_again_while_it_recovers(beside: Beside) -> None:
    for wanted in (1, 3, 5):
        external_id = f"again{wanted}"
        await _killed(beside, external_id, 5, after=True, lag=0.0)
        process = await beside.service.start()
        beside.switch.arm(process, wanted, after=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(8):
                await process.wait()
        await beside.service.stop()
        await _rests(beside, external_id)
