"""A TOML text with positions: the parsed data, and where each key and value stands."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import cached_property
from typing import Final

import tomli
from attrs import frozen

from bootstrap_core.nesting import is_too_deep
from bootstrap_core.toml_reader import long_key_place
from provision.layout.errors import LayoutError, Problem
from provision.layout.model import JsonValue, KeyPath, Place
from provision.layout.scanner import Mark, scan, string_characters

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 32
_INTEGERS: Final = range(-(2**63), 2**63)


@frozen
class Part:
    """A file whose text is part of a source: it starts at line ``first``, counted from 0."""

    file: str
    first: int


@frozen
class Source:
    """The text of a layout file, with those of its fragments after it (``parts``).

    ``data`` holds JSON types only, except for what ``unfit`` names: numbers that JSON has not.
    Dates and times are RFC 3339 strings.
    """

    file: str
    text: str
    data: dict[str, JsonValue]
    marks: Mapping[KeyPath, Mark]
    unfit: Mapping[KeyPath, str]
    parts: tuple[Part, ...] = ()

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(self.text.split("\n"))

    @cached_property
    def _line_starts(self) -> tuple[int, ...]:
        lengths = (len(line) + 1 for line in self.lines)
        return tuple(itertools.accumulate(lengths, initial=0))[:-1]

    @cached_property
    def positions(self) -> dict[KeyPath, Place]:
        """Where each key stands."""
        return {path: self._place(mark.key) for path, mark in self.marks.items()}

    def key_place(self, path: KeyPath) -> Place:
        """Return where the key of ``path``, or of its nearest ancestor, stands."""
        mark = self._mark(path)
        return self._place(mark.key if mark else 0)

    def value_place(self, path: KeyPath) -> Place:
        """Return where the value of ``path``, or of its nearest ancestor, stands."""
        mark = self._mark(path)
        return self._place(mark.value if mark else 0)

    def place_inside(self, path: KeyPath, index: int) -> Place:
        """Return where character ``index`` of the string at ``path`` stands."""
        mark = self.marks.get(path)
        if mark is None:
            return self.value_place(path)
        offset = mark.value
        for position, (_, at) in enumerate(string_characters(self.text, mark.value)):
            offset = at
            if position >= index:
                break
        return self._place(offset)

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

    def line(self, place: Place) -> str:
        """Return the line of ``place``."""
        first = next((part.first for part in self.parts if part.file == place.file), 0)
        return self.lines[first + place.line - 1]

    def line_name(self, path: KeyPath) -> str:
        """Return which line ``path`` stands in: ``line 3``, and of which fragment, if any."""
        place = self.key_place(path)
        return f"line {place.line}" + (f" of {place.file}" if place.file else "")

    def _mark(self, path: KeyPath) -> Mark | None:
        for length in range(len(path), 0, -1):
            if mark := self.marks.get(path[:length]):
                return mark
        return None

    def _place(self, offset: int) -> Place:
        line = bisect.bisect_right(self._line_starts, offset) - 1
        column = offset - self._line_starts[line] + 1
        for part in reversed(self.parts):
            if line >= part.first:
                return Place(line - part.first + 1, column, part.file)
        return Place(line + 1, column)


def parse_source(text: str, file: str) -> Source:
    """Parse ``text``; ``file`` is what messages call it. Raises :class:`LayoutError`."""
    text = text.replace("\r\n", "\n")
    if len(text) > MAX_CHARACTERS:
        raise _refusal(
            file, text, 0, "size", f"file has {len(text):,} characters; at most {MAX_CHARACTERS:,}"
        )
    if not text.strip():
        raise _refusal(file, text, 0, "empty", "file is empty")
    if (long_key := long_key_place(text)) is not None:
        raise _refusal(file, text, long_key, "depth", "a dotted key with too many parts")
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise _syntax_error(file, text, error) from error
    except RecursionError as error:
        raise _refusal(file, text, 0, "depth", "values are nested too deeply") from error
    except ValueError as error:
        raise _refusal(file, text, 0, "toml-syntax", f"{error}") from error
    if is_too_deep(data, MAX_DEPTH):
        message = f"values are nested too deeply; at most {MAX_DEPTH} levels"
        raise _refusal(file, text, 0, "depth", message)
    unfit: dict[KeyPath, str] = {}
    _to_json_types(data, (), unfit)
    return Source(file, text, data, scan(text).marks, unfit)


def _syntax_error(file: str, text: str, error: tomli.TOMLDecodeError) -> LayoutError:
    duplicates = scan(text).duplicates
    if duplicates and error.msg.startswith("Cannot "):
        twice = duplicates[0]
        first_line = text.count("\n", 0, twice.first) + 1
        key = path_text(twice.path)
        message = f'"{key}" is defined twice, first in line {first_line}'
        return _refusal(file, text, twice.again, "duplicate-key", message, key)
    return _refusal(file, text, error.pos, "toml-syntax", f"not valid TOML: {error.msg}")


def _refusal(
    file: str, text: str, offset: int, rule: str, message: str, key: str = ""
) -> LayoutError:
    place = place_at(text, offset)
    shown = text.split("\n", place.line)[place.line - 1]
    return LayoutError(
        [Problem(file, place.line, place.column, rule, message, key=key, source=shown)]
    )


def place_at(text: str, offset: int) -> Place:
    """Return the line and column of ``offset`` in ``text``."""
    before = text[:offset]
    return Place(before.count("\n") + 1, offset - before.rfind("\n"))


def path_text(path: KeyPath) -> str:
    """Return ``path`` as people write it: ``clients[0].metadata.site``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _to_json_types(node: JsonValue, path: KeyPath, unfit: dict[KeyPath, str]) -> None:
    """Make the TOML values of ``node`` JSON's, in place, noting in ``unfit`` those that cannot."""
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
