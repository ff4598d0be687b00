"""Client certificates say what RFC 5280 asks for, and ``openssl`` verifies them."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provision.pki.errors import IssuerUnusable, LifetimeInvalid
from provision.pki.issuer import INTERMEDIATE_LIFETIME
from provision.pki.keys import KeyType, fingerprint, make_key
from provision.pki.profiles import ClientProfile
from tests.pki.tools import DAY, HOLDER, NOW, WEEK_AGO, Issued, hierarchy, issued, openssl

HIERARCHY = hierarchy()
ISSUER = HIERARCHY.intermediate
PROFILE = ClientProfile(
    crl_url="http://ca.example.com/crl.der", ocsp_url="http://ca.example.com/ocsp"
)


def parsed(result: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(result.certificate.pem.encode())


def test_the_certificate_names_the_client_and_its_domain() -> None:
    certificate = parsed(issued(ISSUER))

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == (
        HOLDER.client_id
    )
    assert list(names) == [x509.UniformResourceIdentifier(HOLDER.uri)]


def test_it_may_be_used_to_sign_in_as_a_client_and_for_nothing_else() -> None:
    extensions = parsed(issued(ISSUER)).extensions

    usage = extensions.get_extension_for_class(x509.KeyUsage)
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.crl_sign
    assert list(extended.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not basic.value.ca


def test_it_says_which_key_it_holds_and_which_key_signed_it() -> None:
    result = issued(ISSUER)
    extensions = parsed(result).extensions

    own = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    issuer = ISSUER.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert own == x509.SubjectKeyIdentifier.from_public_key(result.key.public_key)
    assert above.key_identifier == issuer.value.digest


def test_it_says_where_revocation_is_told() -> None:
    extensions = parsed(issued(ISSUER, profile=PROFILE)).extensions

    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert points[0].full_name == [x509.UniformResourceIdentifier(PROFILE.crl_url)]
    assert [each.access_location.value for each in access] == [PROFILE.ocsp_url]


def test_without_addresses_it_names_none() -> None:
    present = {type(each.value) for each in parsed(issued(ISSUER)).extensions}

    assert not present & {x509.CRLDistributionPoints, x509.AuthorityInformationAccess}


def test_serial_numbers_are_random_and_long() -> None:
    serials = {parsed(issued(ISSUER)).serial_number for _ in range(64)}

    assert len(serials) == 64
    # Each of 128 positions is 1 in one and 0 in another, but for a chance of 2 to the -56.
    assert all(any(serial >> bit & 1 for serial in serials) for bit in range(128))
    assert all(any(not serial >> bit & 1 for serial in serials) for bit in range(128))


def test_it_lives_as_long_as_asked() -> None:
    result = issued(ISSUER, ttl=timedelta(hours=2400))

    assert result.certificate.expires_at == (NOW + timedelta(hours=2400)).replace(microsecond=0)
    assert result.certificate.starts_at < NOW


def test_it_never_outlives_its_issuer() -> None:
    result = issued(ISSUER, ttl=timedelta(days=36_500))

    assert result.certificate.expires_at == ISSUER.expires_at


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1), timedelta(milliseconds=999)])
def test_a_lifetime_of_nothing_is_refused(ttl: timedelta) -> None:
    with pytest.raises(LifetimeInvalid):
        issued(ISSUER, ttl=ttl)


def test_an_expired_issuer_signs_nothing() -> None:
    with pytest.raises(IssuerUnusable, match="expired"):
        issued(ISSUER, now=WEEK_AGO + INTERMEDIATE_LIFETIME)


@pytest.mark.parametrize("key_type", sorted(set(KeyType) - {KeyType.RSA_4096}))
def test_openssl_verifies_it_for_a_tls_client(key_type: KeyType, tmp_path: Path) -> None:
    certificate, _ = issued(ISSUER, key=make_key(key_type), profile=PROFILE).write(tmp_path)
    chain = tmp_path / "chain.pem"
    chain.write_text(ISSUER.chain_pem())

    said = openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", chain, certificate)
    as_server = openssl("verify", "-purpose", "sslserver", "-CAfile", chain, certificate)

    assert said.stdout == f"{certificate}: OK\n"
    assert as_server.returncode != 0


def test_openssl_does_not_verify_it_against_another_authority(tmp_path: Path) -> None:
    certificate, _ = issued(ISSUER).write(tmp_path)
    other = tmp_path / "other.pem"
    other.write_text(hierarchy().intermediate.chain_pem())

    assert openssl("verify", "-CAfile", other, certificate).returncode != 0


def test_openssl_does_not_verify_it_once_expired(tmp_path: Path) -> None:
    certificate, _ = issued(ISSUER, now=NOW - 3 * DAY, ttl=DAY).write(tmp_path)
    chain = tmp_path / "chain.pem"
    chain.write_text(ISSUER.chain_pem())

    said = openssl("verify", "-CAfile", chain, certificate)

    assert "certificate has expired" in said.stderr


def test_the_key_it_certifies_is_the_one_given() -> None:
    result = issued(ISSUER)

    assert fingerprint(parsed(result).public_key()) == fingerprint(result.key.public_key)  # type: ignore[arg-type]
