"""Authorities: the one made here, and the operator's own with all that can be wrong with it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from provision.pki.errors import IssuerUnusable
from provision.pki.issuer import Issuer, make_hierarchy, read_issuer
from provision.pki.keys import KeyType, PrivateKey, make_key
from tests.pki.tools import DAY, NOW, WEEK_AGO, hierarchy, issued, openssl

PASSPHRASE = b"correct horse"
CA = x509.BasicConstraints(ca=True, path_length=None)


def usage(*, signs: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def authority(
    key: PrivateKey,
    *,
    name: str = "Acme Root",
    above: Issuer | None = None,
    extensions: tuple[x509.ExtensionType, ...] = (CA, usage()),
    ends: datetime = NOW + DAY,
) -> x509.Certificate:
    """Return an operator's CA certificate, signed by ``above`` or by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(WEEK_AGO)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    signer = above.key if above else key
    return builder.sign(signer.signing_key, signer.digest)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def locked(key: PrivateKey) -> bytes:
    return key.signing_key.private_bytes(
        Encoding.PEM,
        PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE),
    )


def test_the_chain_is_the_issuer_then_the_root() -> None:
    made = hierarchy()

    first, last = x509.load_pem_x509_certificates(made.intermediate.chain_pem().encode())
    assert first == made.intermediate.certificate
    assert last == made.root.certificate
    assert last.issuer == last.subject
    last.verify_directly_issued_by(last)
    first.verify_directly_issued_by(last)


def test_the_intermediate_may_have_no_authority_below_it() -> None:
    basic = hierarchy().intermediate.certificate.extensions.get_extension_for_class(
        x509.BasicConstraints
    )

    assert basic.critical
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)


def test_openssl_verifies_the_intermediate_strictly(tmp_path: Path) -> None:
    made = hierarchy()
    root, intermediate = tmp_path / "root.pem", tmp_path / "intermediate.pem"
    root.write_bytes(pem(made.root.certificate))
    intermediate.write_bytes(pem(made.intermediate.certificate))

    said = openssl("verify", "-x509_strict", "-CAfile", root, intermediate)

    assert said.stdout == f"{intermediate}: OK\n"


def test_two_installations_have_different_authorities() -> None:
    assert hierarchy().root.certificate.serial_number != hierarchy().root.certificate.serial_number


def test_a_long_organization_fits_the_common_name() -> None:
    assert make_hierarchy("o" * 64, NOW).intermediate.chain_pem()


@pytest.mark.parametrize(
    "key",
    [
        make_key(),
        make_key(KeyType.EC_P384),
        make_key(KeyType.RSA_2048),
        PrivateKey(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["p256", "p384", "rsa", "ed25519"],
)
def test_an_operator_brings_an_authority_of_any_kind(key: PrivateKey, tmp_path: Path) -> None:
    chain = pem(authority(key))

    issuer = read_issuer(chain, locked(key), NOW, PASSPHRASE)

    certificate, _ = issued(issuer).write(tmp_path)
    (tmp_path / "chain.pem").write_bytes(chain)
    said = openssl("verify", "-x509_strict", "-CAfile", tmp_path / "chain.pem", certificate)
    assert said.stdout == f"{certificate}: OK\n"


def test_an_operators_intermediate_comes_with_its_root() -> None:
    root_key, key = make_key(), make_key()
    root = Issuer(root_key, [authority(root_key)])
    intermediate = authority(key, name="Acme Intermediate", above=root)

    issuer = read_issuer(pem(intermediate, root.certificate), key.pem().encode(), NOW)

    assert issuer.certificate == intermediate
    with pytest.raises(IssuerUnusable, match="root last"):
        read_issuer(pem(intermediate), key.pem().encode(), NOW)
    with pytest.raises(IssuerUnusable, match="root last"):
        read_issuer(pem(root.certificate, intermediate), root_key.pem().encode(), NOW)


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(IssuerUnusable, match="does not belong"):
        read_issuer(pem(authority(make_key())), make_key().pem().encode(), NOW)


def test_a_file_without_certificates_is_refused() -> None:
    with pytest.raises(IssuerUnusable, match="PEM"):
        read_issuer(b"nothing", make_key().pem().encode(), NOW)


@pytest.mark.parametrize(
    "extensions",
    [
        (x509.BasicConstraints(ca=False, path_length=None), usage(signs=False)),
        (CA, usage(signs=False)),
    ],
    ids=["no CA", "may not sign"],
)
def test_a_certificate_that_may_not_sign_is_refused(
    extensions: tuple[x509.ExtensionType, ...],
) -> None:
    key = make_key()

    with pytest.raises(IssuerUnusable, match="keyCertSign and cRLSign"):
        read_issuer(pem(authority(key, extensions=extensions)), key.pem().encode(), NOW)


def test_a_certificate_without_constraints_is_refused() -> None:
    key = make_key()

    with pytest.raises(IssuerUnusable, match=r"2\.5\.29\.19"):
        read_issuer(pem(authority(key, extensions=(usage(),))), key.pem().encode(), NOW)


def test_an_expired_authority_is_refused() -> None:
    key = make_key()

    with pytest.raises(IssuerUnusable, match="not now"):
        read_issuer(pem(authority(key, ends=NOW - DAY)), key.pem().encode(), NOW)


def test_a_weak_authority_is_refused() -> None:
    weak = PrivateKey(rsa.generate_private_key(65537, 1024))  # noqa: S505 - weak on purpose
    odd = PrivateKey(ec.generate_private_key(ec.SECP521R1()))

    for key in (weak, odd):
        with pytest.raises(IssuerUnusable, match="can't be used"):
            read_issuer(pem(authority(key)), make_key().pem().encode(), NOW)


def test_a_certificate_ends_with_the_first_of_the_chain_to_end() -> None:
    root_key, key = make_key(), make_key()
    root = Issuer(root_key, [authority(root_key, ends=NOW + DAY)])
    intermediate = authority(key, name="Acme Intermediate", above=root, ends=NOW + 9 * DAY)
    issuer = read_issuer(pem(intermediate, root.certificate), key.pem().encode(), NOW)

    certificate = issued(issuer, ttl=timedelta(days=5)).certificate

    assert certificate.expires_at == (NOW + DAY).replace(microsecond=0)
