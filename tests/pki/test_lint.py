"""A linter (pkilint) finds nothing wrong with what the authority issues."""

import importlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from provision.pki.keys import KeyType, make_key
from provision.pki.profiles import ClientProfile
from provision.pki.status import Revocation, answer, make_revocation_list, read_questions
from tests.pki.test_ocsp import STATES, request_for
from tests.pki.tools import NOW, hierarchy, issued, server_identity

# The linters leave closing their files to the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

HIERARCHY = hierarchy()
ISSUER = HIERARCHY.intermediate
PROFILE = ClientProfile(
    crl_url="http://ca.example.com/crl.der", ocsp_url="http://ca.example.com/ocsp"
)


Lint = Callable[..., str]


@pytest.fixture
def findings(capsys: pytest.CaptureFixture[str]) -> Lint:
    """Runs one of the linters in this process: each takes a second to import."""

    def lint(linter: str, *arguments: str | Path) -> str:
        program = importlib.import_module(f"pkilint.bin.{linter}")
        program.main(["lint", "-s", "NOTICE", *map(str, arguments)])
        said = capsys.readouterr()
        assert not said.err
        return said.out.strip()

    return lint


def test_the_linter_finds_what_is_wrong(findings: Lint, tmp_path: Path) -> None:
    certificate, _ = server_identity(tmp_path)

    assert "key_identifier" in findings("lint_pkix_cert", certificate)


@pytest.mark.parametrize("key_type", [KeyType.EC_P256, KeyType.RSA_2048, KeyType.ED25519])
def test_client_certificates(findings: Lint, key_type: KeyType, tmp_path: Path) -> None:
    client = issued(ISSUER, key=make_key(key_type), profile=PROFILE, ttl=timedelta(hours=2400))
    certificate, _ = client.write(tmp_path)
    (tmp_path / "issuer.pem").write_bytes(ISSUER.certificate.public_bytes(Encoding.PEM))

    assert findings("lint_pkix_cert", certificate) == ""
    assert (
        findings("lint_pkix_signer_signee_cert_chain", tmp_path / "issuer.pem", certificate) == ""
    )


def test_authorities(findings: Lint, tmp_path: Path) -> None:
    paths = [tmp_path / "root.pem", tmp_path / "issuer.pem"]
    for path, authority in zip(paths, (HIERARCHY.root, ISSUER), strict=True):
        path.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        assert findings("lint_pkix_cert", path) == ""

    assert findings("lint_pkix_signer_signee_cert_chain", *paths) == ""


def test_the_list_of_the_revoked(findings: Lint, tmp_path: Path) -> None:
    path = tmp_path / "crl.der"
    path.write_bytes(make_revocation_list(ISSUER, [Revocation(12345, NOW)], NOW))

    assert findings("lint_crl", "-t", "CRL", "-p", "PKIX", path) == ""


@pytest.mark.parametrize("state", STATES)
def test_ocsp_answers(findings: Lint, state: str, tmp_path: Path) -> None:
    der = request_for(issued(ISSUER), ISSUER, hashes.SHA256(), b"n" * 16)
    path = tmp_path / "answer.der"
    answered = [(each, STATES[state]) for each in read_questions(der)]
    path.write_bytes(answer(ISSUER, answered, NOW))

    assert findings("lint_ocsp_response", path) == ""
