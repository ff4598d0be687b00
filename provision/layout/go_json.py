"""JSON text as Go's ``encoding/json`` writes it: what the Go service stores as content.

Keys sorted, no blanks, ``<``, ``>``, ``&`` and the line separators escaped, numbers in Go's form.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final

from provision.layout.model import JsonValue

_ESCAPED: Final = str.maketrans(
    {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
)


def go_json(value: JsonValue) -> str:
    """Return ``value`` as JSON text. The keys of its objects are strings, its numbers finite."""
    match value:
        case dict():
            members = (f"{_text(key)}:{go_json(value[key])}" for key in sorted(value, key=_bytes))
            return f"{{{','.join(members)}}}"
        case list() | tuple():
            return f"[{','.join(map(go_json, value))}]"
        case str():
            return _text(value)
        case float():
            return _number(value)
    return json.dumps(value)


def _bytes(key: str) -> bytes:
    return key.encode(errors="surrogatepass")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED)


def _number(number: float) -> str:
    """Return the shortest digits; an exponent below 1e-6 and from 1e21 on."""
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        return format(Decimal(repr(number)), "f").removesuffix(".0")
    mantissa, exponent = repr(number).split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
