"""Certificates over their whole life: renewed, revoked, their keys dropped. On virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from attrs import define, evolve
from cryptography import x509
from sqlalchemy import Engine

from bootstrap_core.secrets import Secret
from provision.onboarding.certificates.signing import KeepKeys
from provision.onboarding.errors import CertificateChanged, StillRunning
from provision.onboarding.model import Onboarding, OnExisting
from provision.pki.keys import read_key
from provision.pki.requests import Holder, make_request
from provision.platform import errors
from provision.platform.types import Certificate, SigningRequest
from tests.onboarding.care import DAY, DELIVERED, DUE, HOUR, UNDELIVERED, begin, care_of
from tests.onboarding.simulated_platform import LIFE
from tests.onboarding.simulated_store import SimulatedEngine
from tests.onboarding.stories import make
from tests.onboarding.world import KEYS, World, simulated


@simulated
async def test_two_thirds_of_its_life_pass_before_it_is_renewed(world: World) -> None:
    care = await begin(world)
    before = await care.known()
    (old,) = care.made.intent.certificates
    assert (before.serial, before.renews, before.attempts, before.error) == (
        old.serial,
        True,
        0,
        "",
    )
    await care.sleep_until(DUE - DAY)
    assert await care.round() == 0
    await care.sleep_until(DUE + HOUR)
    world.platform.chain = "another chain"
    assert await care.round() == 1
    assert await care.round() == 0
    assert care.noted.outcomes == ["renewed"]
    assert care.present().intent.ca_chain == "another chain"
    after = await care.known()
    assert after.serial != before.serial
    assert after.expires_at > before.expires_at
    (new,) = care.present().intent.certificates
    assert new.serial == after.serial
    assert new.private_key != old.private_key
    assert care.present().intent.private_keys == {care.client_id: new.private_key}
    assert sorted(care.in_force()) == sorted([old.serial, new.serial])
    assert await care.care.ledger.is_superseded(care.made.domain_id, old.serial)
    assert not await care.care.ledger.is_superseded(care.made.domain_id, new.serial)
    assert await care.care.ledger.first_ends() == {care.made.domain_id: after.expires_at}


@simulated
async def test_a_renewal_that_fails_is_tried_again_ever_more_slowly(world: World) -> None:
    care = await begin(world)
    world.platform.failing["sign"] = errors.Rejected("not now")
    await care.sleep_until(DUE + HOUR)
    longest = 15.0
    for attempt in range(1, 11):
        assert await care.round() == 1
        known = await care.known()
        assert (known.attempts, known.error) == (attempt, "not now")
        pause = (known.next_attempt_at - world.clock.now()).total_seconds()
        assert longest / 2 - 0.1 <= pause <= longest
        await asyncio.sleep(max(0.0, pause - 1.0))
        assert await care.round() == 0
        await asyncio.sleep(2.0)
        longest = min(longest * 2, HOUR)
    assert care.noted.outcomes == ["failed"] * 10
    keys = care.present().intent.private_keys
    world.platform.failing.clear()
    assert await care.round() == 1
    # The key that was journalled at the first attempt is the one that was signed at last.
    assert care.present().intent.private_keys == keys
    assert (await care.known()).attempts == 0


@simulated
async def test_what_is_due_goes_to_one_taker_for_two_minutes(world: World) -> None:
    care = await begin(world)
    await care.sleep_until(DUE + HOUR)
    ledger = care.care.ledger
    pause = timedelta(minutes=2)
    assert [each.client_id for each in await ledger.take_due(pause, 16)] == [care.client_id]
    assert list(await ledger.take_due(pause, 16)) == []
    await asyncio.sleep(119.0)
    assert list(await ledger.take_due(pause, 16)) == []
    await asyncio.sleep(2.0)
    assert len(await ledger.take_due(pause, 16)) == 1


@simulated
async def test_a_revoked_one_is_left_to_its_end(world: World) -> None:
    care = await begin(world)
    world.platform._revoke_certificate("", (await care.known()).serial)
    await care.sleep_until(DUE + HOUR)
    await care.round()
    known = await care.known()
    assert (known.renews, known.error) == (False, "it was revoked, and is not renewed")
    assert await care.round() == 0
    assert care.noted.outcomes == []


@simulated
async def test_one_that_the_authority_does_not_know_is_renewed(world: World) -> None:
    care = await begin(world)
    world.platform.certificates.clear()
    await care.sleep_until(DUE + HOUR)
    await care.round()
    assert care.noted.outcomes == ["renewed"]


@simulated
async def test_the_old_one_is_revoked_a_day_after_the_new_one_was_fetched(world: World) -> None:
    care = await begin(world)
    (old,) = care.in_force()
    await care.sleep_until(DUE + HOUR)
    care.fetch()
    await care.round()
    # A fetch of a moment later may be of before, and one that failed delivered nothing.
    await asyncio.sleep(3.0)
    care.fetch()
    await asyncio.sleep(2 * DAY)
    assert await care.round() == 0
    care.fetch("not_renderable")
    await asyncio.sleep(2 * DAY)
    assert await care.round() == 0
    care.fetch("unchanged")
    assert await care.round() == 0
    await asyncio.sleep(DAY - HOUR)
    assert await care.round() == 0
    assert old in care.in_force()
    await asyncio.sleep(2 * HOUR)
    world.platform.failing["revoke_certificate"] = errors.Unavailable()
    assert await care.round() == 1
    assert old in care.in_force()
    world.platform.failing.clear()
    assert await care.round() == 0
    await asyncio.sleep(121.0)
    assert await care.round() == 1
    assert care.in_force() == [(await care.known()).serial]
    assert not await care.care.ledger.is_superseded(care.made.domain_id, old)
    await asyncio.sleep(121.0)
    assert await care.round() == 0


@simulated
async def test_one_that_was_never_fetched_again_ends_without_being_revoked(world: World) -> None:
    care = await begin(world)
    (old,) = care.in_force()
    await care.sleep_until(DUE + HOUR)
    await care.round()
    await care.sleep_until(LIFE.total_seconds() - HOUR)
    await care.round()
    assert await care.care.ledger.is_superseded(care.made.domain_id, old)
    await care.sleep_until(LIFE.total_seconds() + HOUR)
    await care.round()
    assert not await care.care.ledger.is_superseded(care.made.domain_id, old)
    assert not world.platform.asked["revoke_certificate"]


@simulated
async def test_a_key_waits_for_the_fetch_that_surely_had_it(world: World) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED)
    assert (await care.known()).key_waits
    assert await care.round() == 0
    await asyncio.sleep(1.0)
    care.fetch("not_renderable")
    assert await care.round() == 0
    care.fetch()
    assert await care.round() == 1
    assert not (await care.known()).key_waits
    intent = care.present().intent
    assert intent.private_keys == {}
    assert [each.private_key.reveal() for each in intent.certificates] == [""]
    assert await care.round() == 0
    # The next one has a key of its own, which waits in its turn.
    await care.sleep_until(DUE + HOUR)
    await care.round()
    assert (await care.known()).key_waits
    assert care.present().intent.certificates[0].private_key


@simulated
async def test_a_gateway_that_somebody_works_on_is_come_back_to(world: World) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED)
    leases = world.replicas[-1].leases
    await asyncio.sleep(1.0)
    care.fetch()
    held = await leases.take(care.made.id)
    assert held
    assert await care.round() == 0
    assert (await care.known()).key_waits
    with pytest.raises(StillRunning):
        await care.care.renewal.renew(world.caller().token, await care.known())
    await leases.release(held)
    assert await care.round() == 1
    assert not (await care.known()).key_waits


@simulated
async def test_keys_are_never_kept_where_they_never_are(world: World) -> None:
    care = await begin(world, KeepKeys.NEVER)
    assert not (await care.known()).key_waits
    key_before = public_key(care.present())
    renewed = await care.care.renewal.renew(world.caller().token, await care.known())
    assert care.present().intent.private_keys == {}
    assert public_key(care.present()) == key_before
    assert renewed.intent.certificates[0].serial == (await care.known()).serial


def public_key(row: Onboarding) -> Any:
    (certificate,) = row.intent.certificates
    return x509.load_pem_x509_certificate(certificate.certificate.encode()).public_key()


@simulated
async def test_a_renewal_for_a_key_of_the_devices_own_keeps_none_here(world: World) -> None:
    care = await begin(world)
    key = read_key(KEYS[-1].encode())
    csr = make_request(key, Holder(care.made.domain_id, care.client_id))
    renewed = await care.care.renewal.renew(world.caller().token, await care.known(), csr)
    assert renewed.intent.csrs == {care.client_id: csr}
    assert care.present().intent.private_keys == {}
    assert care.present().intent.certificates[0].private_key == Secret("")
    # The request is signed again when that one is due in its turn.
    await care.sleep_until(DUE + HOUR)
    await care.round()
    assert care.noted.outcomes == ["renewed"]
    assert public_key(care.present()) == public_key(renewed)


@simulated
async def test_what_has_changed_since_is_not_renewed(world: World) -> None:
    care = await begin(world)
    known = await care.known()
    token = world.caller().token
    with pytest.raises(CertificateChanged):
        await care.care.renewal.renew(token, evolve(known, serial="another"))
    with pytest.raises(CertificateChanged):
        await care.care.renewal.renew(token, evolve(known, external_id="gw-2"))
    world.platform.failing["delete_client"] = errors.Failed()
    await world.replicas[-1].remove(world.caller(), "gw-1")
    with pytest.raises(StillRunning):
        await care.care.renewal.renew(token, known)
    assert await care.care.ledger.find(care.made.domain_id, care.client_id) is None
    assert await care.care.ledger.first_ends() == {}


@simulated
@pytest.mark.slow
async def test_a_store_that_fails_for_a_while_stops_no_upkeep(world: World) -> None:
    care = await begin(world)
    await care.sleep_until(DUE + HOUR)
    engine = world.replicas[-1].engine
    engine.failure_rate = 1.0
    care.care.upkeep.start()
    await asyncio.sleep(60.0)
    assert care.noted.outcomes == []
    engine.failure_rate = 0.0
    await asyncio.sleep(60.0)
    assert care.noted.outcomes == ["renewed"]
    opened = engine.opened
    await asyncio.sleep(600.0)
    # Every two seconds, and three reads each time.
    assert 800 <= engine.opened - opened <= 1000
    await care.care.upkeep.stop()
    opened = engine.opened
    await care.sleep_until(3 * DUE)
    assert engine.opened == opened
    assert care.noted.outcomes == ["renewed"]


@simulated
async def test_a_rotation_leaves_only_what_it_made_in_the_ledger(world: World) -> None:
    care = await begin(world)
    before = await care.known()
    await asyncio.sleep(60.0)
    await make(world, OnExisting.REPAIR)
    assert await care.known() == before
    await make(world, OnExisting.ROTATE)
    after = await care.known()
    assert after.serial != before.serial
    # A fetch of just before may be noted a moment later: it did not deliver the new one.
    settles = (after.delivered_from - world.clock.now()).total_seconds()
    assert 3.0 < settles <= 5.0
    assert care.in_force() == [after.serial]


@pytest.mark.parametrize("keep", list(KeepKeys))
def test_a_gateway_that_is_removed_leaves_no_line_in_the_ledger(
    database: Engine, keep: KeepKeys
) -> None:
    @simulated
    async def story(world: World) -> None:
        care = await begin(world, keep)
        known = await care.known()
        await care.care.renewal.renew(world.caller().token, known)
        await world.replicas[-1].remove(world.caller(), "gw-1")
        assert await care.care.ledger.find(care.made.domain_id, care.client_id) is None
        assert not await care.care.ledger.is_superseded(care.made.domain_id, known.serial)
        assert care.in_force() == []

    story(database)


@simulated
async def test_certificates_that_no_config_delivers_are_renewed_and_their_keys_kept(
    world: World,
) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED, UNDELIVERED)
    known = await care.known()
    assert (known.config_id, known.key_waits) == ("", False)
    assert await care.round() == 0
    await care.sleep_until(DUE + HOUR)
    assert await care.round() == 2
    assert care.noted.outcomes == ["renewed"] * 2
    assert all(each.private_key for each in care.present().intent.certificates)


@simulated
async def test_a_fetch_drops_the_key_that_was_delivered_and_no_other(world: World) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED, DELIVERED)
    helper = care.made.plan.clients[1].id
    await asyncio.sleep(1.0)
    care.fetch()
    assert await care.round() == 1
    intent = care.present().intent
    assert {each.client_id for each in intent.certificates if each.private_key} == {helper}
    assert list(intent.private_keys) == [helper]


@simulated
async def test_an_upkeep_that_was_never_begun_can_be_stopped(world: World) -> None:
    await (await begin(world)).care.upkeep.stop()


@define
class OneRefused:
    """The authority, which refuses one client; the store fails from then until the next is signed.

    The next client's certificate takes its time.
    """

    inner: Any
    engine: SimulatedEngine
    refused: str
    store_fails: bool = True

    async def sign(self, token: Secret, domain_id: str, request: SigningRequest) -> Certificate:
        if request.client_id == self.refused:
            self.engine.failure_rate = 1.0 if self.store_fails else 0.0
            raise errors.Rejected("not this one")
        await asyncio.sleep(1.0)
        self.engine.failure_rate = 0.0
        signed: Certificate = await self.inner.sign(token, domain_id, request)
        return signed

    async def view_certificate(self, token: Secret, domain_id: str, serial: str) -> Certificate:
        found: Certificate = await self.inner.view_certificate(token, domain_id, serial)
        return found

    async def list_certificates(self, *asked: Any) -> Any:
        return await self.inner.list_certificates(*asked)

    async def chain(self) -> str:
        return str(await self.inner.chain())


@pytest.mark.parametrize("store_fails", [False, True])
def test_a_renewal_that_fails_is_no_other_ones_failure(database: Engine, store_fails: bool) -> None:
    @simulated
    async def story(world: World) -> None:
        care = await begin(world)
        other = await make(world, external_id="gw-2")
        (second,) = (each.client_id for each in other.plan.certificates)
        domain_id = other.domain_id
        replica = world.replicas[-1]
        refusing = OneRefused(replica.wire, replica.engine, care.client_id, store_fails)
        upkeep = care.upkeep_with(cast("Any", refusing))
        await care.sleep_until(DUE + HOUR)
        before = await care.care.ledger.find(domain_id, second)
        assert await upkeep.round() == 2
        assert replica.working == 0, "a renewal goes on that nobody waits for"
        after = await care.care.ledger.find(domain_id, second)
        assert before
        assert after
        assert after.serial != before.serial
        assert "renewed" in care.noted.outcomes
        failed = await care.known()
        if not store_fails:
            assert (failed.attempts, failed.error) == (1, "not this one")
        refusing.refused = ""
        await asyncio.sleep(HOUR)
        assert await upkeep.round() == 1
        assert (await care.known()).serial != failed.serial

    story(database)


@simulated
async def test_a_fetch_leaves_the_key_of_a_renewal_that_failed(world: World) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED)
    await care.sleep_until(DUE + HOUR)
    world.platform.failing["sign"] = errors.Rejected("not now")
    await care.round()
    waiting = care.present().intent.private_keys
    assert waiting != care.made.intent.private_keys
    care.fetch()
    assert await care.round() == 1
    present = care.present().intent
    assert present.private_keys == waiting
    assert [each.private_key.reveal() for each in present.certificates] == [""]
    world.platform.failing.clear()
    await asyncio.sleep(HOUR)
    assert await care.round() == 1
    assert care.present().intent.private_keys == waiting
    assert [each.private_key for each in care.present().intent.certificates] == [*waiting.values()]


@simulated
async def test_a_fetch_during_a_renewal_is_no_obstacle_to_it(world: World) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED)
    replica = world.replicas[-1]
    slow = OneRefused(replica.wire, replica.engine, refused="")
    renewal = care_of(world, replica, cast("Any", slow), care.noted).renewal
    renewing = asyncio.ensure_future(renewal.renew(world.caller().token, await care.known()))
    await asyncio.sleep(0.5)
    care.fetch()
    assert await care.round() == 0
    assert not renewing.done()
    renewed = await renewing
    assert care.present().intent == renewed.intent
    assert (await care.known()).key_waits


@simulated
async def test_keys_that_can_not_be_dropped_keep_no_other_waiting(world: World) -> None:
    care = await begin(world, KeepKeys.UNTIL_FETCHED)
    leases = world.replicas[-1].parts.leases
    others = [await make(world, external_id=f"gw-{number}") for number in range(2, 20)]
    held = [await leases.take(made.id) for made in (care.made, *others[:-1])]
    await asyncio.sleep(1.0)
    care.fetch(gateways=[care.made, *others])
    assert sum([await care.round() for _ in range(3)]) == 1
    (client_id,) = (each.client_id for each in others[-1].plan.certificates)
    free = await care.care.ledger.find(others[-1].domain_id, client_id)
    assert free
    assert not free.key_waits
    for taken in held:
        assert taken
        await leases.release(taken)
