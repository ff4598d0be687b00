"""Serial numbers: 128 random bits, written as OpenBao and Magistrala write them.

RFC 5280, section 4.1.2.2: positive, at most 20 octets. 128 random bits make collisions and guesses
out of the question.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

SERIAL_BITS: Final = 128
_SPELLING: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){0,19}")


def new_serial() -> int:
    """Return a random serial number greater than nought."""
    return secrets.randbits(SERIAL_BITS) or new_serial()


def write_serial(serial: int) -> str:
    """Return the serial number in hex, two digits an octet, with colons: ``0a:1b:...``."""
    digits = f"{serial:x}"
    return bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)).hex(":")


def normal_serial(text: str) -> str:
    """Return a serial number in its one spelling (leading noughts, case and blanks vary elsewhere).

    Text that is no serial number comes back empty.
    """
    text = text.strip().lower()
    if ":" not in text:
        text = text.zfill(len(text) + len(text) % 2)
        text = ":".join(text[place : place + 2] for place in range(0, len(text), 2))
    if not _SPELLING.fullmatch(text):
        return ""
    return write_serial(read_serial(text))


def read_serial(text: str) -> int:
    """Return the number that ``write_serial`` wrote."""
    return int(text.replace(":", ""), 16)
