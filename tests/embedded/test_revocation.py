"""What the embedded authority says of certificates that were revoked: CRL and OCSP."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.issuer_store import open_issuer
from provision.pki.issuer import Issuer, make_hierarchy
from provision.pki.keys import check_strength, make_key
from provision.pki.profiles import ClientProfile
from provision.pki.status import CRL_LIFETIME
from tests.embedded.gateways import HOUR, START, Clock, Gateway
from tests.embedded.service import SEALER, Installation, http_client, with_certificates
from tests.pki.tools import issued, openssl

SHA1 = hashes.SHA1()  # noqa: S303 - what clients name certificates with in OCSP requests


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
