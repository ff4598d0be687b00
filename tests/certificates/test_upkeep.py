"""Certificates in time: renewed at two thirds of their life, the old ones and keys cleared away."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.certificates.world import (
    LIFE,
    MADE,
    Device,
    SettableClock,
    certificates,
    delivered,
    eventually,
    post,
    read,
    serving,
)
from tests.service.running import (
    QUICK,
    FaultyWire,
    Running,
    answered,
    embedded,
    sign_in,
)

DUE = LIFE * 2 / 3
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SOME_LOOKS = 3 * QUICK.look_after


async def is_renewed(running: Running) -> bool:
    # The authority shows the new certificate a moment before the gateway has it.
    return await is_counted(running, 1)


async def is_counted(running: Running, renewals: int) -> bool:
    return await metric(running, "provision_certificate_renewals_total") >= renewals


async def metric(running: Running, name: str) -> float:
    lines = (await running.http.get("/metrics")).text.splitlines()
    line = next((line for line in lines if line.startswith(name)), "0")
    return float(line.rpartition(" ")[2])


@pytest.mark.slow
async def test_at_two_thirds_of_its_life_a_certificate_is_renewed(tmp_path: Path) -> None:
    clock = SettableClock(MADE)
    async with serving(tmp_path, clock, MG_PROVISION_RENEWAL_OVERLAP="1h") as running:
        made = (await running.map()).json()
        before = await delivered(running)
        clock.offset = MADE + DUE - HOUR
        (known,) = await certificates(running)
        assert known["renewal"] == {"automatic": True, "attempts": 0}

        clock.offset = -MINUTE  # the device's fetches are noted in the machine's time
        await eventually(lambda: is_renewed(running))
        assert await metric(running, "provision_certificate_renewals_total") == 1
        new, old = await certificates(running)
        assert (new["in_use"], old["revoked"]) == (True, False)
        after = await delivered(running)
        assert read(after["client_cert"]) != read(before["client_cert"])
        assert after["client_key"] != before["client_key"]
        assert after["content"] == {
            "certificate": after["client_cert"],
            "key": after["client_key"],
        }
        (client_id,) = made["client_cert"]
        assert (await running.map()).json()["client_cert"] == {client_id: after["client_cert"]}


async def test_the_old_certificate_is_revoked_once_the_new_one_was_fetched_and_time_has_passed(
    tmp_path: Path,
) -> None:
    clock = SettableClock(-MINUTE)
    async with serving(tmp_path, clock, MG_PROVISION_RENEWAL_OVERLAP="1h") as running:
        await running.map()
        (old,) = await certificates(running)
        await post(running, f"/cert/{old['serial_number']}/renew")

        clock.offset = 2 * HOUR
        await asyncio.sleep(SOME_LOOKS)
        assert not (await certificates(running))[1]["revoked"]
        await delivered(running)

        async def is_revoked() -> bool:
            return bool((await certificates(running))[1]["revoked"])

        clock.offset = -MINUTE
        await asyncio.sleep(SOME_LOOKS)
        assert not await is_revoked()
        clock.offset = 2 * HOUR
        await eventually(is_revoked)
        assert not (await certificates(running))[0]["revoked"]


async def test_what_is_renewed_by_hand_is_left_to_its_end_and_shown(tmp_path: Path) -> None:
    clock = SettableClock(MADE)
    async with serving(tmp_path, clock, MG_PROVISION_LAYOUT="manual") as running:
        await running.map()
        await running.map("auto", layout="auto")
        clock.offset = timedelta(0)
        await eventually(lambda: _has_two(running, "auto"))
        (known,) = await certificates(running)
        assert not known["renewal"]["automatic"]
        days = await metric(running, "provision_certificate_days_left")
        assert days == pytest.approx((MADE + LIFE).total_seconds() / 86_400, abs=0.1)


async def _has_two(running: Running, external_id: str) -> bool:
    return len(await certificates(running, external_id)) > 1


async def test_a_revoked_certificate_is_not_renewed(tmp_path: Path) -> None:
    clock = SettableClock(MADE)
    async with serving(tmp_path, clock) as running:
        await running.map()
        (known,) = await certificates(running)
        path = f"/{running.domain}/certs/{known['serial_number']}/revoke"
        assert (await running.http.patch(path, headers=running.headers)).status_code == 204
        clock.offset = timedelta(0)

        async def is_noticed() -> bool:
            (present,) = await certificates(running)
            return "revoked" in present["renewal"].get("error", "")

        await eventually(is_noticed)


async def test_a_client_that_was_disabled_gets_no_other_certificate(tmp_path: Path) -> None:
    clock = SettableClock(MADE)
    async with serving(tmp_path, clock) as running:
        (client_id,) = (await running.map()).json()["client_cert"]
        await post(running, f"/clients/{client_id}/disable")
        clock.offset = timedelta(0)
        await eventually(lambda: has_failed(running))
        (known,) = await certificates(running)
        assert "removed or disabled" in known["renewal"]["error"]


async def test_a_device_that_holds_its_key_gets_another_certificate_for_it(tmp_path: Path) -> None:
    clock, device = SettableClock(MADE), Device.new()
    async with serving(tmp_path, clock) as running:
        await running.map(csrs={"agent": device.request()})
        clock.offset = timedelta(0)
        await eventually(lambda: is_renewed(running))
        got = await delivered(running)
        assert device.has(got["client_cert"])
        assert got["client_key"] == ""


async def test_a_key_is_kept_until_it_was_fetched(tmp_path: Path) -> None:
    clock = SettableClock(-MINUTE)
    keep = {"MG_PROVISION_KEEP_PRIVATE_KEYS": "until_fetched"}
    async with serving(tmp_path, clock, **keep) as running:
        made = (await running.map()).json()
        (key,) = made["client_key"].values()
        assert (await running.map()).json()["client_key"] == made["client_key"]
        got = await delivered(running)
        assert got["client_key"] == got["content"]["key"] == key

        async def is_dropped() -> bool:
            return bool((await delivered(running))["client_key"] == "")

        await eventually(is_dropped)
        got = await delivered(running)
        assert got["content"] == {"certificate": got["client_cert"], "key": ""}
        assert (await running.map()).json()["client_key"] == {}

        (known,) = await certificates(running)
        new = (await post(running, f"/cert/{known['serial_number']}/renew")).json()
        assert (await delivered(running))["client_key"] == new["key"]
        await eventually(is_dropped)


async def test_a_key_that_is_never_kept_is_in_the_answer_alone(tmp_path: Path) -> None:
    clock = SettableClock(MADE)
    keep = {"MG_PROVISION_KEEP_PRIVATE_KEYS": "never"}
    async with serving(tmp_path, clock, **keep) as running:
        made = (await running.map()).json()
        (key,) = made["client_key"].values()
        assert key.startswith("-----BEGIN PRIVATE KEY-----")
        assert (await delivered(running))["client_key"] == ""
        assert (await running.map()).json()["client_key"] == {}
        before = read((await delivered(running))["client_cert"])
        clock.offset = timedelta(0)
        await eventually(lambda: is_renewed(running))
        after = read((await delivered(running))["client_cert"])
        assert after.serial_number != before.serial_number
        assert after.public_key() == before.public_key()


class Beside:
    """Services whose certificates come from the certs service of a platform beside them."""

    def __init__(self, directory: Path, platform: Running, **environment: str) -> None:
        inner = platform.http._transport
        assert isinstance(inner, httpx.ASGITransport)
        self.wire = FaultyWire(inner)
        self.clock = SettableClock(MADE)
        self.directory, self.platform = directory, platform
        names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS", "CERTS")
        urls = {f"MG_PROVISION_{name}_URL": "http://platform" for name in names}
        self.environment = urls | environment

    def started(self) -> contextlib.AbstractAsyncContextManager[Running]:
        """Start a service, on the data of the one before."""
        return serving(self.directory, self.clock, self.platform, self.wire, **self.environment)


async def is_taken_up(running: Running) -> bool:
    found = await certificates(running)
    return len(found) > 1 and found[0]["in_use"] and not found[1]["in_use"]


async def has_failed(running: Running) -> bool:
    (known, *_) = await certificates(running)
    return bool(known["renewal"].get("error"))


@pytest.mark.slow
async def test_without_credentials_of_its_own_the_service_says_what_it_needs(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path / "platform") as platform:
        beside = Beside(tmp_path, platform)
        async with beside.started() as running:
            await running.map()
            # The platform's time stands: to the service its certificate is about to end.
            beside.clock.offset = LIFE * 3 / 4
            await eventually(lambda: has_failed(running))
            (known,) = await certificates(running)
            assert "MG_PROVISION_API_KEY" in known["renewal"]["error"]


async def test_a_lost_answer_of_the_certs_service_leaves_one_new_certificate(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path / "platform") as platform:
        token = await sign_in(platform.http, tmp_path / "platform")
        beside = Beside(tmp_path, platform, MG_PROVISION_API_KEY=token)
        async with beside.started() as running:
            await running.map()
            wire = beside.wire

            async def lost(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> None:
                await (await inner.handle_async_request(request)).aread()
                wire.fail("GET", "/certs", answered(400))
                raise httpx.ReadTimeout("too slow", request=request)

            wire.fail("POST", "/certs/csrs/", lost, times=1)
            beside.clock.offset = LIFE * 3 / 4

            async def has_failed() -> bool:
                text = (await running.http.get("/metrics")).text
                return 'renewals_total{outcome="failed"}' in text

            await eventually(has_failed)
            wire.faults.clear()
            beside.clock.offset += HOUR
            await eventually(lambda: is_taken_up(running))
            new, old = await certificates(running)
            assert (new["in_use"], old["in_use"]) == (True, False)
            assert read((await delivered(running))["client_cert"]).serial_number == int(
                new["serial_number"].replace(":", ""), 16
            )


async def test_an_onboarding_that_was_cut_short_after_signing_signs_no_second_time(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path / "platform") as platform:
        token = await sign_in(platform.http, tmp_path / "platform")
        beside = Beside(
            tmp_path, platform, MG_PROVISION_API_KEY=token, MG_PROVISION_SHUTDOWN_GRACE="0.1"
        )
        signed = asyncio.Event()

        async def done_and_hang(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> None:
            await (await inner.handle_async_request(request)).aread()
            signed.set()
            await asyncio.sleep(60)

        beside.wire.fail("POST", "/certs/csrs/", done_and_hang)
        async with beside.started() as running:
            asked = asyncio.create_task(running.map())
            await signed.wait()
        await asyncio.gather(asked, return_exceptions=True)
        beside.wire.faults.clear()
        async with beside.started() as running:

            async def is_whole() -> bool:
                page = await running.get("/onboardings?state=done")
                return bool(page["total"])

            await eventually(is_whole)
            (known,) = await certificates(running)
            assert known["in_use"]
        assert sum("/certs/csrs/" in call for call in beside.wire.calls) == 1
