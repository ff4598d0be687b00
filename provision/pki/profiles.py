"""What a client's or server's certificate says (RFC 5280, section 4.2), and how it is signed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from provision.pki.errors import IssuerUnusable, LifetimeInvalid, NameNotAllowed
from provision.pki.issuer import Issuer, new_serial, write_serial
from provision.pki.keys import PublicKey
from provision.pki.requests import MOST_COMMON_NAME, Holder

DUE_AFTER: Final = 2 / 3
"""The part of its life after which a certificate is due: the rest is for devices to fetch it."""


def due_at(certificate: x509.Certificate) -> datetime:
    """Return when two thirds of a certificate's life have passed (UTC)."""
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return starts + (ends - starts) * DUE_AFTER


MOST_NAME: Final = 253
MOST_NAMES: Final = 100
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME: Final = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
_NUMBERS: Final = re.compile(r"[0-9.]+")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@frozen
class ServerNames:
    """A server's DNS names and IP addresses; the first one given is its ``name``."""

    name: str
    dns_names: Sequence[str]
    addresses: Sequence[Address]

    @property
    def subject(self) -> x509.Name:
        """The name as common name, for people; empty where it is too long for one."""
        if len(self.name) > MOST_COMMON_NAME:
            return x509.Name([])
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    @property
    def alternatives(self) -> Sequence[x509.GeneralName]:
        """What devices compare."""
        addresses = (x509.IPAddress(each) for each in self.addresses)
        return [*(x509.DNSName(each) for each in self.dns_names), *addresses]


def read_server_names(name: str, more: Sequence[str]) -> ServerNames:
    """Return a server's names from text, each a DNS name or an IP address.

    Raises ``NameNotAllowed``: one is neither, or there are too many.
    """
    if len(more) >= MOST_NAMES:
        raise NameNotAllowed(f"a server may have {MOST_NAMES} names, not {len(more) + 1}")
    dns_names: dict[str, None] = {}
    addresses: dict[Address, None] = {}
    for text in (name, *more):
        if (address := _address(text)) is not None:
            addresses[address] = None
        else:
            dns_names[_dns_name(text)] = None
    first = _address(name)
    return ServerNames(
        name=str(first) if first is not None else _dns_name(name),
        dns_names=list(dns_names),
        addresses=list(addresses),
    )


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _dns_name(text: str) -> str:
    name = text.lower().removesuffix(".")
    if not name.isascii():
        raise NameNotAllowed(
            f"{text!r} is no DNS name in ASCII: write it as it stands in the DNS, with xn--"
        )
    if len(name) > MOST_NAME or not _DNS_NAME.fullmatch(name) or _NUMBERS.fullmatch(name):
        raise NameNotAllowed(
            f"{text!r} is neither a DNS name, such as mqtt.example.com, nor an IP address, such "
            "as 192.0.2.7; write it without scheme, port and brackets"
        )
    return name


BACKDATED: Final = timedelta(minutes=5)
"""Validity starts this much before now, so that it holds on a device whose clock is slow."""


@frozen
class ClientProfile:
    """Where relying parties ask whether a certificate is revoked; an empty address is left out."""

    crl_url: str = ""
    ocsp_url: str = ""


@frozen
class IssuedCertificate:
    """A signed certificate (PEM), its serial number as text, and its end (UTC)."""

    serial: str
    pem: str
    starts_at: datetime
    expires_at: datetime


@frozen
class Bearer:
    """Whom a certificate is for, and on which side of a connection it is shown."""

    subject: x509.Name
    names: Sequence[x509.GeneralName]
    purpose: x509.ObjectIdentifier


def issue(
    issuer: Issuer,
    profile: ClientProfile,
    holder: Holder,
    key: PublicKey,
    ttl: timedelta,
    now: datetime,
) -> IssuedCertificate:
    """Sign a client certificate that ends ``ttl`` from ``now``, at the latest with its issuer.

    Raises ``LifetimeInvalid`` (a ``ttl`` of a second or more is needed), ``NameNotAllowed`` and
    ``IssuerUnusable`` (the issuer has expired).
    """
    bearer = Bearer(holder.subject, [_uri(holder.uri)], ExtendedKeyUsageOID.CLIENT_AUTH)
    return _sign(issuer, profile, bearer, key, ttl, now)


def issue_to_server(
    issuer: Issuer,
    profile: ClientProfile,
    server: ServerNames,
    key: PublicKey,
    ttl: timedelta,
    now: datetime,
) -> IssuedCertificate:
    """Sign a server's certificate. Raises as ``issue`` does."""
    bearer = Bearer(server.subject, server.alternatives, ExtendedKeyUsageOID.SERVER_AUTH)
    return _sign(issuer, profile, bearer, key, ttl, now)


def _sign(
    issuer: Issuer,
    profile: ClientProfile,
    bearer: Bearer,
    key: PublicKey,
    ttl: timedelta,
    now: datetime,
) -> IssuedCertificate:
    if ttl < timedelta(seconds=1):
        raise LifetimeInvalid
    if issuer.expires_at <= now:
        raise IssuerUnusable(f"the certificate authority expired at {issuer.expires_at}")
    left = issuer.expires_at - now
    certificate = (
        _builder(issuer, bearer, key, profile)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + min(ttl, left))
        .sign(issuer.key.signing_key, issuer.key.digest)
    )
    return IssuedCertificate(
        serial=write_serial(certificate.serial_number),
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        starts_at=certificate.not_valid_before_utc,
        expires_at=certificate.not_valid_after_utc,
    )


def _builder(
    issuer: Issuer, bearer: Bearer, key: PublicKey, profile: ClientProfile
) -> x509.CertificateBuilder:
    issuer_key = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    names = x509.SubjectAlternativeName(bearer.names)
    builder = (
        x509.CertificateBuilder()
        .serial_number(new_serial())
        .issuer_name(issuer.certificate.subject)
        .subject_name(bearer.subject)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_ONLY, critical=True)
        .add_extension(x509.ExtendedKeyUsage([bearer.purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key.value),
            critical=False,
        )
        # RFC 5280, section 4.2.1.6: critical where there is no subject.
        .add_extension(names, critical=not list(bearer.subject))
    )
    if profile.crl_url:
        point = x509.DistributionPoint([_uri(profile.crl_url)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if profile.ocsp_url:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, _uri(profile.ocsp_url))
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder


_SIGNS_ONLY: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)
