"""What an external ID and an external key may hold: what every URL and every header carries.

A device sends its external ID in the path of a URL and its external key in a header. Clients,
proxies and servers change some texts on the way: they drop blanks at the ends, end a header at a
line break, resolve ``.`` and ``..`` and merge slashes in paths. A device with such an ID or key
could be registered and never served, or be taken for another one, so these texts are refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

EXTERNAL_ID_BYTES: Final = 1024
EXTERNAL_KEY_BYTES: Final = 1024
UNPRINTED: Final = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters and of line and paragraph separators."""
DOTS: Final = (".", "..")
DASH: Final = "-"
TURNING: Final = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Characters that set, isolate or override the direction of the text after them."""
_TOKEN: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}"  # a JSON Web Token: a JSON object in base64
    r"|pat_[\w+=-]{40,}",  # a personal access token of Magistrala
    re.ASCII,
)


def holds_token(text: str) -> bool:
    """Tell whether ``text`` holds what looks like a token or an API key of the platform."""
    return _TOKEN.search(text) is not None


def without_tokens(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` in place of everything that looks like a token."""
    return _TOKEN.sub(mask, text)


def external_id_fault(text: str) -> str:
    """Return what makes ``text`` unfit for an external ID, and what to do; empty if it is fit."""
    fault = _fault(text, EXTERNAL_ID_BYTES)
    if fault:
        return fault
    parts = text.split("/")
    if "" in parts:
        return (
            "has a slash at an end, or two in a row, which proxies merge; put other characters "
            "between single slashes"
        )
    for part in parts:
        if part in DOTS:
            return (
                f"has {part!r} as a part of its own, which clients and proxies resolve as a step "
                "in the path; choose another text"
            )
    if holds_token(text):
        return "looks like a token, which must not stand in a path; choose another text"
    return ""


def new_external_id_fault(text: str) -> str:
    """Return what makes ``text`` unfit for the external ID of a device that is new here.

    Devices that are there already have been served with such IDs, and still are.
    """
    if fault := external_id_fault(text):
        return fault
    if text == DASH:
        return f"is {DASH!r} alone, which command lines take for an option; choose another text"
    for place, char in enumerate(text, 1):
        if char in TURNING:
            return (
                f"holds the character U+{ord(char):04X} at place {place}, which turns the "
                "direction of text, so that one ID looks like another; leave it out"
            )
    return ""


def external_key_fault(text: str) -> str:
    """Return what makes ``text`` unfit for an external key, and what to do; empty if it is fit."""
    return _fault(text, EXTERNAL_KEY_BYTES)


def _fault(text: str, most_bytes: int) -> str:
    if not text.strip():
        return "must not be blank"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 0
    if not size or "\0" in text:
        return "has characters that are not text (NUL or a lone surrogate)"
    if size > most_bytes:
        return f"is {size} bytes long; at most {most_bytes}"
    for place, char in enumerate(text, 1):
        if unicodedata.category(char) in UNPRINTED:
            return (
                f"holds the control character U+{ord(char):04X} at place {place}, which no header "
                "or URL carries; leave it out"
            )
    if text != text.strip():
        return "has a blank at an end, which is lost on the way; leave it out"
    return ""
