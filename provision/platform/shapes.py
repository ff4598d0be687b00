"""Answers taken apart with care: a wrong shape names the service, the operation and the field.

No value from an answer shows in an error, since it may be a secret; only its kind does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from attrs import field, frozen

from provision.platform.calls import Answer, Call
from provision.platform.errors import BadAnswer

T = TypeVar("T")

KINDS: Final = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


@frozen
class Shape:
    """A value in the answer to ``call``, and its JSON path (``clients[0].status``) for errors."""

    call: Call
    value: Any = field(repr=False)
    path: str = ""

    def text(self, name: str) -> str:
        """Return the text of a field, which may not be empty."""
        found = self._field(name)
        if not isinstance(found.value, str) or not found.value:
            raise found.wrong("text")
        return found.value

    def optional_text(self, name: str) -> str:
        """Return the text of a field; empty where it is left out."""
        found = self._field(name)
        if found.value is None:
            return ""
        if not isinstance(found.value, str):
            raise found.wrong("text")
        return found.value

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number from nought on; ``default`` where it is left out."""
        found = self._field(name)
        if found.value is None and default is not None:
            return default
        if not isinstance(found.value, int) or isinstance(found.value, bool) or found.value < 0:
            raise found.wrong("a whole number")
        return found.value

    def truth(self, name: str) -> bool:
        """Return true or false; false where it is left out."""
        found = self._field(name)
        if found.value is None:
            return False
        if not isinstance(found.value, bool):
            raise found.wrong("true or false")
        return found.value

    def time(self, name: str) -> datetime:
        """Return a time (RFC 3339) in UTC."""
        found = self._field(name)
        try:
            moment = datetime.fromisoformat(found.value)
            offset = moment.utcoffset()
            if offset is not None:
                return moment.replace(tzinfo=UTC) - offset
        except (TypeError, ValueError, OverflowError) as error:
            raise found.wrong("a time in the form of RFC 3339") from error
        raise found.wrong("a time with its zone")

    def optional_time(self, name: str) -> datetime | None:
        """Return a time; none where it is left out or Go's zero time (year 1)."""
        if self._field(name).value is None:
            return None
        moment = self.time(name)
        return None if moment.year == 1 else moment

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object as it is; empty where it is left out."""
        found = self._field(name)
        if found.value is None:
            return {}
        return found.whole()

    def texts(self, name: str) -> Sequence[str]:
        """Return a list of texts; empty where it is left out."""
        items = self.items(name)
        for item in items:
            if not isinstance(item.value, str):
                raise item.wrong("text")
        return tuple(item.value for item in items)

    def items(self, name: str) -> Sequence[Shape]:
        """Return the members of a list; none where it is left out."""
        found = self._field(name)
        return () if found.value is None else found.members()

    def members(self) -> Sequence[Shape]:
        """Return the members of the value itself, a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [
            Shape(self.call, item, f"{self.path}[{index}]") for index, item in enumerate(self.value)
        ]

    def inner(self, name: str) -> Shape:
        """Return an object within; an empty one where it is left out."""
        found = self._field(name)
        return Shape(self.call, {} if found.value is None else found.whole(), found.path)

    def choice(self, name: str, known: Mapping[str, T]) -> T:
        """Return what one of the ``known`` texts stands for."""
        found = self._field(name)
        if not isinstance(found.value, str) or found.value not in known:
            raise found.wrong(" or ".join(known))
        return known[found.value]

    def octets(self, name: str) -> bytes:
        """Return octets written in base64."""
        try:
            return base64.b64decode(self.text(name), validate=True)
        except binascii.Error as error:
            raise self._field(name).wrong("base64") from error

    def whole(self) -> Mapping[str, Any]:
        """Return the value itself, an object."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return self.value

    def wrong(self, expected: str) -> BadAnswer:
        """Return the error for a value that is not what it should be."""
        found = "missing" if self.value is None else KINDS.get(type(self.value), "a number")
        if isinstance(self.value, str):
            found = "other text" if self.value else "empty"
        return BadAnswer(
            f"the {self.call.service} service's answer to {self.call.operation} can't be used: "
            f"{self.path or 'the body'} is {found}, expected {expected}",
            service=self.call.service,
            operation=self.call.operation,
        )

    def _field(self, name: str) -> Shape:
        path = f"{self.path}.{name}" if self.path else name
        return Shape(self.call, self.whole().get(name), path)


def parse(answer: Answer) -> Shape:
    """Read an answer's body as a JSON object; raises ``BadAnswer``."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(
            f"the {answer.call.service} service's answer to {answer.call.operation} is not JSON: "
            f"does {answer.address or 'the configured address'} lead to the service itself?",
            service=answer.call.service,
            operation=answer.call.operation,
        ) from error
    shape = Shape(answer.call, document)
    shape.whole()
    return shape
