"""Writing TOML the way Go's go-toml v2 does: sorted keys, literal strings where they can be.

null has no form in TOML: an entry that is null is left out, null in an array is an error.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final

import tomli

from bootstrap_core.formats.documents import MAX_DEPTH, is_too_deep, without_mark

_KEY: Final = r"""(?:"(?:[^"\\\n]|\\[^\n])*+"|'[^'\n]*+'|[\w-]++)"""

# What a text is made of, in one pass: strings of several lines, comments, dotted keys, the rest.
# An open string goes to the end, so that no character is looked at again and again.
_PARTS: Final = re.compile(
    rf"""(?P<dotted>(?:{_KEY}[ \t]*+\.[ \t]*+)++)"""
    r'''|"""(?:[^"\\]|\\.|"{1,2}(?:[^"\\]|\\.))*+(?:"{3,5}|"{0,2}\Z)'''
    r"""|'{3}(?:[^']|'{1,2}[^'])*+(?:'{3,5}|'{0,2}\Z)"""
    r"""|"(?:[^"\\\n]|\\[^\n])*+"?|'[^'\n]*+'?|\#[^\n]*+|[\w-]++|[^\w"'#-]++""",
    re.DOTALL,
)
_DOT: Final = re.compile(rf"{_KEY}[ \t]*+\.")
_COMMENTS: Final = ("//", "/*")
TOMLDecodeError = tomli.TOMLDecodeError


class TOMLTooDeep(ValueError):
    """The text is nested too deeply; ``position`` is the offset where, 0 if unknown."""

    def __init__(self, message: str, position: int = 0) -> None:
        """Take what is too deep and where."""
        super().__init__(message)
        self.position = position


def _long_key_place(text: str) -> int | None:
    """Return where a dotted key of more than 100 parts begins: no such text is to be parsed.

    The reader takes time by the square of a dotted key's length.
    """
    for part in _PARTS.finditer(text):
        dotted = part["dotted"]
        if dotted and dotted.count(".") > MAX_DEPTH and len(_DOT.findall(dotted)) > MAX_DEPTH:
            return part.start()
    return None


def read_toml(text: str) -> dict[str, Any]:
    """Return a TOML document; a byte order mark before it is passed over.

    Raises:
        TOMLDecodeError: it is none (``line_of_comment``: but for a comment).
        TOMLTooDeep: it is nested deeper than 100 levels, or has a dotted key of more parts.
        ValueError: it is none in another way; both others are of this kind, too.

    """
    text = without_mark(text)
    if (long_key := _long_key_place(text)) is not None:
        raise TOMLTooDeep(f"a dotted key of more than {MAX_DEPTH} parts", long_key)
    try:
        document = tomli.loads(text)
    except TOMLDecodeError as error:
        raise (_with_remedy(error) if line_of_comment(error) else error) from None
    except RecursionError:
        raise TOMLTooDeep("nested too deeply") from None
    if is_too_deep(document):
        raise TOMLTooDeep("nested too deeply")
    return document


def line_of_comment(error: ValueError) -> int:
    """Return the line where a comment of another language ends what is TOML; 0: none does."""
    if not isinstance(error, TOMLDecodeError) or _mark(error) not in _COMMENTS:
        return 0
    return error.doc.count("\n", 0, error.pos) + 1


def _with_remedy(error: TOMLDecodeError) -> TOMLDecodeError:
    told = f"{_mark(error)!r} begins no comment in TOML; a comment begins with #"
    return TOMLDecodeError(told, error.doc, error.pos)


def _mark(error: TOMLDecodeError) -> str:
    return error.doc[error.pos : error.pos + 2]


def is_old_toml(text: str) -> bool:
    """Tell whether readers of TOML 1.0, which most devices have, take a text that is TOML."""
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r"['\x00-\x1f\x7f]")


class TOMLError(ValueError):
    """The value has no form in TOML."""


def write_toml(document: Mapping[str, Any]) -> str:
    """Return a document as TOML.

    Raises:
        TOMLError: a value in it has no form in TOML; the message names its key.

    """
    lines: list[str] = []
    _table(lines, document, [])
    return "\n".join(lines) + "\n" if lines else ""


def format_time(value: date | time) -> str:
    """Return a date or time in RFC 3339, UTC as Z."""
    text = value.isoformat().replace("+00:00", "Z")
    return re.sub(r"(\.\d*?)0+(?=$|[Z+-])", lambda found: found[1].rstrip("."), text)


def _table(lines: list[str], table: Mapping[str, Any], path: list[str]) -> None:
    """Write the values of a table, then the tables in it."""
    entries = _entries(table)
    below = []
    for key, value in entries:
        if isinstance(value, Mapping) or _is_tables(value):
            below.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_value(value, [*path, key])}")
    for key, value in below:
        name = ".".join(_key(part) for part in [*path, key])
        for each in [value] if isinstance(value, Mapping) else value:
            if lines and not lines[-1].startswith("["):
                lines.append("")
            lines.append(f"[{name}]" if isinstance(value, Mapping) else f"[[{name}]]")
            _table(lines, each, [*path, key])


def _entries(table: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """Return the entries that are not null, in the order of their keys."""
    entries = [(key, value) for key, value in table.items() if value is not None]
    if not all(isinstance(key, str | int | float) for key, _ in entries):
        raise TOMLError("a key is neither text nor a number; put it in quotes")
    return sorted(((str(key), value) for key, value in entries), key=lambda entry: entry[0])


def _is_tables(value: object) -> bool:
    """Say whether a value is an array of tables."""
    return isinstance(value, list) and bool(value) and all(isinstance(i, Mapping) for i in value)


def _key(key: str) -> str:
    """Write a key."""
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    """Write a string: as it is between single quotes, or escaped between double ones."""
    if not _BASIC.search(text):
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: Any, path: list[str]) -> str:  # noqa: ANN401 - any value
    """Write a value within a line."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise TOMLError(f"{'.'.join(path)}: {value} is no 64-bit integer; TOML has no others")
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else repr(value).replace("-nan", "nan")
    if isinstance(value, date | time | datetime):
        return format_time(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(item, path) for item in value)}]"
    if isinstance(value, Mapping):
        entries = _entries(value)
        return "{" + ", ".join(f"{_key(k)} = {_value(v, [*path, k])}" for k, v in entries) + "}"
    raise TOMLError(f"{'.'.join(path)}: null in an array; TOML has no null")
