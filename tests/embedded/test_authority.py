"""The embedded authority beyond its contract: repeats, restarts, clocks, CRL and OCSP."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlalchemy import select, update

from bootstrap_core.errors import SealedValueUnreadable
from bootstrap_core.sealing import Sealer, SealingKey
from bootstrap_core.secret import Secret
from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.certificate_tables import authorities
from provision.embedded.issuer_store import open_issuer, reseal_issuer
from provision.pki.errors import IssuerUnusable
from provision.pki.issuer import INTERMEDIATE_LIFETIME, Issuer, make_hierarchy
from provision.pki.keys import check_strength, fingerprint, make_key
from provision.pki.profiles import ClientProfile
from provision.pki.requests import Holder, make_request
from provision.pki.revocation import CRL_LIFETIME
from provision.platform.errors import NotAMember, NotFound, Rejected, Unavailable
from provision.platform.types import Certificate, NewClient, SigningRequest
from tests.embedded.service import SEALER, Installation, http_client, with_certificates
from tests.pki.tools import issued, openssl

HOUR = timedelta(hours=1)
START = datetime.now(UTC).replace(microsecond=0)
SHA1 = hashes.SHA1()  # noqa: S303 - what clients name certificates with in OCSP requests


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(installed: Installation) -> Issuer:
    return await open_issuer(installed.engine, SEALER, "Tests", START)


@pytest.fixture
def authority(installed: Installation, issuer: Issuer, clock: Clock) -> EmbeddedAuthority:
    return EmbeddedAuthority(installed.engine, installed.platform, issuer, ClientProfile(), clock)


class Gateway:
    """A client of the operator's domain, and what it asks of an authority."""

    def __init__(self, installed: Installation, client_id: str) -> None:
        self.place = (installed.token, installed.operator.domain_id)
        self.client_id = client_id
        self.key = make_key()

    def request(self, ttl: timedelta = 30 * HOUR) -> SigningRequest:
        holder = Holder(self.place[1], self.client_id)
        return SigningRequest(self.client_id, make_request(self.key, holder), ttl)

    async def sign(self, authority: EmbeddedAuthority, ttl: timedelta = 30 * HOUR) -> Certificate:
        return await authority.sign(*self.place, self.request(ttl))

    async def listed(self, authority: EmbeddedAuthority) -> list[Certificate]:
        return list(await authority.list_certificates(*self.place, self.client_id))


@pytest.fixture
async def gateway(installed: Installation) -> Gateway:
    draft = NewClient(str(uuid4()), "gw", Secret(str(uuid4())))
    await installed.platform.create_clients(installed.token, installed.operator.domain_id, [draft])
    return Gateway(installed, draft.id)


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


async def crl(authority: EmbeddedAuthority) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(await authority.revocation_list())


async def test_the_list_of_the_revoked_is_kept_until_something_changes(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    first = await authority.revocation_list()
    clock.now += HOUR
    assert await authority.revocation_list() == first

    signed = await gateway.sign(authority)
    await authority.revoke_certificate(*gateway.place, signed.serial)
    assert len(list(await crl(authority))) == 1

    second = await authority.revocation_list()
    clock.now += CRL_LIFETIME / 2
    assert await authority.revocation_list() != second


async def test_an_entry_stays_for_one_list_beyond_the_certificates_end(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    signed = await gateway.sign(authority)
    await authority.revoke_certificate(*gateway.place, signed.serial)

    clock.now = signed.expires_at + CRL_LIFETIME - HOUR
    assert len(list(await crl(authority))) == 1
    clock.now += 2 * HOUR
    assert len(list(await crl(authority))) == 0


async def test_an_entry_that_comes_as_another_leaves_is_listed(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    made = []
    for days in (1, 60, 60):
        gateway.key = make_key()
        made.append(await gateway.sign(authority, days * 24 * HOUR))
    old, second, third = made
    await authority.revoke_certificate(*gateway.place, old.serial)
    clock.now = old.expires_at + CRL_LIFETIME - HOUR / 3600
    await authority.revoke_certificate(*gateway.place, second.serial)
    assert len(list(await crl(authority))) == 2
    await authority.revoke_certificate(*gateway.place, third.serial)

    clock.now += 2 * HOUR / 3600
    listed = {each.serial_number for each in await crl(authority)}
    assert listed == {int(each.serial.replace(":", ""), 16) for each in (second, third)}


async def test_the_time_of_the_first_revocation_stays(
    gateway: Gateway, authority: EmbeddedAuthority, clock: Clock
) -> None:
    signed = await gateway.sign(authority)
    await authority.revoke_certificate(*gateway.place, signed.serial)
    revoked_at = clock.now
    clock.now += HOUR
    await authority.revoke_certificate(*gateway.place, signed.serial)
    await authority.revoke_client_certificates(*gateway.place, gateway.client_id)

    assert [each.revocation_date_utc for each in await crl(authority)] == [revoked_at]


async def test_openssl_refuses_what_the_authority_revoked(
    gateway: Gateway, authority: EmbeddedAuthority, tmp_path: Path
) -> None:
    signed = await gateway.sign(authority)
    paths = {name: tmp_path / name for name in ("client.pem", "chain.pem", "before", "after")}
    paths["client.pem"].write_text(signed.certificate)
    paths["chain.pem"].write_text(await authority.chain())
    paths["before"].write_bytes(await authority.revocation_list())
    await authority.revoke_certificate(*gateway.place, signed.serial)
    paths["after"].write_bytes(await authority.revocation_list())

    def verified(list_name: str) -> str:
        done = openssl(
            "verify",
            "-crl_check",
            "-CAfile",
            paths["chain.pem"],
            "-CRLfile",
            paths[list_name],
            paths["client.pem"],
        )
        return done.stdout + done.stderr

    assert verified("before").endswith("OK\n")
    assert "certificate revoked" in verified("after")


async def asked(
    authority: EmbeddedAuthority, issuer: Issuer, certificate: x509.Certificate
) -> ocsp.OCSPResponse:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer.certificate, SHA1)
    question = builder.build().public_bytes(Encoding.DER)
    return ocsp.load_der_ocsp_response(await authority.answer_ocsp(question))


async def test_ocsp_tells_good_revoked_and_unknown(
    gateway: Gateway, authority: EmbeddedAuthority, issuer: Issuer, clock: Clock
) -> None:
    signed = await gateway.sign(authority)
    certificate = x509.load_pem_x509_certificate(signed.certificate.encode())

    assert (await asked(authority, issuer, certificate)).certificate_status.name == "GOOD"

    await authority.revoke_certificate(*gateway.place, signed.serial)
    answer = await asked(authority, issuer, certificate)
    assert answer.certificate_status.name == "REVOKED"
    assert answer.revocation_time_utc == clock.now

    elsewhere = x509.load_pem_x509_certificate(issued(issuer).certificate.pem.encode())
    never_issued = await asked(authority, issuer, elsewhere)
    assert never_issued.certificate_status.name == "UNKNOWN"


async def test_ocsp_answers_nonsense_with_malformed(authority: EmbeddedAuthority) -> None:
    answer = ocsp.load_der_ocsp_response(await authority.answer_ocsp(b"nonsense"))

    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


async def test_certificates_of_an_earlier_issuer_stay_listed_but_are_not_given_again(
    installed: Installation, gateway: Gateway, authority: EmbeddedAuthority
) -> None:
    first = await gateway.sign(authority)
    brought = make_hierarchy("Operator", START).intermediate
    later = EmbeddedAuthority(installed.engine, installed.platform, brought, ClientProfile())

    second = await gateway.sign(later)

    assert second.serial != first.serial
    assert {each.serial for each in await gateway.listed(later)} == {first.serial, second.serial}
    await later.revoke_certificate(*gateway.place, first.serial)
    assert list(await crl(later)) == []
    assert len(list(await crl(authority))) == 1


async def test_relying_parties_fetch_list_and_state_over_http(installed: Installation) -> None:
    own = await open_issuer(installed.engine, SEALER, "Tests", START)
    certificate = x509.load_pem_x509_certificate(issued(own).certificate.pem.encode())
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, own.certificate, SHA1)
    der = builder.build().public_bytes(Encoding.DER)

    async with http_client(await with_certificates(installed)) as http:
        crl_file = await http.get("/certs/crl.der")
        posted = await http.post("/certs/ocsp", content=der)
        got = await http.get(f"/certs/ocsp/{quote(base64.b64encode(der), safe='')}")
        nonsense = await http.get("/certs/ocsp/nonsense")

    assert crl_file.headers["content-type"] == "application/pkix-crl"
    public_key = check_strength(own.certificate.public_key())
    assert x509.load_der_x509_crl(crl_file.content).is_signature_valid(public_key)
    for answer in (posted, got):
        assert answer.headers["content-type"] == "application/ocsp-response"
        assert ocsp.load_der_ocsp_response(answer.content).certificate_status.name == "UNKNOWN"
    refused = ocsp.load_der_ocsp_response(nonsense.content)
    assert refused.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
