"""The embedded authority beyond its contract: repeats, restarts and clocks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from bootstrap_core.errors import SealedValueUnreadable
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.issuer_store import open_issuer, reseal_issuer
from provision.embedded.tables import authorities
from provision.pki.errors import IssuerUnusable
from provision.pki.issuer import INTERMEDIATE_LIFETIME, Issuer
from provision.pki.keys import fingerprint
from provision.pki.profiles import ClientProfile
from provision.pki.requests import Holder, make_request
from provision.platform.errors import NotAMember, NotFound, Rejected, Unavailable
from provision.platform.types import SigningRequest
from tests.embedded.gateways import HOUR, START, Clock, Gateway
from tests.embedded.service import SEALER, Installation


async def test_signing_again_gives_the_certificate_that_is_there(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    first = await gateway.sign(authority)
    clock.now += 19 * HOUR

    assert await gateway.sign(authority) == first
    assert await gateway.listed(authority) == [first]


async def test_when_two_thirds_of_its_life_have_passed_it_is_renewed(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    first = await gateway.sign(authority)
    clock.now += 20 * HOUR

    second = await gateway.sign(authority)

    assert second.expires_at == clock.now + 30 * HOUR
    assert await gateway.listed(authority) == [second, first]
    assert not first.revoked


async def test_of_many_calls_at_once_one_issues(
    gateway: Gateway, authority: EmbeddedAuthority
) -> None:
    signed = await asyncio.gather(*(gateway.sign(authority) for _ in range(10)))

    assert len({each.serial for each in signed}) == 1
    assert len(await gateway.listed(authority)) == 1


async def test_a_short_lived_certificate_is_given_again_too(
    gateway: Gateway, authority: EmbeddedAuthority
) -> None:
    short = timedelta(seconds=30)

    assert await gateway.sign(authority, short) == await gateway.sign(authority, short)


async def test_a_client_that_is_not_there_gets_nothing(
    installed: Installation, authority: EmbeddedAuthority
) -> None:
    stranger = Gateway(installed, str(uuid4()))

    with pytest.raises(NotFound):
        await stranger.sign(authority)
    assert await stranger.listed(authority) == []


async def test_someone_who_is_no_member_is_told_so(
    installed: Installation, gateway: Gateway, authority: EmbeddedAuthority
) -> None:
    class ForeignDomain:
        async def check_member(self, token: Secret, domain_id: str) -> None:
            raise NotAMember

        async def check_change(self, token: Secret, domain_id: str) -> None:
            raise NotAMember

        async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
            raise NotAMember

    other = EmbeddedAuthority(installed.engine, ForeignDomain(), authority._issuer, ClientProfile())
    serial = (await gateway.sign(authority)).serial

    for call in (
        other.sign(*gateway.place, gateway.request()),
        other.view_certificate(*gateway.place, serial),
        other.list_certificates(*gateway.place, gateway.client_id),
        other.revoke_certificate(*gateway.place, serial),
        other.revoke_client_certificates(*gateway.place, gateway.client_id),
    ):
        with pytest.raises(NotAMember):
            await call
    assert not (await gateway.listed(authority))[0].revoked


async def test_a_request_for_another_client_is_refused_with_the_reason(
    gateway: Gateway, authority: EmbeddedAuthority
) -> None:
    foreign = make_request(gateway.key, Holder(gateway.place[1], str(uuid4())))

    with pytest.raises(Rejected, match=r"only CN=.* is allowed") as caught:
        await authority.sign(*gateway.place, SigningRequest(gateway.client_id, foreign, HOUR))

    assert caught.value.answered == 400
    assert await gateway.listed(authority) == []


async def test_a_serial_is_found_in_any_spelling(
    gateway: Gateway, authority: EmbeddedAuthority
) -> None:
    signed = await gateway.sign(authority)

    for text in (signed.serial.upper(), signed.serial.replace(":", "")):
        assert await authority.view_certificate(*gateway.place, text) == signed


async def test_an_expired_authority_is_unavailable(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    clock.now += INTERMEDIATE_LIFETIME

    with pytest.raises(Unavailable, match="authority expired"):
        await gateway.sign(authority)


async def test_after_a_restart_the_issuer_is_the_same(
    installed: Installation, issuer: Issuer
) -> None:
    again = await open_issuer(installed.engine, SEALER, "Another name", START)

    assert again.chain_pem() == issuer.chain_pem()
    assert fingerprint(again.key.public_key) == fingerprint(issuer.key.public_key)


async def test_processes_that_start_at_once_agree_on_one_issuer(installed: Installation) -> None:
    opened = await asyncio.gather(
        *(open_issuer(installed.engine, SEALER, "Tests", START) for _ in range(5))
    )

    assert len({each.chain_pem() for each in opened}) == 1


async def test_an_issuer_that_has_expired_is_not_opened(
    installed: Installation, issuer: Issuer
) -> None:
    with pytest.raises(IssuerUnusable, match="not now"):
        await open_issuer(installed.engine, SEALER, "Tests", issuer.expires_at + HOUR)


async def test_its_keys_are_sealed_and_bound_to_their_place(
    installed: Installation, issuer: Issuer
) -> None:
    async with installed.engine.begin() as connection:
        row = (await connection.execute(select(authorities))).mappings().one()
        assert "PRIVATE KEY" not in str(dict(row))
        await connection.execute(update(authorities).values(issuer_key=row["root_key"]))

    with pytest.raises(SealedValueUnreadable):
        await open_issuer(installed.engine, SEALER, "Tests", START)


async def test_a_new_sealing_key_takes_over(installed: Installation, issuer: Issuer) -> None:
    old, new = SealingKey(b"k" * 32), SealingKey.generate()

    assert await reseal_issuer(installed.engine, Sealer([new, old])) == 2
    assert await reseal_issuer(installed.engine, Sealer([new, old])) == 0

    opened = await open_issuer(installed.engine, Sealer([new]), "Tests", START)
    assert opened.chain_pem() == issuer.chain_pem()


async def test_without_an_issuer_there_is_nothing_to_seal_again(installed: Installation) -> None:
    assert await reseal_issuer(installed.engine, SEALER) == 0
