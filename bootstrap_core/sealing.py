"""Secrets at rest: AES-256-GCM under one of several keys, each value bound to its row.

A sealed value reads ``v1.<key ID>.<base64url of nonce and ciphertext>``. The key ID and the
``binding`` (a name of the row and column, for example ``configs/<id>/client_key``) are associated
data: a value that is copied to another row, or relabelled, does not open. NIST SP 800-38D.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Sequence
from typing import Final

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bootstrap_core.errors import SealedValueUnreadable, SealingKeyInvalid

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
VERSION: Final = "v1"


@frozen
class SealingKey:
    """One AES-256 key: ``material`` is 32 random bytes, ``id`` names it without telling it."""

    material: bytes = field(repr=False)
    id: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        if len(self.material) != KEY_BYTES:
            raise SealingKeyInvalid(
                f"a sealing key has {KEY_BYTES} bytes, this one has {len(self.material)}"
            )
        digest = hmac.digest(self.material, b"sealing key id", "sha256")
        object.__setattr__(self, "id", digest[:6].hex())

    @classmethod
    def generate(cls) -> SealingKey:
        """Return a new random key."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> SealingKey:
        """Read a key from its base64 form (what ``to_text`` writes).

        Raises ``SealingKeyInvalid``: the text is not base64 or not of 32 bytes.
        """
        try:
            material = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise SealingKeyInvalid("a sealing key is written in base64") from error
        return cls(material)

    def to_text(self) -> str:
        """Return the key in base64, for a key file."""
        return base64.urlsafe_b64encode(self.material).decode()


class Sealer:
    """Seals with the first of ``keys`` and opens what any of them sealed.

    Putting a new key first and keeping the old ones lets stored values be sealed again one by one.
    """

    def __init__(self, keys: Sequence[SealingKey]) -> None:
        """Take the keys, the sealing one first.

        Raises ``SealingKeyInvalid``: no key is given.
        """
        if not keys:
            raise SealingKeyInvalid("at least one sealing key is needed")
        self._first = keys[0].id
        self._ciphers = {key.id: AESGCM(key.material) for key in keys}

    def seal(self, plaintext: bytes, binding: str) -> str:
        """Return ``plaintext`` sealed for the place that ``binding`` names."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._ciphers[self._first]
        sealed = nonce + cipher.encrypt(nonce, plaintext, _associated(self._first, binding))
        return f"{VERSION}.{self._first}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, binding: str) -> bytes:
        """Return what was sealed for ``binding``.

        Raises ``SealedValueUnreadable``: not our key, or altered, or moved.
        """
        version, key_id, body = _parts(sealed)
        cipher = self._ciphers.get(key_id)
        if version != VERSION or cipher is None:
            raise SealedValueUnreadable(
                f"{binding} is sealed with key {key_id!r}, which is not among the configured keys; "
                "add that key after the first one"
            )
        try:
            raw = base64.urlsafe_b64decode(body)
            return cipher.decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated(key_id, binding)
            )
        except (InvalidTag, ValueError) as error:
            raise SealedValueUnreadable(f"{binding} was altered or moved from its row") from error

    def reseal(self, sealed: str, binding: str) -> str:
        """Return the value sealed with the first key; unchanged when it already is.

        Raises ``SealedValueUnreadable``: as ``open``.
        """
        if _parts(sealed)[1] == self._first:
            return sealed
        return self.seal(self.open(sealed, binding), binding)


def _associated(key_id: str, binding: str) -> bytes:
    return f"{key_id}\n{binding}".encode()


def _parts(sealed: str) -> tuple[str, str, str]:
    version, _, rest = sealed.partition(".")
    key_id, _, body = rest.partition(".")
    return version, key_id, body
