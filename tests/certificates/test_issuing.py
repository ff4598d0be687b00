"""Certificates on request: issued as asked, shown, revoked; each mistake has a clear answer."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID

from tests.certificates.world import Device, SettableClock, post, public, read, serving
from tests.embedded.people import person
from tests.service.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS = Path(__file__).parents[1] / "data" / "requests"
OF_REQUESTS = "39895738-3277-469c-a863-5a52659e798e"
"""The client that the requests in files are for."""
UNKNOWN = "11111111-2222-4333-8444-555555555555"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("service"), SettableClock()) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def client(running: Running) -> str:
    made = await post(running, "/clients", name="c")
    return str(made.json()["id"])


async def listed(running: Running, client_id: str) -> list[dict[str, Any]]:
    page = await running.get(f"/cert?client_id={client_id}")
    return list(page["certificates"])


async def test_a_certificate_names_its_client_and_verifies_through_the_chain(
    running: Running, client: str
) -> None:
    answer = await post(running, "/cert", client_id=client, ttl="1h30m")
    assert answer.status_code == 201
    made = answer.json()
    certificate = read(made["certificate"])
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == client
    issuer, root = x509.load_pem_x509_certificates(made["ca_cert"].encode())
    certificate.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)
    key: Any = load_pem_private_key(made["key"].encode(), None)
    assert public(key.public_key()) == public(certificate.public_key())
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(minutes=89) < left <= timedelta(minutes=90)
    assert made["expiry_time"] == certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z")


async def test_the_legacy_names_work(running: Running, client: str) -> None:
    body = {"thing_id": client, "key_bits": 2048, "ttl": "10h"}
    answer = await running.http.post("/cert", json=body, headers=running.headers)
    assert answer.status_code == 201
    key = read(answer.json()["certificate"]).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({}, ec.EllipticCurvePublicKey),
        ({"key_bits": 256}, ec.EllipticCurvePublicKey),
        ({"key_type": "ed25519"}, ed25519.Ed25519PublicKey),
        ({"key_type": "rsa"}, rsa.RSAPublicKey),
    ],
)
async def test_the_key_is_of_the_type_asked_for(
    running: Running, client: str, asked: dict[str, Any], kind: type
) -> None:
    made = (await post(running, "/cert", client_id=client, **asked)).json()
    assert isinstance(read(made["certificate"]).public_key(), kind)


async def test_a_device_that_holds_its_key_gets_a_certificate_and_no_key(
    running: Running, client: str
) -> None:
    device = Device.new()
    made = (await post(running, "/cert", client_id=client, csr=device.request(client))).json()
    assert device.has(made["certificate"])
    assert made["key"] == ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client_of_requests(running: Running) -> str:
    assert (await post(running, "/clients", id=OF_REQUESTS, name="of requests")).status_code == 201
    return OF_REQUESTS


async def test_a_request_of_an_older_mbed_tls_is_certified(
    running: Running, client_of_requests: str
) -> None:
    csr = (REQUESTS / "mbedtls-ec-p256.csr").read_text()
    answer = await post(running, "/cert", client_id=client_of_requests, csr=csr)
    assert answer.status_code == 201
    assert public_key_of(csr) == public(read(answer.json()["certificate"]).public_key())


def public_key_of(csr: str) -> bytes:
    """Return the public key of a request (DER), as openssl reads it."""
    said = subprocess.run(
        ["openssl", "req", "-noout", "-pubkey"],
        input=csr,
        check=True,
        capture_output=True,
        text=True,
    )
    return public(load_pem_public_key(said.stdout.encode()))


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("sha1.csr", "invalid_certificate_request", "signed with SHA-1, which is not accepted"),
        ("rsa-pss-key.csr", "weak_key", "RSA-PSS alone is not accepted: use a plain RSA key"),
    ],
)
async def test_a_request_that_is_refused_is_told_why(
    running: Running, client_of_requests: str, file: str, code: str, words: str
) -> None:
    csr = (REQUESTS / file).read_text()
    answer = await post(running, "/cert", client_id=client_of_requests, csr=csr)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert words in answer.json()["message"]


def weak() -> str:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def for_host() -> str:
    names = x509.SubjectAlternativeName([x509.DNSName("broker.example.com")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.add_extension(names, critical=False).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    return signed.public_bytes(Encoding.PEM).decode()


GOOD = Device.new().request()


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"csr": "x"}, "invalid_certificate_request", "PKCS #10 in PEM form"),
        ({"csr": GOOD.replace("M", "N", 1)}, "invalid_certificate_request", "PKCS #10"),
        ({"csr": "x" * 16_385}, "invalid_fields", "at most 16384"),
        ({"csr": weak()}, "weak_key", "1024 bits"),
        ({"csr": Device.new().request("admin")}, "name_not_allowed", "CN=admin"),
        ({"csr": for_host()}, "name_not_allowed", "broker.example.com"),
        ({"csr": GOOD, "key_type": "rsa"}, "invalid_fields", "brings its own key"),
        ({"key_type": "dsa"}, "invalid_fields", "rsa-2048, rsa-4096, ec-p256"),
        ({"key_bits": 1024}, "invalid_fields", "1024 bits"),
        ({"key_bits": "many"}, "invalid_fields", "key_bits: must be a whole number"),
        ({"ttl": "0s"}, "invalid_fields", 'at least "1s"'),
        ({"ttl": "-1h"}, "invalid_fields", 'at least "1s"'),
        ({"ttl": "tomorrow"}, "invalid_fields", "not a duration"),
        ({"ttl": "9999999h"}, "invalid_fields", "292 years"),
        ({"ttl": "99999h"}, "lifetime_too_long", "the authority that signs ends at"),
    ],
)
async def test_bad_input_has_a_clear_answer_and_issues_nothing(
    running: Running, client: str, fields: dict[str, Any], code: str, words: str
) -> None:
    answer = await post(running, "/cert", client_id=client, **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert words in answer.json()["message"]
    assert await listed(running, client) == []


async def test_an_unknown_client_is_told_as_the_go_service_does(running: Running) -> None:
    answer = await post(running, "/cert", client_id=UNKNOWN, csr=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_client")
    assert UNKNOWN in answer.json()["message"]
    for path in (f"/cert?client_id={UNKNOWN}", f"/certs?entity_id={UNKNOWN}"):
        answer = await running.http.get(f"/{running.domain}{path}", headers=running.headers)
        assert answer.json().get("certificates", []) == []


async def test_without_a_client_nothing_is_issued(running: Running) -> None:
    answer = await post(running, "/cert", ttl="1h")
    assert answer.status_code == 400
    assert "client_id" in answer.json()["message"]


async def test_certificates_are_listed_newest_first_and_shown_whole(
    running: Running, client: str
) -> None:
    first = (await post(running, "/cert", client_id=client)).json()
    second = (await post(running, "/cert", client_id=client)).json()
    serials = [each["serial_number"] for each in await listed(running, client)]
    assert serials == [second["serial_number"], first["serial_number"]]
    shown = await running.get(f"/cert/{first['serial_number']}")
    assert shown == {
        "serial_number": first["serial_number"],
        "client_id": client,
        "expiry_time": first["expiry_time"],
        "revoked": False,
        "in_use": False,
        "certificate": first["certificate"],
    }


@pytest.mark.parametrize("query", ["", "?client_id=a&external_id=b"])
async def test_a_list_is_of_one_client_or_one_gateway(running: Running, query: str) -> None:
    answer = await running.http.get(f"/{running.domain}/cert{query}", headers=running.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_fields")


async def test_a_revoked_certificate_is_on_the_list_and_is_not_revoked_twice(
    running: Running, client: str
) -> None:
    made = (await post(running, "/cert", client_id=client)).json()
    path = f"/cert/{made['serial_number']}"
    assert (await post(running, f"{path}/revoke")).status_code == 204
    crl = x509.load_der_x509_crl((await running.http.get("/certs/crl.der")).content)
    entry = crl.get_revoked_certificate_by_serial_number(read(made["certificate"]).serial_number)
    assert entry is not None
    again = await post(running, f"{path}/revoke")
    assert (again.status_code, again.json()["code"]) == (409, "certificate_revoked")
    renewal = await post(running, f"{path}/renew")
    assert (renewal.status_code, renewal.json()["code"]) == (409, "certificate_revoked")
    assert len(await listed(running, client)) == 1


@pytest.mark.parametrize("action", ["", "/revoke", "/renew"])
async def test_an_unknown_serial_is_not_found(running: Running, action: str) -> None:
    path = f"/{running.domain}/cert/00:01{action}"
    method = "POST" if action else "GET"
    body = {"json": {}} if action else {}
    answer = await running.http.request(method, path, headers=running.headers, **body)
    assert answer.status_code == 404


async def test_a_renewal_leaves_the_certificate_before_as_it_is(
    running: Running, client: str
) -> None:
    old = (await post(running, "/cert", client_id=client)).json()
    answer = await post(running, f"/cert/{old['serial_number']}/renew", ttl="2h")
    assert answer.status_code == 201
    assert answer.json()["serial_number"] != old["serial_number"]
    assert public(read(answer.json()["certificate"]).public_key()) != public(
        read(old["certificate"]).public_key()
    )
    assert [each["revoked"] for each in await listed(running, client)] == [False, False]


async def test_a_renewal_leaves_a_device_its_own_key(tmp_path: Path) -> None:
    clock = SettableClock()
    async with serving(tmp_path, clock) as running:
        client = (await post(running, "/clients", name="own key")).json()["id"]
        device = Device.new()
        old = await post(running, "/cert", client_id=client, csr=device.request(), ttl="240h")
        path = f"/cert/{old.json()['serial_number']}/renew"
        clock.offset = timedelta(hours=200)

        renewed = await post(running, path)
        assert renewed.status_code == 201
        assert renewed.json()["serial_number"] != old.json()["serial_number"]
        assert renewed.json()["key"] == ""
        assert device.has(renewed.json()["certificate"])

        # The next one as well, with another life; and another key only where one is asked for.
        clock.offset = timedelta(hours=2_600)
        again = await post(running, f"/cert/{renewed.json()['serial_number']}/renew", ttl="2h")
        assert device.has(again.json()["certificate"])
        other = await post(running, path, key_type="ec-p256")
        assert other.json()["key"]
        assert not device.has(other.json()["certificate"])


async def test_a_member_who_may_only_look_gets_no_certificate_and_revokes_none(
    running: Running, client: str
) -> None:
    made = (await post(running, "/cert", client_id=client)).json()
    reader = await person(running.http, running.token, "reader")
    role = {"role_name": "reader", "optional_actions": ["read", "client_read"]}
    role["optional_members"] = [reader.id]
    answer = await running.http.post(
        f"/domains/{running.domain}/roles", json=role, headers=running.headers
    )
    assert answer.status_code == 201, answer.text
    path = f"/{running.domain}/cert"
    shown = await reader.ask("GET", f"{path}/{made['serial_number']}")
    assert shown.status_code == 200
    for call, body in (
        ("", {"client_id": client}),
        (f"/{made['serial_number']}/revoke", {}),
        (f"/{made['serial_number']}/renew", {}),
    ):
        refused = await reader.ask("POST", path + call, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
    assert [each["revoked"] for each in await listed(running, client)] == [False]


async def test_strangers_see_and_change_nothing(running: Running, client: str) -> None:
    made = (await post(running, "/cert", client_id=client)).json()
    someone = {
        "first_name": "some",
        "last_name": "one",
        "email": "someone@example.com",
        "credentials": {"username": "someone", "secret": "12345678"},
    }
    await running.http.post("/users", json=someone, headers=running.headers)
    signed_in = await running.http.post(
        "/users/tokens/issue", json={"username": "someone", "password": "12345678"}
    )
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    serial = made["serial_number"]
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/cert", {"client_id": client}),
        ("GET", f"/cert?client_id={client}", None),
        ("GET", f"/cert/{serial}", None),
        ("POST", f"/cert/{serial}/revoke", {}),
        ("POST", f"/cert/{serial}/renew", {}),
    ]
    for method, path, body in calls:
        for sent, status in ((headers, 403), ({}, 401)):
            answer: httpx.Response = await running.http.request(
                method, f"/{running.domain}{path}", headers=sent, json=body
            )
            assert answer.status_code == status
    assert [each["revoked"] for each in await listed(running, client)] == [False]
