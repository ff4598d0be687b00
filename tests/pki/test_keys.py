"""Keys: each kind is made, told by name, read back, and never shown by accident."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa

from provision.pki.errors import IssuerUnusable, KeyTypeUnknown, KeyWeak
from provision.pki.keys import (
    KeyType,
    PrivateKey,
    check_strength,
    fingerprint,
    make_key,
    read_key,
)

OPENSSL_SAYS = {
    KeyType.RSA_2048: "2048 bit",
    KeyType.EC_P256: "prime256v1",
    KeyType.EC_P384: "secp384r1",
    KeyType.ED25519: "ED25519",
}


@pytest.mark.parametrize("key_type", OPENSSL_SAYS)
def test_openssl_reads_each_kind_of_key_as_what_it_is(key_type: KeyType, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(make_key(key_type).pem())

    said = subprocess.run(
        ["openssl", "pkey", "-in", path, "-noout", "-text"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert OPENSSL_SAYS[key_type] in said.stdout


def test_an_rsa_key_of_4096_bits_is_made() -> None:
    key = make_key(KeyType.RSA_4096)

    assert key.signing_key.key_size == 4096  # type: ignore[union-attr]


def test_two_keys_are_never_the_same() -> None:
    assert fingerprint(make_key().public_key) != fingerprint(make_key().public_key)


@pytest.mark.parametrize(
    ("name", "bits", "key_type"),
    [
        ("", 0, KeyType.EC_P256),
        ("ec-p384", 0, KeyType.EC_P384),
        ("EC-P256", 0, KeyType.EC_P256),
        ("rsa", 4096, KeyType.RSA_4096),
        ("rsa", 0, KeyType.RSA_2048),
        ("", 2048, KeyType.RSA_2048),
        ("", 4096, KeyType.RSA_4096),
        ("", 256, KeyType.EC_P256),
        ("ecdsa", 384, KeyType.EC_P384),
        ("ed25519", 0, KeyType.ED25519),
    ],
)
def test_a_key_type_is_found_by_name_and_size(name: str, bits: int, key_type: KeyType) -> None:
    assert KeyType.named(name, bits) is key_type


@pytest.mark.parametrize(
    ("name", "bits"), [("dsa", 0), ("rsa", 1024), ("ec", 521), ("", 3), ("ec-p256", 384)]
)
def test_an_unknown_key_type_names_the_allowed_ones(name: str, bits: int) -> None:
    with pytest.raises(KeyTypeUnknown, match="rsa-2048, rsa-4096, ec-p256, ec-p384 and ed25519"):
        KeyType.named(name, bits)


def test_a_key_does_not_show_in_its_repr() -> None:
    key = make_key()

    assert repr(key) == str(key) == "PrivateKey()"


@pytest.mark.parametrize(
    "weak",
    [
        rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505 - weak on purpose
        rsa.generate_private_key(3, 2048).public_key(),
        ec.generate_private_key(ec.SECP521R1()).public_key(),
        ec.generate_private_key(ec.SECP192R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        dsa.generate_private_key(1024).public_key(),  # noqa: S505 - weak on purpose
        "not a key",
    ],
    ids=["rsa-1024", "rsa exponent 3", "p-521", "p-192", "ed448", "dsa", "text"],
)
def test_weak_and_unusual_keys_are_refused(weak: object) -> None:
    with pytest.raises(KeyWeak):
        check_strength(weak)


def test_an_encrypted_key_opens_with_its_passphrase_only() -> None:
    key = make_key()
    pem = key.signing_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )

    assert fingerprint(read_key(pem, b"open sesame").public_key) == fingerprint(key.public_key)
    for passphrase in (b"wrong", None):
        with pytest.raises(IssuerUnusable, match="passphrase"):
            read_key(pem, passphrase)


def test_a_passphrase_for_a_key_in_clear_is_refused() -> None:
    with pytest.raises(IssuerUnusable, match="exactly where the key is encrypted"):
        read_key(make_key().pem().encode(), b"x")


def test_a_key_of_another_kind_is_no_ca_key() -> None:
    pem = PrivateKey(ed448.Ed448PrivateKey.generate()).pem()  # type: ignore[arg-type]

    with pytest.raises(IssuerUnusable, match="kind not used here"):
        read_key(pem.encode())
