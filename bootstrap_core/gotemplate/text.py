"""Text as Go sees it: characters and quoted strings (Go: unicode, utf8, strconv/quote.go)."""

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


_SHORT: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
}
_ESCAPED: Final = {escape[1]: char for char, escape in _SHORT.items()}
_ODD: Final = re.compile(r"[^ -~]|[\"\\]")
_ODD_RUNE: Final = re.compile(r"[^ -~]|['\\]")

_ESCAPE: Final = re.compile(
    rb"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))"
)


def quote(text: str) -> str:
    """Write a string in double quotes (strconv.Quote, %q)."""
    if all_print(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if text.isascii():
        return '"' + text.translate(_ASCII) + '"'
    return '"' + _ODD.sub(lambda found: _escape(found[0]), text) + '"'


def quote_ascii(text: str) -> str:
    """Write a string in double quotes with nothing but ASCII (strconv.QuoteToASCII, %+q)."""
    return '"' + _ODD.sub(lambda found: _escape(found[0], ascii_only=True), text) + '"'


def quote_rune(char: str, *, ascii_only: bool = False) -> str:
    """Write a character in single quotes (strconv.QuoteRune, %q and %+q of a number)."""
    char = REPLACEMENT if byte_of(char) is not None else char
    if _ODD_RUNE.match(char):
        char = r"\'" if char == "'" else _escape(char, ascii_only=ascii_only)
    return f"'{char}'"


def can_backquote(text: str) -> bool:
    """Say whether a string may stand unchanged between backquotes (strconv.CanBackquote, %#q)."""
    return not re.search("[\x00-\x08\x0a-\x1f\x7f`\ufeff\ud800-\udfff]", text)


def _escape(char: str, *, ascii_only: bool = False) -> str:
    """Write a character as it stands between quotes."""
    if char == '"':
        return r"\""
    short = _SHORT.get(char)
    if short:
        return short
    byte = byte_of(char)
    if byte is not None:
        return f"\\x{byte:02x}"
    number = ord(char)
    if is_print(char) and (number < 0x7F or not ascii_only):
        return char
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


_ASCII: Final = {code: _escape(chr(code)) for code in (*range(32), 34, 92, 127)}


def unquote(literal: str) -> str | None:
    """Return the text of a string literal, in double quotes or backquotes; None if it is wrong."""
    body = literal[1:-1]
    if literal[0] == "`":
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    data = to_bytes(body)
    out, pos = [], 0
    while (slash := data.find(b"\\", pos)) >= 0:
        found = _ESCAPE.match(data, slash)
        value = _escaped(found) if found else None
        if found is None or value is None:
            return None
        out += [data[pos:slash], value]
        pos = found.end()
    return from_bytes(b"".join(out) + data[pos:])


def _escaped(found: re.Match[bytes]) -> bytes | None:
    """Return the bytes of one escape sequence, None if it stands for nothing."""
    short, byte, code4, code8, octal = found.groups()
    if short:
        char = short.decode()
        return _ESCAPED.get(char, char).encode()
    if byte or octal:
        number = int(byte, 16) if byte else int(octal, 8)
        return bytes([number]) if number < 256 else None
    number = int(code4 or code8, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return None
    return chr(number).encode()


def unquote_char(literal: str) -> tuple[int, str] | None:
    """Return the number of the first character of a literal in single quotes and what follows it.

    None means that the literal is wrong.
    """
    body = literal[1:]
    if body.startswith("'"):
        return None
    if not body.startswith("\\"):
        number = ord(body[0])
        return (0xFFFD if byte_of(body[0]) is not None else number), body[1:]
    if body.startswith("\\'"):
        return ord("'"), body[2:]
    found = _ESCAPE.match(to_bytes(body))
    if found is None or found[1] == b'"':
        return None
    value = _escaped(found)
    if value is None:
        return None
    rest = from_bytes(to_bytes(body)[found.end() :])
    return (value[0] if found[2] or found[5] else ord(value.decode())), rest
