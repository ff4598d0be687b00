"""An installation's authority for tests, and the ``openssl`` command that judges its work."""

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from provision.pki.issuer import Hierarchy, Issuer, make_hierarchy
from provision.pki.keys import PrivateKey, make_key
from provision.pki.profiles import ClientProfile, IssuedCertificate, issue
from provision.pki.requests import Holder

HOLDER = Holder("6f3c1f0e-55a5-4b86-a4f1-3a4c7b3f8f10", "0f1d1b5e-8a5b-4f6a-9a55-93f3f55d9a01")
NOW = datetime.now(UTC)
WEEK_AGO = NOW - timedelta(days=7)
DAY = timedelta(days=1)
SERVER_NAMES = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]


@frozen
class Issued:
    """A client's certificate and its key."""

    certificate: IssuedCertificate
    key: PrivateKey

    def write(self, directory: Path, chain: str = "") -> tuple[Path, Path]:
        """Write both as PEM files, ``chain`` after the certificate."""
        certificate, key = directory / "client.pem", directory / "client.key"
        certificate.write_text(self.certificate.pem + chain)
        key.write_text(self.key.pem())
        return certificate, key


def hierarchy() -> Hierarchy:
    """Return an authority that has been there for a week."""
    return make_hierarchy("Provision Tests", WEEK_AGO)


def issued(
    issuer: Issuer,
    *,
    now: datetime = NOW,
    ttl: timedelta = DAY,
    key: PrivateKey | None = None,
    profile: ClientProfile | None = None,
) -> Issued:
    """Issue a certificate for ``HOLDER``."""
    key = key or make_key()
    certificate = issue(issuer, profile or ClientProfile(), HOLDER, key.public_key, ttl, now)
    return Issued(certificate, key)


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``openssl`` and return what it said."""
    return subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True)


def server_identity(directory: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for this machine and its key."""
    key = make_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(WEEK_AGO)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName(SERVER_NAMES), critical=False)
        .sign(key.signing_key, key.digest)
    )
    paths = directory / "server.pem", directory / "server.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_text(key.pem())
    return paths
