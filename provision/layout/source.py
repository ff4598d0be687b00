"""A TOML text with positions: the parsed data, and where each key and value stands."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import math
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import cached_property
from typing import Final, TypeAlias, TypeVar

from attrs import Factory, define, field, frozen

from bootstrap_core.formats.documents import is_too_deep, without_mark
from bootstrap_core.formats.toml import TOMLDecodeError, TOMLTooDeep, read_toml
from provision.layout.errors import LayoutError, Problem
from provision.layout.model import JsonValue, KeyPath, Position, path_text

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
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""+|"(?!"")(?:\\.|[^"\\])*"'
    r"|'''.*?'''+|'(?!'')[^']*'",
    re.DOTALL,
)
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


def scan(text: str) -> Scan:
    """Return the positions of all keys and values of ``text``, whose lines end with LF."""
    found = Scan(text)
    with contextlib.suppress(_Lost):
        found.document()
    return found


def string_characters(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield each character of the TOML string at ``start`` with its offset in ``text``.

    Yields nothing where no string stands. The characters together are the string's value.
    """
    string = _STRING.match(text, start)
    if string is None:
        return
    quotes = 3 if text.startswith(('"""', "'''"), start) else 1
    at, end = start + quotes, string.end() - quotes
    if quotes == 3 and text.startswith("\n", at):
        at += 1
    while at < end:
        if text[at] == "\\" and text[start] == '"':
            yielded, after = _escape(text, at)
            if yielded:
                yield yielded, at
            at = after
        else:
            yield text[at], at
            at += 1


def _escape(text: str, at: int) -> tuple[str, int]:
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


@define
class Scan:
    """A walk over a text, and what it found."""

    text: str
    at: int = 0
    marks: dict[KeyPath, Mark] = Factory(dict)
    duplicates: list[Duplicate] = Factory(list)
    _elements: dict[KeyPath, int] = Factory(dict)
    _headers: set[KeyPath] = Factory(set)
    _by_pairs: set[KeyPath] = Factory(set)
    """What pairs define, the tables of dotted keys too: no header may define it again."""

    def document(self) -> None:
        """Go to the end of the text. Raises ``_Lost`` where it is no TOML."""
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
            self.marks.setdefault(path, Mark(offset, start))
            path = self._into(path)
        part, offset = key[-1]
        path = (*path, part)
        if array:
            known = self.marks.setdefault(path, Mark(offset, start))
            if known.key != offset and path not in self._elements:
                self.duplicates.append(Duplicate(path, known.key, offset))
            self._elements[path] = self._elements.get(path, -1) + 1
            path = (*path, self._elements[path])
            offset = start
        elif path in self._headers or path in self._by_pairs:
            known = self.marks[path]
            self.duplicates.append(Duplicate(path, known.key, offset))
        self._headers.add(path)
        self.marks[path] = Mark(offset, start)
        return path

    def _into(self, path: KeyPath) -> KeyPath:
        last = self._elements.get(path)
        return path if last is None else (*path, last)

    def _pair(self, table: KeyPath, depth: int) -> None:
        key = self._key()
        self._expect("=")
        self._skip(_BLANK)
        path = table
        for part, offset in key[:-1]:
            path = (*path, part)
            self.marks.setdefault(path, Mark(offset, offset))
            self._by_pairs.add(path)
        part, offset = key[-1]
        path = (*path, part)
        self._by_pairs.add(path)
        if known := self.marks.get(path):
            self.duplicates.append(Duplicate(path, known.key, offset))
        self.marks[path] = Mark(offset, self.at)
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
        for index, _ in enumerate(self._items("]")):
            self.marks[(*path, index)] = Mark(self.at, self.at)
            self._value((*path, index), depth + 1)

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        for _ in self._items("}"):
            self._pair(path, depth + 1)

    def _items(self, end: str) -> Iterator[None]:
        """Stop before each item, up to ``end``; the caller reads the item before it goes on."""
        self.at += 1
        self._skip(_FILLER)
        while not self.text.startswith(end, self.at):
            yield
            self._skip(_FILLER)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_FILLER)
            elif not self.text.startswith(end, self.at):
                raise _Lost
        self.at += 1

    def _key(self) -> list[tuple[str, int]]:
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
        string = _STRING.match(self.text, self.at)
        if string is None:
            raise _Lost
        self.at = string.end()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self.text, self.at):
            self.at = match.end()

    def _expect(self, wanted: str) -> None:
        if not self.text.startswith(wanted, self.at):
            raise _Lost
        self.at += len(wanted)


MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 32
MOST_DUPLICATES: Final = 20
"""Keys that are defined twice, of which one reading tells."""

_INTEGERS: Final = range(-(2**63), 2**63)


Moves: TypeAlias = Mapping[KeyPath, KeyPath | None]
"""Where the tables of a fragment stand in the layout that includes it; None: they gave way."""

_Item = TypeVar("_Item")


def moved(items: Mapping[KeyPath, _Item], moves: Moves) -> dict[KeyPath, _Item]:
    """Return ``items`` of a fragment under their new paths, without those that gave way."""
    found: dict[KeyPath, _Item] = {}
    for path, item in items.items():
        known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in moves)
        target = moves[known]
        if target is not None:
            found[(*target, *path[len(known) :])] = item
    return found


@frozen
class Part:
    """A fragment whose text is part of a source, from a line (counted from 0) and an offset on."""

    source: Source
    line: int
    offset: int
    moves: Moves


@frozen
class Source:
    """The text of a layout file, with those of its fragments after it (``parts``).

    ``data`` holds JSON types only, except for what ``unfit`` names: numbers that JSON has not.
    Dates and times are RFC 3339 strings.
    """

    file: str
    text: str
    data: dict[str, JsonValue]
    unfit: Mapping[KeyPath, str]
    parts: tuple[Part, ...] = ()
    _offsets: dict[int, list[int]] = field(factory=dict, init=False, repr=False, eq=False)
    """Where the characters of a string stand, by the string's own offset."""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(self.text.split("\n"))

    @cached_property
    def _line_starts(self) -> tuple[int, ...]:
        lengths = (len(line) + 1 for line in self.lines)
        return tuple(itertools.accumulate(lengths, initial=0))[:-1]

    @cached_property
    def _marks(self) -> Mapping[KeyPath, Mark]:
        """Where each key and value stands: looked for when something is told of the first."""
        end = self.parts[0].offset if self.parts else len(self.text)
        marks = scan(self.text[:end]).marks
        for part in self.parts:
            for path, mark in moved(scan(part.source.text).marks, part.moves).items():
                marks.setdefault(path, Mark(mark.key + part.offset, mark.value + part.offset))
        return marks

    @cached_property
    def unfit_within(self) -> Mapping[KeyPath, list[KeyPath]]:
        """What ``unfit`` names, by every path that it is at or within."""
        found: dict[KeyPath, list[KeyPath]] = {}
        for path in self.unfit:
            for length in range(len(path) + 1):
                found.setdefault(path[:length], []).append(path)
        return found

    def key_position(self, path: KeyPath) -> Position:
        """Return where the key of ``path``, or of its nearest ancestor, stands."""
        mark = self._mark(path)
        return self._position(mark.key if mark else 0)

    def value_position(self, path: KeyPath) -> Position:
        """Return where the value of ``path``, or of its nearest ancestor, stands."""
        mark = self._mark(path)
        return self._position(mark.value if mark else 0)

    def position_inside(self, path: KeyPath, index: int) -> Position:
        """Return where character ``index`` of the string at ``path`` stands."""
        mark = self._marks.get(path)
        if mark is None:
            return self.value_position(path)
        offsets = self._offsets.get(mark.value)
        if offsets is None:
            found = [at for _, at in string_characters(self.text, mark.value)]
            offsets = self._offsets[mark.value] = found or [mark.value]
        return self._position(offsets[min(index, len(offsets) - 1)])

    def has(self, path: KeyPath) -> bool:
        """Return whether the file gives a value for ``path``."""
        return self.value(path) is not None

    def value(self, path: KeyPath) -> JsonValue:
        """Return the value at ``path``, or ``None`` where there is none."""
        node: JsonValue = self.data
        for part in path:
            match node:
                case dict():
                    node = node.get(part)
                case list() if isinstance(part, int) and part < len(node):
                    node = node[part]
                case _:
                    return None
        return node

    def strings(self, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        """Yield the strings of the list at ``path``, each with its path."""
        items = self.value(path)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, str):
                yield (*path, index), item

    def line(self, position: Position) -> str:
        """Return the line of ``position``."""
        first = next((part.line for part in self.parts if part.source.file == position.file), 0)
        return self.lines[first + position.line - 1]

    def line_name(self, path: KeyPath) -> str:
        """Return which line ``path`` stands in: ``line 3``, and of which fragment, if any."""
        position = self.key_position(path)
        return f"line {position.line}" + (f" of {position.file}" if position.file else "")

    def _mark(self, path: KeyPath) -> Mark | None:
        for length in range(len(path), 0, -1):
            if mark := self._marks.get(path[:length]):
                return mark
        return None

    def _position(self, offset: int) -> Position:
        line = bisect.bisect_right(self._line_starts, offset) - 1
        column = offset - self._line_starts[line] + 1
        for part in reversed(self.parts):
            if line >= part.line:
                return Position(line - part.line + 1, column, part.source.file)
        return Position(line + 1, column)


def parse_source(text: str, file: str) -> Source:
    """Parse ``text``; ``file`` is what messages call it. Raises :class:`LayoutError`."""
    text = without_mark(text).replace("\r\n", "\n")
    if len(text) > MAX_CHARACTERS:
        raise _refusal(
            file, text, 0, "size", f"file has {len(text):,} characters; at most {MAX_CHARACTERS:,}"
        )
    if not text.strip():
        raise _refusal(file, text, 0, "empty", "file is empty")
    try:
        data = read_toml(text)
    except TOMLDecodeError as error:
        raise _syntax_error(file, text, error) from error
    except TOMLTooDeep as error:
        raise _refusal(file, text, error.position, "depth", f"{error}") from error
    except ValueError as error:
        raise _refusal(file, text, 0, "toml-syntax", f"{error}") from error
    if is_too_deep(data, MAX_DEPTH):
        message = f"values are nested too deeply; at most {MAX_DEPTH} levels"
        raise _refusal(file, text, 0, "depth", message)
    unfit: dict[KeyPath, str] = {}
    _to_json_types(data, (), unfit)
    return Source(file, text, data, unfit)


def _syntax_error(file: str, text: str, error: TOMLDecodeError) -> LayoutError:
    duplicates = scan(text).duplicates
    if duplicates and error.msg.startswith(("Cannot ", "Duplicate ")):
        told: dict[KeyPath, Duplicate] = {}
        for duplicate in duplicates:
            # What stands in a table that is defined twice follows from that.
            path = duplicate.path
            if not any(path[:length] in told for length in range(len(path) + 1)):
                told[path] = duplicate
        few = list(told.values())[:MOST_DUPLICATES]
        return LayoutError([_duplicate(file, text, duplicate) for duplicate in few])
    template = text.find("{{", max(0, error.pos - 1), error.pos + 2)
    if template >= 0:
        message = (
            'a template stands in quotes, as in name = "{{ .ExternalID }}"; what it gives is then '
            "a text"
        )
        return _refusal(file, text, template, "toml-syntax", message)
    return _refusal(file, text, error.pos, "toml-syntax", f"not valid TOML: {error.msg}")


def _duplicate(file: str, text: str, twice: Duplicate) -> Problem:
    first_line = text.count("\n", 0, twice.first) + 1
    key = path_text(twice.path)
    message = f'"{key}" is defined twice, first in line {first_line}'
    [problem] = _refusal(file, text, twice.again, "duplicate-key", message, key).problems
    return problem


def _refusal(
    file: str, text: str, offset: int, rule: str, message: str, key: str = ""
) -> LayoutError:
    position = position_at(text, offset)
    shown = text.split("\n", position.line)[position.line - 1]
    return LayoutError(
        [Problem(file, position.line, position.column, rule, message, key=key, source=shown)]
    )


def position_at(text: str, offset: int) -> Position:
    """Return the line and column of ``offset`` in ``text``."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - before.rfind("\n"))


def _to_json_types(node: JsonValue, path: KeyPath, unfit: dict[KeyPath, str]) -> None:
    """Make the TOML values within ``node`` JSON's; ``unfit`` gets those that cannot be."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        here = (*path, key)
        match value:
            case dict() | list():
                _to_json_types(value, here, unfit)
            case datetime() | date() | time():
                node[key] = value.isoformat().replace("+00:00", "Z")
            case float() if not math.isfinite(value):
                unfit[here] = "JSON has no such number"
            case int() if value not in _INTEGERS:
                unfit[here] = "integer does not fit 64 bits"
