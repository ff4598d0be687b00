"""Mutual TLS, end to end: a server accepts issued certificates, not revoked or expired ones."""

import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from provision.pki.issuer import Issuer, read_serial
from provision.pki.keys import KeyType, make_key
from provision.pki.status import Revocation, make_revocation_list
from tests.pki.tools import DAY, HOLDER, NOW, Issued, hierarchy, issued, server_identity

HIERARCHY = hierarchy()
ISSUER = HIERARCHY.intermediate
ROOT_ONLY = Issuer(HIERARCHY.root.key, HIERARCHY.root.chain).chain_pem()
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def server_context(directory: Path, version: ssl.TLSVersion, trusted: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(*server_identity(directory))
    context.load_verify_locations(cadata=trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def with_list(context: ssl.SSLContext, directory: Path, *revoked: Issued) -> ssl.SSLContext:
    entries = [Revocation(read_serial(each.certificate.serial), NOW) for each in revoked]
    crl = x509.load_der_x509_crl(make_revocation_list(ISSUER, entries, NOW))
    path = directory / "crl.pem"
    path.write_bytes(crl.public_bytes(Encoding.PEM))
    context.load_verify_locations(cafile=path)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def greeting(context: ssl.SSLContext, directory: Path, client: Issued, chain: str = "") -> str:
    """Connect as ``client``: whom the server greets, or why it refuses (``ssl.SSLError``)."""
    own = ssl.create_default_context(cafile=str(directory / "server.pem"))
    own.load_cert_chain(*client.write(directory, chain))
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve_once, listener, context)
        with (
            contextlib.suppress(OSError),
            socket.create_connection(listener.getsockname()) as raw,
            own.wrap_socket(raw, server_hostname="localhost") as connection,
        ):
            assert connection.recv(64).decode() == served.result()
        return served.result()


def serve_once(listener: socket.socket, context: ssl.SSLContext) -> str:
    """Accept one client and greet it by the common name of its certificate."""
    with listener.accept()[0] as raw, context.wrap_socket(raw, server_side=True) as connection:
        peer = connection.getpeercert(binary_form=True)
        assert peer
        subject = x509.load_der_x509_certificate(peer).subject
        name = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        connection.sendall(name.encode())
        return name


@VERSIONS
@pytest.mark.parametrize("key_type", [KeyType.EC_P256, KeyType.RSA_2048, KeyType.ED25519])
def test_a_server_that_trusts_the_chain_accepts_the_client(
    version: ssl.TLSVersion, key_type: KeyType, tmp_path: Path
) -> None:
    client = issued(ISSUER, key=make_key(key_type))

    context = server_context(tmp_path, version, ISSUER.chain_pem())

    assert greeting(context, tmp_path, client) == HOLDER.client_id


@VERSIONS
def test_a_server_that_trusts_the_root_accepts_a_client_that_sends_the_chain(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    context = server_context(tmp_path, version, ROOT_ONLY)

    said = greeting(context, tmp_path, issued(ISSUER), ISSUER.chain_pem())

    assert said == HOLDER.client_id


@VERSIONS
def test_a_revoked_certificate_is_refused_and_others_are_not(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    revoked, kept = issued(ISSUER), issued(ISSUER)
    context = with_list(server_context(tmp_path, version, ISSUER.chain_pem()), tmp_path, revoked)

    assert greeting(context, tmp_path, kept) == HOLDER.client_id
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        greeting(context, tmp_path, revoked)


@VERSIONS
def test_an_expired_certificate_is_refused(version: ssl.TLSVersion, tmp_path: Path) -> None:
    expired = issued(ISSUER, now=NOW - 3 * DAY, ttl=DAY)

    context = server_context(tmp_path, version, ISSUER.chain_pem())

    with pytest.raises(ssl.SSLError, match="certificate has expired"):
        greeting(context, tmp_path, expired)


@VERSIONS
def test_a_certificate_of_another_installation_is_refused(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    stranger = issued(hierarchy().intermediate)

    context = server_context(tmp_path, version, ISSUER.chain_pem())

    with pytest.raises(ssl.SSLError, match="unable to get local issuer"):
        greeting(context, tmp_path, stranger)
