"""The envelope of the secure bootstrap route: AES-CFB with the key that devices know.

CFB hides but does not protect against changes; it is here because devices expect it, and to read
what the Go service kept that way (``importing``); nothing is stored with it. A message is the 16
bytes of the initialisation vector followed by the ciphertext
(CFB with full-block feedback, NIST SP 800-38A 6.3, Go's ``cipher.NewCFBEncrypter``).
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from bootstrap_core.errors import EncryptKeyInvalid
from bootstrap_core.secrets import Secret

BLOCK_BYTES: Final = 16
KEY_BYTES: Final = (16, 24, 32)


class SecureTransport:
    """Encrypts answers for devices, and decrypts the external keys that they send."""

    def __init__(self, key: Secret) -> None:
        """``key`` is text of 16, 24 or 32 bytes. Raises ``EncryptKeyInvalid``."""
        material = key.encode()
        if len(material) not in KEY_BYTES:
            raise EncryptKeyInvalid(
                f"the bootstrap encryption key has 16, 24 or 32 bytes, not {len(material)}"
            )
        self._algorithm = AES(material)

    def encrypt(self, plaintext: bytes) -> bytes:
        """Return initialisation vector and ciphertext."""
        vector = os.urandom(BLOCK_BYTES)
        encryptor = Cipher(self._algorithm, CFB(vector)).encryptor()
        return vector + encryptor.update(plaintext) + encryptor.finalize()

    def decrypt_key(self, written: bytes) -> bytes | None:
        """Return the external key from its hexadecimal form; None when it is not of that form."""
        try:
            message = bytes.fromhex(written.decode("ascii"))
        except ValueError:
            return None
        if len(message) <= BLOCK_BYTES:
            return None
        decryptor = Cipher(self._algorithm, CFB(message[:BLOCK_BYTES])).decryptor()
        return decryptor.update(message[BLOCK_BYTES:]) + decryptor.finalize()
