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
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from structlog.testing import capture_logs

from provision.errors import StartError
from provision.pki.issuer import Issuer
from provision.pki.keys import make_key
from provision.pki.status import make_revocation_list
from tests.certificates.world import (
    MADE,
    SettableClock,
    certificates,
    eventually,
    post,
    read,
    serving,
)
from tests.pki.test_issuer import CA, authority, usage
from tests.pki.tools import DAY, NOW, hierarchy, openssl
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
    return openssl("verify", "-crl_check_all", *trusted, certificate)


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
            lists = await running.http.get("/certs/crl.pem")
            (tmp_path / "crl.pem").write_text(lists.text)

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


async def test_magistralas_sdk_asks_in_json_for_the_state_of_a_certificate(tmp_path: Path) -> None:
    async with serving(tmp_path, SettableClock()) as running:
        made = (await running.map()).json()
        (pem,) = made["client_cert"].values()
        (known,) = await certificates(running)
        serial = known["serial_number"]

        async def asked(**question: str) -> ocsp.OCSPResponse:
            answer = await running.http.post("/certs/ocsp", json=question)
            assert answer.headers["content-type"] == "application/ocsp-response"
            return ocsp.load_der_ocsp_response(answer.content)

        by_serial = await asked(serial_number=serial)
        assert by_serial.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert by_serial.serial_number == read(pem).serial_number
        await post(running, f"/cert/{serial}/revoke")
        for question in (
            {"serial_number": serial.replace(":", "").upper()},
            {"certificate": pem},
        ):
            assert (await asked(**question)).certificate_status is ocsp.OCSPCertStatus.REVOKED
        absent = await asked(serial_number="00:11")
        assert absent.certificate_status is ocsp.OCSPCertStatus.UNKNOWN

        for question, words in (
            ({}, "serial_number or certificate (PEM) is needed"),
            ({"serial_number": "eleven"}, "must be the number in hex"),
            ({"certificate": "eleven"}, "must be one in PEM form"),
        ):
            refused = await running.http.post("/certs/ocsp", json=question)
            assert refused.status_code == 400
            assert words in refused.json()["message"]


async def test_the_responder_tells_the_states_of_several_certificates_at_once(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, SettableClock()) as running:
        names = []
        for name in ("gw-1", "gw-2"):
            made = (await running.map(name)).json()
            (tmp_path / f"{name}.pem").write_text(*made["client_cert"].values())
            names += ["-cert", str(tmp_path / f"{name}.pem")]
        (tmp_path / "chain.pem").write_text(made["ca_cert"])
        (known,) = await certificates(running, "gw-2")
        await post(running, f"/cert/{known['serial_number']}/revoke")
        about = ("-issuer", tmp_path / "chain.pem", *names, "-no_nonce")
        openssl("ocsp", *about, "-reqout", tmp_path / "question.der")
        question = (tmp_path / "question.der").read_bytes()
        answer = await running.http.post("/certs/ocsp", content=question)
    (tmp_path / "answer.der").write_bytes(answer.content)
    trusted = ("-CAfile", tmp_path / "chain.pem")
    said = openssl("ocsp", *about, "-respin", tmp_path / "answer.der", *trusted)
    assert "Response verify OK" in said.stderr
    assert f"{tmp_path / 'gw-1.pem'}: good\n" in said.stdout
    assert f"{tmp_path / 'gw-2.pem'}: revoked\n" in said.stdout


@pytest.mark.slow
async def test_the_lists_of_the_authorities_above_an_own_one_come_from_a_file(
    tmp_path: Path,
) -> None:
    made = hierarchy()
    files = write_issuer(tmp_path, made.intermediate, b"open sesame")
    files["MG_PROVISION_ISSUER_KEY_PASSPHRASE"] = "open sesame"
    files["MG_PROVISION_ISSUER_CRL"] = str(tmp_path / "above.pem")
    upper = x509.load_der_x509_crl(make_revocation_list(made.root, [], NOW))
    (tmp_path / "above.pem").write_bytes(upper.public_bytes(Encoding.PEM))
    async with serving(tmp_path, SettableClock(), **files) as running:
        answer = (await running.map()).json()
        (tmp_path / "chain.pem").write_text(answer["ca_cert"])
        (tmp_path / "client.pem").write_text(*answer["client_cert"].values())
        lists = await running.http.get("/certs/crl.pem")
        (tmp_path / "crl.pem").write_text(lists.text)
        assert verify(tmp_path, tmp_path / "client.pem").returncode == 0

        ended = x509.load_der_x509_crl(make_revocation_list(made.root, [], NOW - 8 * DAY))
        (tmp_path / "above.pem").write_bytes(ended.public_bytes(Encoding.PEM))
        refused = await running.http.get("/certs/crl.pem")
        assert refused.status_code == 503
        assert "Root CA,O=Provision Tests' has ended at" in refused.json()["message"]

        (tmp_path / "above.pem").unlink()
        refused = await running.http.get("/certs/crl.pem")
        assert refused.status_code == 503
        assert "issuer_crl: No such file" in refused.json()["message"]
        assert (await running.http.get("/certs/crl.der")).status_code == 200


async def test_where_the_lists_of_the_authorities_above_are_missing_is_told(
    tmp_path: Path,
) -> None:
    files = write_issuer(tmp_path, hierarchy().intermediate, b"open sesame")
    files["MG_PROVISION_ISSUER_KEY_PASSPHRASE"] = "open sesame"
    with capture_logs() as logs:
        async with serving(tmp_path, SettableClock(), **files) as running:
            lists = (await running.http.get("/certs/crl.pem")).text
    assert lists.count("BEGIN X509 CRL") == 1
    (warning,) = (each for each in logs if "without_crl" in each)
    assert warning["log_level"] == "warning"
    assert warning["without_crl"] == ["CN=Provision Tests Root CA,O=Provision Tests"]


NO_AUTHORITY_BELOW = x509.BasicConstraints(ca=True, path_length=0)
SERVERS_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
OTHER_NAMES = x509.NameConstraints([x509.UniformResourceIdentifier("gateways.example.com")], None)


@pytest.mark.parametrize(
    ("root", "below", "words"),
    [
        ((NO_AUTHORITY_BELOW,), (CA,), "path length"),
        ((CA, SERVERS_ONLY), (CA,), "unsuitable certificate purpose"),
        ((CA,), (CA, SERVERS_ONLY), "unsuitable certificate purpose"),
        ((CA,), (CA, OTHER_NAMES), "permitted subtree"),
    ],
    ids=["path length", "purpose of root", "purpose", "names"],
)
async def test_an_authority_whose_certificates_nobody_accepts_is_told_at_the_start(
    tmp_path: Path,
    root: tuple[x509.ExtensionType, ...],
    below: tuple[x509.ExtensionType, ...],
    words: str,
) -> None:
    root_key, key = make_key(), make_key()
    above = Issuer(root_key, [authority(root_key, extensions=(*root, usage()))])
    own = authority(key, name="Acme Intermediate", above=above, extensions=(*below, usage()))
    files = write_issuer(tmp_path, Issuer(key, [own, *above.chain]), b"open sesame")
    files["MG_PROVISION_ISSUER_KEY_PASSPHRASE"] = "open sesame"
    with pytest.raises(StartError, match=f"issuer_chain .*does not verify .*{words}"):
        async with serving(tmp_path, SettableClock(), **files):
            pass


async def test_a_list_of_another_authority_is_told_at_the_start(tmp_path: Path) -> None:
    files = write_issuer(tmp_path, hierarchy().intermediate, b"open sesame")
    files["MG_PROVISION_ISSUER_KEY_PASSPHRASE"] = "open sesame"
    files["MG_PROVISION_ISSUER_CRL"] = str(tmp_path / "above.der")
    (tmp_path / "above.der").write_bytes(make_revocation_list(hierarchy().root, [], NOW))
    with pytest.raises(StartError, match=r"above\.der.*not signed by an authority above"):
        async with serving(tmp_path, SettableClock(), **files):
            pass


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
