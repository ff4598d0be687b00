"""Positions in TOML text: where each key and each value stands.

The text is parsed by tomli first; this scanner only walks it again for positions, so it relies on
valid TOML and stops quietly at what it does not understand. On text with a key that is defined
twice, which tomli refuses, it tells where both stand.

Source: TOML 1.0.0, https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Final

from attrs import Factory, define, frozen

from provision.layout.model import KeyPath

_BLANK: Final = re.compile(r"[ \t]*")
_FILLER: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")
_ESCAPES: Final = {
    "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\",
}  # fmt: skip
_HEX_ESCAPES: Final = {"x": 2, "u": 4, "U": 8}
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_FOLD: Final = re.compile(r"[ \t\n]*")
_MAX_DEPTH: Final = 100


@frozen
class Mark:
    """Offsets in the text of a key and of its value.

    A table's value is its header; for an array's element both are the element's.
    """

    key: int
    value: int


@frozen
class Duplicate:
    """A key that is defined again: its path, where it stood first, and where it stands again."""

    path: KeyPath
    first: int
    again: int


class _Lost(Exception):
    """The text is not what valid TOML has here."""


@define
class Scan:
    """What a walk over the text found."""

    marks: dict[KeyPath, Mark] = Factory(dict)
    duplicates: list[Duplicate] = Factory(list)


def scan(text: str) -> Scan:
    """Return the positions of all keys and values of ``text``, whose lines end with LF."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Lost):
        scanner.document()
    return scanner.found


def string_characters(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield each character of the TOML string at ``start`` with its offset in ``text``.

    Yields nothing where no string stands. The characters together are the string's value.
    """
    for quote in ('"""', "'''", '"', "'"):
        if text.startswith(quote, start):
            break
    else:
        return
    at = start + len(quote)
    if len(quote) == 3 and text.startswith("\n", at):
        at += 1
    while at < len(text):
        if text.startswith(quote, at) and (
            len(quote) == 1 or not text.startswith(quote[0], at + len(quote))
        ):
            return
        if text[at] == "\\" and quote[0] == '"':
            yielded, after = _escape(text, at)
            if yielded:
                yield yielded, at
            at = after
        else:
            yield text[at], at
            at += 1


def _escape(text: str, at: int) -> tuple[str, int]:
    """Return the character that the escape at ``at`` stands for (or none) and where it ends."""
    kind = text[at + 1 : at + 2]
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 2
    if kind in _HEX_ESCAPES:
        end = at + 2 + _HEX_ESCAPES[kind]
        digits = _HEX.fullmatch(text, at + 2, end)
        code = int(digits.group(), 16) if digits else sys.maxunicode + 1
        return chr(code) if code <= sys.maxunicode else "", end
    folded = _FOLD.match(text, at + 1)
    return "", folded.end() if folded else at + 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found = Scan()
        self._elements: dict[KeyPath, int] = {}
        self._headers: set[KeyPath] = set()

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_FILLER)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table, depth=0)
            self._skip(_FILLER)

    def _header(self) -> KeyPath:
        array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if array else 1
        key = self._key()
        self._expect("]]" if array else "]")
        path: KeyPath = ()
        for part, offset in key[:-1]:
            path = (*path, part)
            self.found.marks.setdefault(path, Mark(offset, start))
            path = self._into(path)
        part, offset = key[-1]
        path = (*path, part)
        if array:
            self.found.marks.setdefault(path, Mark(offset, start))
            self._elements[path] = self._elements.get(path, -1) + 1
            path = (*path, self._elements[path])
            offset = start
        elif path in self._headers:
            known = self.found.marks[path]
            self.found.duplicates.append(Duplicate(path, known.key, offset))
        self._headers.add(path)
        self.found.marks[path] = Mark(offset, start)
        return path

    def _into(self, path: KeyPath) -> KeyPath:
        """Return ``path``, or the last element of it where it is an array of tables."""
        last = self._elements.get(path)
        return path if last is None else (*path, last)

    def _pair(self, table: KeyPath, depth: int) -> None:
        key = self._key()
        self._expect("=")
        self._skip(_BLANK)
        path = table
        for part, offset in key[:-1]:
            path = (*path, part)
            self.found.marks.setdefault(path, Mark(offset, offset))
        part, offset = key[-1]
        path = (*path, part)
        if known := self.found.marks.get(path):
            self.found.duplicates.append(Duplicate(path, known.key, offset))
        self.found.marks[path] = Mark(offset, self.at)
        self._value(path, depth)

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise _Lost
        match self.text[self.at : self.at + 1]:
            case '"' | "'":
                self._string()
            case "[":
                self._array(path, depth)
            case "{":
                self._inline_table(path, depth)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: KeyPath, depth: int) -> None:
        self.at += 1
        index = 0
        self._skip(_FILLER)
        while not self.text.startswith("]", self.at):
            self.found.marks[(*path, index)] = Mark(self.at, self.at)
            self._value((*path, index), depth + 1)
            index += 1
            self._skip(_FILLER)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_FILLER)
            elif not self.text.startswith("]", self.at):
                raise _Lost
        self.at += 1

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self.at += 1
        self._skip(_FILLER)
        while not self.text.startswith("}", self.at):
            self._pair(path, depth + 1)
            self._skip(_FILLER)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_FILLER)
            elif not self.text.startswith("}", self.at):
                raise _Lost
        self.at += 1

    def _key(self) -> list[tuple[str, int]]:
        """Read a dotted key: its parts, each with its offset."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_BLANK)
            start = self.at
            if self.text[self.at : self.at + 1] in {'"', "'"}:
                part = "".join(character for character, _ in string_characters(self.text, start))
                self._string()
            elif bare := _BARE_KEY.match(self.text, self.at):
                part = bare.group()
                self.at = bare.end()
            else:
                raise _Lost
            parts.append((part, start))
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return parts
            if len(parts) > _MAX_DEPTH:
                raise _Lost
            self.at += 1

    def _string(self) -> None:
        start = self.at
        quote = self.text[start]
        if self.text.startswith(quote * 3, start):
            quote *= 3
        end = start + len(quote)
        while not self.text.startswith(quote, end):
            if end >= len(self.text):
                raise _Lost
            end += 2 if self.text[end] == "\\" and quote[0] == '"' else 1
        while len(quote) == 3 and self.text.startswith(quote[0], end + 3):
            end += 1
        self.at = end + len(quote)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self.text, self.at):
            self.at = match.end()

    def _expect(self, wanted: str) -> None:
        if not self.text.startswith(wanted, self.at):
            raise _Lost
        self.at += len(wanted)
