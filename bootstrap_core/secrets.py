"""Secrets at rest: AES-256-GCM under one of several keys, each value bound to its row.

A sealed value reads ``v1.<key ID>.<base64url of nonce and ciphertext>``. The key ID and the
``binding`` (a name of the row and column, for example ``configs/<id>/client_key``) are associated
data: a value that is copied to another row, or relabelled, does not open. NIST SP 800-38D.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Callable, Sequence
from typing import Final

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bootstrap_core.errors import SealedValueUnreadable, SealingKeyInvalid

MASK: Final = "********"


class Secret:
    """A secret string whose ``repr`` and ``str`` are masked.

    ``reveal`` gives the text; equality takes constant time for secrets of one length. An empty
    secret is falsy, so that "none given" reads naturally.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Wrap ``text``."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that needs it."""
        return self._text

    def encode(self) -> bytes:
        """Return the text as UTF-8 bytes."""
        return self._text.encode()

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.encode(), other.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self else "Secret('')"

    def __str__(self) -> str:
        return MASK if self else ""


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
        except ValueError as error:
            raise SealingKeyInvalid("a sealing key is written in base64") from error
        return cls(material)

    def to_text(self) -> str:
        """Return the key in base64, for a key file."""
        return base64.urlsafe_b64encode(self.material).decode()


class Sealer:
    """Seals with the first of ``keys`` and opens what any of them sealed.

    Putting a new key first and keeping the old ones lets stored values be sealed again one by one.
    Where the keys may be changed by another process, ``changed_keys`` tells of it: it returns all
    keys, the sealing one first, if they changed since it was last asked, else none. It is asked
    before each sealing, and for a value that no known key opens. Keys once known stay known.
    """

    def __init__(
        self,
        keys: Sequence[SealingKey],
        changed_keys: Callable[[], Sequence[SealingKey]] = tuple,
    ) -> None:
        """Take the keys, the sealing one first.

        Raises ``SealingKeyInvalid``: no key is given.
        """
        if not keys:
            raise SealingKeyInvalid("at least one sealing key is needed")
        self._changed_keys = changed_keys
        self._ciphers: dict[str, AESGCM] = {}
        self._learn(keys)

    @property
    def key_id(self) -> str:
        """The ID of the key that seals."""
        return self._first

    def _learn(self, keys: Sequence[SealingKey]) -> None:
        self._ciphers = self._ciphers | {key.id: AESGCM(key.material) for key in keys}
        self._first = keys[0].id

    def _look(self) -> None:
        if changed := self._changed_keys():
            self._learn(changed)

    def seal(self, plaintext: bytes, binding: str) -> str:
        """Return ``plaintext`` sealed for the place that ``binding`` names."""
        self._look()
        nonce = os.urandom(NONCE_BYTES)
        first = self._first
        sealed = nonce + self._ciphers[first].encrypt(nonce, plaintext, _associated(first, binding))
        return f"{VERSION}.{first}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, binding: str) -> bytes:
        """Return what was sealed for ``binding``.

        Raises ``SealedValueUnreadable``: not our key, or altered, or moved.
        """
        version, key_id, body = _parts(sealed)
        if key_id not in self._ciphers:
            self._look()
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
