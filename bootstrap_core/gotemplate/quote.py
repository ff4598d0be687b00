"""Quoted strings and characters (Go: strconv/quote.go)."""

from __future__ import annotations

import re
from typing import Final

from bootstrap_core.gotemplate.runes import (
    REPLACEMENT,
    all_print,
    byte_of,
    from_bytes,
    is_print,
    to_bytes,
)

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
