"""The adapter to the certs service: what it sends, and the habits of that service it lives with."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bootstrap_core.secrets import Secret
from provision.pki.status import make_revocation_list
from provision.platform.errors import BadAnswer, Failed, NotAMember, NotFound, Rejected, TimedOut
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.magistrala.certificates import MagistralaCertificates
from provision.platform.transport import Transport
from provision.platform.types import SigningRequest
from tests.pki.tools import hierarchy
from tests.platform import samples
from tests.platform.faulty import QUICK, FaultyServer, answers, closes, endpoints

TOKEN, DOMAIN, CLIENT = Secret("token"), "d", "7c2f84a1-8e5e-4b53-8a43-d0d3a0d0f2b2"
SERIAL = "0a:1b:2c"
VIEWED = {
    "serial_number": SERIAL,
    "certificate": "-----BEGIN CERTIFICATE-----",
    "revoked": False,
    "expiry_time": "2026-02-01T00:00:00Z",
    "entity_id": CLIENT,
}
NO_CLIENTS = {"total": 0, "limit": 10}
ONE_CLIENT = {"total": 1, "limit": 10, "clients": [samples.VIEWED]}
UNKNOWN = answers(422, {"message": "view entity failed"})
STRANGER = answers(500, {"message": "failed to perform authorization over the entity"})
CHAIN = answers(200, {"certificate": "the chain", "revoked": False})
REQUEST = SigningRequest(CLIENT, "-----BEGIN CERTIFICATE REQUEST-----", timedelta(hours=2400))


@pytest.fixture
async def certificates(server: FaultyServer) -> AsyncIterator[MagistralaCertificates]:
    async with (
        server.serving() as address,
        Transport(endpoints(address), QUICK) as transport,
    ):
        yield MagistralaCertificates(transport, Magistrala(transport).clients)


async def test_a_request_is_sent_as_the_service_reads_it(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.append(answers(200, VIEWED))

    signed = await certificates.sign(TOKEN, DOMAIN, REQUEST)

    sent = server.received[0]
    assert (sent.method, sent.path) == ("POST", f"/d/certs/csrs/{CLIENT}?ttl=2400h0m0s")
    assert base64.b64decode(sent.json["csr"]).decode() == REQUEST.csr
    assert signed.serial == SERIAL
    assert signed.expires_at == datetime(2026, 2, 1, tzinfo=UTC)


async def test_signing_is_not_repeated_when_it_may_have_taken_effect(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.otherwise = closes()

    with pytest.raises(TimedOut):
        await certificates.sign(TOKEN, DOMAIN, REQUEST)

    assert len(server.received) == 1


async def test_a_refusal_of_the_authority_is_told(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.append(answers(422, {"message": "failed to create certificate"}))

    with pytest.raises(Rejected, match="failed to create certificate") as caught:
        await certificates.sign(TOKEN, DOMAIN, REQUEST)

    assert caught.value.answered == 422


async def test_an_answer_without_a_certificate_is_refused(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.append(answers(200, {**VIEWED, "certificate": ""}))

    with pytest.raises(BadAnswer, match=r"certs service.*certificate is empty"):
        await certificates.sign(TOKEN, DOMAIN, REQUEST)


async def test_a_serial_keeps_its_colons_in_the_path(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.extend([answers(200, VIEWED), answers(200, ONE_CLIENT), answers(204)])

    await certificates.revoke_certificate(TOKEN, DOMAIN, SERIAL)

    assert [each.path.partition("?")[0] for each in server.received] == [
        "/d/certs/0a:1b:2c",
        "/d/clients",
        "/d/certs/0a:1b:2c/revoke",
    ]
    assert f"id={CLIENT}" in server.received[1].path
    assert "status=all" in server.received[1].path


async def test_a_certificate_of_another_domains_client_is_neither_shown_nor_revoked(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    for call in (certificates.view_certificate, certificates.revoke_certificate):
        server.script.extend([answers(200, VIEWED), answers(200, NO_CLIENTS)])
        with pytest.raises(NotFound, match="in this domain"):
            await call(TOKEN, DOMAIN, SERIAL)

    assert all(each.method == "GET" for each in server.received)


async def test_a_certificate_of_nobody_is_neither_shown_nor_revoked(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.extend([answers(200, {**VIEWED, "entity_id": ""}), answers(200, ONE_CLIENT)])

    with pytest.raises(NotFound):
        await certificates.view_certificate(TOKEN, DOMAIN, SERIAL)


async def test_an_unknown_serial_is_believed_while_the_authority_answers(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.extend([UNKNOWN, CHAIN])

    with pytest.raises(NotFound):
        await certificates.view_certificate(TOKEN, DOMAIN, SERIAL)


async def test_an_authority_that_is_down_does_not_make_certificates_unknown(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.otherwise = UNKNOWN

    with pytest.raises(Failed, match="view the CA"):
        await certificates.view_certificate(TOKEN, DOMAIN, SERIAL)


async def test_someone_who_is_no_member_is_told_so_at_once(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.otherwise = STRANGER

    with pytest.raises(NotAMember):
        await certificates.list_certificates(TOKEN, DOMAIN, CLIENT)
    with pytest.raises(NotAMember):
        await certificates.sign(TOKEN, DOMAIN, REQUEST)

    assert len(server.received) == 2


async def test_a_long_list_is_read_page_by_page(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    listed = {name: value for name, value in VIEWED.items() if name != "certificate"}
    # The service counts certificates that it then cannot view, and leaves those out.
    for size in (100, 99, 50):
        server.script.append(answers(200, {"total": 250, "certificates": [listed] * size}))

    found = await certificates.list_certificates(TOKEN, DOMAIN, CLIENT)

    assert len(found) == 249
    assert {each.certificate for each in found} == {""}
    assert [each.path.rpartition("?")[2] for each in server.received] == [
        f"entity_id={CLIENT}&offset={offset}&limit=100" for offset in (0, 100, 200)
    ]


async def test_the_chain_is_asked_for_once(
    server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.append(CHAIN)

    assert await certificates.chain() == await certificates.chain() == "the chain"
    assert [each.path for each in server.received] == ["/certs/view-ca"]
    assert "authorization" not in server.received[0].headers


@pytest.mark.parametrize("form", [Encoding.DER, Encoding.PEM])
async def test_the_list_of_the_revoked_comes_as_der(
    form: Encoding, server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    der = make_revocation_list(hierarchy().intermediate, [], datetime.now(UTC))
    octets = x509.load_der_x509_crl(der).public_bytes(form)
    server.script.append(answers(200, {"crl": base64.b64encode(octets).decode()}))

    assert await certificates.revocation_list() == der


@pytest.mark.parametrize("crl", ["", "no base64!", base64.b64encode(b"no CRL").decode(), None])
async def test_what_is_no_list_of_the_revoked_is_refused(
    crl: str | None, server: FaultyServer, certificates: MagistralaCertificates
) -> None:
    server.script.append(answers(200, {"crl": crl}))

    with pytest.raises(BadAnswer, match="crl"):
        await certificates.revocation_list()
