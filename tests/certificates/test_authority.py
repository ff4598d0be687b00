"""The authority that signs: made here or the operator's, and asked by whoever must trust it."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID

from provision.errors import StartError
from provision.pki.issuer import Issuer
from tests.certificates.world import (
    MADE,
    SettableClock,
    certificates,
    eventually,
    post,
    read,
    serving,
)
from tests.pki.tools import hierarchy, openssl
from tests.service.running import FaultyWire, Running, beside_platform, embedded

PUBLIC = "https://gateways.example.com"


def write_issuer(directory: Path, issuer: Issuer, passphrase: bytes) -> dict[str, str]:
    """Write an operator's authority; return the settings that name its files."""
    chain, key = directory / "issuer.pem", directory / "issuer.key"
    chain.write_text(issuer.chain_pem())
    key.write_bytes(
        issuer.key.signing_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
        )
    )
    return {"MG_PROVISION_ISSUER_CHAIN": str(chain), "MG_PROVISION_ISSUER_KEY": str(key)}


async def test_an_operators_own_authority_signs(tmp_path: Path) -> None:
    issuer = hierarchy().intermediate
    files = write_issuer(tmp_path, issuer, b"open sesame")
    secret = {"MG_PROVISION_ISSUER_KEY_PASSPHRASE": "open sesame"}
    async with serving(tmp_path, SettableClock(), **files, **secret) as running:
        made = (await running.map()).json()
    assert made["ca_cert"] == issuer.chain_pem()
    (certificate,) = made["client_cert"].values()
    read(certificate).verify_directly_issued_by(issuer.certificate)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MG_PROVISION_ISSUER_KEY_PASSPHRASE": "wrong"}, "passphrase"),
        ({"MG_PROVISION_ISSUER_KEY": "absent.key"}, r"absent\.key: No such file"),
        ({"MG_PROVISION_ISSUER_CHAIN": "other"}, "does not belong to its first certificate"),
    ],
)
async def test_an_authority_that_can_not_sign_is_told_at_the_start(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    files = write_issuer(tmp_path, hierarchy().intermediate, b"open sesame")
    if "other" in change.values():
        other = tmp_path / "other.pem"
        other.write_text(hierarchy().intermediate.chain_pem())
        change = {"MG_PROVISION_ISSUER_CHAIN": str(other)}
    settings = {"MG_PROVISION_ISSUER_KEY_PASSPHRASE": "open sesame"} | files | change
    with pytest.raises(StartError, match=words):
        async with serving(tmp_path, SettableClock(), **settings):
            pass


async def test_certificates_say_where_to_ask_where_the_service_knows_its_address(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, SettableClock(), MG_PROVISION_PUBLIC_URL=PUBLIC) as running:
        (certificate,) = (await running.map()).json()["client_cert"].values()
    extensions = read(certificate).extensions
    (point,) = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name
    assert point.full_name[0].value == f"{PUBLIC}/certs/crl.der"
    (access,) = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert access.access_method == AuthorityInformationAccessOID.OCSP
    assert access.access_location.value == f"{PUBLIC}/certs/ocsp"


async def test_without_a_public_address_certificates_name_none(tmp_path: Path) -> None:
    async with serving(tmp_path, SettableClock()) as running:
        (certificate,) = (await running.map()).json()["client_cert"].values()
    with pytest.raises(x509.ExtensionNotFound):
        read(certificate).extensions.get_extension_for_class(x509.CRLDistributionPoints)


async def ocsp_says(running: Running, directory: Path, certificate: Path) -> str:
    """Ask the service's responder with a request of openssl's, and let openssl judge."""
    chain, question = directory / "chain.pem", directory / "question.der"
    about = ("-issuer", chain, "-cert", certificate)
    openssl("ocsp", *about, "-no_nonce", "-reqout", question)
    answer = await running.http.post("/certs/ocsp", content=question.read_bytes())
    (directory / "answer.der").write_bytes(answer.content)
    said = openssl("ocsp", *about, "-respin", directory / "answer.der", "-CAfile", chain)
    assert "Response verify OK" in said.stderr
    return said.stdout


def verify(directory: Path, certificate: Path) -> subprocess.CompletedProcess[str]:
    trusted = ("-CAfile", directory / "chain.pem", "-CRLfile", directory / "crl.pem")
    return openssl("verify", "-crl_check", *trusted, certificate)


async def test_openssl_agrees_with_what_the_service_tells_anybody(tmp_path: Path) -> None:
    """The platform is a Magistrala here, and the authority the service's own."""
    async with beside_platform(tmp_path) as running:
        made = (await running.map()).json()
        chain = (await running.http.get("/certs/view-ca")).json()["certificate"]
        assert chain == made["ca_cert"]
        (tmp_path / "chain.pem").write_text(chain)
        certificate = tmp_path / "client.pem"
        certificate.write_text(*made["client_cert"].values())

        async def fetch_list() -> None:
            der = (await running.http.get("/certs/crl.der")).content
            crl = x509.load_der_x509_crl(der)
            (tmp_path / "crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))

        await fetch_list()
        assert verify(tmp_path, certificate).returncode == 0
        assert "client.pem: good" in await ocsp_says(running, tmp_path, certificate)

        (known,) = await certificates(running)
        await post(running, f"/cert/{known['serial_number']}/revoke")
        await fetch_list()
        assert "certificate revoked" in verify(tmp_path, certificate).stderr
        assert "client.pem: revoked" in await ocsp_says(running, tmp_path, certificate)
        text = openssl("crl", "-in", tmp_path / "crl.pem", "-CAfile", tmp_path / "chain.pem")
        assert "verify OK" in text.stderr


async def test_beside_a_magistrala_the_services_own_authority_renews_without_credentials(
    tmp_path: Path,
) -> None:
    clock = SettableClock(MADE)
    async with embedded(tmp_path / "platform") as platform:
        wire = FaultyWire(platform.http._transport)
        names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
        urls = {f"MG_PROVISION_{name}_URL": "http://platform" for name in names}
        async with serving(tmp_path, clock, platform, wire, **urls) as running:
            await running.map()
            clock.offset = timedelta(0)

            async def is_renewed() -> bool:
                return len(await certificates(running)) > 1

            await eventually(is_renewed)
