"""Reading values out of decoded JSON, YAML or TOML objects.

Keys that are misspelt are refused. null stands for a value that is not given, as in the Go
service. Each reader raises ``Malformed`` with the place of a value that is not of the kind that is
wanted.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Final

from attrs import field, frozen

from bootstrap_core.errors import Malformed, Unprocessable

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


MOST_COMPARED: Final = 50
"""Unknown names of one object that are compared: comparing takes time."""
LONGEST_COMPARED: Final = 64
"""Characters in names that are compared."""

CONFIG: Final = frozenset({
    "id", "config_id", "client_id", "thing_id", "mainflux_id", "client_secret", "thing_key",
    "mainflux_key", "channels", "mainflux_channels", "external_id", "external_key", "name",
    "content", "client_cert", "client_key", "ca_cert", "state", "status", "profile_id",
    "render_context", "domain_id", "owner", "created_at", "updated_at", "updated_by",
    "last_fetch",
})  # fmt: skip
"""Fields of a config in any release: sent, answered, or both."""
PROFILE: Final = frozenset({
    "id", "domain_id", "name", "description", "content_format", "template_format",
    "content_template", "defaults", "binding_slots", "version", "created_at", "updated_at",
    "updated_by",
})  # fmt: skip
SLOT: Final = frozenset({"name", "type", "required", "fields"})
BINDING: Final = frozenset(
    {"config_id", "slot", "type", "resource_id", "snapshot", "secret_snapshot", "updated_at"}
)
BINDINGS: Final = frozenset({"config_id", "bindings"})
PREVIEW: Final = frozenset(
    {"config_id", "config", "render_context", "bindings", "show_secrets", "profile"}
)


def misspelt(names: Iterable[str], known: Collection[str]) -> tuple[str, str] | None:
    """Return the first name that is misspelt, and the known name that is nearest to it."""
    unknown = (name for name in names if name not in known and len(name) <= LONGEST_COMPARED)
    for name in islice(unknown, MOST_COMPARED):
        if near := difflib.get_close_matches(name.casefold(), known, n=1):
            return name, near[0]
    return None


@frozen
class Document:
    """An object of a request; ``place`` is where it stands in the body, empty for the whole."""

    values: Mapping[str, Any] = field(repr=False)
    place: str = ""

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def where(self, key: str) -> str:
        """Return the place of a key's value, for messages."""
        return f"{self.place}.{key}" if self.place else key

    def of(self, known: Collection[str]) -> Document:
        """Return the document itself, unless it has a misspelt field. Raises ``Malformed``."""
        if found := misspelt((key for key in self.values if isinstance(key, str)), known):
            name, near = found
            raise Malformed(
                f"{self.where(name)}: no such field is known; did you mean {near!r}?",
                details={"field": self.where(name), "suggestion": near},
            )
        return self

    def text(self, key: str, default: str = "") -> str:
        """Return a string. NUL, which the stores cannot keep, raises ``Unprocessable``."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise Malformed(f"{self.where(key)}: a string is wanted, not {_kind(value)}")
        if "\0" in value:
            raise Unprocessable(f"{self.where(key)}: the character NUL cannot be stored; remove it")
        return value

    def required_text(self, key: str) -> str:
        """Return a string that is not empty."""
        value = self.text(key)
        if not value:
            raise Malformed(f"{self.where(key)}: is missing; give a string that is not empty")
        return value

    def checked_text(self, key: str, fault_of: Callable[[str], str]) -> str:
        """Return a string that is given; ``fault_of`` says what is wrong with it, or nothing."""
        value = self.required_text(key)
        if fault := fault_of(value):
            raise Malformed(f"{self.where(key)}: {fault}")
        return value

    def boolean(self, key: str) -> bool:
        """Return a boolean, False when it is not given."""
        value = self.values.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise Malformed(f"{self.where(key)}: true or false is wanted, not {_kind(value)}")
        return value

    def object(self, key: str) -> dict[str, Any]:
        """Return an object of plain JSON values, empty when it is not given."""
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise Malformed(f"{self.where(key)}: an object is wanted, not {_kind(value)}")
        plain: dict[str, Any] = plain_json(value, self.where(key))
        return plain

    def objects(self, key: str) -> Sequence[Document]:
        """Return the objects of an array, none when it is not given."""
        return [
            Document(value, f"{self.where(key)}[{index}]")
            for index, value in enumerate(self._array(key))
            if self._is_object(value, f"{self.where(key)}[{index}]")
        ]

    def document(self, key: str) -> Document:
        """Return an object, empty when it is not given."""
        value = self.values.get(key)
        if value is not None:
            self._is_object(value, self.where(key))
        return Document(value or {}, self.where(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the strings of an array, none when it is not given."""
        values = self._array(key)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                place = f"{self.where(key)}[{index}]"
                raise Malformed(f"{place}: a string is wanted, not {_kind(value)}")
        return tuple(values)

    def _array(self, key: str) -> Sequence[Any]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise Malformed(f"{self.where(key)}: an array is wanted, not {_kind(value)}")
        return value

    def _is_object(self, value: Any, place: str) -> bool:  # noqa: ANN401 - to be found out
        if not isinstance(value, Mapping):
            raise Malformed(f"{place}: an object is wanted, not {_kind(value)}")
        return True


def plain_json(value: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a copy in which times are RFC 3339 text, as JSON writes them.

    Raises ``Malformed``: a key is not a string, or a value is of no JSON kind; ``Unprocessable``:
    a text holds NUL.
    """
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise Malformed(f"{place}: the key {key!r} is not a string; put it in quotes")
        return {
            plain_json(key, place): plain_json(item, f"{place}.{key}")
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [plain_json(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, str):
        if "\0" in value:
            raise Unprocessable(f"{place}: the character NUL cannot be stored; remove it")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Malformed(f"{place}: {value} cannot be written as JSON")
        # The Go service's store knows no negative zero.
        return value or 0.0
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    raise Malformed(f"{place}: {_kind(value)} cannot be written as JSON")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, Mapping):
        return "an object"
    return f"a {type(value).__name__}"
