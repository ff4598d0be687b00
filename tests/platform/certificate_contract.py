"""What every implementation of the port ``CertificateAuthority`` promises.

A module of tests makes the suite its own::

    class TestEmbedded(CertificateContract):
        @pytest.fixture
        async def subject(self) -> AsyncIterator[CertificateSubject]:
            yield CertificateSubject(authority, platform, token, domain_id)

Nothing is needed but the authority, the platform that its clients live on, the access token of
somebody who operates the domain, and the domain's ID. What a test makes is revoked and removed
again, so that the suite can run against a live platform.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import pytest
from attrs import frozen
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bootstrap_core.secrets import Secret
from provision.pki.keys import KeyType, PrivateKey, check_strength, fingerprint, make_key
from provision.pki.requests import Holder, make_request
from provision.platform.errors import InvalidToken, NotAMember, NotFound, PlatformError, Rejected
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import Certificate, NewClient, SigningRequest
from tests.platform.bench import expect

HOUR = timedelta(hours=1)
SKEW = timedelta(minutes=2)
UNKNOWN_SERIAL = "0a:1b:2c:3d:4e:5f"


@frozen
class CertificateSubject:
    """An authority, and somebody who operates a domain of the platform that it serves."""

    authority: CertificateAuthority
    platform: Platform
    token: Secret
    domain_id: str

    @property
    def place(self) -> tuple[Secret, str]:
        """Token and domain, as every call of the port begins."""
        return self.token, self.domain_id


@frozen
class Device:
    """A client of the domain with a key of its own."""

    subject: CertificateSubject
    client_id: str
    key: PrivateKey

    def request(self, ttl: timedelta = HOUR, key: PrivateKey | None = None) -> SigningRequest:
        """Return a new request for a certificate."""
        holder = Holder(self.subject.domain_id, self.client_id)
        return SigningRequest(self.client_id, make_request(key or self.key, holder), ttl)

    async def sign(self, ttl: timedelta = HOUR, key: PrivateKey | None = None) -> Certificate:
        """Have a certificate signed."""
        return await self.subject.authority.sign(*self.subject.place, self.request(ttl, key))

    async def good(self) -> list[str]:
        """Return the serials of the certificates that are listed and not revoked."""
        listed = await self.subject.authority.list_certificates(*self.subject.place, self.client_id)
        assert all(each.client_id == self.client_id for each in listed)
        return [each.serial for each in listed if not each.revoked]


def parsed(certificate: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.certificate.encode())


class CertificateContract:
    """The suite; a subclass provides the fixture ``subject``."""

    key_type = KeyType.RSA_2048
    """A kind of key that the authority signs; Magistrala's stock role signs RSA alone."""

    exceptions: ClassVar[Mapping[str, str]] = {}
    """The tests that can't hold with this authority, each with the fact that says why."""

    @pytest.fixture(autouse=True)
    def expected(self, request: pytest.FixtureRequest) -> None:
        expect(request, self.exceptions)

    @pytest.fixture
    async def device(self, subject: CertificateSubject) -> AsyncIterator[Device]:
        client_id = str(uuid4())
        name = f"certificate-contract-{client_id[:8]}"
        draft = NewClient(client_id, name, secret=Secret(str(uuid4())))
        await subject.platform.clients.create(*subject.place, [draft])
        yield Device(subject, draft.id, await asyncio.to_thread(make_key, self.key_type))
        await subject.authority.revoke_client_certificates(*subject.place, draft.id)
        await subject.platform.clients.delete(*subject.place, draft.id)

    async def test_a_certificate_holds_the_clients_name_and_key(self, device: Device) -> None:
        signed = await device.sign()

        certificate = parsed(signed)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        uris = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [name.value for name in names] == [device.client_id]
        assert Holder(device.subject.domain_id, device.client_id).uri in (
            uris.get_values_for_type(x509.UniformResourceIdentifier)
        )
        assert fingerprint(check_strength(certificate.public_key())) == fingerprint(
            device.key.public_key
        )
        assert signed.client_id == device.client_id
        assert not signed.revoked

    async def test_a_certificate_is_for_signing_in_as_a_client(self, device: Device) -> None:
        extensions = parsed(await device.sign()).extensions

        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert ExtendedKeyUsageOID.CLIENT_AUTH in usage
        assert extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature

    async def test_a_certificate_lives_as_long_as_asked(self, device: Device) -> None:
        signed = await device.sign(ttl=5 * HOUR)

        wanted = datetime.now(UTC) + 5 * HOUR
        assert abs(signed.expires_at - wanted) < SKEW
        assert parsed(signed).not_valid_after_utc == signed.expires_at

    async def test_a_lifetime_is_cut_to_what_the_authority_allows(self, device: Device) -> None:
        signed = await device.sign(ttl=timedelta(days=36_500))

        above = x509.load_pem_x509_certificates((await device.subject.authority.chain()).encode())
        assert signed.expires_at <= min(each.not_valid_after_utc for each in above)

    @pytest.mark.parametrize("ttl", [timedelta(0), -HOUR])
    async def test_a_lifetime_of_nothing_is_refused(self, ttl: timedelta, device: Device) -> None:
        with pytest.raises(Rejected):
            await device.sign(ttl=ttl)

        assert await device.good() == []

    async def test_the_chain_verifies_it_up_to_a_root(self, device: Device) -> None:
        certificate = parsed(await device.sign())

        chain = x509.load_pem_x509_certificates((await device.subject.authority.chain()).encode())
        for below, above in zip([certificate, *chain], [*chain, chain[-1]], strict=True):
            below.verify_directly_issued_by(above)

    async def test_it_can_be_viewed_and_listed(self, device: Device) -> None:
        signed = await device.sign()

        viewed = await device.subject.authority.view_certificate(
            *device.subject.place, signed.serial
        )
        assert parsed(viewed) == parsed(signed)
        assert (viewed.serial, viewed.client_id) == (signed.serial, device.client_id)
        assert viewed.expires_at == signed.expires_at
        assert await device.good() == [signed.serial]

    async def test_another_key_gets_another_certificate(self, device: Device) -> None:
        first = await device.sign()
        second = await device.sign(key=make_key(self.key_type))

        assert first.serial != second.serial
        assert sorted(await device.good()) == sorted([first.serial, second.serial])

    async def test_revoking_one_leaves_the_other(self, device: Device) -> None:
        authority = device.subject.authority
        first = await device.sign()
        second = await device.sign(key=make_key(self.key_type))

        await authority.revoke_certificate(*device.subject.place, first.serial)

        viewed = await authority.view_certificate(*device.subject.place, first.serial)
        assert viewed.revoked
        assert await device.good() == [second.serial]

    async def test_revoking_twice_is_no_error(self, device: Device) -> None:
        signed = await device.sign()

        for _ in range(2):
            await device.subject.authority.revoke_certificate(*device.subject.place, signed.serial)

        assert await device.good() == []

    async def test_all_of_a_client_are_revoked_at_once(self, device: Device) -> None:
        authority = device.subject.authority
        signed = [await device.sign(), await device.sign(key=make_key(self.key_type))]

        for _ in range(2):
            await authority.revoke_client_certificates(*device.subject.place, device.client_id)

        assert await device.good() == []
        for each in signed:
            viewed = await authority.view_certificate(*device.subject.place, each.serial)
            assert viewed.revoked

    async def test_a_key_whose_certificate_was_revoked_gets_a_new_one(self, device: Device) -> None:
        first = await device.sign()
        await device.subject.authority.revoke_certificate(*device.subject.place, first.serial)

        second = await device.sign()

        assert second.serial != first.serial
        assert await device.good() == [second.serial]

    async def test_a_revoked_certificate_is_on_the_list_of_its_issuer(self, device: Device) -> None:
        authority = device.subject.authority
        kept, revoked = await device.sign(), await device.sign(key=make_key(self.key_type))
        await authority.revoke_certificate(*device.subject.place, revoked.serial)

        crl = x509.load_der_x509_crl(await authority.revocation_list())

        issuer = x509.load_pem_x509_certificates((await authority.chain()).encode())[0]
        assert crl.is_signature_valid(check_strength(issuer.public_key()))
        serials = {each.serial_number for each in crl}
        assert parsed(revoked).serial_number in serials
        assert parsed(kept).serial_number not in serials

    async def test_an_unknown_serial_is_not_found(self, subject: CertificateSubject) -> None:
        with pytest.raises(NotFound):
            await subject.authority.view_certificate(*subject.place, UNKNOWN_SERIAL)
        with pytest.raises(NotFound):
            await subject.authority.revoke_certificate(*subject.place, UNKNOWN_SERIAL)

    async def test_a_client_without_certificates_has_none(
        self, subject: CertificateSubject
    ) -> None:
        unknown = str(uuid4())

        assert list(await subject.authority.list_certificates(*subject.place, unknown)) == []
        await subject.authority.revoke_client_certificates(*subject.place, unknown)

    async def test_what_is_no_request_is_refused(self, device: Device) -> None:
        authority = device.subject.authority

        for csr in ("", "not PEM", device.request().csr.replace("A", "B", 5)):
            with pytest.raises(Rejected):
                await authority.sign(
                    *device.subject.place, SigningRequest(device.client_id, csr, HOUR)
                )

        assert await device.good() == []

    async def test_a_bad_token_is_refused(self, device: Device) -> None:
        authority, domain_id = device.subject.authority, device.subject.domain_id
        bad = Secret("no.such.token")
        serial = (await device.sign()).serial

        for call in (
            authority.sign(bad, domain_id, device.request()),
            authority.view_certificate(bad, domain_id, serial),
            authority.list_certificates(bad, domain_id, device.client_id),
            authority.revoke_certificate(bad, domain_id, serial),
            authority.revoke_client_certificates(bad, domain_id, device.client_id),
        ):
            with pytest.raises(InvalidToken):
                await call

        assert await device.good() == [serial]

    async def test_an_unknown_domain_shows_and_changes_nothing(self, device: Device) -> None:
        authority, token = device.subject.authority, device.subject.token
        elsewhere, serial = str(uuid4()), (await device.sign()).serial

        for call in (
            authority.sign(token, elsewhere, device.request()),
            authority.view_certificate(token, elsewhere, serial),
            authority.revoke_certificate(token, elsewhere, serial),
        ):
            with pytest.raises(PlatformError) as caught:
                await call
            assert caught.value.status in (NotAMember.status, NotFound.status)

        assert await device.good() == [serial]
