"""TOML as the standard library reads it, bounded."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from bootstrap_core.nesting import MAX_DEPTH, is_too_deep

# The standard library's reader takes time by the square of a dotted key's length.
_LONG_KEY: Final = re.compile(
    r"""(?<![\w-])(?:(?:"(?:[^"\\\n]|\\[^\n])*+"|'[^'\n]*+'|[\w-]++)[ \t]*+\.[ \t]*+)"""
    rf"{{{MAX_DEPTH + 1}}}"
)


def long_key_place(text: str) -> int | None:
    """Return where a dotted key of more than 100 parts begins: no such text is to be parsed."""
    found = _LONG_KEY.search(text)
    return found.start() if found else None


def read_toml(text: str) -> dict[str, Any]:
    """Return a TOML document.

    Raises:
        ValueError: it is none, nested deeper than 100 levels, or has a dotted key of more parts.

    """
    if long_key_place(text) is not None:
        raise ValueError(f"a dotted key of more than {MAX_DEPTH} parts")
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_too_deep(document):
        raise ValueError("nested too deeply")
    return document
