"""The OCSP responder, asked by ``openssl ocsp`` over HTTP, and by malformed requests."""

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from provision.pki.errors import OcspMalformed
from provision.pki.issuer import Issuer, read_serial
from provision.pki.keys import KeyType, make_key
from provision.pki.status import (
    OCSP_LIFETIME,
    CertificateState,
    answer,
    malformed,
    read_questions,
    request_of_path,
)
from tests.pki.test_issuer import authority
from tests.pki.tools import NOW, Issued, hierarchy, issued, openssl

ISSUER = hierarchy().intermediate
SHA1 = hashes.SHA1()  # noqa: S303 - what clients name certificates with in OCSP requests
STATES = {
    "good": CertificateState(issued=True),
    "revoked": CertificateState(issued=True, revoked_at=NOW - timedelta(hours=1)),
    "unknown": CertificateState(issued=False),
}


@contextmanager
def responder(issuer: Issuer, state: CertificateState) -> Iterator[str]:
    """Serve OCSP over HTTP on a free port and give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = answer(issuer, [(each, state) for each in read_questions(body)], NOW)
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def asked(directory: Path, issuer: Issuer, state: CertificateState, subject: Issued) -> str:
    certificate, _ = subject.write(directory)
    chain, above = directory / "chain.pem", directory / "issuer.pem"
    chain.write_text(issuer.chain_pem())
    above.write_text(Issuer(issuer.key, issuer.chain[:1]).chain_pem())
    with responder(issuer, state) as url:
        said = openssl(
            "ocsp", "-issuer", above, "-cert", certificate, "-url", url, "-CAfile", chain
        )
    assert "Response verify OK" in said.stderr
    return said.stdout


@pytest.mark.parametrize("word", STATES)
def test_openssl_learns_the_state_from_an_answer_that_it_verifies(
    word: str, tmp_path: Path
) -> None:
    said = asked(tmp_path, ISSUER, STATES[word], issued(ISSUER))

    assert f": {word}\n" in said


@pytest.mark.parametrize("key_type", [KeyType.RSA_2048, KeyType.EC_P384, KeyType.ED25519])
def test_an_operators_authority_answers_too(key_type: KeyType, tmp_path: Path) -> None:
    key = make_key(key_type)
    issuer = Issuer(key, [authority(key)])

    assert ": good\n" in asked(tmp_path, issuer, STATES["good"], issued(issuer))


@pytest.mark.parametrize(
    "key_type", [KeyType.EC_P256, KeyType.RSA_2048, KeyType.EC_P384, KeyType.ED25519]
)
def test_one_answer_tells_the_states_of_several_certificates(
    key_type: KeyType, tmp_path: Path
) -> None:
    key = make_key(key_type)
    issuer = Issuer(key, [authority(key)])
    (tmp_path / "chain.pem").write_text(issuer.chain_pem())
    names = []
    for word in STATES:
        (tmp_path / word).mkdir()
        names += ["-cert", str(issued(issuer).write(tmp_path / word)[0])]
    of_chain = ("-issuer", tmp_path / "chain.pem", *names, "-no_nonce")
    openssl("ocsp", *of_chain, "-reqout", tmp_path / "question.der")
    questions = read_questions((tmp_path / "question.der").read_bytes())
    answered = list(zip(questions, STATES.values(), strict=True))
    (tmp_path / "answer.der").write_bytes(answer(issuer, answered, NOW))

    said = openssl(
        "ocsp",
        *of_chain,
        *("-respin", tmp_path / "answer.der", "-CAfile", tmp_path / "chain.pem"),
    )

    assert "Response verify OK" in said.stderr
    for word in STATES:
        assert f"{tmp_path / word / 'client.pem'}: {word}\n" in said.stdout


def test_the_nonce_of_a_request_about_several_certificates_comes_back(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text(ISSUER.chain_pem())
    certificate, _ = issued(ISSUER).write(tmp_path)
    twice = ("-issuer", tmp_path / "chain.pem", "-cert", certificate, "-cert", certificate)
    openssl("ocsp", *twice, "-reqout", tmp_path / "question.der")
    questions = read_questions((tmp_path / "question.der").read_bytes())

    reply = ocsp.load_der_ocsp_response(
        answer(ISSUER, [(each, STATES["good"]) for each in questions], NOW)
    )

    assert len(list(reply.responses)) == 2
    nonce = reply.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    assert nonce == questions[0].nonce


def test_a_request_about_very_many_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text(ISSUER.chain_pem())
    certificate, _ = issued(ISSUER).write(tmp_path)
    names = ("-cert", certificate) * 17
    openssl("ocsp", "-issuer", tmp_path / "chain.pem", *names, "-reqout", tmp_path / "many.der")

    with pytest.raises(OcspMalformed, match="1 to 16 certificates"):
        read_questions((tmp_path / "many.der").read_bytes())


def test_of_several_certificates_those_of_another_authority_are_unknown(tmp_path: Path) -> None:
    other = hierarchy().intermediate
    (tmp_path / "other").mkdir()
    own, _ = issued(ISSUER).write(tmp_path)
    foreign, _ = issued(other).write(tmp_path / "other")
    (tmp_path / "own.pem").write_text(ISSUER.chain_pem())
    (tmp_path / "other.pem").write_text(other.chain_pem())
    of_both = ("-issuer", tmp_path / "own.pem", "-cert", own)
    of_both += ("-issuer", tmp_path / "other.pem", "-cert", foreign, "-no_nonce")
    openssl("ocsp", *of_both, "-reqout", tmp_path / "question.der")
    questions = read_questions((tmp_path / "question.der").read_bytes())
    reply = answer(ISSUER, [(each, STATES["good"]) for each in questions], NOW)
    (tmp_path / "answer.der").write_bytes(reply)

    said = openssl(
        "ocsp", *of_both, "-respin", tmp_path / "answer.der", "-CAfile", tmp_path / "own.pem"
    )

    assert f"{own}: good\n" in said.stdout
    assert f"{foreign}: unknown\n" in said.stdout


def request_for(
    subject: Issued, issuer: Issuer, algorithm: hashes.HashAlgorithm, nonce: bytes = b""
) -> bytes:
    certificate = x509.load_pem_x509_certificate(subject.certificate.pem.encode())
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer.certificate, algorithm)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


REQUEST = request_for(issued(ISSUER), ISSUER, SHA1, b"n" * 16)


@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA256()])
def test_the_answer_speaks_of_the_certificate_asked_about(
    algorithm: hashes.HashAlgorithm,
) -> None:
    subject = issued(ISSUER)
    (question,) = read_questions(request_for(subject, ISSUER, algorithm))

    reply = ocsp.load_der_ocsp_response(answer(ISSUER, [(question, STATES["good"])], NOW))

    assert reply.serial_number == read_serial(subject.certificate.serial)
    assert reply.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert reply.next_update_utc
    assert reply.next_update_utc - reply.this_update_utc == OCSP_LIFETIME


def test_a_nonce_comes_back() -> None:
    (question,) = read_questions(request_for(issued(ISSUER), ISSUER, SHA1, b"n" * 32))

    reply = ocsp.load_der_ocsp_response(answer(ISSUER, [(question, STATES["good"])], NOW))

    assert reply.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32


def test_a_question_about_another_authority_is_not_answered() -> None:
    other = hierarchy().intermediate
    (question,) = read_questions(request_for(issued(other), other, SHA1))

    reply = ocsp.load_der_ocsp_response(answer(ISSUER, [(question, STATES["good"])], NOW))

    assert reply.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_the_question_of_a_get_request_is_read_from_its_path() -> None:
    der = request_for(issued(ISSUER), ISSUER, SHA1)

    assert request_of_path(base64.b64encode(der).decode()) == der


@pytest.mark.parametrize("path", ["%%%", "not base64", "AA", "ä"])
def test_a_path_that_is_no_question_is_refused(path: str) -> None:
    with pytest.raises(OcspMalformed):
        request_of_path(path)


@given(st.binary(max_size=80))
def test_what_is_no_question_is_refused(body: bytes) -> None:
    with pytest.raises(OcspMalformed):
        read_questions(body)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_damaged_question_is_refused_or_answered(place: int, flip: int) -> None:
    der = bytearray(REQUEST)
    der[place % len(der)] ^= flip

    try:
        (question,) = read_questions(bytes(der))
    except OcspMalformed:
        return
    ocsp.load_der_ocsp_response(answer(ISSUER, [(question, STATES["good"])], NOW))


def test_a_question_about_a_negative_serial_is_refused() -> None:
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"n" * 20, b"k" * 20, 0x1122, SHA1)
    der = builder.build().public_bytes(Encoding.DER).replace(b"\x02\x02\x11", b"\x02\x02\x91")

    with pytest.raises(OcspMalformed, match="negative"):
        read_questions(der)


def test_a_huge_request_or_nonce_is_refused() -> None:
    with pytest.raises(OcspMalformed, match="4096 bytes"):
        read_questions(b"0" * 5_000)
    with pytest.raises(OcspMalformed):
        read_questions(request_for(issued(ISSUER), ISSUER, SHA1, b"n" * 129))


def test_the_answer_to_a_malformed_request_says_so() -> None:
    reply = ocsp.load_der_ocsp_response(malformed())

    assert reply.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
