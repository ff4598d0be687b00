"""The double's certificate authority: a root, an issuer below it, and the issuer's CRL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.atom.graphql_server import AtomError
from tests.atom.records import _ORDER, new_id, now, said

MAX_TTL = 2_592_000
DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _ca(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + 3650 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


@define
class Issued:
    """A certificate of an entity."""

    entity_id: str
    tenant_id: str | None
    certificate: x509.Certificate
    expires_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None
    from_request: bool = False
    id: str = field(factory=new_id)
    created_at: datetime = field(factory=now)
    order: int = field(factory=lambda: next(_ORDER))

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:032x}"

    @property
    def status(self) -> str:
        return "revoked" if self.revoked_at else "active"

    def revoke(self, reason: str | None) -> None:
        self.revoked_at = now()
        self.reason = reason

    def _subject(self) -> dict[str, str]:
        found = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(each.value) for each in found]
        if not self.from_request:
            return {"common_name": "".join(names)}
        entries = ", ".join(f'CommonName: Utf8String("{each}")' for each in names)
        order = "CommonName" if names else ""
        return {"csr_subject": f"DistinguishedName {{ entries: {{{entries}}}, order: [{order}] }}"}

    def shown(self) -> dict[str, Any]:
        names: list[str] = []
        try:
            found = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = found.value.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            pass
        return {
            "credentialId": self.id,
            "entityId": self.entity_id,
            "tenantId": self.tenant_id,
            "serialNumber": self.serial,
            "status": self.status,
            "certificatePem": self.certificate.public_bytes(Encoding.PEM).decode(),
            "subject": self._subject(),
            "dnsNames": names,
            "ipAddresses": [],
            "fingerprintSha256": self.certificate.fingerprint(hashes.SHA256()).hex(),
            "expiresAt": said(self.expires_at),
            "createdAt": said(self.created_at),
            "revokedAt": said(self.revoked_at),
            "revocationReason": self.reason,
        }


@define
class Authority:
    """Signs requests as they are: subject and names are taken over unchecked."""

    root_key: ec.EllipticCurvePrivateKey = field(
        factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    key: ec.EllipticCurvePrivateKey = field(factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    root: x509.Certificate = field(init=False)
    certificate: x509.Certificate = field(init=False)
    issued: dict[str, Issued] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.root = _ca("root", self.root_key, "root", self.root_key)
        self.certificate = _ca("issuer", self.key, "root", self.root_key)

    def chain(self) -> str:
        both = (self.certificate, self.root)
        return "".join(each.public_bytes(Encoding.PEM).decode() for each in both)

    def sign(self, entity_id: str, tenant_id: str | None, pem: str, ttl: int | None) -> Issued:
        ttl = MAX_TTL if ttl is None else ttl
        if ttl > MAX_TTL:
            raise AtomError(f"certificate TTL exceeds ATOM_CERTS_LEAF_MAX_TTL_SECS ({MAX_TTL})")
        if ttl < 0:
            raise AtomError(
                'Failed to parse "Int": Invalid number (occurred while parsing '
                '"IssueCertificateFromCsrInput")'
            )
        if ttl == 0:
            raise AtomError("certificate TTL must be greater than zero")
        try:
            request = x509.load_pem_x509_csr(pem.encode())
            assert request.is_signature_valid
        except (ValueError, AssertionError) as error:
            raise AtomError("invalid CSR") from error
        return self.add(entity_id, tenant_id, request.subject, request, ttl)

    def add(
        self,
        entity_id: str,
        tenant_id: str | None,
        subject: x509.Name,
        request: x509.CertificateSigningRequest | Any,
        ttl: int,
    ) -> Issued:
        ends = now() + timedelta(seconds=ttl)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number() >> 33)
            .not_valid_before(now() - timedelta(minutes=5))
            .not_valid_after(ends)
            .add_extension(
                x509.KeyUsage(True, *[False] * 8),
                critical=True,
            )
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
        )
        for extension in getattr(request, "extensions", ()):
            if isinstance(extension.value, x509.SubjectAlternativeName):
                builder = builder.add_extension(extension.value, critical=extension.critical)
        made = Issued(entity_id, tenant_id, builder.sign(self.key, hashes.SHA256()), ends)
        made.from_request = isinstance(request, x509.CertificateSigningRequest)
        self.issued[made.serial] = made
        return made

    def revocation_list(self) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now())
            .next_update(now() + DAY)
        )
        for each in self.issued.values():
            if each.revoked_at:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(each.certificate.serial_number)
                    .revocation_date(each.revoked_at)
                    .build()
                )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)
