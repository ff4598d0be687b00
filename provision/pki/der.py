"""Elements of DER (ITU-T X.690): enough to take a structure apart and to put it together again.

The X.509 library reads whole structures, and refuses those that deviate a little from the standard.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

NULL: Final = 0x05
CONTEXT_0: Final = 0xA0
"""The tag of a constructed element that the structure around it numbers 0."""
LONG_TAG: Final = 0x1F
MOST_LENGTH_BYTES: Final = 4


@frozen
class Element:
    """One element: its tag, its content, and all of its bytes."""

    tag: int
    content: bytes
    whole: bytes

    def parts(self) -> list[Element]:
        """Return the elements that the content is made of. Raises ``ValueError``."""
        return read(self.content)


def read(data: bytes) -> list[Element]:
    """Return the elements that ``data`` is made of. Raises ``ValueError``: it is not DER."""
    found: list[Element] = []
    start = 0
    while start < len(data):
        tag, (begin, length) = data[start], _length(data, start + 1)
        end = begin + length
        if tag & LONG_TAG == LONG_TAG or end > len(data):
            raise ValueError("an element ends after its data, or has a tag of more than one byte")
        found.append(Element(tag, data[begin:end], data[start:end]))
        start = end
    return found


def write(tag: int, parts: Iterable[bytes]) -> bytes:
    """Return an element whose content is ``parts``."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _length(data: bytes, place: int) -> tuple[int, int]:
    """Return where the content starts whose length is written at ``place``, and that length."""
    if place >= len(data):
        raise ValueError("an element lacks its length")
    first = data[place]
    if first < 0x80:
        return place + 1, first
    size = first & 0x7F
    begin = place + 1 + size
    if not 0 < size <= MOST_LENGTH_BYTES or begin > len(data):
        raise ValueError("the length of an element is not written as in DER")
    return begin, int.from_bytes(data[place + 1 : begin], "big")
