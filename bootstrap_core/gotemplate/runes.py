"""Characters as Go sees them (Go: unicode, unicode/utf8).

Go strings are bytes. Here they are ``str`` in which a byte that is not part of valid UTF-8 is a
surrogate U+DC80 to U+DCFF (Python's "surrogateescape"); ``to_bytes`` and ``from_bytes`` convert.
Letters and printable characters are those of Unicode 15.0, Go's version, whatever Python's is.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

REPLACEMENT: Final = "\ufffd"

_ESCAPES: Final = re.compile("[\ud800-\udfff]")
# Printable in Unicode 15.0 and unknown to 14.0, and the other way round 15.1 to 15.0.
_ADDED: Final = re.compile(
    "[\u0cf3\u0ece\U00010efd-\U00010eff\U0001123f-\U00011241\U00011b00-\U00011b09"
    "\U00011f00-\U00011f10\U00011f12-\U00011f3a\U00011f3e-\U00011f59\U0001342f"
    "\U00013440-\U00013455\U0001b132\U0001b155\U0001d2c0-\U0001d2d3\U0001df25-\U0001df2a"
    "\U0001e030-\U0001e06d\U0001e08f\U0001e4d0-\U0001e4f9\U0001f6dc\U0001f774-\U0001f776"
    "\U0001f77b-\U0001f77f\U0001f7d9\U0001fa75-\U0001fa77\U0001fa87-\U0001fa88"
    "\U0001faad-\U0001faaf\U0001fabb-\U0001fabd\U0001fabf\U0001face-\U0001facf"
    "\U0001fada-\U0001fadb\U0001fae8\U0001faf7-\U0001faf8\U0002b739\U00031350-\U000323af]"
)
_ADDED_ALPHA_NUMERIC: Final = re.compile(
    "[\U0001123f-\U00011240\U00011f02\U00011f04-\U00011f10\U00011f12-\U00011f33"
    "\U00011f50-\U00011f59\U0001342f\U00013441-\U00013446\U0001b132\U0001b155"
    "\U0001df25-\U0001df2a\U0001e030-\U0001e06d\U0001e4d0-\U0001e4eb\U0001e4f0-\U0001e4f9"
    "\U0002b739\U00031350-\U000323af]"
)
_LATER: Final = re.compile("[\u2ffc-\u2fff\u31ef\U0002ebf0-\U0002ee5d]")


def is_print(char: str) -> bool:
    """Say whether Go holds a character to be printable: the blank, and what is seen."""
    if char.isprintable():
        return char.isascii() or not _LATER.match(char)
    return bool(_ADDED.match(char))


def all_print(text: str) -> bool:
    """Say whether every character of ``text`` is certainly printable."""
    return text.isprintable() and (text.isascii() or not _LATER.search(text))


def is_alpha_numeric(char: str) -> bool:
    """Say whether a character may stand in a name: a letter, a digit of any script, or "_"."""
    if char.isascii():
        return char.isalnum() or char == "_"
    category = unicodedata.category(char)
    if category == "Cn":
        return bool(_ADDED_ALPHA_NUMERIC.match(char))
    return (category[0] == "L" or category == "Nd") and not _LATER.match(char)


def code_point(char: str) -> str:
    """Write a character as Go's %#U does, one that is not valid as U+FFFD."""
    char = REPLACEMENT if _ESCAPES.match(char) else char
    name = f"U+{ord(char):04X}"
    return f"{name} '{char}'" if is_print(char) else name


def to_bytes(text: str) -> bytes:
    """Return the bytes of a Go string. Surrogates that stand for no byte become U+FFFD."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udc7f\udd00-\udfff]", REPLACEMENT, text).encode(
            "utf-8", "surrogateescape"
        )


def from_bytes(data: bytes) -> str:
    """Return the Go string of some bytes."""
    return data.decode("utf-8", "surrogateescape")


def normal(text: str) -> str:
    """Return ``text`` in its one form: where escaped bytes make a character, the character."""
    if text.isascii() or not _ESCAPES.search(text):
        return text
    return from_bytes(to_bytes(text))


def valid(text: str) -> str:
    """Return ``text`` with U+FFFD in place of every byte that is not UTF-8."""
    if text.isascii():
        return text
    return _ESCAPES.sub(REPLACEMENT, text)


def length(text: str) -> int:
    """Return the number of bytes in a Go string."""
    return len(text) if text.isascii() else len(to_bytes(text))


def byte_of(char: str) -> int | None:
    """Return the byte that a surrogate stands for, None for any other character."""
    return ord(char) - 0xDC00 if "\udc80" <= char <= "\udcff" else None


def finish(text: str) -> str:
    """Return a text put together of pieces: bytes that make characters joined, others U+FFFD."""
    if text.isascii() or not _ESCAPES.search(text):
        return text
    return valid(from_bytes(to_bytes(text)))
