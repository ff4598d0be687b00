"""Magistrala's certificate routes, where the recordings do not reach."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bootstrap_core.secrets import Secret
from provision.pki.keys import KeyType, make_key
from provision.pki.requests import Holder, make_request
from provision.platform.calls import TransportSettings
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.magistrala.calls import Endpoints
from provision.platform.magistrala.certificates import MagistralaCertificates
from provision.platform.transport import Transport
from provision.platform.types import SigningRequest
from tests.embedded.people import Person
from tests.embedded.service import Installation, http_client, with_certificates

ADDRESS = "http://platform.test"


@pytest.fixture
async def http(installed: Installation) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(await with_certificates(installed)) as client:
        yield client


@pytest.fixture
async def domain_id(alice: Person) -> str:
    return await alice.domain("mine")


def _request(domain_id: str, client_id: str) -> str:
    return make_request(make_key(KeyType.EC_P256), Holder(domain_id, client_id))


async def _signed(alice: Person, domain_id: str, client_id: str, query: str = "") -> dict:
    csr = base64.b64encode(_request(domain_id, client_id).encode()).decode()
    answer = await alice.ask(
        "POST", f"/{domain_id}/certs/csrs/{client_id}{query}", json={"csr": csr}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_an_issued_key_fits_its_certificate(alice: Person, domain_id: str) -> None:
    client = await alice.client(domain_id)
    body = {"ttl": "1h30m", "options": {"common_name": "gw"}}

    issued = await alice.ask("POST", f"/{domain_id}/certs/issue/{client['id']}", json=body)

    made = issued.json()
    certificate = x509.load_pem_x509_certificate(made["certificate"].encode())
    key = load_pem_private_key(made["key"].encode(), None)
    assert certificate.public_key() == key.public_key()
    assert client["id"] in certificate.subject.rfc4514_string()
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(minutes=80) < left <= timedelta(minutes=90)


async def test_the_key_of_a_request_never_comes_back(alice: Person, domain_id: str) -> None:
    client = await alice.client(domain_id)

    signed = await _signed(alice, domain_id, client["id"], "?ttl=24h")

    assert "key" not in signed
    shown = (await alice.ask("GET", f"/{domain_id}/certs/{signed['serial_number']}")).json()
    assert shown == signed


async def test_a_renewal_is_another_certificate(alice: Person, domain_id: str) -> None:
    client = await alice.client(domain_id)
    signed = await _signed(alice, domain_id, client["id"])
    path = f"/{domain_id}/certs/{signed['serial_number']}"

    renewed = await alice.ask("PATCH", f"{path}/renew")

    assert renewed.status_code == 200
    fresh = renewed.json()["certificate"]
    assert fresh["serial_number"] != signed["serial_number"]
    assert fresh["entity_id"] == client["id"]
    assert (await alice.ask("PATCH", f"{path}/revoke")).status_code == 204
    assert (await alice.ask("PATCH", f"{path}/renew")).status_code == 400


async def test_certificates_are_listed_by_client_or_all(alice: Person, domain_id: str) -> None:
    ids = [(await alice.client(domain_id))["id"] for _ in range(2)]
    serials = [(await _signed(alice, domain_id, one))["serial_number"] for one in (*ids, ids[0])]

    everything = (await alice.ask("GET", f"/{domain_id}/certs?limit=2")).json()
    first = (await alice.ask("GET", f"/{domain_id}/certs?entity_id={ids[0]}")).json()

    assert (everything["total"], len(everything["certificates"])) == (3, 2)
    assert {one["serial_number"] for one in first["certificates"]} == {serials[0], serials[2]}
    assert all("certificate" not in one for one in everything["certificates"])


async def test_revoked_certificates_are_in_the_crl(alice: Person, domain_id: str) -> None:
    client = await alice.client(domain_id)
    signed = await _signed(alice, domain_id, client["id"])
    await alice.ask("PATCH", f"/{domain_id}/certs/{signed['serial_number']}/revoke")

    answer = await alice.http.get("/certs/crl")

    listed = x509.load_der_x509_crl(base64.b64decode(answer.json()["crl"]))
    serial = x509.load_pem_x509_certificate(signed["certificate"].encode()).serial_number
    assert listed.get_revoked_certificate_by_serial_number(serial) is not None
    chain = (await alice.http.get("/certs/view-ca")).json()["certificate"]
    issuer = x509.load_pem_x509_certificates(chain.encode())[0]
    assert listed.is_signature_valid(issuer.public_key())


async def test_nobody_certifies_another_tenant_s_client(
    alice: Person, bob: Person, domain_id: str
) -> None:
    his = await bob.domain("his")
    client = await alice.client(domain_id)
    csr = {"csr": base64.b64encode(_request(his, client["id"]).encode()).decode()}
    body = {"options": {"common_name": "gw"}}

    for path, sent in (("issue", body), ("csrs", csr)):
        there = await bob.ask("POST", f"/{domain_id}/certs/{path}/{client['id']}", json=sent)
        here = await bob.ask("POST", f"/{his}/certs/{path}/{client['id']}", json=sent)
        assert (there.status_code, here.status_code) == (500, 403)
    assert (await bob.ask("GET", f"/{domain_id}/certs")).status_code == 500
    assert (await bob.ask("DELETE", f"/{domain_id}/certs/{client['id']}/delete")).status_code == 500


async def test_another_domain_s_certificate_is_unknown(
    alice: Person, bob: Person, domain_id: str
) -> None:
    his = await bob.domain("his")
    signed = await _signed(alice, domain_id, (await alice.client(domain_id))["id"])
    path = f"/{his}/certs/{signed['serial_number']}"

    assert (await bob.ask("GET", path)).status_code == 422
    assert (await bob.ask("PATCH", f"{path}/revoke")).status_code == 422
    assert (await bob.ask("PATCH", f"{path}/renew")).status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("issue/x", {"options": {}}),
        ("issue/x", {"options": {"common_name": "gw"}, "ttl": "0s"}),
        ("issue/" + "x" * 65, {"options": {"common_name": "gw"}}),
        ("csrs/x", {}),
        ("csrs/x", {"csr": "not base64!"}),
        ("csrs/x", {"csr": "eA=="}),
    ],
)
async def test_what_cannot_be_issued_is_refused(
    alice: Person, domain_id: str, path: str, body: dict[str, object]
) -> None:
    answer = await alice.ask("POST", f"/{domain_id}/certs/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_a_lifetime_that_is_none_is_not_processed(alice: Person, domain_id: str) -> None:
    body = {"options": {"common_name": "gw"}, "ttl": "soon"}
    answer = await alice.ask("POST", f"/{domain_id}/certs/issue/x", json=body)
    assert answer.status_code == 422
    assert "ttl must be a duration" in answer.json()["message"]


@pytest.mark.parametrize("names", [[], None, "", ["a@example.com"]])
async def test_email_addresses_are_refused_in_any_form(
    alice: Person, domain_id: str, names: object
) -> None:
    client = await alice.client(domain_id)
    path = f"/{domain_id}/certs/issue/{client['id']}"
    options = {"common_name": "gw"}
    for body in (
        {"options": options, "email_addresses": names},
        {"options": options | {"email_addresses": names}},
    ):
        answer = await alice.ask("POST", path, json=body)
        assert answer.status_code == 400, answer.text
        assert "email_addresses" in answer.json()["message"]


async def test_the_chain_can_be_had_as_a_file(alice: Person) -> None:
    answer = await alice.http.get("/certs/download-ca")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == "attachment; filename=ca.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        chain = archive.read("ca.crt").decode()
    assert chain == (await alice.http.get("/certs/view-ca")).json()["certificate"]


async def test_a_disabled_domain_takes_no_certificates(alice: Person, domain_id: str) -> None:
    client = await alice.client(domain_id)
    await alice.ask("POST", f"/domains/{domain_id}/disable")
    body = {"options": {"common_name": "gw"}}

    answer = await alice.ask("POST", f"/{domain_id}/certs/issue/{client['id']}", json=body)

    assert answer.status_code == 403


async def test_the_adapter_to_magistrala_gets_along(
    installed: Installation, alice: Person, domain_id: str
) -> None:
    client_id = (await alice.client(domain_id))["id"]
    place = Secret(alice.access), domain_id
    wire = httpx.ASGITransport(app=await with_certificates(installed))
    endpoints = Endpoints(ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
    async with Transport(endpoints, TransportSettings(), wire) as transport:
        authority = MagistralaCertificates(transport, Magistrala(transport).clients)
        request = SigningRequest(client_id, _request(domain_id, client_id), timedelta(hours=1))
        signed = await authority.sign(*place, request)

        assert (await authority.view_certificate(*place, signed.serial)).revoked is False
        await authority.revoke_certificate(*place, signed.serial)
        await authority.revoke_certificate(*place, signed.serial)
        (listed,) = await authority.list_certificates(*place, client_id)
        assert (listed.serial, listed.revoked) == (signed.serial, True)
        await authority.revoke_client_certificates(*place, client_id)
        await authority.revoke_client_certificates(*place, str(uuid4()))
        assert x509.load_pem_x509_certificates((await authority.chain()).encode())
        assert x509.load_der_x509_crl(await authority.revocation_list())
