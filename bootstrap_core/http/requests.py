"""Reading requests: bodies, content types, queries. Wrong ones raise ``Malformed`` and the like."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from attrs import field, frozen
from starlette.requests import Request

from bootstrap_core.documents import Document
from bootstrap_core.errors import Malformed, NotFound, TooLarge, UnsupportedMediaType
from bootstrap_core.nesting import MAX_DEPTH, is_too_deep

JSON: Final = "application/json"
DEFAULT_PAGE: Final = 10
LARGEST_PAGE: Final = 100
LONGEST_NUMBER: Final = 40
LARGEST_UNSIGNED: Final = 2**64 - 1
LARGEST_OFFSET: Final = 2**63 - 1


def media_type(request: Request) -> str:
    """Return the media type of the body in small letters, without its parameters; empty if none."""
    sent: str = request.headers.get("content-type", "")
    return sent.partition(";")[0].strip().lower()


@frozen
class Bodies:
    """Reads request bodies of at most ``limit`` bytes."""

    limit: int = 1024 * 1024

    async def json(self, request: Request) -> Document:
        """Return a JSON object; null stands for an empty one.

        Raises ``UnsupportedMediaType``, ``TooLarge``, ``Malformed``.
        """
        return await self.read(request, {JSON: read_json})

    async def read(
        self, request: Request, readers: Mapping[str, Callable[[bytes], Document]]
    ) -> Document:
        """Return the body, read by the reader of its content type; errors as for ``json``."""
        kind = media_type(request)
        reader = readers.get(kind)
        if reader is None:
            allowed = ", ".join(readers)
            given = f"{kind!r} is not taken" if kind else "none was given"
            raise UnsupportedMediaType(f"Content-Type: {given}; allowed are {allowed}")
        return reader(await self._bytes(request))

    async def _bytes(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self.limit:
                raise TooLarge(f"the body has more than {self.limit} bytes")
        return bytes(body)


@frozen
class Query:
    """The query of a request, its keys in order."""

    pairs: list[tuple[str, str]] = field(factory=list)

    @classmethod
    def of(cls, request: Request) -> Query:
        """Read the query. Raises ``Malformed``."""
        raw = request.scope.get("query_string", b"")
        if b";" in raw:
            raise Malformed("the query: parameters are separated by &, not by a semicolon")
        try:
            pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")
        except (ValueError, UnicodeDecodeError) as error:
            raise Malformed("the query is not valid percent-encoded UTF-8") from error
        if any("\0" in part for pair in pairs for part in pair):
            raise Malformed("the query: the character NUL is in nothing that could be found")
        return cls(pairs)

    def first(self, name: str) -> str:
        """Return the first value of a parameter, empty when it is not given."""
        return next((value for key, value in self.pairs if key == name), "")

    def single(self, name: str, default: str = "") -> str:
        """Return the value of a parameter that may be given once. Raises ``Malformed``."""
        values = [value for key, value in self.pairs if key == name]
        if len(values) > 1:
            raise Malformed(f"{name}: is given {len(values)} times; give it once")
        return values[0] if values else default

    def number(self, name: str, default: int) -> int:
        """Return a whole number from 0 on. Raises ``Malformed``."""
        written = self.single(name, str(default))
        digits = written.isascii() and written.isdigit() and len(written) <= LONGEST_NUMBER
        if not digits or int(written) > LARGEST_UNSIGNED:
            raise Malformed(f"{name}: {written!r} is not a whole number from 0 to 2^64-1")
        return int(written)

    def offset(self) -> int:
        """Return how many entries to pass over. Raises ``Malformed``."""
        return min(self.number("offset", 0), LARGEST_OFFSET)

    def limit(self, least: int = 0) -> int:
        """Return how many entries to list. Raises ``Malformed``."""
        limit = self.number("limit", DEFAULT_PAGE)
        if not least <= limit <= LARGEST_PAGE:
            raise Malformed(f"limit: from {least} to {LARGEST_PAGE} are listed at once")
        return limit

    def boolean(self, name: str) -> bool:
        """Return a truth value, False when it is not given. Raises ``Malformed``."""
        written = self.single(name, "false").lower()
        if written not in ("true", "false", "1", "0"):
            raise Malformed(f"{name}: true or false is wanted, not {written!r}")
        return written in ("true", "1")


def path_id(request: Request, name: str) -> str:
    """Return an ID that the path names. Raises ``NotFound`` for one that no store can hold."""
    value: str = request.path_params[name]
    if "\0" in value:
        raise NotFound(f"{name}: there is nothing with the character NUL in its ID")
    return value


def read_json(body: bytes) -> Document:
    """Read a JSON object (RFC 8259): nothing may follow it, numbers fit into a float.

    Raises ``Malformed`` with line and column, and for what is nested deeper than 100 levels.
    """
    try:
        value = json.loads(
            body.decode(), parse_constant=_refuse, parse_float=_float, parse_int=_int
        )
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"the body is not valid JSON at {at}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not valid JSON: {error}") from error
    if is_too_deep(value):
        raise Malformed(f"the body: is nested deeper than {MAX_DEPTH} levels")
    if b"\\u" in body:
        _refuse_lone_surrogates(value)
    if value is None:
        return Document({})
    if not isinstance(value, dict):
        raise Malformed("the body: a JSON object is wanted")
    return Document(value)


def _refuse(constant: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"{constant} is not a JSON number")


def _float(written: str) -> float:
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


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Malformed("the body: a \\u escape stands for half a character") from error
