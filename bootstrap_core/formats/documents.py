"""Reading JSON (RFC 8259) as every database can keep it: bounded, unambiguous, all of it text.

``read_json`` reads what people and programs send. ``parse_json`` is its first half, for interfaces
with limits of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

MARK: Final = "\ufeff"


def without_mark(text: str) -> str:
    """Return a text without the byte order mark that it may begin with."""
    return text.removeprefix(MARK)


def decode_text(content: bytes | bytearray) -> str:
    """Return the text that is written as UTF-8, with or without a byte order mark.

    Raises ``UnicodeDecodeError``.
    """
    return without_mark(content.decode())


MAX_DEPTH: Final = 100


def is_too_deep(value: object, levels: int = MAX_DEPTH) -> bool:
    """Tell whether objects and arrays are nested deeper than ``levels``; it needs no stack."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        below = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in below for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True


SHOWN_CHARACTERS = 60


class DuplicateKey(ValueError):
    """A key stands twice in one object of a JSON document."""

    def __init__(self, key: str) -> None:
        """Name the key."""
        self.key = key
        super().__init__(
            f"the key {key[:SHOWN_CHARACTERS]!r} stands twice in one object; give it once"
        )


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs, for ``json.loads``. Raises ``DuplicateKey``."""
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKey(key)
            seen.add(key)
    return made


_JSON_FAULTS: Final = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a comma or a closing bracket is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting property name": "a name in double quotes is missing",
    "Illegal trailing comma": "the comma before the closing bracket is too much",
    "Invalid control character": "a text holds a control character; write \\n for a line break",
    "Unterminated string": "the text that begins here has no closing quote",
    "Invalid \\": "JSON has no such escape",
    "Extra data": "something follows the end of the value; remove it",
}
"""What is told for that with which a message of Python's reader begins."""


def json_fault(error: ValueError) -> str:
    """Return what follows "not JSON" in a message: the place, where it is known, and the fault."""
    if not isinstance(error, json.JSONDecodeError):
        return f": {error}"
    return f" at line {error.lineno}, column {error.colno}: {json_words(error)}"


def json_words(error: json.JSONDecodeError) -> str:
    """Return what is wrong with a JSON text, without its place."""
    told = (words for start, words in _JSON_FAULTS.items() if error.msg.startswith(start))
    return next(told, error.msg)


class NotJson(ValueError):
    """A text is not JSON, or not JSON that can be kept.

    ``str`` says so, to stand after the name of what was read: "is not valid JSON at line 1, ...".
    ``key`` is the key that stands twice, if that is what is wrong.
    """

    def __init__(self, words: str, *, key: str = "") -> None:
        super().__init__(words)
        self.key = key


def read_json(content: bytes | bytearray | str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the one JSON value that a text holds, as every database can keep it.

    Raises ``NotJson``: as ``parse_json`` does, and if a number does not fit into a float, it is
    nested deeper than 100 levels, or an escape stands for half a character.
    """
    value = parse_json(content, parse_float=finite_float, parse_int=_int)
    if is_too_deep(value):
        raise NotJson(TOO_DEEP)
    escape = "\\u" if isinstance(content, str) else b"\\u"
    if escape in content and not _is_text(value):  # type: ignore[operator] # of one kind
        raise NotJson("has characters that are not text: a \\u escape stands for half a character")
    return value


def parse_json(
    content: bytes | bytearray | str,
    *,
    parse_float: Callable[[str], float] = float,
    parse_int: Callable[[str], int] = int,
) -> Any:  # noqa: ANN401 - any JSON value
    """Return the one JSON value that a text holds, which is UTF-8 with or without a mark before it.

    Raises ``NotJson``: it is no JSON, a key stands twice in one object, or it is nested deeper than
    Python's stack can follow.
    """
    try:
        return json.loads(
            without_mark(content) if isinstance(content, str) else decode_text(content),
            parse_constant=_refuse,
            parse_float=parse_float,
            parse_int=parse_int,
            object_pairs_hook=unique_keys,
        )
    except DuplicateKey as error:
        raise NotJson(f"is ambiguous: {error}", key=error.key) from error
    except UnicodeDecodeError as error:
        raise NotJson(f"is not valid UTF-8 at byte {error.start}") from error
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError as error:
        raise NotJson(f"is not valid JSON{json_fault(error)}") from error


TOO_DEEP: Final = f"is nested too deeply: at most {MAX_DEPTH} levels"


def _refuse(constant: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"{constant} is not a JSON value")


def finite_float(written: str) -> float:
    """Return a number as it is written. Raises ``ValueError`` for one that no float holds."""
    number = float(written)
    if math.isinf(number):
        raise ValueError(f"the number {written:.30} is too large")
    return number


def _int(written: str) -> int:
    try:
        number = int(written)
        float(number)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"the number {written:.30} is too large") from error
    return number


def _is_text(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
