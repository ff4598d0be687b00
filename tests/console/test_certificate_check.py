"""What is said about certificates and keys before they are kept."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from provision.console.certificates import check, describe, read_certificates
from provision.pki.keys import make_key
from tests.service.tls import self_signed

DAY = timedelta(days=1)


def said(
    certificate: str = "", key: str = "", authority: str = "", later: timedelta = timedelta(0)
) -> list[tuple[str, str]]:
    now = datetime.now(UTC) + later
    return [(each.field, each.kind) for each in check(certificate, key, authority, now)]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A self-signed certificate and its key."""
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    return certificate.read_text(), key.read_text()


def test_what_fits_together_is_good(pair: tuple[str, str]) -> None:
    certificate, key = pair
    assert said() == []
    assert said(certificate, key, certificate) == [
        ("client_cert", "good"),
        ("ca_cert", "good"),
        ("client_key", "good"),
        ("ca_cert", "good"),
    ]


def test_der_in_base64_is_read_as_well(pair: tuple[str, str]) -> None:
    der = read_certificates(pair[0])[0].public_bytes(Encoding.DER)
    written = base64.encodebytes(der).decode()
    assert said(written, pair[1])[0] == ("client_cert", "good")
    assert describe(written) == describe(pair[0])


def test_another_key_is_wrong(pair: tuple[str, str]) -> None:
    assert ("client_key", "wrong") in said(pair[0], make_key().pem())
    assert said("", pair[1]) == [("client_key", "doubt")]


def test_times_and_issuers_are_doubts_only(pair: tuple[str, str], tmp_path: Path) -> None:
    certificate = pair[0]
    assert said(certificate, later=DAY) == [("client_cert", "doubt")]
    assert said(certificate, later=-DAY) == [("client_cert", "doubt")]
    other = self_signed(tmp_path, "127.0.0.2")[0].read_text()
    assert said(certificate, "", other)[-1] == ("ca_cert", "doubt")


@pytest.mark.parametrize("text", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n", "ä", "AAAA"])
def test_nonsense_is_wrong(text: str) -> None:
    assert said(text) == [("client_cert", "wrong")]
    assert said("", text) == [("client_key", "wrong")]
    assert "not readable here" in describe(text)


def test_an_encrypted_key_is_told_as_such() -> None:
    encrypted = make_key().signing_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
    )
    (finding,) = check("", encrypted.decode(), "", datetime.now(UTC))
    assert "without a passphrase" in finding.text
