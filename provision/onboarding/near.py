"""External IDs that people take for one another: the same address in another spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

SEPARATORS: Final = (":", "-", ".", "_")
HARDWARE: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){4,16}")
"""A hardware address (EUI-48, EUI-64 and the like) without separators."""


def near_spellings(external_id: str) -> frozenset[str]:
    """Return other spellings of an external ID: in the other case, with other separators."""
    found = {spelling for form in _forms(external_id) for spelling in _cases(form)}
    return frozenset(found - {external_id})


def _cases(text: str) -> tuple[str, str, str]:
    return text, text.lower(), text.upper()


def _forms(external_id: str) -> Iterator[str]:
    yield external_id
    used = {separator for separator in SEPARATORS if separator in external_id}
    if len(used) == 1:
        separator = used.pop()
        for other in SEPARATORS:
            yield external_id.replace(separator, other)
    bare = re.sub("[:._-]", "", external_id)
    if HARDWARE.fullmatch(bare):
        yield bare
        pairs = [bare[position : position + 2] for position in range(0, len(bare), 2)]
        for separator in SEPARATORS:
            yield separator.join(pairs)
