"""Reading values out of decoded JSON, YAML or TOML objects.

Unknown keys are left alone. null stands for a value that is not given, as in the Go service. Each
reader raises ``Malformed`` with the place of a value that is not of the kind that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from attrs import field, frozen

from bootstrap_core.errors import Malformed, Unprocessable


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

    def bounded_text(self, key: str, limit: int) -> str:
        """Return a string that is not empty, of at most ``limit`` bytes of UTF-8."""
        value = self.required_text(key)
        if (size := len(value.encode())) > limit:
            raise Malformed(f"{self.where(key)}: has {size} bytes; at most {limit} are allowed")
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
