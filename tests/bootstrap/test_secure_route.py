"""The secure route, against an AES-CFB that is written here from AES-ECB alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.errors import EncryptKeyInvalid
from bootstrap_core.secrets import Secret
from tests.bootstrap.world import ENCRYPT_KEY, World, running

RECORDED = json.loads(
    (Path(__file__).parent.parent / "data" / "golden" / "bootstrap-secure.json").read_text()
)


def block(key: bytes, data: bytes) -> bytes:
    """Encrypt one block with AES."""
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - one block, to build CFB from
    return encryptor.update(data) + encryptor.finalize()


def cfb_encrypt(key: bytes, vector: bytes, plain: bytes) -> bytes:
    """Return vector and ciphertext (NIST SP 800-38A 6.3, whole blocks fed back)."""
    out, feedback = b"", vector
    for start in range(0, len(plain), 16):
        stream = block(key, feedback)
        feedback = bytes(a ^ b for a, b in zip(stream, plain[start : start + 16], strict=False))
        out += feedback
    return vector + out


def cfb_decrypt(key: bytes, message: bytes) -> bytes:
    """Return what ``cfb_encrypt`` has encrypted."""
    vector, cipher = message[:16], message[16:]
    out, feedback = b"", vector
    for start in range(0, len(cipher), 16):
        part = cipher[start : start + 16]
        out += bytes(a ^ b for a, b in zip(block(key, feedback), part, strict=False))
        feedback = part
    return out


@given(st.binary(max_size=100), st.sampled_from([16, 24, 32]))
def test_what_is_encrypted_here_can_be_read_elsewhere(plain: bytes, size: int) -> None:
    key = ENCRYPT_KEY[:size]
    transport = SecureTransport(Secret(key))
    assert cfb_decrypt(key.encode(), transport.encrypt(plain)) == plain
    if plain:
        message = cfb_encrypt(key.encode(), b"v" * 16, plain)
        assert transport.decrypt_key(message.hex().encode()) == plain


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["id"])
def test_what_the_go_service_encrypted_can_be_read(recorded: dict[str, str]) -> None:
    transport = SecureTransport(Secret(recorded["encrypt_key"]))
    key = transport.decrypt_key(recorded["request_key_hex"].encode())
    assert key == recorded["request_key_plain"].encode()
    answer = cfb_decrypt(recorded["encrypt_key"].encode(), bytes.fromhex(recorded["response_hex"]))
    assert json.loads(answer) == json.loads(recorded["response_plain"])


async def fetch_secure(world: World, external_id: str, key: str, upper: bool = False) -> bytes:
    sent = cfb_encrypt(ENCRYPT_KEY.encode(), b"0123456789abcdef", key.encode()).hex()
    answer = await world.fetch(f"secure/{external_id}", sent.upper() if upper else sent)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    return answer.content


@pytest.mark.parametrize("upper", [False, True])
async def test_a_device_reads_its_configuration(world: World, upper: bool) -> None:
    made = await world.make(
        "configs",
        external_id="a/b",
        external_key="gw-key-1",
        content='{"a":"<&>"}',
        client_cert="CC",
        client_key="CK",
        ca_cert="CA",
    )
    answer = await fetch_secure(world, "a%2Fb", "gw-key-1", upper)
    assert json.loads(cfb_decrypt(ENCRYPT_KEY.encode(), answer)) == {
        "id": made["id"],
        "content": '{"a":"<&>"}',
        "client_cert": "CC",
        "client_key": "CK",
        "ca_cert": "CA",
    }


async def test_no_two_answers_are_encrypted_alike(world: World) -> None:
    await world.make("configs", external_id="gw", external_key="key", content="same")
    first, second = [await fetch_secure(world, "gw", "key") for _ in range(2)]
    assert first[:16] != second[:16]
    assert first[16:] != second[16:]


@pytest.mark.parametrize("sent", ["key", "67772d6b65792d31", "abc", "zz", "00" * 16, "ab" * 40])
async def test_what_is_not_the_key_is_refused_like_a_wrong_one(world: World, sent: str) -> None:
    await world.make("configs", external_id="gw", external_key="key")
    refused = await world.fetch("secure/gw", sent)
    wrong = await world.fetch("gw", "wrong")
    assert refused.status_code == 403
    assert refused.content == wrong.content


async def test_an_encrypted_key_is_no_plain_one(world: World) -> None:
    await world.make("configs", external_id="gw", external_key="key")
    sent = cfb_encrypt(ENCRYPT_KEY.encode(), b"0123456789abcdef", b"key").hex()
    assert (await world.fetch("gw", sent)).status_code == 403


async def test_without_a_key_the_route_is_off(tmp_path: Path) -> None:
    async with running(tmp_path, encrypt_key=Secret("")) as world:
        answer = await world.fetch("secure/gw", "00" * 20)
        assert answer.status_code == 503
        assert answer.json()["code"] == "secure_bootstrap_off"


@pytest.mark.parametrize("key", ["", "short", "x" * 31, "x" * 33])
def test_a_key_of_another_length_is_refused(key: str) -> None:
    with pytest.raises(EncryptKeyInvalid):
        SecureTransport(Secret(key))
