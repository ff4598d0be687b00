"""Certificate requests: made for one client, and only signed for that client."""

import base64
import itertools
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from provision.pki import der
from provision.pki.errors import KeyWeak, NameNotAllowed, PkiError, RequestInvalid
from provision.pki.keys import KeyType, fingerprint, make_key
from provision.pki.requests import Holder, check_request, make_request

HOLDER = Holder("6f3c1f0e-55a5-4b86-a4f1-3a4c7b3f8f10", "0f1d1b5e-8a5b-4f6a-9a55-93f3f55d9a01")
KEY = make_key()


def signed(builder: x509.CertificateSigningRequestBuilder) -> str:
    return builder.sign(KEY.signing_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def request_der() -> bytearray:
    request = x509.load_pem_x509_csr(make_request(KEY, HOLDER).encode())
    return bytearray(request.public_bytes(Encoding.DER))


def as_pem(request: bytes) -> str:
    body = base64.encodebytes(request).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.CertificateSigningRequestBuilder:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    return x509.CertificateSigningRequestBuilder().subject_name(subject)


def with_names(*names: x509.GeneralName) -> x509.CertificateSigningRequestBuilder:
    builder = named((NameOID.COMMON_NAME, HOLDER.client_id))
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False)


@pytest.mark.parametrize("key_type", sorted(set(KeyType) - {KeyType.RSA_4096}))
def test_a_request_made_here_may_be_signed(key_type: KeyType) -> None:
    key = make_key(key_type)

    checked = check_request(make_request(key, HOLDER), HOLDER)

    assert fingerprint(checked) == fingerprint(key.public_key)


def test_openssl_takes_a_request_made_here(tmp_path: Path) -> None:
    path = tmp_path / "request.pem"
    path.write_text(make_request(KEY, HOLDER))

    said = subprocess.run(
        ["openssl", "req", "-in", path, "-verify", "-noout", "-text", "-nameopt", "RFC2253"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert f"CN={HOLDER.client_id}" in said.stdout
    assert f"URI:{HOLDER.uri}" in said.stdout


def test_a_device_may_leave_all_names_out() -> None:
    assert check_request(signed(named()), HOLDER)


def test_a_request_of_openssl_is_accepted(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key",
         "-subj", f"/CN={HOLDER.client_id}", "-out", tmp_path / "csr"],
        check=True,
        capture_output=True,
    )  # fmt: skip

    key = check_request((tmp_path / "csr").read_text(), HOLDER)

    assert isinstance(key, rsa.RSAPublicKey)


@pytest.mark.parametrize(
    "request_builder",
    [
        named((NameOID.COMMON_NAME, "another-client")),
        named((NameOID.COMMON_NAME, HOLDER.client_id), (NameOID.ORGANIZATION_NAME, "Evil")),
        with_names(x509.DNSName("broker.example.com")),
        with_names(x509.UniformResourceIdentifier(Holder("other", HOLDER.client_id).uri)),
        with_names(
            x509.UniformResourceIdentifier(HOLDER.uri), x509.RFC822Name("admin@example.com")
        ),
    ],
    ids=["other client", "organization", "host name", "other domain", "e-mail"],
)
def test_a_name_of_someone_else_is_refused(
    request_builder: x509.CertificateSigningRequestBuilder,
) -> None:
    with pytest.raises(NameNotAllowed, match="allowed"):
        check_request(signed(request_builder), HOLDER)


ATTRIBUTES = [
    der.write(
        0x30, [bytes.fromhex("06092a864886f70d010907"), der.write(0x31, [b"\x0c\x06secret"])]
    ),
    der.write(0x30, [bytes.fromhex("06092a864886f70d010902"), der.write(0x31, [b"\x16\x01x"])]),
    der.write(0x30, [bytes.fromhex("06032a0304"), der.write(0x31, [b"\x04\x01x"])]),
]


@pytest.mark.parametrize("attributes", list(itertools.permutations(ATTRIBUTES)))
def test_the_order_of_attributes_does_not_matter(
    attributes: tuple[bytes, ...], tmp_path: Path
) -> None:
    (request,) = der.read(bytes(request_der()))
    body, algorithm, _ = request.parts()
    *others, _ = body.parts()
    changed = der.write(
        body.tag, [*(part.whole for part in others), der.write(der.CONTEXT_0, attributes)]
    )
    assert isinstance(KEY.signing_key, ec.EllipticCurvePrivateKey)
    signature = KEY.signing_key.sign(changed, ec.ECDSA(hashes.SHA256()))
    path = tmp_path / "request.pem"
    path.write_text(
        as_pem(
            der.write(request.tag, [changed, algorithm.whole, der.write(0x03, [b"\0", signature])])
        )
    )
    subprocess.run(
        ["openssl", "req", "-in", path, "-verify", "-noout"], check=True, capture_output=True
    )

    assert fingerprint(check_request(path.read_text(), HOLDER)) == fingerprint(KEY.public_key)


@given(st.recursive(st.binary(max_size=300), lambda inner: st.lists(inner, max_size=3)))
def test_what_is_written_as_der_is_read_again(tree: object) -> None:
    (element,) = der.read(encoded(tree))
    assert decoded(element) == tree


def encoded(tree: object) -> bytes:
    if isinstance(tree, list):
        return der.write(0x30, [encoded(part) for part in tree])
    assert isinstance(tree, bytes)
    return der.write(0x04, [tree])


def decoded(element: der.Element) -> object:
    if element.tag == 0x04:
        return element.content
    return [decoded(part) for part in element.parts()]


@given(st.binary(max_size=60))
def test_what_is_no_der_is_refused(data: bytes) -> None:
    try:
        found = der.read(data)
    except ValueError:
        return
    assert b"".join(element.whole for element in found) == data


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (x509.IPAddress(ip_address("192.168.1.7")), "the IP address 192.168.1.7"),
        (x509.DNSName("gw.local"), "the DNS name 'gw.local'"),
        (x509.RFC822Name("gw@example.com"), "the e-mail address 'gw@example.com'"),
        (x509.DirectoryName(HOLDER.subject), f"the directory name 'CN={HOLDER.client_id}'"),
        (x509.RegisteredID(NameOID.COMMON_NAME), "the registered ID 2.5.4.3"),
        (x509.OtherName(NameOID.COMMON_NAME, b"\x05\x00"), "a name of another kind"),
    ],
)
def test_a_refused_name_is_told_as_people_write_it(name: x509.GeneralName, told: str) -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(HOLDER.subject)
    builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    with pytest.raises(NameNotAllowed) as caught:
        check_request(signed(builder), HOLDER)
    assert f"subjectAltName has {told}; only the URI {HOLDER.uri}" in caught.value.message


def test_a_request_signed_with_another_key_is_refused() -> None:
    changed = request_der()
    place = changed.find(HOLDER.client_id.encode())
    changed[place] ^= 1
    pem = as_pem(bytes(changed))

    with pytest.raises(RequestInvalid, match="not signed by the key"):
        check_request(pem, HOLDER)


def test_a_weak_key_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    pem = named().sign(weak, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    with pytest.raises(KeyWeak, match="RSA key of 1024 bits"):
        check_request(pem, HOLDER)


def test_an_unusual_curve_is_refused() -> None:
    odd = ec.generate_private_key(ec.SECP256K1())
    pem = named().sign(odd, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    with pytest.raises(KeyWeak, match="secp256k1"):
        check_request(pem, HOLDER)


@pytest.mark.parametrize("text", ["", "not PEM", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid, match="PKCS #10"):
        check_request(text, HOLDER)


def test_a_huge_request_is_refused_unread() -> None:
    with pytest.raises(RequestInvalid, match="16384 bytes"):
        check_request(make_request(KEY, HOLDER) + "x" * 16_384, HOLDER)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_request_never_gets_another_key_signed(place: int, flip: int) -> None:
    damaged = request_der()
    damaged[place % len(damaged)] ^= flip
    pem = as_pem(bytes(damaged))

    # The number of unused bits of the signature may be damaged without harm: the rest is signed.
    try:
        key = check_request(pem, HOLDER)
    except PkiError:
        return
    assert fingerprint(key) == fingerprint(KEY.public_key)


def test_a_client_id_too_long_for_a_common_name_is_refused() -> None:
    with pytest.raises(NameNotAllowed, match="65 characters"):
        make_request(KEY, Holder("d", "c" * 65))
